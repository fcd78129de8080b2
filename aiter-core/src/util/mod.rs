//! Small helpers that several layers need.

pub(crate) mod fuse;
pub(crate) mod in_place;
#[cfg(feature = "alloc")]
pub(crate) mod shrink;
