//! A lock that no thread ever waits for, handles to a value that it guards, and the order in which
//! tasks wait for what its holder gives out.

mod handle;
mod lock;
pub(crate) mod tickets;

pub(crate) use handle::Handle;
pub(crate) use lock::{Combine, Guard, HandoffLock, REQUESTS};
