//! Small helpers that several layers need.

#[cfg(feature = "std")]
pub(crate) mod catch;
pub(crate) mod fuse;
#[cfg(feature = "alloc")]
pub(crate) mod shrink;
