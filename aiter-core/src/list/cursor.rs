//! A reader's place in the chain of blocks: finding items, moving on, leaving retired blocks behind.

use super::{
    List, Peek,
    block::{Block, Found, Head, Next, Position, ahead, ones},
    retired::retire,
};
use crate::sync::Ordering::*;
use core::{mem, ptr::NonNull};

/// A place in the chain that keeps the block it is in, and with it all that follow.
pub(super) struct Cursor<T> {
    block: NonNull<Head<T>>,
    /// The next slot to look at; its length at the block's end.
    pub(super) at: usize,
    /// Slots before it, from `at` on, are known to hold items for this cursor to take.
    pub(super) end: usize,
    /// Whether it moves those items out, being the last to read them.
    pub(super) is_last: bool,
    /// While it `is_last`: slots from here to `at` were moved out, and `taken` does not say so yet.
    moved: usize,
    /// Slots without an item that were passed.
    pub(super) skipped: usize,
    /// The slot of the block that it began at. Those before it were not seen published.
    since: u8,
}

impl<T> Cursor<T> {
    /// A cursor in `block` at `at`, where all slots `since` one were seen published. The caller has counted it in the block's
    /// `refs`.
    pub(super) fn new(block: NonNull<Head<T>>, at: usize, since: usize, skipped: usize) -> Self {
        Self {
            block,
            at,
            end: at,
            is_last: false,
            moved: at,
            skipped,
            since: since as u8,
        }
    }

    fn head(&self) -> &Head<T> {
        // SAFETY: the cursor is counted in the block's `refs`.
        let head = unsafe { self.block.as_ref() };
        head.lifetime.used();
        head
    }

    /// The block, which has slots: to be called with `at` below its length, where the root's
    /// cursors never are.
    #[inline(always)]
    fn block(&self) -> &Block<T> {
        // SAFETY: the cursor is counted in the block's `refs`, and the block is not the root.
        unsafe { self.block.cast::<Block<T>>().as_ref() }
    }

    #[inline(always)]
    pub(super) fn position(&self) -> Position {
        ahead(self.head().start, self.at)
    }

    /// What stands at `at`, unless that is a slot without an item, or the end of a block: then [`look`](Self::look).
    #[inline(always)]
    pub(super) fn glance(&self) -> Option<Found> {
        if self.at >= Block::<T>::LEN {
            return None;
        }
        match self.block().find(self.at) {
            Found::Taken => None,
            found => Some(found),
        }
    }

    /// Looks for items from `at` on, over slots without one and into the next block.
    pub(super) fn look(&mut self, list: &List<T>) -> Found {
        loop {
            if self.at == Block::<T>::LEN {
                match self.head().next() {
                    Next::None => return Found::Empty,
                    Next::Ended => return Found::Ended,
                    Next::Block(next) => self.enter(list, next),
                }
            }
            match self.block().find(self.at) {
                Found::Taken => {
                    self.at += 1;
                    self.end = self.at;
                    self.skipped += 1;
                }
                found => return found,
            }
        }
    }

    /// The items up to `end` are to be moved out.
    #[inline(always)]
    pub(super) fn move_on(&mut self, list: &List<T>, end: usize) {
        if !self.is_last {
            self.moved = self.at;
        }
        // Ordering: Acquire pairs with the Release of whoever left last.
        if !self.head().prev.load(Relaxed).is_null() && self.head().refs.load(Acquire) == 1 {
            // SAFETY: `refs` says that the cursor is alone here.
            unsafe { self.reclaim(list) };
        }
        self.is_last = true;
        self.end = end;
    }

    /// Frees blocks before this one.
    ///
    /// # Safety
    /// No other reader is in the block, or can come.
    #[inline(never)]
    unsafe fn reclaim(&mut self, list: &List<T>) {
        let passed = if self.saw_all() {
            self.position()
        } else {
            self.head().start
        };
        // SAFETY: by the contract all blocks before this one have retired: every slot in them was
        // published, and this cursor saw those here.
        unsafe { list.reclaim(self.block, passed) };
        if !matches!(self.head().next(), Next::Block(_)) {
            // As in `retire`: the block before this one came to the spare ones after that.
            list.free_list.trim();
        }
    }

    /// Whether all slots of the block before `at` were published.
    #[inline(always)]
    fn saw_all(&mut self) -> bool {
        self.since == 0 || self.sees_all()
    }

    #[cold]
    fn sees_all(&mut self) -> bool {
        if self.block().published_to(0) >= usize::from(self.since) {
            self.since = 0;
        }
        self.since == 0
    }

    /// They are to be cloned.
    #[inline(always)]
    pub(super) fn clone_on(&mut self, end: usize) {
        if self.is_last {
            self.unclaim();
        }
        // Those behind need not look for it slot by slot.
        self.block().note_run(self.at, end);
        self.end = end;
    }

    /// Gives up what was found and not taken, so that another cursor may come here.
    #[cold]
    pub(super) fn unclaim(&mut self) {
        self.flush();
        self.is_last = false;
        self.end = self.at;
    }

    /// Writes down which items were moved out.
    fn flush(&mut self) {
        if self.is_last && self.moved < self.at {
            self.block().mark_taken(ones(self.moved..self.at));
        }
        self.moved = self.at;
    }

    /// Moves the item at `at` out.
    ///
    /// # Safety
    /// `at` is below `end`, and the cursor `is_last`.
    #[inline(always)]
    pub(super) unsafe fn take(&mut self) -> T {
        let slot = self.at;
        self.at += 1;
        // SAFETY: by the contract: published, held, and this cursor the last to read it.
        unsafe { Block::take(self.block.cast(), slot) }
    }

    /// The item at `at`, which the cursor passes.
    ///
    /// # Safety
    /// `at` is below `end`. The item may be moved out as soon as another reader sees that this one has passed it.
    #[inline(always)]
    pub(super) unsafe fn pass<'a>(&mut self) -> &'a T {
        let slot = self.at;
        self.at += 1;
        // SAFETY: by the contract.
        unsafe { Block::item(self.block.cast(), slot) }
    }

    /// Whether the slot at `at` is not published.
    #[inline(always)]
    pub(super) fn is_at_gap(&self) -> bool {
        if self.at < Block::<T>::LEN {
            return self.block().is_vacant(self.at);
        }
        self.is_next_vacant()
    }

    /// The quick half of [`is_at_gap`](Self::is_at_gap): false at the end of a block that has a successor, which is to be
    /// entered.
    #[inline(always)]
    pub(super) fn is_bare(&self) -> bool {
        if self.at < Block::<T>::LEN {
            return self.block().is_vacant(self.at);
        }
        matches!(self.head().next(), Next::None)
    }

    #[cold]
    fn is_next_vacant(&self) -> bool {
        match self.head().next() {
            Next::None => true,
            Next::Ended => false,
            // SAFETY: kept by the block before it.
            Next::Block(next) => unsafe { next.as_ref() }.is_vacant(0),
        }
    }

    /// From the end of a block into the next.
    #[inline(never)]
    fn enter(&mut self, list: &List<T>, next: NonNull<Block<T>>) {
        let left = self.block;
        // SAFETY: the link from `left`, in which the cursor is, keeps `next`.
        let next_head = unsafe { next.cast::<Head<T>>().as_ref() };
        // Ordering: Acquire pairs with the Release of whoever left last.
        if self.saw_all() && self.head().refs.load(Acquire) == 1 {
            // Alone, and nobody can come: the link's count becomes this cursor's.
            let moved = if self.is_last {
                ones(self.moved..Block::<T>::LEN)
            } else {
                0
            };
            self.place(next.cast(), 0);
            // SAFETY: all is published, no reader is left there, and what was moved out is named.
            unsafe { retire(list, left, moved) };
        } else {
            self.flush();
            next_head.refs.fetch_add(1, Relaxed);
            self.place(next.cast(), 0);
            // SAFETY: the cursor is counted there, and has said what it moved.
            unsafe { list.depart(left) };
        }
    }

    fn place(&mut self, block: NonNull<Head<T>>, at: usize) {
        (self.block, self.at, self.end, self.moved) = (block, at, at, at);
        self.since = 0;
    }

    /// Another cursor at the same place.
    pub(super) fn fork(&mut self) -> Self {
        self.unclaim();
        self.head().refs.fetch_add(1, Relaxed);
        Self::new(self.block, self.at, self.since.into(), self.skipped)
    }

    /// Drops the items up to `end`, which are this cursor's to move.
    pub(super) fn discard(&mut self) {
        debug_assert!(self.is_last);
        if !mem::needs_drop::<T>() {
            self.at = self.end;
        }
        while self.at < self.end {
            // SAFETY: by the loop, and by the caller.
            drop(unsafe { self.take() });
        }
    }

    /// Takes the cursor out of the chain; it is not to be used again.
    pub(super) fn leave(&mut self, list: &List<T>) {
        self.flush();
        // SAFETY: the cursor is counted there, has said what it moved, and is gone.
        unsafe { list.depart(self.block) };
    }

    /// A look at the items from here on.
    pub(super) fn peek(&self) -> Peek<'_, T> {
        Peek::new(self.block, self.at)
    }
}
