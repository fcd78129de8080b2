//! A reader's place in the chain of blocks: finding items, moving on, leaving retired blocks behind.

use super::{
    List, Peek,
    block::{Block, Found, Head, Next, Position, SLOTS, ahead, ones},
    retired::{depart, discard, free_from, retire},
};
use crate::sync::Ordering::*;
use core::{mem, ptr::NonNull};

/// A cursor at rest, which keeps its block.
pub(super) struct Place<T> {
    block: NonNull<Head<T>>,
    at: usize,
}

/// A place in the chain that keeps the block it is in, and with it all that follow.
pub(super) struct Cursor<T> {
    block: NonNull<Head<T>>,
    /// The next slot to look at; `SLOTS` at the block's end.
    pub(super) at: usize,
    /// Slots before it, from `at` on, are known to hold items for this cursor to take.
    pub(super) end: usize,
    /// Whether it moves those items out, being the last to read them.
    pub(super) moves: bool,
    /// While it `moves`: slots from here to `at` were moved out, and `gone` does not say so yet.
    moved: usize,
    /// Slots without an item that were passed.
    pub(super) skipped: usize,
}

impl<T> Cursor<T> {
    /// A cursor in `block` at `at`. The caller has counted it in the block's `refs`.
    pub(super) fn new(block: NonNull<Head<T>>, at: usize, skipped: usize) -> Self {
        Self {
            block,
            at,
            end: at,
            moves: false,
            moved: at,
            skipped,
        }
    }

    fn head(&self) -> &Head<T> {
        // SAFETY: the cursor is counted in the block's `refs`.
        let head = unsafe { self.block.as_ref() };
        head.lifetime.used();
        head
    }

    /// The block, which has slots: to be called with `at` below `SLOTS`, where the root's cursors never are.
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
        if self.at >= SLOTS {
            return None;
        }
        match self.block().find(self.at) {
            Found::Gone => None,
            found => Some(found),
        }
    }

    /// Looks for items from `at` on, over slots without one and into the next block.
    pub(super) fn look(&mut self, list: &List<T>) -> Found {
        loop {
            if self.at == SLOTS {
                match self.head().next() {
                    Next::None => return Found::Empty,
                    Next::Ended => return Found::Ended,
                    Next::Block(next) => self.enter(list, next),
                }
            }
            match self.block().find(self.at) {
                Found::Gone => {
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
        if !self.moves {
            self.moved = self.at;
        }
        // Ordering: Acquire pairs with the Release of whoever left last.
        if !self.head().prev.load(Relaxed).is_null() && self.head().refs.load(Acquire) == 1 {
            // SAFETY: `refs` says that the cursor is alone here; it saw every slot before `at` published.
            unsafe { list.reclaim(self.block, self.position()) };
        }
        self.moves = true;
        self.end = end;
    }

    /// They are to be cloned.
    #[inline(always)]
    pub(super) fn clone_on(&mut self, end: usize) {
        if self.moves {
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
        self.moves = false;
        self.end = self.at;
    }

    /// Writes down which items were moved out.
    fn flush(&mut self) {
        if self.moves && self.moved < self.at {
            self.block().mark_gone(ones(self.moved..self.at));
        }
        self.moved = self.at;
    }

    /// Moves the item at `at` out.
    ///
    /// # Safety
    /// `at` is below `end`, and the cursor `moves`.
    #[inline(always)]
    pub(super) unsafe fn take(&mut self) -> T {
        let slot = self.at;
        self.at += 1;
        // SAFETY: by the contract: published, held, and this cursor the last to read it.
        unsafe { self.block().take(slot) }
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
        unsafe { self.block().item(slot) }
    }

    /// Whether the slot at `at` is not published.
    #[inline(always)]
    pub(super) fn is_at_gap(&self) -> bool {
        if self.at < SLOTS {
            return self.block().is_vacant(self.at);
        }
        self.is_next_vacant()
    }

    /// The quick half of [`is_at_gap`](Self::is_at_gap): false at the end of a block that has a successor, which is to be entered.
    #[inline(always)]
    pub(super) fn is_bare(&self) -> bool {
        if self.at < SLOTS {
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
        if self.head().refs.load(Acquire) == 1 {
            // Alone, and nobody can come from behind: the link's count becomes this cursor's.
            let moved = if self.moves {
                ones(self.moved..SLOTS)
            } else {
                0
            };
            self.place(next.cast(), 0);
            // SAFETY: no reader is left there, and what was moved out is named.
            unsafe { retire(list, left, moved) };
        } else {
            self.flush();
            next_head.refs.fetch_add(1, Relaxed);
            self.place(next.cast(), 0);
            // SAFETY: the cursor was counted there and is no longer.
            unsafe { depart(list, left) };
        }
    }

    fn place(&mut self, block: NonNull<Head<T>>, at: usize) {
        (self.block, self.at, self.end, self.moved) = (block, at, at, at);
    }

    /// Another cursor at the same place.
    pub(super) fn fork(&mut self) -> Self {
        self.unclaim();
        self.head().refs.fetch_add(1, Relaxed);
        Self::new(self.block, self.at, self.skipped)
    }

    /// Drops the items up to `end`, which are this cursor's to move.
    pub(super) fn discard(&mut self) {
        debug_assert!(self.moves);
        if !mem::needs_drop::<T>() {
            self.at = self.end;
        }
        while self.at < self.end {
            // SAFETY: by the loop, and by the caller.
            drop(unsafe { self.take() });
        }
    }

    /// Drops those items of the block that all readers passed and none moved out: several took them at one time, and
    /// each saw another that was to come.
    ///
    /// # Safety
    /// No reader is left, and what they moved out, they have said.
    pub(super) unsafe fn discard_passed(&self, list: &List<T>) {
        if self.block == list.root() {
            return;
        }
        let block = self.block();
        let slots = ones(0..self.at) & !block.gone();
        block.mark_gone(slots);
        // SAFETY: by the contract; published, as the cursor has passed them.
        unsafe { discard(block, slots) };
    }

    /// Takes the cursor out of the chain; it is not to be used again.
    ///
    /// # Safety
    /// There is a reader at this place or further on.
    pub(super) unsafe fn leave(&mut self, list: &List<T>) {
        self.flush();
        // SAFETY: the cursor was counted there and is gone.
        unsafe { depart(list, self.block) };
    }

    /// The place without what is only needed to read on from it; this cursor is not to be used again.
    pub(super) fn park(&mut self) -> Place<T> {
        self.unclaim();
        Place {
            block: self.block,
            at: self.at,
        }
    }

    /// The cursor of a place that was parked.
    pub(super) fn resume(Place { block, at }: Place<T>) -> Self {
        Self::new(block, at, 0)
    }

    /// A look at the items from here on.
    pub(super) fn peek(&self) -> Peek<'_, T> {
        Peek::new(self.block, self.at)
    }

    /// Frees the whole chain with all items that are left in it.
    ///
    /// # Safety
    /// No other reader and no writer is left.
    pub(super) unsafe fn free(self, list: &List<T>) {
        // SAFETY: nobody is left who could be in a block before this one.
        unsafe { list.reclaim_all(self.head()) };
        // SAFETY: nor in one after it.
        unsafe { free_from(list, self.block) };
    }
}
