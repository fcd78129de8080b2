//! How the items that all readers have passed are dropped.

use super::{
    list::PushList,
    position::{Laps, Position},
    registry::NO_READER,
    slot::Slot,
};
use crate::sync::{Ordering::*, fence};
use scopeguard::ScopeGuard;

impl<T, const N: usize, const R: usize, const P: usize, const O: bool> PushList<T, N, R, P, O> {
    /// Drops the item of a position, if all readers have passed it and no other thread drops it.
    ///
    /// A reader that passes an item calls this after it has published its new position and executed
    /// a fence. Of the readers that pass one item, the last to execute its fence sees all others
    /// past it, so one of them drops the item.
    pub(super) fn drop_passed(&self, at: Position) {
        if self.state.readers.is_passed(at, NO_READER) {
            let lap = Laps::<N, R>::lap(at);
            // SAFETY: all readers have passed the item, which the Acquire in `is_passed` has seen,
            // and none comes to it any more.
            let item = unsafe {
                self.slot(at)
                    .try_take(lap, lap.wrapping_add(Laps::<N, R>::LAP))
            };
            if P > 0 && item.is_some() {
                self.slot_freed();
            }
            drop(item);
        }
    }

    /// Drops all items that no reader is to read any more, after a reader was dropped.
    pub(super) fn drop_all_passed(&self) {
        // Ordering: pairs with the fence of a reader that passes an item, see `drop_passed`.
        fence(SeqCst);
        let drop_at = |(index, slot): (usize, &Slot<T>)| {
            if let Some(lap) = slot.full_lap(if O { Laps::<N, R>::LAP - 1 } else { 3 }) {
                self.drop_passed(Laps::<N, R>::at(lap, index));
            }
        };
        // Continues with the other slots if the drop of an item panics. Not `for_each`, which would
        // not have counted the slot of that item.
        let mut slots = scopeguard::guard(self.slots.iter().enumerate(), |rest| {
            for slot in rest {
                drop_at(slot);
            }
        });
        for slot in slots.by_ref() {
            drop_at(slot);
        }
        let _ = ScopeGuard::into_inner(slots);
    }
}
