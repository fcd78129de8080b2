//! One slot: an item, and a word that says in which state the slot is.
//!
//! | the word, less its lap | state of the slot | next state |
//! |---|---|---|
//! | 0 | free for the push that reserves its position, or being written by it | that push → `FULL` |
//! | `FULL` | published: readers at or before its position may access the item | the last reader → 0, one lap on; a reader that finds that all have passed → `TAKEN` |
//! | `TAKEN` | being emptied | the reader that took it → 0, one lap on |
//!
//! A word of zero is free for the first lap, so a new list is all zeros. The other states are
//! *below* their lap. So a slot is free for the position at the tail if the tail is less than a lap
//! ahead of the word.

use super::word::exchange;
use crate::sync::{
    AtomicWord, Ordering::*, SignedWord, StoreExclusive, UnsafeCell, Word, const_new,
};
use core::mem::MaybeUninit;

const FULL: Word = Word::MAX;
const TAKEN: Word = Word::MAX - 1;

pub(super) struct Slot<T> {
    word: AtomicWord,
    item: UnsafeCell<MaybeUninit<T>>,
}

/// What a reader finds in the slot of its position.
pub(super) enum SlotState {
    /// No item is published there.
    Empty,
    Published,
    /// Every reader has passed the item.
    Passed,
}

impl<T> Slot<T> {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                word: AtomicWord::new(0),
                item: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }

    /// A slot that is free for this lap.
    #[cfg(all(test, not(aiter_loom)))]
    pub(super) const fn free_for(lap: Word) -> Self {
        Self {
            word: AtomicWord::new(lap),
            item: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Returns the word. If the slot is free by that, the push that reserves its position has to
    /// fence before it writes.
    #[inline(always)]
    pub(super) fn word(&self) -> Word {
        // Ordering: Relaxed, see `PushList::reserve`.
        self.word.load(Relaxed)
    }

    /// Whether the item of this lap is published, and no reader is emptying the slot.
    #[inline(always)]
    pub(super) fn is_full(&self, lap: Word) -> bool {
        // Ordering: Acquire pairs with the Release in `publish`: the whole item is visible.
        self.word.load(Acquire) == lap.wrapping_add(FULL)
    }

    pub(super) fn state(&self, lap: Word) -> SlotState {
        // Ordering: as in `is_full`.
        match self.word.load(Acquire).wrapping_sub(lap) {
            FULL => SlotState::Published,
            TAKEN => SlotState::Passed,
            0 => SlotState::Empty,
            ahead if (ahead as SignedWord) > 0 => SlotState::Passed,
            // The item of an earlier lap is still there.
            _ => SlotState::Empty,
        }
    }

    /// The lap whose item is published here, if one is.
    pub(super) fn full_lap(&self) -> Option<Word> {
        // Ordering: as in `is_full`.
        let word = self.word.load(Acquire);
        (word % 4 == FULL % 4).then_some(word.wrapping_sub(FULL))
    }

    /// Writes the item and publishes it to readers.
    ///
    /// # Safety
    /// The caller has reserved the position in this lap, and publishes it once. `lap` is the value
    /// of the word when the slot was free.
    #[inline(always)]
    pub(super) unsafe fn publish(&self, lap: Word, item: T) {
        self.item.with_mut(|slot| {
            // SAFETY: the slot was free, and belongs to its writer alone until it is published.
            unsafe { slot.cast::<T>().write(item) };
        });
        // Ordering: Release pairs with the Acquire of the readers.
        self.word.store_exclusive(lap.wrapping_add(FULL), Release);
    }

    /// # Safety
    /// The item is published, and a reader stays at or before it for as long as the reference is
    /// used.
    #[inline(always)]
    pub(super) unsafe fn item<'a>(&self) -> &'a T {
        self.item.with(|slot| {
            // SAFETY: by the contract.
            unsafe { &*slot.cast::<T>() }
        })
    }

    /// Moves the item out, and frees the slot for the push of the next lap.
    ///
    /// # Safety
    /// The item is published, and no other reader accesses it.
    #[inline(always)]
    pub(super) unsafe fn take(&self, next_lap: Word) -> T {
        let item = self.item.with(|slot| {
            // SAFETY: by the contract. From the store below on, the word says that the slot is
            // empty.
            unsafe { slot.cast::<T>().read() }
        });
        // Ordering: Release pairs with the fence in `PushList::reserve`: the item is moved out
        // before the next one is written.
        self.word.store_exclusive(next_lap, Release);
        item
    }

    /// Moves out the item that all readers have passed, unless another reader does.
    ///
    /// # Safety
    /// No reader accesses the item of this lap any more, and what the readers did with it happens
    /// before this call.
    pub(super) unsafe fn try_take(&self, lap: Word, next_lap: Word) -> Option<T> {
        // Ordering: Acquire pairs with the Release in `publish`.
        if !exchange(&self.word, lap.wrapping_add(FULL), lap.wrapping_add(TAKEN)) {
            return None;
        }
        // SAFETY: the exchange gives the item to one caller.
        Some(unsafe { self.take(next_lap) })
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if self.full_lap().is_some() {
            self.item.with_mut(|slot| {
                // SAFETY: the item is published, no reader took it, and there is no other reference
                // to the slot.
                unsafe { slot.cast::<T>().drop_in_place() }
            });
        }
    }
}
