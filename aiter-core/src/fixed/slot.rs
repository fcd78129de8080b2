//! One slot: an item, and a word that says whose it is.
//!
//! | word, less its lap | the slot is | moved on by |
//! |---|---|---|
//! | 0 | free for the writer that gets its position, or being written | that writer → `FULL` |
//! | `FULL` | published: readers that stand at or before it may look at the item | the last reader → 0, a lap on; who finds that all have passed → `TAKEN` |
//! | `TAKEN` | being emptied | the one that took it → 0, a lap on |
//!
//! A word of zeros is free for the first lap, so a new list is all zeros. The other states are *below* their lap: so a slot is free
//! for the position at the tail if the tail is less than a lap ahead of the word.

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

/// What a reader finds in the slot of a position.
pub(super) enum Found {
    /// Nothing is published there.
    Nothing,
    Item,
    /// Every reader has passed it.
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

    /// As it is when it is free for this lap.
    #[cfg(all(test, not(aiter_loom)))]
    pub(super) const fn free_for(lap: Word) -> Self {
        Self {
            word: AtomicWord::new(lap),
            item: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The word. If the slot is free by that, who then gets its position has to fence before it writes.
    #[inline(always)]
    pub(super) fn word(&self) -> Word {
        // Ordering: Relaxed, see `PushList::try_reserve`.
        self.word.load(Relaxed)
    }

    /// Whether the item of this lap is published, and nobody is emptying the slot.
    #[inline(always)]
    pub(super) fn is_full(&self, lap: Word) -> bool {
        // Ordering: Acquire pairs with the Release in `publish`: the item is seen whole.
        self.word.load(Acquire) == lap.wrapping_add(FULL)
    }

    pub(super) fn find(&self, lap: Word) -> Found {
        // Ordering: as in `is_full`.
        match self.word.load(Acquire).wrapping_sub(lap) {
            FULL => Found::Item,
            TAKEN => Found::Passed,
            0 => Found::Nothing,
            ahead if (ahead as SignedWord) > 0 => Found::Passed,
            // The item of an earlier lap is still there.
            _ => Found::Nothing,
        }
    }

    /// The lap whose item is published here, if one is.
    pub(super) fn full_lap(&self) -> Option<Word> {
        // Ordering: as in `is_full`.
        let word = self.word.load(Acquire);
        (word % 4 == FULL % 4).then_some(word.wrapping_sub(FULL))
    }

    /// Writes the item and shows it to readers.
    ///
    /// # Safety
    /// The caller has reserved the position in this lap, and publishes it once. The lap is what the word was when it was free.
    #[inline(always)]
    pub(super) unsafe fn publish(&self, lap: Word, item: T) {
        self.item.with_mut(|slot| {
            // SAFETY: the slot was free, and is its writer's alone until it is published.
            unsafe { slot.cast::<T>().write(item) };
        });
        // Ordering: Release pairs with the Acquire of readers.
        self.word.store_exclusive(lap.wrapping_add(FULL), Release);
    }

    /// # Safety
    /// The item is published, and stays for as long as the reference is used: a reader stands at or before it.
    #[inline(always)]
    pub(super) unsafe fn item<'a>(&self) -> &'a T {
        self.item.with(|slot| {
            // SAFETY: by the contract.
            unsafe { &*slot.cast::<T>() }
        })
    }

    /// Moves the item out, and gives the slot to the writer of the next lap.
    ///
    /// # Safety
    /// The item is published, and the caller is the only one who comes to it.
    #[inline(always)]
    pub(super) unsafe fn take(&self, next_lap: Word) -> T {
        let item = self.item.with(|slot| {
            // SAFETY: by the contract; the word says from here on that it is gone.
            unsafe { slot.cast::<T>().read() }
        });
        // Ordering: Release pairs with the fence in `PushList::reserve`: the item is gone before the next one comes.
        self.word.store_exclusive(next_lap, Release);
        item
    }

    /// Moves out the item that all readers have passed, unless somebody else does.
    ///
    /// # Safety
    /// No reader comes to the item of this lap any more, and what they did with it happens before.
    pub(super) unsafe fn try_take(&self, lap: Word, next_lap: Word) -> Option<T> {
        // Ordering: Acquire pairs with the Release in `publish`.
        if !exchange(&self.word, lap.wrapping_add(FULL), lap.wrapping_add(TAKEN)) {
            return None;
        }
        // SAFETY: of those who may take it this one won.
        Some(unsafe { self.take(next_lap) })
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if self.full_lap().is_some() {
            self.item.with_mut(|slot| {
                // SAFETY: it is published, nobody took it, and nobody else is left.
                unsafe { slot.cast::<T>().drop_in_place() }
            });
        }
    }
}
