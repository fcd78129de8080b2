//! [`Trail`]: the reader that keeps the latest items of an open list, and what starts from its
//! place.
//!
//! A list with a trail has no slot without an item: nobody subscribes at a slot, and batches are
//! collected before they are pushed. So slots count items.
//!
//! The trail is moved under a lock, so nothing here runs users' code. What it passes is dropped
//! later: the items that no other reader wants, and the blocks that it leaves, which may hold items
//! that two readers have passed at once ([`Passed`]).

use super::{
    block::{Block, BlockHeader, Position, Scan, Tail, ahead, distance, distance_to_tail},
    cursor::Cursor,
    observer::ItemTail,
    open::{ReaderCount, open_list_with_reader},
    reader::Reader,
    shared::{CLOSED, List},
    writer::Writer,
};
use crate::sync::{Arc, Ordering::*};
use alloc::vec::Vec;
use core::{
    mem::ManuallyDrop,
    ptr::{self, NonNull},
};
use scopeguard::guard;

/// An open list with a reader that trails its end by up to `retain` items.
pub(crate) fn trailed_list<T>(retain: usize) -> (Writer<T>, Trail<T>) {
    let (writer, reader) = open_list_with_reader();
    (writer, Trail { reader, retain })
}

/// How far a list had got at some moment: its tail word then.
#[derive(Clone, Copy)]
pub(crate) struct Head(Tail);

impl Head {
    /// The tail. `None` if the list was closed, and the closing thread has yet to store where.
    fn tail<T>(self, list: &List<T>) -> Option<Tail> {
        if self.0 & CLOSED == 0 {
            Some(self.0)
        } else {
            list.end_tail()
        }
    }

    /// The position of the last but `retain` item before it, for a reader at `from`: `from` itself
    /// if there are fewer.
    fn position<T>(self, list: &List<T>, from: Position, retain: usize) -> Option<Position> {
        let items = distance_to_tail(from, self.tail(list)?).max(0) as usize;
        Some(ahead(from, items.saturating_sub(retain)))
    }
}

/// Where a reader starts that has been placed further back.
#[derive(Clone, Copy)]
pub(crate) struct Start(Position);

/// The reader that keeps the latest items.
pub(crate) struct Trail<T> {
    reader: Reader<T>,
    retain: usize,
}

/// What a trail has passed.
pub(crate) struct Passed<T> {
    items: OneOrMore<T>,
    blocks: OneOrMore<LeftBlock<T>>,
}

impl<T> Default for Passed<T> {
    fn default() -> Self {
        Self {
            items: OneOrMore(None, Vec::new()),
            blocks: OneOrMore(None, Vec::new()),
        }
    }
}

/// Most often one, which costs no allocation.
struct OneOrMore<V>(Option<V>, Vec<V>);

impl<V> OneOrMore<V> {
    #[inline]
    fn push(&mut self, value: V) {
        if self.0.is_none() {
            self.0 = Some(value);
        } else {
            self.1.push(value);
        }
    }
}

/// A block that a trail has left, and that is still counted in. Dropping it leaves the block.
struct LeftBlock<T> {
    list: Arc<List<T>>,
    block: NonNull<BlockHeader<T>>,
}

impl<T> Drop for LeftBlock<T> {
    fn drop(&mut self) {
        // SAFETY: `Cursor::stay` has counted it in the block, and it moved nothing out.
        unsafe { self.list.depart(self.block) };
    }
}

impl<T> Trail<T> {
    /// How far the list has got. `None` while a thread is closing it.
    pub(crate) fn head(&self) -> Option<Head> {
        let list = &*self.reader.list;
        // Ordering: Acquire pairs with the Release in `Writer::announce`: if this is past the head
        // of a request, the request is seen.
        let head = Head(list.tail.load(Acquire));
        head.tail(list).map(Head)
    }

    /// Moves on to the last items before `head`, or as far as items are published.
    pub(crate) fn follow(&mut self, head: Head, passed: &mut Passed<T>) {
        let Self { reader, retain } = self;
        let from = reader.cursor.position();
        if let Some(until) = head.position(&reader.list, from, *retain) {
            let left = |reader: &Reader<T>| distance(reader.cursor.position(), until);
            while left(reader) > 0 && reader.find_run(passed) {
                let cursor = &mut reader.cursor;
                let end = cursor.run_end.min(cursor.next_slot + left(reader) as usize);
                reader.pass_run(end, |item| passed.items.push(item));
            }
        }
    }

    /// The reader, to make a ring near it.
    pub(crate) fn as_reader(&self) -> &Reader<T> {
        &self.reader
    }

    /// A place at the oldest retained item. The reader that it is for is counted in `readers`
    /// by now: otherwise the trail could find itself alone, and move out what the place is to read.
    pub(crate) fn place(&mut self) -> Place<T> {
        let reader = &mut self.reader;
        reader.cursor.give_up_run();
        let (cursor, registration) = reader.list.place_at(&reader.cursor);
        let list = reader.list.clone();
        Place(ManuallyDrop::new(Reader::new(list, cursor, registration)))
    }
}

/// The place of a reader that is not counted itself: each of those that share it is, and drops it
/// before its count. It takes nothing, so any thread can start a reader there.
pub(crate) struct Place<T>(ManuallyDrop<Reader<T>>);

impl<T> Place<T> {
    /// A reader at this place.
    pub(crate) fn reader(&self, count: ReaderCount<T>) -> Reader<T> {
        let (cursor, registration) = self.0.list.place_at(&self.0.cursor);
        count.pass_to(|list| Reader::new(list, cursor, registration))
    }

    pub(crate) fn as_reader(&self) -> &Reader<T> {
        &self.0
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let reader = guard(&mut *self.0, |reader| {
            // SAFETY: the reader is not used again, and no other field of it has to be dropped.
            unsafe { ptr::drop_in_place(&mut reader.list) }
        });
        let mut reader = guard(reader, |mut reader| reader.detach(false));
        reader.discard();
    }
}

impl<T> Reader<T> {
    /// Finds items to pass, if there are any. Leaves no block for good.
    fn find_run(&mut self, passed: &mut Passed<T>) -> bool {
        if self.cursor.next_slot < self.cursor.run_end {
            return true;
        }
        if let Some(block) = self.cursor.stay() {
            let list = self.list.clone();
            passed.blocks.push(LeftBlock { list, block });
        }
        matches!(self.next_run(), Scan::Items(_))
    }

    /// Passes the items up to the slot `end`, which is in the current run. Those that no other
    /// reader wants go to `moved`.
    fn pass_run(&mut self, end: usize, mut moved: impl FnMut(T)) {
        while self.cursor.is_last && self.cursor.next_slot < end {
            // SAFETY: the cursor is before the end of its run, and `is_last` is set.
            let item = unsafe { self.cursor.take() };
            self.publish_position();
            moved(item);
        }
        if self.cursor.next_slot < end {
            self.cursor.next_slot = end;
            self.publish_position();
        }
    }

    /// Where a reader starts that was placed here and asked for `retain` items before `head`.
    /// `None` while a thread is closing the list.
    pub(crate) fn start(&self, head: Head, retain: usize) -> Option<Start> {
        let position = head.position(&self.list, self.cursor.position(), retain)?;
        Some(Start(position))
    }

    /// How many items there are up to `start`.
    pub(crate) fn slots_to(&self, start: Start) -> usize {
        distance(self.cursor.position(), start.0).max(0) as usize
    }

    /// Passes the items before `start`, as far as they are published. Returns whether that is all.
    pub(crate) fn pass_to(&mut self, start: Start) -> bool {
        loop {
            let left = self.slots_to(start);
            if left == 0 {
                return true;
            }
            let cursor = &self.cursor;
            if cursor.next_slot == cursor.run_end && !matches!(self.next_run(), Scan::Items(_)) {
                return false;
            }
            let end = self.cursor.run_end.min(self.cursor.next_slot + left);
            self.pass_run(end, drop);
        }
    }

    /// Looks at the items from `start` on.
    pub(crate) fn peek_from(&self, start: Start) -> super::Peek<'_, T> {
        self.peek().skipping(self.slots_to(start))
    }
}

impl<T> List<T> {
    /// One more cursor at the place of another one, which has found no run, and its registration.
    fn place_at(&self, at: &Cursor<T>) -> (Cursor<T>, crate::wait::registry::SlotRef) {
        let cursor = at.another();
        let registration = self.registry.register(cursor.position(), cursor.skipped);
        (cursor, registration)
    }
}

impl<T> Cursor<T> {
    /// If the cursor is about to enter the next block: one more count of the block that it leaves,
    /// so that it is not the last one to leave.
    fn stay(&self) -> Option<NonNull<BlockHeader<T>>> {
        if self.next_slot < Block::<T>::LEN {
            return None;
        }
        Some(self.count_in_block())
    }
}

impl<T> Writer<T> {
    /// The tail at `head`, if the list has a trail. `None` if the list was closed, and the closing
    /// thread has yet to store where.
    pub(crate) fn tail_at(&self, head: Head) -> Option<ItemTail> {
        head.tail(&self.list).map(ItemTail::new)
    }

    /// How far the list has got, for a request that has been made already: see [`Trail::head`].
    pub(crate) fn announce(&self) -> Head {
        // Ordering: Release hands the request to every thread that finds the tail further on, also
        // if there are reservations in between, which continue the release sequence.
        Head(self.list.tail.fetch_add(0, AcqRel))
    }
}
