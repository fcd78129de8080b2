//! A lock that no thread ever waits for, and handles to a value that it guards.

mod handle;
mod lock;

pub(crate) use handle::Handle;
pub(crate) use lock::{Combine, Guard, HandoffLock, REQUESTS};
