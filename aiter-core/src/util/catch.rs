//! [`catch`]: panics as values.

use alloc::boxed::Box;
use core::{any::Any, panic::AssertUnwindSafe};
use std::panic::catch_unwind;

/// The payload of a panic.
pub type Panic = Box<dyn Any + Send>;

/// Returns what `f` returns, or its panic. What `f` has changed is either dropped by the caller or
/// stays usable by its contract.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(f))
}
