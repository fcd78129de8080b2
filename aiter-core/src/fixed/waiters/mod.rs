//! How readers sleep, and who wakes them. A reader that finds no item lies down in one of two ways.
//!
//! *The short way*, a nap at the tail: it leaves its waker and sets its flag in the tail. That can only succeed while no position
//! past its own is given out. So the push that gets this position, and no other, takes all flags away by the exchange that it does
//! anyway, and owns the wakers by that.
//!
//! *The long way*, for all else: a gap, that is a tail that has moved on; a waker that the last push has not taken out yet; or
//! more readers than there are flags. The reader hangs its waker up in a bell, says so in `gap_waiters`, fences, and looks at the slot
//! again. The push has stored the slot, fences, and looks at `gap_waiters`. Of the two fences one is first, so one of them sees
//! what the other stored.
//!
//! | state of a reader at `p` | its flag in `tail` | its bit in `gap_waiters` | its bell | who moves it on |
//! |---|---|---|---|---|
//! | up | 0 | any | any | it lies down: → napping, or → late |
//! | napping, `tail` is at `p` | 1 | any | any | the push that gets `p`, or a stop: → woken; itself, with another waker or to leave: → up |
//! | woken from a nap | 0 | any | any | who took the flag takes the waker out and calls it |
//! | late | 0 | 1 | odd | who fills `p`, or a stop at `p`, takes the waker and calls it: → called; itself, as above |
//! | called | 0 | 1 | even | |
//!
//! The bit in `gap_waiters` stays until its reader next naps, or leaves. While it is set pushes look at the bell. A reader that changes
//! from late to napping is in both states for a moment, and may be woken twice.

mod gap_waker;
mod tail_waker;

use super::{
    position::{Position, closed, tail_flags, tail_waker as flag},
    registry::{ReaderCell, Readers},
    word::{cas_masked, flip},
};
use crate::sync::{AtomicWord, Ordering::*, StoreExclusive, Word, const_new, fence};
use core::{mem, slice, task::Waker};
use gap_waker::GapWaker;
use tail_waker::TailWaker;

/// What pushes and readers have in common. What need not know how many seats there are takes it as one of any number, and is
/// in a program once.
#[repr(C)]
pub(super) struct Head<S: ?Sized = [ReaderCell]> {
    /// The next position to be given out, and flags: see [`position`](super::position).
    pub(super) tail: AtomicWord,
    /// Who has gone to sleep the long way: a bit for each seat.
    gap_waiters: AtomicWord,
    pub(super) readers: Readers<S>,
}

/// Where one reader leaves its waker.
#[repr(C)]
pub(super) struct WakerSlots {
    tail_waker: TailWaker,
    gap_waker: GapWaker,
}

impl WakerSlots {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                tail_waker: TailWaker::new(),
                gap_waker: GapWaker::new(),
            }
        }
    }
}

/// What a reader that has found no item is to do. In a word, which needs no masking.
#[repr(usize)]
pub(super) enum WaitOutcome {
    Waiting,
    /// Look at its place once more.
    Recheck,
    Ended,
}

impl Head {
    /// Where a reader sleeps.
    ///
    /// # Safety
    /// There is this seat.
    unsafe fn wakers(&self, reader: usize) -> &WakerSlots {
        // SAFETY: by the contract.
        &unsafe { self.readers.all().get_unchecked(reader) }.wakers
    }

    /// Goes to sleep, with a waker; or, having looked once more, says without one whether it may wait.
    ///
    /// # Safety
    /// The caller is the reader of that seat, stands `at` this place, and is the only one to lie down or get up there. `tail_flags`
    /// are the flags there are.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn register(
        &self,
        reader: usize,
        tail_flags: Word,
        at: Position,
        waker: Option<&Waker>,
    ) -> WaitOutcome {
        // SAFETY: by the contract.
        let WakerSlots {
            tail_waker,
            gap_waker,
        } = unsafe { self.wakers(reader) };
        let flag = flag(reader, tail_flags);
        // Ordering: Acquire pairs with the Release in `PushList::stop`.
        let tail = self.tail.load(Acquire);
        if tail == closed(at) {
            return WaitOutcome::Ended;
        }
        let Some(waker) = waker else {
            return WaitOutcome::Waiting;
        };
        // SAFETY: it is the caller who naps there.
        if tail & flag != 0 && unsafe { tail_waker.holds(waker) } {
            return WaitOutcome::Waiting;
        }
        // SAFETY: passed on to the caller.
        unsafe { self.unregister(reader, tail_flags, at) };
        let mut waker = waker.clone();
        if flag != 0 && tail_waker.is_free() {
            // SAFETY: it is free, and the caller's.
            unsafe { tail_waker.put(waker) };
            if cas_masked(&self.tail, !tail_flags | flag, at, flag) {
                return WaitOutcome::Waiting;
            }
            // SAFETY: it is the caller's still.
            waker = unsafe { tail_waker.take() };
        }
        // SAFETY: the bell is the caller's; there is no waker in it.
        unsafe { gap_waker.put(waker) };
        self.set_gap_waiter(reader, tail_flags, true);
        // Ordering: pairs with the fence in `wake`. Of the two that look at what the other has written before its fence, at
        // least one sees it: the reader the slot, or the push the reader late, at its place.
        fence(SeqCst);
        WaitOutcome::Recheck
    }

    /// Takes wakers back, if nobody else has.
    ///
    /// # Safety
    /// As for `register`.
    #[inline(never)]
    pub(super) unsafe fn unregister(&self, reader: usize, tail_flags: Word, at: Position) {
        // SAFETY: by the contract.
        let WakerSlots {
            tail_waker,
            gap_waker,
        } = unsafe { self.wakers(reader) };
        let flag = flag(reader, tail_flags);
        let waker = if flag != 0 && cas_masked(&self.tail, !tail_flags | flag, at | flag, flag) {
            // SAFETY: it was this reader who cleared the flag.
            Some(unsafe { tail_waker.take() })
        } else {
            self.set_gap_waiter(reader, tail_flags, false);
            gap_waker.take()
        };
        drop(waker);
    }

    /// A reader says whether pushes are to look at its bell. The only one has the word for itself.
    #[inline(always)]
    fn set_gap_waiter(&self, reader: usize, flags: Word, is_waiting: bool) {
        // Ordering: Relaxed, as the fences see to it, in `register` and `wake`.
        if flags == tail_flags(1) {
            self.gap_waiters.store_exclusive(is_waiting.into(), Relaxed);
        } else if (self.gap_waiters.load(Relaxed) >> reader & 1 != 0) != is_waiting {
            flip(&self.gap_waiters, 1 << reader);
        }
    }
}

impl<const R: usize> Head<[ReaderCell; R]> {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                tail: AtomicWord::new(0),
                gap_waiters: AtomicWord::new(0),
                readers: Readers::new(),
            }
        }
    }

    /// Wakes who sleeps at the position that the tail had before the caller moved it, and whose slot it has filled since.
    #[inline(always)]
    pub(super) fn wake(&self, tail: Word) {
        // Ordering: pairs with the fence in `register`.
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
        wake_apart(self, tail, tail_flags(R));
    }
}

/// Those who have yet to be woken. Goes on with the others if a waker panics.
struct Sleepers<'a, const R: usize> {
    head: &'a Head<[ReaderCell; R]>,
    /// How many were woken from their naps, or had none.
    woken: usize,
    tail: Word,
}

impl<const R: usize> Sleepers<'_, R> {
    #[inline(always)]
    fn wake(&mut self) {
        if self.tail & tail_flags(R) != 0 {
            // The first few without a loop, which takes as many instructions again as a wake.
            self.wake_tail(0);
            self.wake_tail(1);
            self.wake_tail(2);
            self.wake_tail(3);
            for reader in 4..R {
                self.wake_tail(reader);
            }
        }
        if self.head.gap_waiters.load(Relaxed) != 0 {
            wake_apart(self.head, self.tail & !tail_flags(R), tail_flags(R));
        }
    }

    #[inline(always)]
    fn wake_tail(&mut self, reader: usize) {
        if reader < R && self.woken <= reader && self.tail & flag(reader, tail_flags(R)) != 0 {
            self.woken = reader + 1;
            // SAFETY: of all who move or close the tail, the caller did when the flag was set.
            unsafe { self.head.readers.reader(reader).wakers.tail_waker.take() }.wake();
        }
    }
}

impl<const R: usize> Drop for Sleepers<'_, R> {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Wakes, of those at the position of a tail, who has gone to sleep the long way, and who naps with one of its flags, which the
/// caller has taken from there. `tail_flags` are the flags there are.
#[cold]
#[inline(never)]
fn wake_apart(head: &Head, tail: Word, tail_flags: Word) {
    let mut each = Each {
        readers: head.readers.all().iter(),
        at: tail & !tail_flags,
        flags: tail & tail_flags,
        first: 1,
    };
    each.wake();
    mem::forget(each);
}

/// Those who have yet to be looked at. Goes on with the others if a waker panics.
struct Each<'a> {
    readers: slice::Iter<'a, ReaderCell>,
    at: Position,
    flags: Word,
    first: Word,
}

impl Each<'_> {
    #[inline(always)]
    fn wake(&mut self) {
        for reader in &mut self.readers {
            self.flags /= 2;
            let first = mem::take(&mut self.first);
            let waker = if self.flags % 2 != 0 {
                // SAFETY: by the contract of `wake_apart`.
                Some(unsafe { reader.wakers.tail_waker.take() })
            } else if reader.is_at(self.at, first) {
                reader.wakers.gap_waker.take()
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
