//! Drops the items at the front of a list that has no reader there any more.
//!
//! A block can be retired when every slot in it is published and no reader is in it: then no writer
//! publishes there any more, and no subscriber can come, because a subscriber starts at a slot that
//! it has reserved. Until then the block has to be kept. The last reader that leaves the front
//! block while slots in it are unpublished hands its count in `refs` to the list. That count, and
//! the first slot that is not published, are the *drain position*. The writers that publish such
//! slots drain it: they drop the items before the first unpublished slot, which no reader will
//! read. When the block is complete they retire it and move the drain position to the next block,
//! until they come to a block with a reader in it.
//!
//! There is at most one drain position: its count, and the link from its block, keep every other
//! reader from being the last one in a block. `drain_state.rs` has the states by which threads
//! agree on which of them drains it.
//!
//! *Why no item stays*: before a position is parked it is counted in the registry's `gap_waiters`,
//! and looked at once more, with a fence between the two. A writer publishes, executes a fence, and
//! loads that count. So either this look finds what the writer has published, or the writer finds
//! the drain position.

use super::{
    block::{Block, BlockHeader, Next, slot_mask},
    drain_state::DrainPosition,
    reclaim::drop_items,
    shared::List,
};
use crate::sync::{Ordering::*, fence};
use core::{mem, ptr::NonNull};
use scopeguard::{ScopeGuard, guard};

impl<T> List<T> {
    /// Removes a reader from a block. If it was the last one there, the block is retired, now or
    /// later, and so are those that follow it and have no reader either.
    ///
    /// # Safety
    /// The caller is counted in `refs`, has marked the slots whose items it moved out, and does not
    /// use the block any more.
    pub(super) unsafe fn depart(&self, block: NonNull<BlockHeader<T>>) {
        // SAFETY: by the contract.
        if !unsafe { release_unless_last(block) } {
            Drainer {
                list: self,
                position: DrainPosition {
                    block,
                    next_slot: 0,
                },
                is_announced: false,
            }
            .run();
        }
    }

    /// Drains the drain position, if there is one. A writer calls this after a publication and a
    /// fence, and before it wakes the readers that wait for its slot. If the drop of an item
    /// panics, `on_unwind` is called.
    #[inline]
    pub(super) fn run_drain(&self, on_unwind: impl FnOnce()) {
        if self.drain.is_set() {
            self.run_drain_slow(on_unwind);
        }
    }

    #[cold]
    fn run_drain_slow(&self, on_unwind: impl FnOnce()) {
        if let Some(position) = self.drain.start() {
            let unwind = guard(on_unwind, |on_unwind| on_unwind());
            Drainer {
                list: self,
                position,
                is_announced: true,
            }
            .run();
            ScopeGuard::into_inner(unwind);
        }
    }
}

/// Gives up a reader's count of a block, unless it is the last one. Returns whether it gave it up.
///
/// # Safety
/// The caller is counted in `refs`.
unsafe fn release_unless_last<T>(block: NonNull<BlockHeader<T>>) -> bool {
    // SAFETY: by the contract.
    let header = unsafe { block.as_ref() };
    header.lifetime.used();
    // Ordering: Release hands over what this reader did in the block. The last reader acquires it
    // in `Drainer::drain_block`, where it loads the count again.
    let mut refs = header.refs.load(Relaxed);
    while refs != 1 {
        match header
            .refs
            .compare_exchange_weak(refs, refs - 1, Release, Relaxed)
        {
            Ok(_) => return true,
            Err(now) => refs = now,
        }
    }
    false
}

/// Owns the drain position while a thread drains it.
struct Drainer<'a, T> {
    list: &'a List<T>,
    position: DrainPosition<T>,
    /// Whether the position is counted in `gap_waiters`, so that writers know of it.
    is_announced: bool,
}

/// The state of a block that was drained up to its first unpublished slot.
enum Drained<T> {
    /// A reader is in the block.
    HasReader,
    /// No reader is in the block, every slot is published, and this is the next block.
    Complete(NonNull<Block<T>>),
    /// No reader is in the block, and the next slot is not published.
    Unpublished,
}

impl<T> Drainer<'_, T> {
    /// Drains until the position is parked or given up, also when the drop of an item panics.
    fn run(self) {
        let mut this = guard(self, |mut this| this.drain());
        this.drain();
        ScopeGuard::into_inner(this);
    }

    fn drain(&mut self) {
        loop {
            match self.drain_block() {
                Drained::HasReader if self.try_give_up() => return,
                Drained::Complete(next) => {
                    let next = DrainPosition {
                        block: next.cast(),
                        next_slot: 0,
                    };
                    // From here on the count of the link is that of the drain position.
                    let complete = mem::replace(&mut self.position, next);
                    // SAFETY: the block is complete, and no reader is in it.
                    unsafe { self.list.retire(complete.block, 0) };
                }
                Drained::Unpublished if self.try_park() => return,
                _ => {}
            }
        }
    }

    /// Drops the items from the position on, up to the first slot that is not published.
    ///
    /// If a reader is in the block it drops nothing, because that reader may still want those
    /// items.
    fn drain_block(&mut self) -> Drained<T> {
        let DrainPosition { block, next_slot } = &mut self.position;
        // SAFETY: the position is counted in the block's `refs`.
        let header = unsafe { block.as_ref() };
        let slots = (*block != self.list.root()).then(|| {
            // SAFETY: as above, and the block is not the root.
            unsafe { block.cast::<Block<T>>().as_ref() }
        });
        let end = slots.map_or(Block::<T>::LEN, |slots| slots.published_until(*next_slot));
        // Ordering: Acquire takes over from the readers that were here. It comes after the look at
        // the marks: a reader that subscribed at a slot that was seen published is counted. The
        // count is loaded only once: between two loads the last reader could leave, and then
        // neither this thread nor that reader would drop the items.
        if header.refs.load(Acquire) != 1 {
            return Drained::HasReader;
        }
        if let Some(slots) = slots {
            let left = slot_mask(*next_slot..end) & !slots.taken();
            *next_slot = end;
            if left != 0 {
                slots.mark_taken(left);
                // SAFETY: the slots are published and held items until now. No reader is in the
                // block, or comes to it, that would read them.
                unsafe { drop_items(block.cast::<Block<T>>(), left) };
            }
        }
        match header.next() {
            Next::Block(next) if end == Block::<T>::LEN => Drained::Complete(next),
            _ => Drained::Unpublished,
        }
    }

    /// Leaves the block to a reader that is in it. Returns false if no reader is in it any more.
    fn try_give_up(&mut self) -> bool {
        if mem::replace(&mut self.is_announced, false) {
            self.list.registry.remove_gap_waiter();
            self.list.drain.clear();
        }
        // SAFETY: the position is counted in the block's `refs`.
        unsafe { release_unless_last(self.position.block) }
    }

    /// Parks the position. Returns false if it has to be drained again first.
    fn try_park(&mut self) -> bool {
        let Self { list, position, .. } = self;
        if mem::replace(&mut self.is_announced, true) {
            let DrainPosition { block, next_slot } = *position;
            // SAFETY: this thread has moved the state to RUNNING, below or in `start`.
            if unsafe { list.drain.park(DrainPosition { block, next_slot }) } {
                return true;
            }
        } else {
            list.registry.add_gap_waiter();
        }
        list.drain.set_running();
        // Ordering: between the state, with the count, and the next look; pairs with the light half
        // in `List::wake_after`. The next look sees the slots of each writer that stored `AGAIN`
        // before this. It also sees those of each writer that stored nothing, because it found no
        // count, or found `AGAIN`. If the kernel refuses the fence, an item may stay until the next
        // push.
        let _ = fence::heavy();
        false
    }
}
