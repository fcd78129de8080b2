//! The place of a fork that misses nothing: a reader of the list, as a rule.
//!
//! A fork that is made from one that may miss items starts with *early* items, those of the
//! [ring](crate::ring), which are no longer in the list.
//!
//! | `early` | the fork takes | how it changes |
//! |---|---|---|
//! | `None` | from the list | |
//! | `Items` | these first. `reader` is of an empty list | taken → `None`, with the reader that was kept beside them |
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
    /// Of an empty list while there are early items.
    reader: Reader<T>,
    early: Option<Box<Early<T>>>,
}

struct Early<T> {
    items: EarlyItems<T>,
    /// Keeps the empty list open.
    _stand_in: Writer<T>,
}

enum EarlyItems<T> {
    /// Items, and a reader of those that follow.
    Items(VecDeque<T>, Reader<T>),
    Pinned(RingCursor<T>),
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
                Self::with_early(EarlyItems::Pinned(cursor))
            }
        }
    }

    fn from_parts(reader: Reader<T>, items: VecDeque<T>) -> Self {
        match items.is_empty() {
            true => Self::new(reader),
            false => Self::with_early(EarlyItems::Items(items, reader)),
        }
    }

    fn with_early(items: EarlyItems<T>) -> Self {
        let (_stand_in, reader) = list();
        let early = Early { items, _stand_in };
        Self {
            reader,
            early: Some(Box::new(early)),
        }
    }

    fn early(&self) -> Option<&EarlyItems<T>> {
        self.early.as_deref().map(|early| &early.items)
    }

    fn early_mut(&mut self) -> Option<&mut EarlyItems<T>> {
        self.early.as_deref_mut().map(|early| &mut early.items)
    }

    /// The parts of which a fork that may miss items is made.
    pub(super) fn fork_parts(&mut self) -> ForkParts<'_, T>
    where
        T: Clone + Sync,
    {
        match self.early.as_deref_mut().map(|early| &mut early.items) {
            Some(EarlyItems::Pinned(cursor)) => ForkParts::Cursor(cursor),
            Some(EarlyItems::Items(items, reader)) => {
                ForkParts::Reader(reader.fork(), items.clone())
            }
            None => ForkParts::Reader(self.reader.fork(), VecDeque::new()),
        }
    }

    /// The number of the item that the fork takes next.
    #[inline]
    pub(super) fn number(&self) -> usize {
        match self.early() {
            None => self.reader.number(),
            Some(EarlyItems::Items(items, reader)) => reader.number().wrapping_sub(items.len()),
            Some(EarlyItems::Pinned(cursor)) => cursor.number(),
        }
    }

    /// The tail of the list.
    pub(super) fn item_tail(&self) -> ItemTail {
        self.at_list(Reader::item_tail, RingCursor::item_tail)
    }

    /// Asks the fork's reader of the list, or its cursor of the ring.
    fn at_list<R>(
        &self,
        reader: impl FnOnce(&Reader<T>) -> R,
        cursor: impl FnOnce(&RingCursor<T>) -> R,
    ) -> R {
        match self.early() {
            None => reader(&self.reader),
            Some(EarlyItems::Items(_, at)) => reader(at),
            Some(EarlyItems::Pinned(at)) => cursor(at),
        }
    }

    #[cold]
    #[inline(never)]
    fn next_early(&mut self, waker: &Waker) -> NextItem<T> {
        if let Some(EarlyItems::Pinned(cursor)) = self.early_mut() {
            match cursor.detach(waker) {
                Detached::Reader(reader, items) => *self = Self::from_parts(reader, items),
                Detached::Unfed => return NextItem::Nothing,
                Detached::End => return NextItem::End,
                Detached::Waiting => return NextItem::Waiting,
            }
        }
        let Some(EarlyItems::Items(items, _)) = self.early_mut() else {
            return self.reader.next().into();
        };
        let item = items.pop_front();
        shrink(items);
        if items.is_empty() {
            if let Some(EarlyItems::Items(_, reader)) = self.early.take().map(|early| early.items) {
                self.reader = reader;
            }
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
        // A fork that came later may have left slots without an item.
        self.is_unpublished() || self.peek().finds_nothing()
    }

    #[inline]
    fn come_to_tail(&mut self) -> bool {
        self.is_unpublished() || self.pass_itemless()
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
        debug_assert!(
            self.early.is_none(),
            "it looks empty, and something is owed"
        );
        &mut self.reader
    }

    #[inline]
    fn is_alone(&self) -> bool {
        self.reader.is_alone() && self.early.is_none()
    }

    #[inline]
    fn next_fast(&mut self) -> Option<T> {
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
        match self.early() {
            None => ForkPlace::at_tail(&self.reader),
            Some(EarlyItems::Items(..)) => false,
            Some(EarlyItems::Pinned(cursor)) => cursor.at_tail(),
        }
    }

    #[inline]
    fn come_to_tail(&mut self) -> bool {
        match self.early() {
            None => self.reader.come_to_tail(),
            Some(_) => self.at_tail(),
        }
    }

    fn at_end(&self) -> bool {
        match self.early() {
            None => self.reader.is_ended(),
            Some(EarlyItems::Items(..)) => false,
            Some(EarlyItems::Pinned(cursor)) => cursor.at_end(),
        }
    }

    #[inline]
    fn bypass(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        self.at_list(Reader::is_closed, RingCursor::is_closed)
    }

    fn clear_waker(&mut self) {
        if let Some(EarlyItems::Pinned(cursor)) = self.early_mut() {
            cursor.clear_waker();
        }
    }

    fn lag(&self) -> usize {
        let lag = self.at_list(Reader::lag, RingCursor::lag);
        match self.early() {
            Some(EarlyItems::Items(items, _)) => lag.saturating_add(items.len()),
            _ => lag,
        }
    }

    fn statistics(&self) -> Statistics {
        self.at_list(Reader::statistics, |cursor| cursor.ring().statistics())
    }

    fn observe(&self) -> Observer<T> {
        self.at_list(Reader::observe, RingCursor::observe)
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
