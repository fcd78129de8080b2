//! Drivers and pumps: futures that run a stream beside its consumer, or to its end.

#[cfg(feature = "alloc")]
mod active;
#[cfg(feature = "alloc")]
mod driver;
#[cfg(feature = "alloc")]
mod preload;
mod pump;

#[cfg(feature = "alloc")]
pub use self::{
    active::active,
    driver::Driver,
    preload::{Preloaded, preload, preload_with},
};
pub use pump::{Pump, pump, pump_lending};
