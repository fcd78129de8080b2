//! The read-modify-write of all words but where a push takes its place: one function, which is in a program once.

use crate::sync::{AtomicWord, Ordering::*, Word};

/// Turns bits of a word over, if others are as expected.
#[inline(never)]
pub(super) fn cas_masked(word: &AtomicWord, others: Word, expected: Word, bits: Word) -> bool {
    if others == !0 {
        // Nothing to look at first. Ordering: what the callers need, each of which says what it pairs with.
        let turned = word.compare_exchange(expected, expected ^ bits, AcqRel, Relaxed);
        return turned.is_ok();
    }
    loop {
        let now = word.load(Relaxed);
        if now & others != expected {
            return false;
        }
        // Ordering: Release, as each caller says what it pairs with. None takes anything over from others: a flag is set, or
        // taken back by who set it, or a seat is given back.
        let turned = word.compare_exchange_weak(now, now ^ bits, Release, Relaxed);
        if turned.is_ok() {
            return true;
        }
    }
}

/// Puts one value in the place of another, if that is there.
#[inline(always)]
pub(super) fn exchange(word: &AtomicWord, from: Word, to: Word) -> bool {
    cas_masked(word, !0, from, from ^ to)
}

/// Turns bits of a word over.
#[inline(always)]
pub(super) fn flip(word: &AtomicWord, bits: Word) {
    if cfg!(target_has_atomic = "ptr") {
        // Ordering: as above.
        word.fetch_xor(bits, Release);
    } else {
        cas_masked(word, 0, 0, bits);
    }
}
