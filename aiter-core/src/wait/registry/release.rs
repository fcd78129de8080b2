//! How a slot is vacated once its reader has left it: by the reader itself, or by a writer that was
//! waking it at that time.

use super::{
    segment::{SlotRef, Slots},
    segments::Segments,
    slot::IDLE,
};
use crate::sync::Ordering::*;
use core::iter;

/// Vacates the slots that readers have left while they were being woken, if that is over.
#[cold]
pub(super) fn sweep(slots: Slots<'_>, segments: Option<&Segments>) {
    for index in bits(slots.occupancy.abandoned.load(Relaxed)) {
        // SAFETY: the caller has borrowed the slots.
        unsafe { release_abandoned(slots.get(index), segments) };
    }
}

/// Vacates a slot that its reader has left while it was being woken, if that is over.
///
/// # Safety
/// The caller keeps the slot's segment.
pub(super) unsafe fn release_abandoned(slot_ref: SlotRef, segments: Option<&Segments>) {
    // SAFETY: by the contract. Ordering: Acquire pairs with the Release of IDLE in
    // `Registry::wake`.
    if unsafe { slot_ref.state.as_ref() }.load(Acquire) != IDLE {
        return;
    }
    // SAFETY: by the contract.
    let occupancy = unsafe { slot_ref.occupancy.as_ref() };
    let bit = 1 << slot_ref.index;
    // Ordering: Acquire pairs with the Release in `Registry::unregister`. Of several threads that
    // come here, one finds the bit.
    if occupancy.abandoned.fetch_and(!bit, Acquire) & bit != 0 {
        // SAFETY: the slot is idle, and its reader has left it to the thread that finds the bit.
        unsafe { release(slot_ref, segments) };
    }
}

/// Vacates a slot, and drops its waker.
///
/// # Safety
/// The slot is idle, and the caller acts for its reader, which has left.
pub(super) unsafe fn release(slot_ref: SlotRef, segments: Option<&Segments>) {
    // SAFETY: the slot is in use until `release` below, which keeps it.
    let slot = unsafe { slot_ref.slot.as_ref() };
    // SAFETY: by the contract the waker is the caller's.
    let waker = slot.waker.with_mut(|waker| unsafe { (*waker).take() });
    let in_segment = slot_ref.segment.zip(segments);
    if let Some((segment, segments)) = in_segment {
        segments.set_vacant_hint(segment);
    }
    // SAFETY: as for the slot.
    let is_empty = unsafe { slot_ref.occupancy.as_ref() }.release(slot_ref.index);
    if let Some((_, segments)) = in_segment.filter(|_| is_empty) {
        segments.segment_emptied();
    }
    // The drop of a waker may panic.
    drop(waker);
}

/// The indices of the bits that are set.
fn bits(mut word: usize) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}
