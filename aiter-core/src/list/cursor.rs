//! A reader's place in the chain of blocks: finding items, moving on, leaving retired blocks behind.

use super::{
    List,
    block::{ALL, Block, Found, Head, Next, Position, SLOTS, ahead, ones},
};
use crate::sync::Ordering::*;
use core::{marker::PhantomData, mem, ptr::NonNull};

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
        Leftovers { block, slots }.drop_all();
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
        Peek {
            block: self.block,
            at: self.at,
            end: self.at,
            _reader: PhantomData,
        }
    }

    /// Frees the whole chain with all items that are left in it.
    ///
    /// # Safety
    /// No other reader and no writer is left.
    pub(super) unsafe fn free(self, list: &List<T>) {
        // SAFETY: nobody is left who could be in a block before this one.
        unsafe { list.reclaim_all(self.head()) };
        let mut chain = Chain {
            root: list.root(),
            next: Some(self.block),
        };
        chain.free();
    }
}

/// Blocks that are nobody else's any more, with their items. Goes on with the others when the drop of an item panics.
struct Chain<T> {
    root: NonNull<Head<T>>,
    next: Option<NonNull<Head<T>>>,
}

impl<T> Chain<T> {
    fn free(&mut self) {
        while let Some(head) = self.next.take() {
            // SAFETY: linked, and not freed yet.
            if let Next::Block(next) = unsafe { head.as_ref() }.next() {
                self.next = Some(next.cast());
            }
            if head != self.root {
                let block = Owned(head.cast::<Block<T>>());
                // SAFETY: as above; not the root.
                let block = unsafe { block.0.as_ref() };
                Leftovers {
                    block,
                    slots: block.held(),
                }
                .drop_all();
            }
        }
    }
}

impl<T> Drop for Chain<T> {
    fn drop(&mut self) {
        self.free();
    }
}

/// A block that is freed when this is dropped; its items are seen to before.
struct Owned<T>(NonNull<Block<T>>);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made where the block is nobody else's.
        unsafe { Block::free(self.0) };
    }
}

/// A second look from a reader's place on, which sees items without taking any.
pub(crate) struct Peek<'a, T> {
    block: NonNull<Head<T>>,
    at: usize,
    end: usize,
    _reader: PhantomData<&'a T>,
}

// SAFETY: a peek is a borrow of items, as `&T` is, kept by the borrowed reader.
unsafe impl<T: Sync> Send for Peek<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Peek<'_, T> {}

impl<T> Clone for Peek<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, T> Peek<'a, T> {
    /// Goes on to the next run of items.
    fn look(&mut self) -> Found {
        loop {
            if self.at == SLOTS {
                // SAFETY: the borrowed reader keeps its block and all that follow.
                match unsafe { self.block.as_ref() }.next() {
                    Next::None => return Found::Empty,
                    Next::Ended => return Found::Ended,
                    Next::Block(next) => {
                        (self.block, self.at, self.end) = (next.cast(), 0, 0);
                    }
                }
            }
            match self.block().find(self.at) {
                Found::Gone => {
                    self.at += 1;
                    self.end = self.at;
                }
                Found::Items(end) => {
                    self.end = end;
                    return Found::Items(end);
                }
                found => return found,
            }
        }
    }

    fn block(&self) -> &Block<T> {
        // SAFETY: as in `look`; and with `at` below `SLOTS`, it is not the root.
        unsafe { self.block.cast::<Block<T>>().as_ref() }
    }

    /// Whether nothing is left for now: neither an item nor the end.
    pub(crate) fn at_tail(mut self) -> bool {
        matches!(self.look(), Found::Empty)
    }

    /// Whether nothing is left but the end.
    pub(crate) fn at_end(mut self) -> bool {
        matches!(self.look(), Found::Ended)
    }

    /// Counts the items that are there, and stops at `limit`.
    pub(crate) fn count_to(mut self, limit: usize) -> usize {
        let mut count = 0;
        while count < limit && matches!(self.look(), Found::Items(_)) {
            count += self.end - self.at;
            self.at = self.end;
        }
        count.min(limit)
    }
}

impl<'a, T> Iterator for Peek<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.at == self.end && !matches!(self.look(), Found::Items(_)) {
            return None;
        }
        let slot = self.at;
        self.at += 1;
        // SAFETY: published and held; items from the borrowed reader's place on are moved out by nobody.
        Some(unsafe { self.block().item(slot) })
    }

    fn count(self) -> usize {
        let taken = self.end - self.at;
        let rest = Peek {
            at: self.end,
            ..self
        };
        taken + rest.count_to(usize::MAX)
    }
}

/// One reader less in a block; retires it, and those that follow, if it was the last that could come there.
///
/// # Safety
/// The caller was counted in `refs` and does not use the block any more. A reader is further on.
unsafe fn depart<T>(list: &List<T>, mut block: NonNull<Head<T>>) {
    loop {
        // SAFETY: counted until now.
        let head = unsafe { block.as_ref() };
        head.lifetime.used();
        // Ordering: Release hands over what this reader did in the block, Acquire takes over what the others did.
        if head.refs.fetch_sub(1, AcqRel) != 1 {
            return;
        }
        let Next::Block(next) = head.next() else {
            unreachable!("a reader is further on")
        };
        // The link that keeps the next block goes with this one, also if the drop of an item panics.
        let unwind = OnUnwind {
            list,
            next: next.cast(),
        };
        // SAFETY: `refs` is zero: nobody is there and nobody can come.
        unsafe { retire(list, block, 0) };
        mem::forget(unwind);
        block = next.cast();
    }
}

/// Finishes [`depart`] when the drop of an item panics.
struct OnUnwind<'a, T> {
    list: &'a List<T>,
    next: NonNull<Head<T>>,
}

impl<T> Drop for OnUnwind<'_, T> {
    fn drop(&mut self) {
        // SAFETY: as in `depart`, whose link count this is.
        unsafe { depart(self.list, self.next) };
    }
}

/// Drops what is left in a block that no reader needs any more. It stays linked from the next one until `reclaim`.
///
/// # Safety
/// No reader is in the block or comes there; those of its slots that were moved out are in `gone` or in `moved`.
unsafe fn retire<T>(list: &List<T>, block: NonNull<Head<T>>, moved: usize) {
    // SAFETY: retired blocks are freed by whoever is alone in the next one, or retires it: not before this ends.
    let head = unsafe { block.as_ref() };
    // SAFETY: every slot of a block that was left was published, and seen so by the readers that left it.
    unsafe { list.reclaim(block, head.end()) };
    if head.is_next_last() {
        // The list is short by now, and may stay so.
        list.spares.trim();
    }
    if block != list.root() {
        // SAFETY: not the root.
        let block = unsafe { block.cast::<Block<T>>().as_ref() };
        let left = ALL & !(block.gone() | moved);
        Leftovers { block, slots: left }.drop_all();
    }
}

/// Items that nobody will read any more. Goes on with the others when the drop of one panics.
struct Leftovers<'a, T> {
    block: &'a Block<T>,
    slots: usize,
}

impl<T> Leftovers<'_, T> {
    fn drop_all(&mut self) {
        if !mem::needs_drop::<T>() {
            self.slots = 0;
        }
        while self.slots != 0 {
            let slot = self.slots.trailing_zeros() as usize;
            self.slots &= self.slots - 1;
            // SAFETY: published, held, and of no reader's interest; each slot once.
            drop(unsafe { self.block.take(slot) });
        }
    }
}

impl<T> Drop for Leftovers<'_, T> {
    fn drop(&mut self) {
        self.drop_all();
    }
}
