//! The front of the chain after its last reader has left it.
//!
//! A block may retire when every slot in it is published and no reader is in it: then no writer publishes there any more, and no
//! subscriber, which starts at a slot of its own, can come. Until then somebody has to keep it. The reader that is the last to
//! leave the front block while slots in it are not published gives its count in `refs` to the list: the place is an
//! *orphan*. Writers that publish there look after it. They drop what became ready before the first slot that is not
//! published; nobody else reads that. When the block is complete it retires, and the orphan moves on to the next one, until it
//! comes to a block with a reader in it.
//!
//! There is one orphan at most: its count, and the link from its block, keep everybody else from being the last in a block.
//!
//! | `state` | means | moved on by |
//! |---|---|---|
//! | `NONE` | no orphan, or one that is looked after for the first time | the thread that is to park it → `RUNNING` |
//! | `RUNNING` | a thread looks after the orphan | that thread → `PARKED`, or → `NONE` when it gives the place up; a writer that has published → `AGAIN` |
//! | `AGAIN` | the same, and is to look again | that thread → `RUNNING`, or → `NONE` |
//! | `PARKED` | nobody does | a writer that has published → `RUNNING` |
//!
//! *Why no item stays*: before it is parked the orphan is counted among the sleepers at a gap, and the place looked at once
//! more, with a fence between the two. A writer publishes, has a fence, and looks at that count. So either this look finds what it
//! published, or the writer finds the orphan.

use super::{
    List,
    block::{Block, Head, Next, ones},
    retired::{discard, retire},
};
use crate::sync::{AtomicUsize, Ordering::*, UnsafeCell, fence};
use core::{mem, ptr::NonNull};

const NONE: usize = 0;
const PARKED: usize = 1;
const RUNNING: usize = 2;
const AGAIN: usize = 3;

pub(super) struct Drain<T> {
    state: AtomicUsize,
    /// Belongs to who moved the state to `RUNNING`; set while it is `PARKED`.
    place: UnsafeCell<Option<Place<T>>>,
}

/// A place that is counted in its block's `refs`. All slots before it are published, and what is in them is dropped.
struct Place<T> {
    block: NonNull<Head<T>>,
    at: usize,
}

impl<T> Drain<T> {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicUsize::new(NONE),
            place: UnsafeCell::new(None),
        }
    }

    /// The block where the chain begins, if there is an orphan.
    ///
    /// # Safety
    /// The caller is alone with the list.
    pub(super) unsafe fn take(&self) -> Option<NonNull<Head<T>>> {
        // SAFETY: by the contract.
        unsafe { self.take_place() }.map(|place| place.block)
    }

    /// Whether somebody is said to look after an orphan.
    #[cfg(all(test, aiter_loom))]
    pub(super) fn is_running(&self) -> bool {
        self.state.load(Relaxed) == RUNNING
    }

    /// # Safety
    /// The caller is alone with the list, or moved the state to `RUNNING`.
    unsafe fn take_place(&self) -> Option<Place<T>> {
        // SAFETY: by the contract nobody else is at the cell.
        self.place.with_mut(|place| unsafe { (*place).take() })
    }
}

impl<T> List<T> {
    /// One reader less in a block. The last one sees to it that the block retires, now or later, and with it those that follow and
    /// have no reader either.
    ///
    /// # Safety
    /// The caller is counted in `refs`, has marked the slots that it moved items out of, and does not use the block any more.
    pub(super) unsafe fn depart(&self, block: NonNull<Head<T>>) {
        // SAFETY: by the contract.
        if !unsafe { is_left(block) } {
            Run {
                list: self,
                place: Place { block, at: 0 },
                is_announced: false,
            }
            .run();
        }
    }

    /// Looks after the orphan, if there is one. To be called after a publication, behind a fence, and before readers are woken that
    /// wait for the slot that was reserved: when the drop of an item panics, that is done here.
    #[inline(always)]
    pub(super) fn run_drain(&self, reserved: usize) {
        let state = self.drain.state.load(Relaxed);
        if state != NONE {
            self.drain_place(state, reserved);
        }
    }

    #[cold]
    fn drain_place(&self, mut state: usize, reserved: usize) {
        struct OnUnwind<'a, T>(&'a List<T>, usize);
        impl<T> Drop for OnUnwind<'_, T> {
            fn drop(&mut self) {
                self.0.wake_readers(self.1);
            }
        }
        loop {
            let to = match state {
                PARKED => RUNNING,
                RUNNING => AGAIN,
                _ => return,
            };
            // Ordering: Acquire pairs with the Release in `is_parked`, for the place. What `AGAIN` tells of, the item just
            // published, comes before the fence that the caller is behind.
            match self
                .drain
                .state
                .compare_exchange(state, to, Acquire, Relaxed)
            {
                Ok(PARKED) => break,
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
        // SAFETY: the state was moved to RUNNING just now.
        if let Some(place) = unsafe { self.drain.take_place() } {
            let unwind = OnUnwind(self, reserved);
            Run {
                list: self,
                place,
                is_announced: true,
            }
            .run();
            mem::forget(unwind);
        }
    }
}

/// Gives up a count of a block, unless it is the last one. True if it is given up.
///
/// # Safety
/// The caller is counted in `refs`.
unsafe fn is_left<T>(block: NonNull<Head<T>>) -> bool {
    // SAFETY: by the contract.
    let head = unsafe { block.as_ref() };
    head.lifetime.used();
    // Ordering: Release hands over what this reader did in the block. The last reader acquires it
    // in `Run::look`, where it loads the count again.
    let mut refs = head.refs.load(Relaxed);
    while refs != 1 {
        match head
            .refs
            .compare_exchange_weak(refs, refs - 1, Release, Relaxed)
        {
            Ok(_) => return true,
            Err(now) => refs = now,
        }
    }
    false
}

/// The right to look after the orphan; goes on when the drop of an item panics.
struct Run<'a, T> {
    list: &'a List<T>,
    place: Place<T>,
    /// Whether writers know of the place.
    is_announced: bool,
}

/// What is found at the place.
enum Look<T> {
    /// A reader.
    Read,
    /// Nobody and nothing, up to the end of the block, which has a next one.
    Complete(NonNull<Block<T>>),
    /// Nobody, and a slot that is not published.
    Vacant,
}

impl<T> Run<'_, T> {
    fn run(mut self) {
        self.drain();
        mem::forget(self);
    }

    fn drain(&mut self) {
        loop {
            match self.look() {
                Look::Read if self.is_given_up() => return,
                Look::Complete(next) => {
                    let block = mem::replace(
                        &mut self.place,
                        Place {
                            block: next.cast(),
                            at: 0,
                        },
                    )
                    .block;
                    // The link's count is that of the place from here on.
                    // SAFETY: complete, and nobody is there.
                    unsafe { retire(self.list, block, 0) };
                }
                Look::Vacant if self.is_parked() => return,
                _ => {}
            }
        }
    }

    /// Drops the items from the place on, up to the first slot that is not published.
    ///
    /// With a reader in the block nothing is dropped: it may have come to read that.
    fn look(&mut self) -> Look<T> {
        let Place { block, at } = &mut self.place;
        // SAFETY: counted there.
        let head = unsafe { block.as_ref() };
        let slots = (*block != self.list.root()).then(|| {
            // SAFETY: counted there, and it is not the root.
            unsafe { block.cast::<Block<T>>().as_ref() }
        });
        let end = slots.map_or(Block::<T>::LEN, |slots| slots.published_to(*at));
        // Ordering: Acquire takes over from readers that were here. It comes after the look at the
        // marks: a reader that subscribed at a slot that was seen published is counted. The count
        // is loaded once: between two loads the last reader could leave, and then neither this
        // thread nor that reader would drop the items.
        if head.refs.load(Acquire) != 1 {
            return Look::Read;
        }
        if let Some(slots) = slots {
            let left = ones(*at..end) & !slots.taken();
            *at = end;
            if left != 0 {
                slots.mark_taken(left);
                // SAFETY: published, held until now, and nobody is there, or comes, who would read them.
                unsafe { discard(block.cast::<Block<T>>(), left) };
            }
        }
        match head.next() {
            Next::Block(next) if end == Block::<T>::LEN => Look::Complete(next),
            _ => Look::Vacant,
        }
    }

    /// Leaves the place to a reader that is in the block. False if none is there any more.
    fn is_given_up(&mut self) -> bool {
        if mem::replace(&mut self.is_announced, false) {
            self.list.registry.forget_gap();
            // Ordering: Relaxed. It is stored before the count is given up (Release), and who parks next has taken that over.
            self.list.drain.state.store(NONE, Relaxed);
        }
        // SAFETY: counted there.
        unsafe { is_left(self.place.block) }
    }

    /// Parks the orphan. False if the place is to be looked at again.
    fn is_parked(&mut self) -> bool {
        let Self { list, place, .. } = self;
        if mem::replace(&mut self.is_announced, true) {
            let Place { block, at } = *place;
            // SAFETY: the cell belongs to who runs.
            list.drain
                .place
                .with_mut(|cell| unsafe { *cell = Some(Place { block, at }) });
            // Ordering: Release hands the place on, to the Acquire in `drain_place`.
            let parked = list
                .drain
                .state
                .compare_exchange(RUNNING, PARKED, Release, Relaxed);
            if parked.is_ok() {
                return true;
            }
        } else {
            list.registry.keep_gap();
        }
        // Ordering: Relaxed, the fence orders it.
        list.drain.state.store(RUNNING, Relaxed);
        // Ordering: between that, with the count, and the next look; pairs with the light half in `List::wake_after`. What the
        // writer published that said `AGAIN` is taken over. And a writer that finds no more than was there before, no count or
        // `AGAIN`, says nothing: what it published is seen by that look. Where the kernel refuses the fence an item may stay until
        // the next push.
        let _ = fence::heavy();
        false
    }
}

impl<T> Drop for Run<'_, T> {
    fn drop(&mut self) {
        self.drain();
    }
}
