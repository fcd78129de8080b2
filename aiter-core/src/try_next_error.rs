//! Nothing now, or nothing ever again.

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
