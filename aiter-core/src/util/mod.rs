//! Small helpers that several layers need.

pub(crate) mod fuse;
#[cfg(feature = "alloc")]
pub(crate) mod shrink;
