//! The place of the last reader after it is gone. Writers that had reserved a slot by then still publish it: their
//! items are dropped by whoever publishes at that place, not kept for as long as a writer's handle lives.

use super::{List, block::Found, cursor::Cursor};
use crate::sync::{AtomicUsize, Ordering::*, UnsafeCell};

/// There is a reader.
const NONE: usize = 0;
/// Nobody is at the place; its slot is awaited.
const PARKED: usize = 1;
/// Somebody drops items.
const RUNNING: usize = 2;
/// Somebody drops items and is to look again.
const AGAIN: usize = 3;

/// `NONE` → `RUNNING` by the last reader; `RUNNING` → `PARKED` by who runs, unless it has become `AGAIN`; `PARKED` →
/// `RUNNING` and `RUNNING` → `AGAIN` by writers that published an awaited slot.
pub(super) struct Orphan<T> {
    state: AtomicUsize,
    /// Belongs to who moved the state to `RUNNING`.
    cursor: UnsafeCell<Option<Cursor<T>>>,
}

impl<T> Orphan<T> {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicUsize::new(NONE),
            cursor: UnsafeCell::new(None),
        }
    }

    /// The cursor, when the list is dropped.
    pub(super) fn take(&mut self) -> Option<Cursor<T>> {
        // SAFETY: borrowed mutably: nobody else is there.
        self.cursor.with_mut(|cursor| unsafe { (*cursor).take() })
    }
}

impl<T> List<T> {
    /// The last reader leaves its place to the list.
    pub(super) fn adopt(&self, cursor: Cursor<T>) {
        // SAFETY: there is one last reader, once; the state is `NONE`, in which nobody else touches the cell.
        self.orphan
            .cursor
            .with_mut(|cell| unsafe { *cell = Some(cursor) });
        // Ordering: Release for the cursor; pairs with the Acquires below.
        self.orphan.state.store(RUNNING, Release);
        Run { list: self }.run();
        if let Some(driver) = &self.driver {
            driver.wake();
        }
    }

    /// Drops what became ready at the orphaned place, if there is one.
    pub(super) fn drain_orphan(&self) {
        let mut state = self.orphan.state.load(Relaxed);
        loop {
            let to = match state {
                PARKED => RUNNING,
                RUNNING => AGAIN,
                _ => return,
            };
            // Ordering: Acquire for the cursor; Release for the item just published, of which `AGAIN` tells.
            match self
                .orphan
                .state
                .compare_exchange(state, to, AcqRel, Relaxed)
            {
                Ok(PARKED) => return Run { list: self }.run(),
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }
}

/// The right to run; goes on when the drop of an item panics.
struct Run<'a, T> {
    list: &'a List<T>,
}

impl<T> Run<'_, T> {
    fn run(self) {
        self.drain();
        core::mem::forget(self);
    }

    fn drain(&self) {
        loop {
            self.list.orphan.cursor.with_mut(|cell| {
                // SAFETY: the cell belongs to who runs.
                let Some(cursor) = (unsafe { &mut *cell }) else {
                    return;
                };
                // A writer that publishes once the slot is awaited moves the state to AGAIN, or finds it PARKED.
                loop {
                    match cursor.look(self.list) {
                        Found::Items(end) => {
                            cursor.claim(self.list, end, true);
                            cursor.discard();
                        }
                        Found::Ended => break,
                        Found::Empty | Found::Gone if cursor.wait() => break,
                        Found::Empty | Found::Gone => {}
                    }
                }
            });
            // Ordering: Release hands the cursor on; Acquire takes over what a writer published.
            match self
                .list
                .orphan
                .state
                .compare_exchange(RUNNING, PARKED, AcqRel, Acquire)
            {
                Ok(_) => return,
                Err(_) => self.list.orphan.state.store(RUNNING, Relaxed),
            }
        }
    }
}

impl<T> Drop for Run<'_, T> {
    fn drop(&mut self) {
        self.drain();
    }
}
