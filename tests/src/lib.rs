//! Tests that stand outside the crates they test: what users can and cannot do with the public interface.
//!
//! The programs are under `tests/`; here are what waits, the interpreters that the property tests and the fuzz targets share, the
//! cases that must not compile, and the examples of the top-level README.

pub mod cancellation;
pub mod properties;

#[cfg(doctest)]
mod compile_fail;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
