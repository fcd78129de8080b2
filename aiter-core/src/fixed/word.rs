//! The read-modify-write of every word except the tail in a push. It is one function that is not
//! inlined, so that a program contains it once.

use crate::sync::{AtomicWord, Ordering::*, Word};

/// Flips `bits` of a word if the bits in `mask` are as expected.
#[inline(never)]
pub(super) fn cas_masked(word: &AtomicWord, mask: Word, expected: Word, bits: Word) -> bool {
    if mask == !0 {
        // There is nothing to load first. Ordering: AcqRel covers what the callers need; each names
        // its partner.
        let exchanged = word.compare_exchange(expected, expected ^ bits, AcqRel, Relaxed);
        return exchanged.is_ok();
    }
    loop {
        let now = word.load(Relaxed);
        if now & mask != expected {
            return false;
        }
        // Ordering: Release, as each caller names its partner. No caller takes over what mask
        // wrote: it sets a flag, clears a flag that it set itself, or releases a reader cell.
        let exchanged = word.compare_exchange_weak(now, now ^ bits, Release, Relaxed);
        if exchanged.is_ok() {
            return true;
        }
    }
}

/// Replaces the value `from` by `to`, if it is there.
#[inline(always)]
pub(super) fn exchange(word: &AtomicWord, from: Word, to: Word) -> bool {
    cas_masked(word, !0, from, from ^ to)
}

/// Flips bits of a word.
#[inline(always)]
pub(super) fn toggle(word: &AtomicWord, bits: Word) {
    if cfg!(target_has_atomic = "ptr") {
        // Ordering: as above.
        word.fetch_xor(bits, Release);
    } else {
        cas_masked(word, 0, 0, bits);
    }
}
