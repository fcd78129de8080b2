//! How readers sleep, and who wakes them. A reader that finds no item lies down in one of two ways.
//!
//! *The short way*, a nap at the tail: it leaves its waker and sets its flag in the tail. That can only succeed while no position
//! past its own is given out. So the push that gets this position, and no other, takes all flags away by the exchange that it does
//! anyway, and owns the wakers by that.
//!
//! *The long way*, for all else: a gap, that is a tail that has moved on; a waker that the last push has not taken out yet; or
//! more readers than there are flags. The reader hangs its waker up in a bell, says so in `late`, fences, and looks at the slot
//! again. The push has stored the slot, fences, and looks at `late`. Of the two fences one is first, so one of them sees
//! what the other stored.
//!
//! | state of a reader at `p` | its flag in `tail` | its bit in `late` | its bell | who moves it on |
//! |---|---|---|---|---|
//! | up | 0 | any | any | it lies down: → napping, or → late |
//! | napping, `tail` is at `p` | 1 | any | any | the push that gets `p`, or a stop: → woken; itself, with another waker or to leave: → up |
//! | woken from a nap | 0 | any | any | who took the flag takes the waker out and calls it |
//! | late | 0 | 1 | odd | who fills `p`, or a stop at `p`, takes the waker and calls it: → called; itself, as above |
//! | called | 0 | 1 | even | |
//!
//! The bit in `late` stays until its reader next naps, or leaves. While it is set pushes look at the bell. A reader that changes
//! from late to napping is in both states for a moment, and may be woken twice.

mod gap_waker;
mod tail_waker;

use super::{
    position::{Position, closed, nap as flag, naps},
    registry::{Seat, Seats},
    word::{flip, turn},
};
use crate::sync::{AtomicWord, Ordering::*, StoreAlone, Word, const_new, fence};
use core::{mem, slice, task::Waker};
use gap_waker::Bell;
use tail_waker::Nap;

/// What pushes and readers have in common. What need not know how many seats there are takes it as one of any number, and is
/// in a program once.
#[repr(C)]
pub(super) struct Head<S: ?Sized = [Seat]> {
    /// The next position to be given out, and flags: see [`position`](super::position).
    pub(super) tail: AtomicWord,
    /// Who has gone to sleep the long way: a bit for each seat.
    late: AtomicWord,
    pub(super) seats: Seats<S>,
}

/// Where one reader leaves its waker.
#[repr(C)]
pub(super) struct Bed {
    nap: Nap,
    bell: Bell,
}

impl Bed {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                nap: Nap::new(),
                bell: Bell::new(),
            }
        }
    }
}

/// What a reader that has found no item is to do. In a word, which needs no masking.
#[repr(usize)]
pub(super) enum Rest {
    Asleep,
    /// Look at its place once more.
    Look,
    Ended,
}

impl Head {
    /// Where a reader sleeps.
    ///
    /// # Safety
    /// There is this seat.
    unsafe fn bed(&self, seat: usize) -> &Bed {
        // SAFETY: by the contract.
        &unsafe { self.seats.all().get_unchecked(seat) }.bed
    }

    /// Goes to sleep, with a waker; or, having looked once more, says without one whether it may wait.
    ///
    /// # Safety
    /// The caller is the reader of that seat, stands `at` this place, and is the only one to lie down or get up there. `naps`
    /// are the flags there are.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn lie_down(
        &self,
        seat: usize,
        naps: Word,
        at: Position,
        waker: Option<&Waker>,
    ) -> Rest {
        // SAFETY: by the contract.
        let Bed { nap, bell } = unsafe { self.bed(seat) };
        let flag = flag(seat, naps);
        // Ordering: Acquire pairs with the Release in `PushList::stop`.
        let tail = self.tail.load(Acquire);
        if tail == closed(at) {
            return Rest::Ended;
        }
        let Some(waker) = waker else {
            return Rest::Asleep;
        };
        // SAFETY: it is the caller who naps there.
        if tail & flag != 0 && unsafe { nap.holds(waker) } {
            return Rest::Asleep;
        }
        // SAFETY: passed on to the caller.
        unsafe { self.get_up(seat, naps, at) };
        let mut waker = waker.clone();
        if flag != 0 && nap.is_free() {
            // SAFETY: it is free, and the caller's.
            unsafe { nap.put(waker) };
            if turn(&self.tail, !naps | flag, at, flag) {
                return Rest::Asleep;
            }
            // SAFETY: it is the caller's still.
            waker = unsafe { nap.take() };
        }
        // SAFETY: the bell is the caller's; there is no waker in it.
        unsafe { bell.put(waker) };
        self.set_late(seat, naps, true);
        // Ordering: pairs with the fence in `wake`. Of the two that look at what the other has written before its fence, at
        // least one sees it: the reader the slot, or the push the reader late, at its place.
        fence(SeqCst);
        Rest::Look
    }

    /// Takes wakers back, if nobody else has.
    ///
    /// # Safety
    /// As for `lie_down`.
    #[inline(never)]
    pub(super) unsafe fn get_up(&self, seat: usize, naps: Word, at: Position) {
        // SAFETY: by the contract.
        let Bed { nap, bell } = unsafe { self.bed(seat) };
        let flag = flag(seat, naps);
        let waker = if flag != 0 && turn(&self.tail, !naps | flag, at | flag, flag) {
            // SAFETY: it was this reader who cleared the flag.
            Some(unsafe { nap.take() })
        } else {
            self.set_late(seat, naps, false);
            bell.take()
        };
        drop(waker);
    }

    /// A reader says whether pushes are to look at its bell. The only one has the word for itself.
    #[inline(always)]
    fn set_late(&self, seat: usize, flags: Word, is_late: bool) {
        // Ordering: Relaxed, as the fences see to it, in `lie_down` and `wake`.
        if flags == naps(1) {
            self.late.store_alone(is_late.into(), Relaxed);
        } else if (self.late.load(Relaxed) >> seat & 1 != 0) != is_late {
            flip(&self.late, 1 << seat);
        }
    }
}

impl<const R: usize> Head<[Seat; R]> {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                tail: AtomicWord::new(0),
                late: AtomicWord::new(0),
                seats: Seats::new(),
            }
        }
    }

    /// Wakes who sleeps at the position that the tail had before the caller moved it, and whose slot it has filled since.
    #[inline(always)]
    pub(super) fn wake(&self, tail: Word) {
        // Ordering: pairs with the fence in `lie_down`.
        fence(SeqCst);
        let mut sleepers = Sleepers {
            head: self,
            woken: 0,
            tail,
        };
        sleepers.wake();
        mem::forget(sleepers);
    }

    /// Wakes who sleeps at the position that the tail had before the caller closed it.
    #[inline(always)]
    pub(super) fn wake_all(&self, tail: Word) {
        // Ordering: as in `wake`.
        fence(SeqCst);
        wake_apart(self, tail, naps(R));
    }
}

/// Those who have yet to be woken. Goes on with the others if a waker panics.
struct Sleepers<'a, const R: usize> {
    head: &'a Head<[Seat; R]>,
    /// How many were woken from their naps, or had none.
    woken: usize,
    tail: Word,
}

impl<const R: usize> Sleepers<'_, R> {
    #[inline(always)]
    fn wake(&mut self) {
        if self.tail & naps(R) != 0 {
            // The first few without a loop, which takes as many instructions again as a wake.
            self.wake_nap(0);
            self.wake_nap(1);
            self.wake_nap(2);
            self.wake_nap(3);
            for seat in 4..R {
                self.wake_nap(seat);
            }
        }
        if self.head.late.load(Relaxed) != 0 {
            wake_apart(self.head, self.tail & !naps(R), naps(R));
        }
    }

    #[inline(always)]
    fn wake_nap(&mut self, seat: usize) {
        if seat < R && self.woken <= seat && self.tail & flag(seat, naps(R)) != 0 {
            self.woken = seat + 1;
            // SAFETY: of all who move or close the tail, the caller did when the flag was set.
            unsafe { self.head.seats.seat(seat).bed.nap.take() }.wake();
        }
    }
}

impl<const R: usize> Drop for Sleepers<'_, R> {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Wakes, of those at the position of a tail, who has gone to sleep the long way, and who naps with one of its flags, which the
/// caller has taken from there. `naps` are the flags there are.
#[cold]
#[inline(never)]
fn wake_apart(head: &Head, tail: Word, naps: Word) {
    let mut each = Each {
        seats: head.seats.all().iter(),
        at: tail & !naps,
        flags: tail & naps,
        first: 1,
    };
    each.wake();
    mem::forget(each);
}

/// Those who have yet to be looked at. Goes on with the others if a waker panics.
struct Each<'a> {
    seats: slice::Iter<'a, Seat>,
    at: Position,
    flags: Word,
    first: Word,
}

impl Each<'_> {
    #[inline(always)]
    fn wake(&mut self) {
        for seat in &mut self.seats {
            self.flags /= 2;
            let first = mem::take(&mut self.first);
            let waker = if self.flags % 2 != 0 {
                // SAFETY: by the contract of `wake_apart`.
                Some(unsafe { seat.bed.nap.take() })
            } else if seat.is_at(self.at, first) {
                seat.bed.bell.take()
            } else {
                None
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Each<'_> {
    fn drop(&mut self) {
        self.wake();
    }
}
