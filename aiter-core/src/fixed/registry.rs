//! The readers of a list: the position and the waker slots of each of at most `R` readers.
//!
//! # Words
//! | word | meaning | written by |
//! |---|---|---|
//! | `claimed`, one bit per cell | the cell belongs to a reader, or to one that is being created or dropped | claiming and releasing a cell: compare-exchange, xor |
//! | `count` | how many readers there are; at zero, which cell is *retained* | creating and dropping a reader: compare-exchange |
//! | `registrations` | how many forks were registered | a fork, before its parent moves on: `fetch_add` |
//! | `position`, one per cell | the position of its reader, or that it has none | its reader: store |
//!
//! The last reader that is dropped leaves its cell as it is, *retained*, and the next reader takes
//! that cell over. So items that no reader has taken are kept, and each published item always has a
//! cell at or before its position. In a new list the first cell is retained at position 0. All
//! words are zero then, because `claimed` and `position` store the bit of that cell inverted.

use super::{
    position::{Position, is_after},
    waiters::WakerSlots,
    word::{cas_masked, exchange, toggle},
};
use crate::sync::{AtomicWord, Ordering::*, StoreExclusive, Word, array_of, const_new, truncate};

/// Flag of a position word: the cell has a reader, or is retained.
const ACTIVE: Word = 1;
/// A retained cell, in `count`: its index times this. The bits below are the count.
const RETAINED: Word = 1 << 8;

/// For [`Readers::is_passed`]: no reader is excepted.
pub(super) const NO_READER: usize = usize::MAX;

#[repr(C)]
pub(super) struct ReaderCell {
    pub(super) wakers: WakerSlots,
    position: AtomicWord,
}

impl ReaderCell {
    const_new! {
        fn new() -> Self {
            Self {
                wakers: WakerSlots::new(),
                position: AtomicWord::new(0),
            }
        }
    }

    /// Whether a reader is at this position; `first` is 1 for the first cell, and 0 for the others.
    pub(super) fn is_at(&self, at: Position, first: Word) -> bool {
        // Ordering: Relaxed, because the caller has fenced.
        self.position.load(Relaxed) ^ first ^ ACTIVE == at
    }
}

#[repr(C)]
pub(super) struct Readers<S: ?Sized> {
    claimed: AtomicWord,
    count: AtomicWord,
    registrations: AtomicWord,
    cells: S,
}

/// These do not depend on the number of cells, so that a program contains them once.
impl Readers<[ReaderCell]> {
    pub(super) fn all(&self) -> &[ReaderCell] {
        &self.cells
    }
}

/// What the words of a cell are stored XOR-ed with.
#[inline(always)]
fn xor_mask(reader: usize) -> Word {
    Word::from(reader == 0)
}

/// Does not depend on the number of cells, so that a program contains it once.
#[inline(never)]
fn take_over(count: &AtomicWord) -> Option<usize> {
    loop {
        let now = count.load(Relaxed);
        if now % RETAINED != 0 {
            return None;
        }
        // Ordering: Acquire pairs with the Release in `leave`: the cell is seen as its reader left
        // it.
        if exchange(count, now, 1) {
            return Some(truncate(now / RETAINED));
        }
    }
}

impl<const R: usize> Readers<[ReaderCell; R]> {
    const_new! {
        pub(super) fn new() -> Self {
            const {
                assert!(R > 0, "a push list needs a reader");
                assert!(R <= usize::BITS as usize, "there is a bit of a word for each reader");
            }
            Self {
                claimed: AtomicWord::new(0),
                count: AtomicWord::new(0),
                registrations: AtomicWord::new(0),
                cells: array_of!(ReaderCell::new(); R),
            }
        }
    }

    #[inline(always)]
    pub(super) fn reader(&self, reader: usize) -> &ReaderCell {
        debug_assert!(reader < R);
        // SAFETY: this module numbers the cells, below `R`.
        unsafe { self.cells.get_unchecked(if R == 1 { 0 } else { reader }) }
    }

    /// Takes over the cell that the last reader left, if there is no reader now.
    #[inline(always)]
    pub(super) fn take_over(&self) -> Option<usize> {
        if R == 1 {
            // Ordering: as in `take_over`. The retained cell is the first one.
            return exchange(&self.count, 0, 1).then_some(0);
        }
        take_over(&self.count)
    }

    /// Claims a cell that no reader uses, if there is one.
    pub(super) fn claim(&self) -> Option<usize> {
        loop {
            let claimed = self.claimed.load(Relaxed);
            let reader = (claimed ^ xor_mask(0)).trailing_ones() as usize;
            if reader >= R {
                return None;
            }
            // Ordering: Acquire pairs with the Release in `release`: the previous reader of the
            // cell no longer accesses it.
            if cas_masked(&self.claimed, !0, claimed, 1 << reader) {
                return Some(reader);
            }
        }
    }

    /// Releases a claimed cell that has no position.
    pub(super) fn release(&self, reader: usize) {
        // Ordering: Release pairs with the Acquire in `claim`.
        toggle(&self.claimed, 1 << reader);
    }

    /// Counts another reader, if there is one already.
    pub(super) fn count_reader(&self) -> bool {
        loop {
            let count = self.count.load(Relaxed);
            if count % RETAINED == 0 {
                return false;
            }
            if exchange(&self.count, count, count + 1) {
                return true;
            }
        }
    }

    /// Publishes the position of a reader: it has read everything before.
    #[inline(always)]
    pub(super) fn publish_position(&self, reader: usize, at: Position) {
        // Ordering: Release pairs with the Acquire in `is_passed`: the reader has finished reading
        // what is before, and registered the forks that it made there.
        self.reader(reader)
            .position
            .store_exclusive((at | ACTIVE) ^ xor_mask(reader), Release);
    }

    /// Counts a fork, which was registered at the position of a reader that has not moved on yet.
    pub(super) fn count_fork(&self) {
        // Ordering: Release pairs with the Acquire of the position in `is_passed`: a thread that
        // sees the other reader further on sees this count.
        self.registrations.fetch_add(1, Release);
    }

    /// Unregisters a reader. Returns `false` if it was the last one: then its cell is retained at
    /// its position. Otherwise the cell has no position from here on.
    pub(super) fn leave(&self, reader: usize) -> bool {
        if R == 1 {
            // Ordering: as below. No other reader is created or dropped meanwhile.
            self.count.store_exclusive(0, Release);
            return false;
        }
        loop {
            let count = self.count.load(Relaxed);
            let last = count == 1;
            let left = if last {
                reader as Word * RETAINED
            } else {
                count - 1
            };
            // Ordering: Release pairs with the Acquire in `take_over`.
            if exchange(&self.count, count, left) {
                if last {
                    return false;
                }
                break;
            }
        }
        // Ordering: as in `publish_position`.
        self.reader(reader)
            .position
            .store_exclusive(xor_mask(reader), Release);
        self.release(reader);
        true
    }

    /// The position in the word of a cell, if it has one.
    #[inline(always)]
    fn decode(word: Word, reader: usize) -> Option<Position> {
        let word = word ^ xor_mask(reader);
        (word & ACTIVE != 0).then_some(word & !ACTIVE)
    }

    /// The position of a cell that is known to have one.
    pub(super) fn position(&self, reader: usize) -> Position {
        self.reader(reader).position.load(Relaxed) ^ xor_mask(reader) ^ ACTIVE
    }

    /// The positions of all readers.
    pub(super) fn positions(&self) -> impl Iterator<Item = Position> {
        let positions = self.cells.iter().enumerate();
        // Ordering: Relaxed. No item is accessed on the strength of these positions.
        positions.filter_map(|(reader, cell)| Self::decode(cell.position.load(Relaxed), reader))
    }

    /// Whether every reader except one has passed a position. If so, that stays true: no other
    /// reader comes to it.
    ///
    /// Loading the positions is not one instant. A fork that is registered meanwhile starts at the
    /// position of its parent. So the scan sees the fork, or the parent at its old position, or
    /// another count of registrations, and then it starts again. (It would miss as many forks
    /// within one scan as a word counts, which is out of reach.)
    #[inline(never)]
    pub(super) fn is_passed(&self, at: Position, except: usize) -> bool {
        // Ordering: this Acquire and those of the positions keep the second load of the count last.
        let mut registrations = self.registrations.load(Acquire);
        loop {
            for (reader, cell) in self.cells.iter().enumerate() {
                // Ordering: Acquire pairs with the Release in `publish_position` and `leave`.
                let position = Self::decode(cell.position.load(Acquire), reader);
                if reader != except && position.is_some_and(|position| !is_after(position, at)) {
                    return false;
                }
            }
            match self.registrations.load(Acquire) {
                now if now == registrations => return true,
                now => registrations = now,
            }
        }
    }
}
