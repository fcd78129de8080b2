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

use super::{
    bell::Bell,
    nap::Nap,
    position::{CLOSED, Position, nap as flag, naps},
    seats::{Seat, Seats},
};
use crate::sync::{AtomicUsize, Ordering::*, const_new, fence};
use core::{mem, slice, task::Waker};

/// What pushes and sleepers have in common.
#[repr(C)]
pub(super) struct Head {
    /// The next position to be given out, and flags: see [`position`](super::position).
    pub(super) tail: AtomicUsize,
    /// Who has gone to sleep the long way: a bit for each seat.
    late: AtomicUsize,
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

impl Head {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                tail: AtomicUsize::new(0),
                late: AtomicUsize::new(0),
            }
        }
    }

    /// Goes to sleep. False if the caller has to look at its place once more before it may wait.
    ///
    /// # Safety
    /// The caller is the reader of that seat, stands `at` this place, and is the only one to lie down or get up there. `naps`
    /// are the flags there are.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn lie_down(
        &self,
        bed: &Bed,
        seat: usize,
        naps: usize,
        at: Position,
        waker: &Waker,
    ) -> bool {
        let Bed { nap, bell } = bed;
        let flag = flag(seat, naps);
        // SAFETY: it is the caller who naps there.
        if self.tail.load(Relaxed) & flag != 0 && unsafe { nap.holds(waker) } {
            return true;
        }
        // SAFETY: passed on to the caller.
        unsafe { self.get_up(bed, seat, naps, at) };
        let mut waker = waker.clone();
        if flag != 0 && nap.is_free() {
            // SAFETY: it is free, and the caller's.
            unsafe { nap.put(waker) };
            if self.turn(at, flag, naps) {
                return true;
            }
            // SAFETY: it is the caller's still.
            waker = unsafe { nap.take() };
        }
        // SAFETY: the bell is the caller's; there is no waker in it.
        unsafe { bell.put(waker) };
        self.late.fetch_or(1 << seat, Relaxed);
        // Ordering: pairs with the fence in `wake`. Of the two that look at what the other has written before its fence, at
        // least one sees it: the reader the slot, or the push the reader late, at its place.
        fence(SeqCst);
        false
    }

    /// Takes wakers back, if nobody else has.
    ///
    /// # Safety
    /// As for `lie_down`.
    #[inline(never)]
    pub(super) unsafe fn get_up(
        &self,
        Bed { nap, bell }: &Bed,
        seat: usize,
        naps: usize,
        at: Position,
    ) {
        let flag = flag(seat, naps);
        let _napped = (flag != 0 && self.turn(at | flag, flag, naps)).then(|| {
            // SAFETY: it was this reader who cleared the flag.
            unsafe { nap.take() }
        });
        if self.late.load(Relaxed) & 1 << seat != 0 {
            self.late.fetch_and(!(1 << seat), Relaxed);
            drop(bell.take());
        }
    }

    /// Turns a flag over in a tail that is as expected, but for the flags of others.
    #[inline(never)]
    fn turn(&self, expected: usize, flag: usize, naps: usize) -> bool {
        let mut tail = self.tail.load(Relaxed);
        while tail & !(naps ^ flag) == expected {
            // Ordering: Release pairs with the Acquire in `PushList::try_reserve` and `PushList::stop`. The waker that is
            // taken back is from this reader.
            match self
                .tail
                .compare_exchange(tail, tail ^ flag, Release, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => tail = now,
            }
        }
        false
    }

    /// Wakes who sleeps at the position that the tail had before the caller moved or closed it, and whose slot it has filled
    /// since.
    #[inline(always)]
    pub(super) fn wake<const R: usize>(&self, seats: &Seats<R>, tail: usize) {
        // Ordering: pairs with the fence in `lie_down`.
        fence(SeqCst);
        let mut sleepers = Sleepers {
            head: self,
            seats,
            woken: 0,
            tail,
        };
        sleepers.wake();
        mem::forget(sleepers);
    }

    /// The same, where it need not be fast.
    #[inline(never)]
    pub(super) fn wake_apart<const R: usize>(&self, seats: &Seats<R>, tail: usize) {
        self.wake(seats, tail);
    }
}

/// Those who have yet to be woken. Goes on with the others if a waker panics.
struct Sleepers<'a, const R: usize> {
    head: &'a Head,
    seats: &'a Seats<R>,
    /// How many were woken from their naps, or had none.
    woken: usize,
    tail: usize,
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
            wake_late(self.seats, self.tail);
        }
    }

    #[inline(always)]
    fn wake_nap(&mut self, seat: usize) {
        if seat < R && self.woken <= seat && self.tail & flag(seat, naps(R)) != 0 {
            self.woken = seat + 1;
            // SAFETY: of all who move or close the tail, the caller did when the flag was set.
            unsafe { self.seats.seat(seat).bed.nap.take() }.wake();
        }
    }
}

#[cold]
#[inline(never)]
fn wake_late<const R: usize>(seats: &Seats<R>, tail: usize) {
    let mut late = Late {
        seats: seats.all().iter(),
        at: tail & !(naps(R) | CLOSED),
        first: 1,
    };
    late.wake();
    mem::forget(late);
}

impl<const R: usize> Drop for Sleepers<'_, R> {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Those who may have gone to sleep the long way. Goes on with the others if a waker panics.
struct Late<'a> {
    seats: slice::Iter<'a, Seat>,
    at: Position,
    first: usize,
}

impl Late<'_> {
    fn wake(&mut self) {
        for seat in &mut self.seats {
            if seat.is_at(self.at, mem::take(&mut self.first)) {
                if let Some(waker) = seat.bed.bell.take() {
                    waker.wake();
                }
            }
        }
    }
}

impl Drop for Late<'_> {
    fn drop(&mut self) {
        self.wake();
    }
}
