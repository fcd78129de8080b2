//! What the tests and the loom models share.

#[cfg(not(aiter_loom))]
pub(crate) mod clock;
#[cfg(not(aiter_loom))]
pub(crate) mod clones;
#[cfg(aiter_loom)]
pub(crate) mod loom;
#[cfg(not(aiter_loom))]
mod polling;

#[cfg(not(aiter_loom))]
pub(crate) use polling::*;
