//! Waiting and waking: the lowest layer but for `sync`. Unsafe code is at home here, behind safe interfaces.

pub(crate) mod alarm;
pub(crate) mod batch;
pub(crate) mod baton;
pub(crate) mod cell;
pub(crate) mod crowd;
pub(crate) mod inbox;
pub(crate) mod seats;
pub(crate) mod waker_ref;
