//! The errors of this crate.

use core::{error, fmt};

/// The error of `try_next`: there is no item to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryNextError {
    /// There is no item now, but more may come.
    Empty,
    /// The stream has ended.
    Ended,
}

impl fmt::Display for TryNextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no item is there now",
            Self::Ended => "the aiter has ended",
        })
    }
}

impl error::Error for TryNextError {}

/// The error of a push that a list with a limit refuses. It gives the item back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PushError<T> {
    /// The list is full: the slowest reader has yet to read as many items as the list can hold.
    Full(T),
    /// The list was [stopped](crate::fixed::PushList::stop): no item is pushed any more.
    Stopped(T),
}

impl<T> PushError<T> {
    /// The item that was refused.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Stopped(item) => item,
        }
    }
}

/// Not derived: `debug_tuple` would cost a program that unwraps a push some 250 bytes.
impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(matches!(self, Self::Full(_)), f)
    }
}

/// Not generic, so that a program has it once.
#[inline(never)]
fn debug(is_full: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(if is_full { "Full(..)" } else { "Stopped(..)" })
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the list is full",
            Self::Stopped(_) => "the list is stopped",
        })
    }
}

impl<T> error::Error for PushError<T> {}

/// The error of a push into a list that takes no more items. It gives back what was to be pushed.
///
/// The list was [stopped](crate::Pusher::stop), or its last consumer was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stopped<T>(pub T);

/// As for [`PushError`].
impl<T> fmt::Debug for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(false, f)
    }
}

impl<T> fmt::Display for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list is stopped, or has no consumer left")
    }
}

impl<T> error::Error for Stopped<T> {}
