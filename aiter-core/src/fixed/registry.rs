//! Who reads a list: a place and a waker for each of at most `R` readers.
//!
//! # Words
//! | word | says | moved on by |
//! |---|---|---|
//! | `used`, a bit a seat | the seat is a reader's, also while that one comes or goes | who claims, who leaves: compare-exchange, xor |
//! | `readers` | how many read; at zero, which seat is *kept* | who comes, who leaves: compare-exchange |
//! | `claims` | how often a seat was taken at the place of another reader | a fork, before its parent moves on: `fetch_add` |
//! | `place`, of a seat | where its reader stands, or that nobody does | its reader: store |
//!
//! The last reader that leaves lets its seat stand where it is, and the next one takes it over. So items that no reader
//! has taken are kept, and there is never a published item without a seat that stands at it or before it. A new list has
//! its first seat kept at position 0, and all words are zero then: `used` and `place` have the bit of that seat flipped.

use super::{
    position::{Position, is_after},
    waiters::WakerSlots,
    word::{self, cas_masked, exchange},
};
use crate::sync::{AtomicWord, Ordering::*, StoreExclusive, Word, array_of, const_new, truncate};

/// Flag of a place: a reader stands there.
const STANDS: Word = 1;
/// A seat that is kept, in `readers`: its index times this. Below is the count.
const KEPT: Word = 1 << 8;

/// No seat.
pub(super) const NOBODY: usize = usize::MAX;

#[repr(C)]
pub(super) struct ReaderCell {
    pub(super) wakers: WakerSlots,
    place: AtomicWord,
}

impl ReaderCell {
    const_new! {
        fn new() -> Self {
            Self {
                wakers: WakerSlots::new(),
                place: AtomicWord::new(0),
            }
        }
    }

    /// Whether a reader stands at this place; `first` is 1 for the first seat, 0 for others.
    pub(super) fn is_at(&self, at: Position, first: Word) -> bool {
        // Ordering: Relaxed, whoever asks has fenced.
        self.place.load(Relaxed) ^ first ^ STANDS == at
    }
}

#[repr(C)]
pub(super) struct Readers<S: ?Sized> {
    used: AtomicWord,
    count: AtomicWord,
    claims: AtomicWord,
    cells: S,
}

/// Of any number of seats: what is done here is in a program once.
impl Readers<[ReaderCell]> {
    pub(super) fn all(&self) -> &[ReaderCell] {
        &self.cells
    }
}

/// What the words of a seat are flipped by.
#[inline(always)]
fn flip(reader: usize) -> Word {
    Word::from(reader == 0)
}

/// Once, for any number of seats.
#[inline(never)]
fn take_over(readers: &AtomicWord) -> Option<usize> {
    loop {
        let now = readers.load(Relaxed);
        if now % KEPT != 0 {
            return None;
        }
        // Ordering: Acquire pairs with the Release in `leave`: the seat is seen as it was left.
        if exchange(readers, now, 1) {
            return Some(truncate(now / KEPT));
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
                used: AtomicWord::new(0),
                count: AtomicWord::new(0),
                claims: AtomicWord::new(0),
                cells: array_of!(ReaderCell::new(); R),
            }
        }
    }

    #[inline(always)]
    pub(super) fn reader(&self, reader: usize) -> &ReaderCell {
        debug_assert!(reader < R);
        // SAFETY: seats are numbered here, below `R`.
        unsafe { self.cells.get_unchecked(if R == 1 { 0 } else { reader }) }
    }

    /// Takes over the seat that the last reader left, if there is no reader now.
    #[inline(always)]
    pub(super) fn take_over(&self) -> Option<usize> {
        if R == 1 {
            // Ordering: as in `take_over`. It is the first seat that is kept.
            return exchange(&self.count, 0, 1).then_some(0);
        }
        take_over(&self.count)
    }

    /// Takes a seat where nobody stands, if there is one.
    pub(super) fn claim(&self) -> Option<usize> {
        loop {
            let used = self.used.load(Relaxed);
            let reader = (used ^ flip(0)).trailing_ones() as usize;
            if reader >= R {
                return None;
            }
            // Ordering: Acquire pairs with the Release in `give_back`: who had the seat before is done with it.
            if cas_masked(&self.used, !0, used, 1 << reader) {
                return Some(reader);
            }
        }
    }

    /// Gives a claimed seat back in which nobody stands.
    pub(super) fn give_back(&self, reader: usize) {
        // Ordering: Release pairs with the Acquire in `claim`.
        word::flip(&self.used, 1 << reader);
    }

    /// Counts another reader, if there is one.
    pub(super) fn join(&self) -> bool {
        loop {
            let readers = self.count.load(Relaxed);
            if readers % KEPT == 0 {
                return false;
            }
            if exchange(&self.count, readers, readers + 1) {
                return true;
            }
        }
    }

    /// The reader of a seat says where it stands: everything before was read.
    #[inline(always)]
    pub(super) fn stand(&self, reader: usize, at: Position) {
        // Ordering: Release pairs with the Acquire in `is_passed`: what it read before, it has read; and whom it forked, it
        // has forked.
        self.reader(reader)
            .place
            .store_exclusive((at | STANDS) ^ flip(reader), Release);
    }

    /// A seat was taken where another reader stands, which has not moved on yet.
    pub(super) fn forked(&self) {
        // Ordering: Release pairs with the Acquire of the place in `is_passed`: who sees the other reader further on sees
        // this count.
        self.claims.fetch_add(1, Release);
    }

    /// The reader leaves. False if it was the last: then the seat is kept as it stands; else nobody stands there now.
    pub(super) fn leave(&self, reader: usize) -> bool {
        if R == 1 {
            // Ordering: as below. Nobody else comes or goes.
            self.count.store_exclusive(0, Release);
            return false;
        }
        loop {
            let readers = self.count.load(Relaxed);
            let last = readers == 1;
            let left = if last {
                reader as Word * KEPT
            } else {
                readers - 1
            };
            // Ordering: Release pairs with the Acquire in `take_over`.
            if exchange(&self.count, readers, left) {
                if last {
                    return false;
                }
                break;
            }
        }
        // Ordering: as in `stand`.
        self.reader(reader)
            .place
            .store_exclusive(flip(reader), Release);
        self.give_back(reader);
        true
    }

    #[inline(always)]
    fn standing(place: Word, reader: usize) -> Option<Position> {
        let place = place ^ flip(reader);
        (place & STANDS != 0).then_some(place & !STANDS)
    }

    /// The place of a seat in which a reader is known to stand.
    pub(super) fn place(&self, reader: usize) -> Position {
        self.reader(reader).place.load(Relaxed) ^ flip(reader) ^ STANDS
    }

    /// The places where readers stand.
    pub(super) fn places(&self) -> impl Iterator<Item = Position> {
        let places = self.cells.iter().enumerate();
        // Ordering: Relaxed, nothing is read on the strength of it.
        places.filter_map(|(reader, it)| Self::standing(it.place.load(Relaxed), reader))
    }

    /// Whether every reader `but` that of one seat has passed a position. That is settled then: no other comes to it.
    ///
    /// The look at the seats is not one instant. A fork that is made meanwhile stands where its parent stood: either it, or the
    /// parent at its old place, or another count is seen, and then all are looked at again. (The same one after as many forks as a
    /// word counts, all within one look, is out of reach.)
    #[inline(never)]
    pub(super) fn is_passed(&self, at: Position, but: usize) -> bool {
        // Ordering: this Acquire and those of the places keep the second look at the count last.
        let mut claims = self.claims.load(Acquire);
        loop {
            for (reader, it) in self.cells.iter().enumerate() {
                // Ordering: Acquire pairs with the Release in `stand` and `leave`.
                let place = Self::standing(it.place.load(Acquire), reader);
                if reader != but && place.is_some_and(|place| !is_after(place, at)) {
                    return false;
                }
            }
            match self.claims.load(Acquire) {
                now if now == claims => return true,
                now => claims = now,
            }
        }
    }
}
