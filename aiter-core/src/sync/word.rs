//! The width of a word that counts.
//!
//! A compare-and-swap on a counter is fooled if the counter wraps to its old value between the load
//! and the exchange. So counters have 64 bits wherever the target can exchange that many at once.

#[cfg(not(all(target_pointer_width = "32", target_has_atomic = "64", not(aiter_loom))))]
mod imp {
    pub(crate) type Word = usize;
    pub(crate) type SignedWord = isize;
    pub(crate) type AtomicWord = crate::sync::AtomicUsize;
}

#[cfg(all(target_pointer_width = "32", target_has_atomic = "64", not(aiter_loom)))]
mod imp {
    use crate::sync::{Ordering, StoreExclusive};

    pub(crate) type Word = u64;
    pub(crate) type SignedWord = i64;
    pub(crate) type AtomicWord = core::sync::atomic::AtomicU64;

    impl StoreExclusive<u64> for AtomicWord {
        #[inline]
        fn store_exclusive(&self, value: u64, order: Ordering) {
            self.store(value, order);
        }
    }
}

pub(crate) use imp::{AtomicWord, SignedWord, Word};

/// The low bits of a word, as many as an address has.
#[inline]
#[allow(clippy::unnecessary_cast, reason = "words may be longer")]
pub(crate) const fn truncate(word: Word) -> usize {
    word as usize
}
