//! A lock that nobody waits for, and the handles of what it guards.

mod handle;
mod lock;

pub(crate) use handle::Guarded;
pub(crate) use lock::{Baton, Held, NOTES, Settle};
