//! The tasks that wait for a free slot: one cell for each, at most `P` of them.
//!
//! | `ticket`, of a cell | the cell | written by | next state |
//! |---|---|---|---|
//! | [`FREE`] | belongs to nobody | | a wait claims it: compare-exchange → `CLAIMED` |
//! | [`CLAIMED`] | belongs to a wait that is not in the line yet | its wait | the wait stores its waker, then its ticket → odd |
//! | odd | is in the line, behind all smaller tickets | its wait | the wait is over or dropped: it takes its waker back → `FREE` |
//!
//! | `waker`, of a cell in the line | the wait | next state |
//! |---|---|---|
//! | there is one | sleeps | a context that finds room for this place, or a stop, takes the waker and calls it; the wait takes it back |
//! | there is none | was woken, or is being polled | it is polled: it pushes and leaves, or it stores a waker again, with the same ticket |
//!
//! A place in the line has *room* if as many slots are free, from the tail on, as there are places
//! up to it. So each waiting task may claim one slot, whether or not those before it were polled
//! since they were woken. A wait that is forgotten keeps one slot from the other waits, and no
//! more.
//!
//! **No wake is lost.** A place gets room when a slot is freed, or when a place before it is left.
//! The context that does so stores that, fences, and then wakes every place with room that has a
//! waker ([`PushList::serve`]). A wait stores its waker and its ticket, fences, and looks for room
//! once more. One of the two fences comes first, so at least one side sees what the other stored. A
//! push that takes a slot takes room away, and has nothing to do here.
//!
//! Two waits that come at once may take the same ticket. The order of their cells decides then.
//!
//! [`PushList::serve`]: super::PushList::serve

use super::{waiters::GapWaker, word::exchange};
use crate::sync::{AtomicWord, Ordering::*, SignedWord, StoreExclusive, Word, const_new, fence};
use core::task::Waker;

const FREE: Word = 0;
const CLAIMED: Word = 2;

/// The cell of a wait that has none.
pub(super) const NO_CELL: usize = usize::MAX;

pub(super) struct PushCell {
    ticket: AtomicWord,
    waker: GapWaker,
}

impl PushCell {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                ticket: AtomicWord::new(FREE),
                waker: GapWaker::new(),
            }
        }
    }

    pub(super) fn take_waker(&self) -> Option<Waker> {
        self.waker.take()
    }
}

/// A place in the line.
#[derive(Clone, Copy)]
struct Place {
    ticket: Word,
    cell: usize,
}

impl Place {
    fn is_before(self, other: Self) -> bool {
        match self.ticket.wrapping_sub(other.ticket) as SignedWord {
            0 => self.cell < other.cell,
            ahead => ahead < 0,
        }
    }
}

/// Whether any cell is in use.
#[inline(always)]
pub(super) fn is_in_use(cells: &[PushCell]) -> bool {
    // Ordering: Relaxed. Callers that rely on it have fenced.
    if let [cell] = cells {
        return cell.ticket.load(Relaxed) != FREE;
    }
    cells.iter().any(|cell| cell.ticket.load(Relaxed) != FREE)
}

/// The places in the line, in no order.
fn places(cells: &[PushCell]) -> impl Iterator<Item = Place> {
    // Ordering: as in `is_in_use`.
    let tickets = cells.iter().map(|cell| cell.ticket.load(Relaxed));
    let places = tickets
        .enumerate()
        .map(|(cell, ticket)| Place { ticket, cell });
    places.filter(|place| place.ticket % 2 == 1)
}

/// How many places are before that of this cell. All are if it is not in the line.
pub(super) fn count_before(cells: &[PushCell], cell: usize) -> usize {
    if cells.len() == 1 {
        return usize::from(cell == NO_CELL);
    }
    let own = places(cells).find(|place| place.cell == cell);
    places(cells)
        .filter(|place| own.is_none_or(|own| place.is_before(own)))
        .count()
}

/// Claims a cell.
///
/// # Panics
/// If there is none left.
#[cold]
#[inline(never)]
pub(super) fn claim(cells: &[PushCell]) -> usize {
    // Ordering: the Acquire of `exchange` pairs with the Release in `leave`: the wait that had the
    // cell no longer accesses it.
    let is_claimed = |cell: &PushCell| exchange(&cell.ticket, FREE, CLAIMED);
    let claimed = cells.iter().position(is_claimed);
    claimed.expect("no more tasks can wait")
}

/// Stores the waker of a wait. If it is not in the line yet, it goes to the end. The caller looks
/// for room once more after this.
///
/// # Safety
/// The cell is in use, and belongs to the caller.
#[cold]
#[inline(never)]
pub(super) unsafe fn wait(cells: &[PushCell], cell: usize, waker: &Waker) {
    // SAFETY: there is a cell with that index.
    let PushCell {
        ticket,
        waker: slot,
    } = unsafe { cells.get_unchecked(cell) };
    let waker = waker.clone();
    drop(slot.take());
    // SAFETY: only the wait that has the cell stores wakers in it, and it took the last one back.
    unsafe { slot.put(waker) };
    if ticket.load(Relaxed) == CLAIMED {
        let later = |last: Place, place: Place| if last.is_before(place) { place } else { last };
        let next = places(cells)
            .reduce(later)
            .map_or(1, |last| last.ticket.wrapping_add(2));
        // Ordering: Relaxed, because of the fence.
        ticket.store_exclusive(next, Relaxed);
    }
    // Ordering: pairs with the fences in `PushList::slot_freed`, `leave` and `ListState::wake_all`.
    // Each side loads what the other one wrote before its fence.
    fence(SeqCst);
}

/// Leaves the line. The caller wakes those that may push now.
///
/// # Safety
/// The cell is in use, and belongs to the caller, which does not access it after this.
#[inline(never)]
pub(super) unsafe fn leave(cells: &[PushCell], cell: usize) {
    // SAFETY: there is a cell with that index.
    let PushCell { ticket, waker } = unsafe { cells.get_unchecked(cell) };
    let waker = waker.take();
    // Ordering: Release pairs with the Acquire in `claim`.
    ticket.store_exclusive(FREE, Release);
    // Ordering: pairs with the fence in `wait`: either this caller finds the waker of a place that
    // has room now, or that wait sees that this cell left the line.
    fence(SeqCst);
    drop(waker);
}
