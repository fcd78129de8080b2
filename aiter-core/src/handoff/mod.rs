//! A lock that no thread ever waits for, handles to a value that it guards, and values that are left
//! for its holder.

mod deposits;
mod handle;
mod lock;

pub(crate) use deposits::Deposits;
pub(crate) use handle::Handle;
pub(crate) use lock::{Combine, Guard, HandoffLock, REQUESTS};
