//! A lock that nobody waits for, and the handles of what it guards.

mod handle;
mod lock;

pub(crate) use handle::Handle;
pub(crate) use lock::{Combine, Guard, HandoffLock, REQUESTS};
