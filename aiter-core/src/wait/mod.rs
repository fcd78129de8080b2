//! Waiting and waking: the lowest layer but for `sync`. Unsafe code is at home here, behind safe interfaces.

pub(crate) mod demand;
pub(crate) mod notify;
pub(crate) mod registry;
pub(crate) mod spin;
pub(crate) mod task;
pub(crate) mod wait_set;
pub(crate) mod wake_cell;
pub(crate) mod wake_list;
pub(crate) mod wake_stack;
pub(crate) mod waker_ref;
