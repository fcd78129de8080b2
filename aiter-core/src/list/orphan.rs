//! The place of the last reader after it is gone. Writers that had reserved a slot by then still publish it: their
//! items are dropped by whoever publishes at that place, not kept for as long as a writer's handle lives.

use super::{
    List,
    block::Found,
    cursor::{Cursor, Place},
};
use crate::{
    demand::Demand,
    sync::{AtomicUsize, Ordering::*, UnsafeCell, fence},
    wake::alarm::Alarm,
};
use core::mem;

/// There is a reader.
const NONE: usize = 0;
/// Nobody is at the place.
const PARKED: usize = 1;
/// Somebody drops items.
const RUNNING: usize = 2;
/// Somebody drops items and is to look again.
const AGAIN: usize = 3;

/// `NONE` → `RUNNING` by the last reader; `RUNNING` → `PARKED` by who runs, unless it has become `AGAIN`; `PARKED` →
/// `RUNNING` and `RUNNING` → `AGAIN` by writers that had a slot when the list was closed, and published it.
pub(super) struct Orphan<T> {
    state: AtomicUsize,
    /// Belongs to who moved the state to `RUNNING`; set while it is `PARKED`.
    place: UnsafeCell<Option<Place<T>>>,
}

impl<T> Orphan<T> {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicUsize::new(NONE),
            place: UnsafeCell::new(None),
        }
    }

    /// The place, if it is at rest and the caller's.
    ///
    /// # Safety
    /// The caller is alone with the list, or moved the state to `RUNNING`.
    pub(super) unsafe fn take(&self) -> Option<Place<T>> {
        // SAFETY: by the contract nobody else is at the cell.
        self.place.with_mut(|place| unsafe { (*place).take() })
    }
}

impl<T> List<T> {
    /// The last reader leaves its place to the list.
    pub(super) fn adopt(&self, place: Place<T>) {
        /// Tells the driver in the end, also when the drop of an item panics.
        struct Tell<'a>(Option<&'a Alarm<Demand>>);
        impl Drop for Tell<'_> {
            fn drop(&mut self) {
                if let Some(driver) = self.0 {
                    driver.wake();
                }
            }
        }
        let _tell = Tell(self.driver.as_ref());
        self.close_tail();
        // Ordering: any: writers learn of it from the count that `drain` adds to.
        self.orphan.state.store(RUNNING, Release);
        let run = Run {
            list: self,
            cursor: Cursor::resume(place),
            is_announced: false,
        };
        // SAFETY: this was the last reader, and each says what it moved out before it leaves.
        unsafe { run.cursor.discard_passed(self) };
        run.run();
    }

    /// Drops what became ready at the orphaned place, if there is one.
    #[inline(always)]
    pub(super) fn drain_orphan(&self) {
        let state = self.orphan.state.load(Relaxed);
        if state != NONE {
            self.drain_place(state);
        }
    }

    #[cold]
    fn drain_place(&self, mut state: usize) {
        loop {
            let to = match state {
                PARKED => RUNNING,
                RUNNING => AGAIN,
                _ => return,
            };
            // Ordering: Acquire for the place; Release for the item just published, of which `AGAIN` tells.
            match self
                .orphan
                .state
                .compare_exchange(state, to, AcqRel, Relaxed)
            {
                Ok(PARKED) => break,
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
        // SAFETY: the state was moved to RUNNING just now.
        if let Some(place) = unsafe { self.orphan.take() } {
            Run {
                list: self,
                cursor: Cursor::resume(place),
                is_announced: true,
            }
            .run();
        }
    }
}

/// The right to run; goes on when the drop of an item panics.
struct Run<'a, T> {
    list: &'a List<T>,
    cursor: Cursor<T>,
    /// Whether writers that still have a slot know of the place.
    is_announced: bool,
}

impl<T> Run<'_, T> {
    fn run(mut self) {
        self.drain();
        mem::forget(self);
    }

    fn drain(&mut self) {
        let Self {
            list,
            cursor,
            is_announced,
        } = self;
        loop {
            match cursor.look(list) {
                Found::Items(end) => {
                    cursor.move_on(list, end);
                    cursor.discard();
                }
                Found::Empty if !mem::replace(is_announced, true) => {
                    if list.end.load(Relaxed) != cursor.position() {
                        // Writers have slots from here on: they look at the place from now on, or are done by the next look.
                        list.seats.keep_gap();
                        // Ordering: SeqCst, between that and the next look; pairs with the fence in `List::wake_after`.
                        fence(SeqCst);
                    }
                }
                // A writer that publishes from here on moves the state to AGAIN, or finds it PARKED.
                _ => {
                    let place = cursor.park();
                    // SAFETY: the cell belongs to who runs.
                    list.orphan
                        .place
                        .with_mut(|cell| unsafe { *cell = Some(place) });
                    // Ordering: Release hands the place on; Acquire takes over what a writer published.
                    if list
                        .orphan
                        .state
                        .compare_exchange(RUNNING, PARKED, AcqRel, Acquire)
                        .is_ok()
                    {
                        return;
                    }
                    list.orphan.state.store(RUNNING, Relaxed);
                }
            }
        }
    }
}

impl<T> Drop for Run<'_, T> {
    fn drop(&mut self) {
        self.drain();
    }
}
