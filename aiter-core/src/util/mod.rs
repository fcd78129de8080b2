//! Small helpers that several layers need.

#[cfg(feature = "std")]
pub(crate) mod catch;
pub(crate) mod fuse;
pub(crate) mod in_place;
#[cfg(feature = "alloc")]
pub(crate) mod shrink;
