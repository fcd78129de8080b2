//! Tests from outside the crates: what users can and cannot do with the public interface.
//!
//! The test programs are under `tests/`. This library has the setups of the cancellation sweeps,
//! the models that the property tests and the fuzz targets share, the cases that must not compile,
//! and the examples of the repository's README.

pub mod cancellation;
pub mod properties;

#[cfg(doctest)]
mod compile_fail;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
