//! One slot: an item, and a word that says in which state the slot is.
//!
//! | the word, less its lap | state of the slot | next state |
//! |---|---|---|
//! | 0 | free for the push that reserves its position, or being written by it | that push → `FULL` |
//! | `FULL` | published: readers at or before its position may access the item | the last reader → 0, one lap on; a reader that finds that all have passed → `TAKEN` |
//! | `TAKEN` | being emptied | the reader that took it → 0, one lap on |
//!
//! In a list that may be overwritten there are two more, because a push may take an item away from
//! readers that have not come to it. Readers are counted while they access an item:
//!
//! | the word, less its lap | state of the slot | next state |
//! |---|---|---|
//! | `FULL` | published, and no reader is at the item right now | a reader → `READING` 1; a push → `OVERWRITING`; a single reader, or one that finds that all have passed → `TAKEN` |
//! | `READING` less `n` | `n` readers clone the item, or one moves it out | a reader comes or goes → one more or one less, and `FULL` for none; a reader that moved the item out → 0, one lap on |
//! | `OVERWRITING` | a push is about to reserve the position one lap on | the push that reserves it → `FULL`, one lap on; the list was stopped before → `FULL` |
//!
//! A word of zero is free for the first lap, so a new list is all zeros. The other states are
//! *below* their lap. So a slot is free for the position at the tail if the tail is less than a lap
//! ahead of the word.

use super::word::exchange;
use crate::sync::{
    AtomicWord, Ordering::*, SignedWord, StoreExclusive, UnsafeCell, Word, const_new, fence,
};
use core::mem::MaybeUninit;

const FULL: Word = Word::MAX;
const TAKEN: Word = Word::MAX - 1;
const OVERWRITING: Word = Word::MAX - 2;
/// Less the number of readers.
const READING: Word = OVERWRITING;

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

    /// `O` says whether the list may be overwritten, and `R` how many readers there may be.
    pub(super) fn state<const R: usize, const O: bool>(&self, lap: Word) -> SlotState {
        // Ordering: as in `is_full`.
        match self.word.load(Acquire).wrapping_sub(lap) {
            FULL => SlotState::Published,
            TAKEN => SlotState::Passed,
            0 => SlotState::Empty,
            ahead if (ahead as SignedWord) > 0 => SlotState::Passed,
            state if O && is_reading::<R>(state) => SlotState::Published,
            // The item of an earlier lap is still there, or this one is about to be overwritten.
            _ => SlotState::Empty,
        }
    }

    /// The lap whose item is published here, if one is and no reader is at it. The word of a slot
    /// that is free has none of the bits in `mask`.
    pub(super) fn full_lap(&self, mask: Word) -> Option<Word> {
        // Ordering: Relaxed. A caller that takes the item does so by an exchange, which acquires
        // it, or has the slot to itself.
        let word = self.word.load(Relaxed);
        (word & mask == FULL & mask).then_some(word.wrapping_sub(FULL))
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

    /// Keeps the item of this lap from being overwritten until [`leave`](Self::leave), if it is
    /// published.
    pub(super) fn try_enter<const R: usize>(&self, lap: Word) -> bool {
        loop {
            // Ordering: Acquire, so that a reader that finds the next item here also sees the tail
            // behind it.
            let word = self.word.load(Acquire);
            let next = match word.wrapping_sub(lap) {
                FULL => lap.wrapping_add(READING - 1),
                state if is_reading::<R>(state) => word - 1,
                _ => return false,
            };
            // Ordering: Acquire pairs with the Release in `publish`.
            if exchange(&self.word, word, next) {
                return true;
            }
        }
    }

    /// Ends what [`try_enter`](Self::try_enter) began.
    pub(super) fn leave(&self, lap: Word) {
        loop {
            let word = self.word.load(Relaxed);
            let next = match word.wrapping_sub(lap) {
                READING_ONE => lap.wrapping_add(FULL),
                _ => word + 1,
            };
            // Ordering: Release pairs with the Acquire in `try_overwrite` and `try_take`: this
            // reader no longer accesses the item.
            if exchange(&self.word, word, next) {
                return;
            }
        }
    }

    /// Keeps readers from the item that is published, unless the word has changed since. It may
    /// fail for no reason.
    #[inline(always)]
    pub(super) fn try_overwrite(&self, word: Word) -> bool {
        // Ordering: Relaxed. The push that reserves the position has loaded this word, and fences:
        // that pairs with the Release in `publish` and `leave`, because this exchange continues
        // them.
        let overwriting = word - (FULL - OVERWRITING);
        let exchanged = self
            .word
            .compare_exchange_weak(word, overwriting, Relaxed, Relaxed);
        exchanged.is_ok()
    }

    /// Gives the item back to the readers, unless another push has reserved the position.
    pub(super) fn undo_overwrite(&self, lap: Word) -> bool {
        exchange(
            &self.word,
            lap.wrapping_add(OVERWRITING),
            lap.wrapping_add(FULL),
        )
    }

    /// Moves out the item that is being overwritten.
    ///
    /// # Safety
    /// The slot is in the state `OVERWRITING`. The caller has reserved the position one lap on, has
    /// fenced after it loaded that state, and calls this once.
    #[inline(always)]
    pub(super) unsafe fn take_overwritten(&self) -> T {
        self.item.with(|slot| {
            // SAFETY: by the contract.
            unsafe { slot.cast::<T>().read() }
        })
    }
}

/// Whether the item of this lap is published, and no reader is at it.
#[inline(always)]
pub(super) fn is_published(word: Word, lap: Word) -> bool {
    word == lap.wrapping_add(FULL)
}

/// What else a push finds in the slot of the tail of a list that may be overwritten.
#[derive(PartialEq)]
pub(super) enum Occupied {
    /// Another push has kept readers from the item.
    Overwriting,
    /// It is being read, written or moved out.
    Busy,
    /// The tail has moved on.
    Later,
}

/// The state of a slot that is not free for a lap, and may be in use for the one before.
#[cold]
#[inline(never)]
pub(super) fn occupied(word: Word, lap_before: Word) -> Occupied {
    match word.wrapping_sub(lap_before) {
        OVERWRITING => Occupied::Overwriting,
        ahead if ahead as SignedWord > 0 => {
            // Ordering: pairs with the Release in `publish`. A tail that was loaded before that
            // push had reserved its position is not loaded again.
            fence(Acquire);
            Occupied::Later
        }
        // Free for the lap before, or overwritten for it: it is being written. Less than that: it
        // is being read.
        _ => Occupied::Busy,
    }
}

const READING_ONE: Word = READING - 1;

fn is_reading<const R: usize>(state: Word) -> bool {
    R > 1 && state < READING && state >= READING - R as Word
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // A free slot has the lowest two bits clear, and no reader is at an item any more.
        if self.full_lap(3).is_some() {
            self.item.with_mut(|slot| {
                // SAFETY: the item is published, no reader took it, and there is no other reference
                // to the slot.
                unsafe { slot.cast::<T>().drop_in_place() }
            });
        }
    }
}
