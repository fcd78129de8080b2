//! The place of a fork that misses nothing: a reader of the list, as a rule.
//!
//! A fork that is made from one that may miss items starts with *early* items, those of the
//! [ring](crate::ring), which are no longer in the list.
//!
//! | `early` | the fork takes | how it changes |
//! |---|---|---|
//! | `None` | from the list | |
//! | `Items` | these first | taken → `None` |
//! | `Pinned` | from the ring, where a cursor without a limit keeps all from its place on, because another thread held the lock of the ring or of the source. `reader` is of an empty list | polled while the ring's lock is free → `Items` or `None`, with a reader of the list |

use super::place::{ForkPlace, MakesForks, NextItem, Parent};
use crate::{
    Statistics,
    list::{ItemTail, Observer, Reader, Writer, list},
    ring::{Detached, RingCursor},
    util::shrink::shrink,
};
use alloc::{boxed::Box, collections::VecDeque};
use core::task::Waker;

pub(crate) struct Lossless<T> {
    reader: Reader<T>,
    early: Option<Box<Early<T>>>,
}

enum Early<T> {
    Items(VecDeque<T>),
    Pinned {
        cursor: RingCursor<T>,
        /// Keeps the empty list open.
        _writer: Writer<T>,
    },
}

impl<T> Lossless<T> {
    pub(super) fn new(reader: Reader<T>) -> Self {
        Self {
            reader,
            early: None,
        }
    }

    /// The place of a fork that is made from another one.
    pub(super) fn at(parent: Parent<'_, T>) -> Self
    where
        T: Clone + Sync,
    {
        match parent {
            Parent::Lossless(place) => place.fork(),
            Parent::Lossy(cursor) => Self::from_cursor(cursor.fork_with(usize::MAX)),
            Parent::Reader(reader) => Self::new(reader),
            Parent::Late { ring, replays } => Self::from_cursor(ring.late(replays, usize::MAX)),
        }
    }

    /// The place of a cursor without a limit.
    fn from_cursor(mut cursor: RingCursor<T>) -> Self {
        // What came before its first item is not missed.
        cursor.take_missed();
        match cursor.detach(Waker::noop()) {
            Detached::Reader(reader, items) => Self::from_parts(reader, items),
            Detached::Unfed | Detached::End | Detached::Waiting => {
                let (_writer, reader) = list();
                let early = Early::Pinned { cursor, _writer };
                Self {
                    reader,
                    early: Some(Box::new(early)),
                }
            }
        }
    }

    fn from_parts(reader: Reader<T>, items: VecDeque<T>) -> Self {
        let early = (!items.is_empty()).then(|| Box::new(Early::Items(items)));
        Self { reader, early }
    }

    /// The parts of which a fork that may miss items is made.
    pub(super) fn fork_parts(&mut self) -> ForkParts<'_, T>
    where
        T: Clone + Sync,
    {
        match self.early.as_deref_mut() {
            Some(Early::Pinned { cursor, .. }) => ForkParts::Cursor(cursor),
            Some(Early::Items(items)) => ForkParts::Reader(self.reader.fork(), items.clone()),
            None => ForkParts::Reader(self.reader.fork(), VecDeque::new()),
        }
    }

    /// The number of the item that the fork takes next.
    #[inline]
    pub(super) fn number(&self) -> usize {
        match self.early.as_deref() {
            None => self.reader.number(),
            Some(Early::Items(items)) => self.reader.number().wrapping_sub(items.len()),
            Some(Early::Pinned { cursor, .. }) => cursor.number(),
        }
    }

    /// The tail of the list.
    pub(super) fn item_tail(&self) -> ItemTail {
        match self.cursor() {
            Some(cursor) => cursor.item_tail(),
            None => self.reader.item_tail(),
        }
    }

    fn cursor(&self) -> Option<&RingCursor<T>> {
        match self.early.as_deref() {
            Some(Early::Pinned { cursor, .. }) => Some(cursor),
            _ => None,
        }
    }

    #[cold]
    #[inline(never)]
    fn next_early(&mut self, waker: &Waker) -> NextItem<T> {
        if let Some(Early::Pinned { cursor, .. }) = self.early.as_deref_mut() {
            match cursor.detach(waker) {
                Detached::Reader(reader, items) => *self = Self::from_parts(reader, items),
                Detached::Unfed => return NextItem::Nothing,
                Detached::End => return NextItem::End,
                Detached::Waiting => return NextItem::Waiting,
            }
        }
        let Some(Early::Items(items)) = self.early.as_deref_mut() else {
            return self.reader.next().into();
        };
        let item = items.pop_front();
        shrink(items);
        if items.is_empty() {
            self.early = None;
        }
        item.map_or(NextItem::Nothing, NextItem::Item)
    }
}

/// See [`Lossless::fork_parts`].
pub(super) enum ForkParts<'a, T> {
    /// A reader, and the items before its own.
    Reader(Reader<T>, VecDeque<T>),
    Cursor(&'a mut RingCursor<T>),
}

impl<T> ForkPlace<T> for Reader<T> {
    type Item = T;
    type Plain = Self;

    fn plain(&mut self) -> &mut Self {
        self
    }

    #[inline]
    fn is_alone(&self) -> bool {
        Self::is_alone(self)
    }

    #[inline]
    fn next(&mut self, _: &Waker) -> NextItem<T> {
        self.next_slow().into()
    }

    #[inline]
    fn next_pulled(&mut self, _: &Waker) -> NextItem<T> {
        self.next_pushed().into()
    }

    #[inline]
    fn at_tail(&self) -> bool {
        self.is_unpublished()
    }

    fn at_end(&self) -> bool {
        self.is_ended()
    }

    #[inline]
    fn bypass(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn lag(&self) -> usize {
        Self::lag(self)
    }

    fn statistics(&self) -> Statistics {
        Self::statistics(self)
    }

    fn observe(&self) -> Observer<T> {
        Self::observe(self)
    }
}

impl<T> ForkPlace<T> for Lossless<T> {
    type Item = T;
    /// While nothing is owed, there are no early items.
    type Plain = Reader<T>;

    #[inline]
    fn plain(&mut self) -> &mut Reader<T> {
        debug_assert!(self.early.is_none(), "then something is owed");
        &mut self.reader
    }

    #[inline]
    fn is_alone(&self) -> bool {
        self.reader.is_alone() && self.early.is_none()
    }

    #[inline]
    fn next_fast(&mut self) -> Option<T> {
        // Nothing is known of the list while there are early items.
        self.reader.next_fast()
    }

    #[inline]
    fn looks_empty(&self) -> bool {
        self.reader.looks_empty()
    }

    #[inline]
    fn next(&mut self, waker: &Waker) -> NextItem<T> {
        if self.early.is_some() {
            return self.next_early(waker);
        }
        ForkPlace::next(&mut self.reader, waker)
    }

    #[inline]
    fn next_pulled(&mut self, waker: &Waker) -> NextItem<T> {
        if self.early.is_some() {
            return self.next_early(waker);
        }
        ForkPlace::next_pulled(&mut self.reader, waker)
    }

    #[inline]
    fn at_tail(&self) -> bool {
        match self.early.as_deref() {
            None => ForkPlace::at_tail(&self.reader),
            Some(Early::Items(_)) => false,
            Some(Early::Pinned { cursor, .. }) => cursor.at_tail(),
        }
    }

    fn at_end(&self) -> bool {
        match self.early.as_deref() {
            None => self.reader.is_ended(),
            Some(Early::Items(_)) => false,
            Some(Early::Pinned { cursor, .. }) => cursor.at_end(),
        }
    }

    #[inline]
    fn bypass(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        self.cursor()
            .map_or_else(|| self.reader.is_closed(), RingCursor::is_closed)
    }

    fn clear_waker(&mut self) {
        if let Some(Early::Pinned { cursor, .. }) = self.early.as_deref_mut() {
            cursor.clear_waker();
        }
    }

    fn lag(&self) -> usize {
        match self.early.as_deref() {
            None => self.reader.lag(),
            Some(Early::Items(items)) => self.reader.lag().saturating_add(items.len()),
            Some(Early::Pinned { cursor, .. }) => cursor.lag(),
        }
    }

    fn statistics(&self) -> Statistics {
        self.reader.statistics()
    }

    fn observe(&self) -> Observer<T> {
        match self.cursor() {
            Some(cursor) => cursor.observe(),
            None => self.reader.observe(),
        }
    }
}

impl<T> MakesForks<T> for Lossless<T> {
    fn parent(&mut self) -> Parent<'_, T> {
        Parent::Lossless(self)
    }

    fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        match self.fork_parts() {
            ForkParts::Reader(reader, items) => Self::from_parts(reader, items),
            ForkParts::Cursor(cursor) => Self::from_cursor(cursor.fork_with(usize::MAX)),
        }
    }
}
