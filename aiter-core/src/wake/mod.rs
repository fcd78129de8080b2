//! Waiting and waking: the lowest layer but for `sync`. Unsafe code is at home here, behind safe interfaces.

#[cfg(feature = "alloc")]
pub(crate) mod alarm;
#[cfg(feature = "alloc")]
pub(crate) mod batch;
#[cfg(feature = "alloc")]
pub(crate) mod baton;
#[cfg(feature = "alloc")]
pub(crate) mod cell;
#[cfg(all(test, not(aiter_loom)))]
pub(crate) mod clones;
#[cfg(feature = "alloc")]
pub(crate) mod crowd;
#[cfg(feature = "alloc")]
pub(crate) mod inbox;
#[cfg(feature = "alloc")]
pub(crate) mod probe;
#[cfg(feature = "alloc")]
pub(crate) mod seats;
#[cfg(feature = "alloc")]
pub(crate) mod task;
#[cfg(feature = "alloc")]
pub(crate) mod waker_ref;
