//! [`Observer`]: how far the slowest reader of a list has come.

use super::{
    block::{back, distance},
    reader::Reader,
    shared::List,
    writer::Writer,
};
use crate::sync::Arc;
use count::Count;

/// Numbers of items, counted from the first one of a list. They are scaled and wrap as positions
/// do: compare two of them by their distance only.
pub(crate) mod count {
    pub(crate) use super::super::block::{
        FIRST, MAX_DISTANCE as MAX, Position as Count, ahead, back, distance,
    };
}

/// A handle that is neither a reader nor a writer: it keeps the memory of the list, and neither its
/// items nor the list open.
pub(crate) struct Observer<T>(Arc<List<T>>);

impl<T> Writer<T> {
    pub(crate) fn observer(&self) -> Observer<T> {
        Observer(self.list().clone())
    }
}

impl<T> Reader<T> {
    /// How many items this reader has passed.
    pub(crate) fn passed(&self) -> Count {
        back(self.cursor.position(), self.cursor.skipped)
    }
}

impl<T> Observer<T> {
    /// How many items the slowest reader has passed. `None` without readers: then the list is
    /// closed. Lock-free; it looks at each reader.
    ///
    /// A reader that is just passing a slot without an item may seem to be one item further behind
    /// than it is, until it has passed.
    pub(crate) fn passed(&self) -> Option<Count> {
        self.0.registry.min_passed(back)
    }

    /// Whether some reader has passed no more items than `passed`. It looks at readers until it finds
    /// one, and may miss one that comes meanwhile.
    pub(crate) fn is_followed_at(&self, passed: Count) -> bool {
        self.0
            .registry
            .any(|position, skipped| distance(back(position, skipped), passed) >= 0)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}
