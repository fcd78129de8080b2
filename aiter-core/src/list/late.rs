//! [`Late`]: what a reader that starts from a [`Trail`](super::Trail) has still to settle.
//!
//! | `joining` | `start` | the reader |
//! |---|---|---|
//! | some | | is a stand-in without items; its place has been asked for |
//! | none | some | has its place, and has still to pass the items before `start` |

use super::{
    Peek, Writer, list,
    open::ReaderCount,
    reader::Reader,
    trail::{Head, Place, Start},
};
use crate::{Statistics, wait::join::Joining};
use core::task::{Context, Poll};

/// The rest of the way of a reader to its first item.
pub(crate) struct Late<T> {
    // The place goes before the count, see `Place`.
    joining: Option<Joining<Place<T>>>,
    /// Counts the reader until it has its place.
    count: Option<ReaderCount<T>>,
    /// Keeps the list of the stand-in open.
    _stand_in: Option<Writer<T>>,
    head: Head,
    retain: usize,
    start: Option<Start>,
}

// SAFETY: a place is shared between threads only if `T: Sync`, which making a `Late` requires.
unsafe impl<T: Send> Send for Late<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Late<T> {}

impl<T: Clone + Sync> Late<T> {
    /// A reader that waits for its place: it will yield the last `retain` items before `head`, and
    /// all that follow. Returns its stand-in as well.
    pub(crate) fn joining(
        joining: Joining<Place<T>>,
        count: ReaderCount<T>,
        head: Head,
        retain: usize,
    ) -> (Reader<T>, Self) {
        let (writer, reader) = list();
        let late = Self {
            joining: Some(joining),
            count: Some(count),
            _stand_in: Some(writer),
            head,
            retain,
            start: None,
        };
        (reader, late)
    }

    /// A reader at a place. There is no `Late` if nothing is left to settle.
    pub(crate) fn placed(
        place: Place<T>,
        count: ReaderCount<T>,
        head: Head,
        retain: usize,
    ) -> (Reader<T>, Option<Self>) {
        let mut reader = place.reader(count);
        drop(place);
        let start = reader.start(head, retain);
        let late = Self {
            joining: None,
            count: None,
            _stand_in: None,
            head,
            retain,
            start,
        };
        let is_settled = start.is_none_or(|start| reader.pass_to(start));
        (reader, (!is_settled).then_some(late))
    }

    /// Another reader that yields the same items.
    pub(crate) fn fork(&mut self, reader: &mut Reader<T>) -> (Reader<T>, Option<Self>) {
        if self.settle(reader, None) {
            return (reader.fork(), None);
        }
        let Self { head, retain, .. } = *self;
        match (&self.joining, &self.count) {
            (Some(joining), Some(count)) => {
                let (reader, late) = Self::joining(joining.clone(), count.another(), head, retain);
                (reader, Some(late))
            }
            _ => {
                let late = Self {
                    joining: None,
                    count: None,
                    _stand_in: None,
                    head,
                    retain,
                    start: self.start,
                };
                (reader.fork(), Some(late))
            }
        }
    }
}

impl<T> Late<T> {
    /// Brings the reader to its first item, if that is possible now. If not, and there is a
    /// context, the task is woken to try again.
    pub(crate) fn settle(
        &mut self,
        reader: &mut Reader<T>,
        mut cx: Option<&mut Context<'_>>,
    ) -> bool {
        if let Some(joining) = &mut self.joining {
            if let Some(cx) = &mut cx {
                if joining.poll_served(cx).is_pending() {
                    return false;
                }
            }
            let Some(place) = joining.get() else {
                return false;
            };
            if let Some(count) = self.count.take() {
                *reader = place.reader(count);
            }
            // The request was served after the closing thread, if there is one, has stored the end.
            self.start = reader.start(self.head, self.retain);
            self.joining = None;
            self._stand_in = None;
        }
        let Some(start) = self.start else {
            return true;
        };
        while !reader.pass_to(start) {
            // The next slot is not published, or is the end.
            let Some(cx) = &mut cx else {
                return reader.is_ended();
            };
            match reader.poll_next(cx) {
                Poll::Pending => return false,
                Poll::Ready(None) => return true,
                // It came meanwhile, and is before the start.
                Poll::Ready(Some(item)) => drop(item),
            }
        }
        true
    }

    /// Looks at the items that the reader will yield.
    pub(crate) fn peek<'a>(&'a self, reader: &'a Reader<T>) -> Peek<'a, T> {
        let placed = match &self.joining {
            Some(joining) => joining.get().map(Place::as_reader),
            None => Some(reader),
        };
        let start = placed.and_then(|placed| {
            let start = self
                .start
                .or_else(|| placed.start(self.head, self.retain))?;
            Some((placed, start))
        });
        match start {
            Some((placed, start)) => placed.peek_from(start),
            None => reader.peek(),
        }
    }

    pub(crate) fn is_closed(&self, reader: &Reader<T>) -> bool {
        match &self.count {
            Some(count) => count.is_closed(),
            None => reader.is_closed(),
        }
    }

    pub(crate) fn statistics(&self, reader: &Reader<T>) -> Statistics {
        match &self.count {
            Some(count) => count.statistics(),
            None => reader.statistics(),
        }
    }
}
