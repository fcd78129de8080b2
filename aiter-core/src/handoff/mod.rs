//! A lock that no thread ever waits for, handles to a value that it guards, values that are left
//! for its holder, and the order in which tasks wait for what the holder gives out.

mod deposits;
mod handle;
mod lock;
pub(crate) mod tickets;

pub(crate) use deposits::Deposits;
pub(crate) use handle::{Handle, ValueGuard};
pub(crate) use lock::{Combine, Guard, HandoffLock, REQUESTS};
