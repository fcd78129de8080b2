//! The errors of this crate.

use core::{error, fmt};

/// Why a `try_next` has no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryNextError {
    /// Nothing is there now; more may come.
    Empty,
    /// Nothing will come any more.
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

/// The list did not take the item; here it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PushError<T> {
    /// No slot is free: the slowest reader has as many items to read as there are slots.
    Full(T),
    /// The list was [stopped](crate::fixed::PushList::stop).
    Stopped(T),
}

impl<T> PushError<T> {
    /// The item.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Stopped(item) => item,
        }
    }
}

/// Not by `debug_tuple`, which costs a program that unwraps a push some 250 bytes.
impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(matches!(self, Self::Full(_)), f)
    }
}

/// Once, for whatever items.
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
