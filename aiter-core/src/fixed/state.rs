//! How readers wait, and how pushes wake them.
//!
//! A reader that finds no item registers its waker in one of two ways.
//!
//! *At the tail*, the fast way: the reader stores its waker in its [`TailWaker`] and sets its flag
//! in the tail. The exchange can only succeed while no position past its own is reserved. So the
//! push that reserves this position, and no other, clears all flags by the exchange that it does
//! anyway, and thereby owns the wakers.
//!
//! *At a gap*, the slow way, in every other case: the tail has moved on past a slot that is not
//! published; the last push has not taken the waker out yet; or there are more readers than flags.
//! The reader stores its waker in its [`GapWaker`], sets its bit in `gap_waiters`, fences, and
//! looks at the slot again. The push has published the slot, fences, and loads `gap_waiters`. One
//! of the two fences comes first, so at least one side sees what the other stored.
//!
//! | state of a reader at `p` | flag in `tail` | bit in `gap_waiters` | gap waker | next state |
//! |---|---|---|---|---|
//! | running | 0 | any | any | it registers: → at the tail, or → at a gap |
//! | at the tail: `tail` is at `p` | 1 | any | any | the push that reserves `p`, or a stop, clears the flag: → woken; the reader clears it, to register another waker or to be dropped: → running |
//! | woken at the tail | 0 | any | any | the context that cleared the flag takes the waker out and calls it |
//! | at a gap | 0 | 1 | stored | the push that publishes `p`, or a stop at `p`, takes the waker and calls it: → woken at a gap; the reader takes it, as above: → running |
//! | woken at a gap | 0 | 1 | none | it registers, as above |
//!
//! The bit in `gap_waiters` stays set until its reader registers again, or unregisters. While it is
//! set, pushes look at the reader's gap waker. A push that takes that waker just before the reader
//! takes it back calls it all the same, so a reader may be woken once too often.
//!
//! [`TailWaker`]: super::waiters::TailWaker [`GapWaker`]: super::waiters::GapWaker

use super::{
    position::{Position, closed, tail_flag, tail_flags},
    registry::{ReaderCell, Readers},
    waiters::WakerSlots,
    word::{cas_masked, toggle},
};
use crate::sync::{AtomicWord, Ordering::*, StoreExclusive, Word, const_new, fence};
use core::{mem, slice, task::Waker};
use scopeguard::ScopeGuard;

/// What pushes and readers share, apart from the slots and their items.
///
/// Code that does not depend on the number of reader cells takes it as one with any number, so that
/// a program contains that code once.
#[repr(C)]
pub(super) struct ListState<S: ?Sized = [ReaderCell]> {
    /// The next position to reserve, and flags: see [`position`](super::position).
    pub(super) tail: AtomicWord,
    /// The readers that wait with their gap waker, one bit per cell.
    gap_waiters: AtomicWord,
    pub(super) readers: Readers<S>,
}

/// What a reader that has found no item has to do. It is as wide as a word, which needs no masking.
#[repr(usize)]
pub(super) enum WaitOutcome {
    /// The waker is registered, and the poll is pending.
    Waiting,
    /// The waker is registered: look at the slot once more.
    Recheck,
    /// The list ends at this position.
    Ended,
}

impl ListState {
    /// The waker slots of a reader.
    ///
    /// # Safety
    /// There is a cell with this index.
    unsafe fn wakers(&self, reader: usize) -> &WakerSlots {
        // SAFETY: by the contract.
        &unsafe { self.readers.all().get_unchecked(reader) }.wakers
    }

    /// With a waker, registers it. Without one, for a reader that has looked at its slot again,
    /// returns whether the reader may wait.
    ///
    /// # Safety
    /// The caller is the reader of that cell, is `at` this position, and is the only one to
    /// register or unregister there. `tail_flags` are all flags of the list.
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
        let flag = tail_flag(reader, tail_flags);
        // Ordering: Acquire pairs with the Release in `PushList::stop`.
        let tail = self.tail.load(Acquire);
        if tail == closed(at) {
            return WaitOutcome::Ended;
        }
        let Some(waker) = waker else {
            return WaitOutcome::Waiting;
        };
        // SAFETY: the caller is the reader, and its flag is set, so it has stored a waker.
        if tail & flag != 0 && unsafe { tail_waker.holds(waker) } {
            return WaitOutcome::Waiting;
        }
        // SAFETY: passed on to the caller.
        unsafe { self.unregister(reader, tail_flags, at) };
        let mut waker = waker.clone();
        if flag != 0 && tail_waker.is_free() {
            // SAFETY: the slot is free, and belongs to the caller.
            unsafe { tail_waker.put(waker) };
            if cas_masked(&self.tail, !tail_flags | flag, at, flag) {
                return WaitOutcome::Waiting;
            }
            // SAFETY: the flag was not set, so the waker still belongs to the caller.
            waker = unsafe { tail_waker.take() };
        }
        // SAFETY: the slot belongs to the caller, and there is no waker in it.
        unsafe { gap_waker.put(waker) };
        self.set_gap_waiter(reader, tail_flags, true);
        // Ordering: pairs with the fence in `wake`. Each side loads what the other one wrote before
        // its fence, so at least one sees it: the reader sees the slot, or the push sees the
        // reader's bit and position.
        fence(SeqCst);
        WaitOutcome::Recheck
    }

    /// Takes the reader's wakers back, unless another context has taken them.
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
        let flag = tail_flag(reader, tail_flags);
        let waker = if flag != 0 && cas_masked(&self.tail, !tail_flags | flag, at | flag, flag) {
            // SAFETY: this reader has cleared the flag.
            Some(unsafe { tail_waker.take() })
        } else {
            self.set_gap_waiter(reader, tail_flags, false);
            gap_waker.take()
        };
        drop(waker);
    }

    /// Sets or clears the bit that makes pushes look at the reader's gap waker. A single reader is
    /// the only writer of the word.
    #[inline(always)]
    fn set_gap_waiter(&self, reader: usize, flags: Word, is_waiting: bool) {
        // Ordering: Relaxed. The fences in `register` and `wake` order it.
        if flags == tail_flags(1) {
            self.gap_waiters.store_exclusive(is_waiting.into(), Relaxed);
        } else if (self.gap_waiters.load(Relaxed) >> reader & 1 != 0) != is_waiting {
            toggle(&self.gap_waiters, 1 << reader);
        }
    }
}

impl<const R: usize> ListState<[ReaderCell; R]> {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                tail: AtomicWord::new(0),
                gap_waiters: AtomicWord::new(0),
                readers: Readers::new(),
            }
        }
    }

    /// Wakes the readers that wait at the position that the tail had before the caller moved it on.
    /// The caller has published the slot since. `lap_before` is the distance to the same slot in
    /// the lap before, if readers may wait there too.
    #[inline(always)]
    pub(super) fn wake(&self, tail: Word, lap_before: Option<Position>) {
        // Ordering: pairs with the fence in `register`.
        fence(SeqCst);
        let wakes = FastWakes {
            state: self,
            woken: 0,
            tail,
            lap_before,
        };
        // Continues with the other readers if a waker panics.
        let mut wakes = scopeguard::guard(wakes, |mut rest| rest.run());
        wakes.run();
        ScopeGuard::into_inner(wakes);
    }

    /// Wakes the readers that wait at a gap that is filled or lost. The caller has fenced since.
    #[inline(always)]
    pub(super) fn wake_gap_waiters(&self, at: Position) {
        if self.gap_waiters.load(Relaxed) != 0 {
            wake_slow(self, at, tail_flags(R));
        }
    }

    /// Wakes the readers that wait at the position that the tail had before the caller closed it.
    #[inline(always)]
    pub(super) fn wake_all(&self, tail: Word) {
        // Ordering: as in `wake`.
        fence(SeqCst);
        wake_slow(self, tail, tail_flags(R));
    }
}

/// The readers that have still to be woken, with their flags tested inline.
struct FastWakes<'a, const R: usize> {
    state: &'a ListState<[ReaderCell; R]>,
    /// The readers before this one were woken, or had no flag.
    woken: usize,
    tail: Word,
    lap_before: Option<Position>,
}

impl<const R: usize> FastWakes<'_, R> {
    #[inline(always)]
    fn run(&mut self) {
        if self.tail & tail_flags(R) != 0 {
            // The first four without a loop, which would take as many instructions again as the
            // wakes.
            self.wake_tail(0);
            self.wake_tail(1);
            self.wake_tail(2);
            self.wake_tail(3);
            for reader in 4..R {
                self.wake_tail(reader);
            }
        }
        if self.state.gap_waiters.load(Relaxed) != 0 {
            let at = self.tail & !tail_flags(R);
            if let Some(lap_before) = self.lap_before {
                wake_slow(self.state, at.wrapping_add(lap_before), tail_flags(R));
            }
            wake_slow(self.state, at, tail_flags(R));
        }
    }

    #[inline(always)]
    fn wake_tail(&mut self, reader: usize) {
        if reader < R && self.woken <= reader && self.tail & tail_flag(reader, tail_flags(R)) != 0 {
            self.woken = reader + 1;
            // SAFETY: the caller is the one that moved or closed the tail while the flag was set.
            unsafe { self.state.readers.reader(reader).wakers.tail_waker.take() }.wake();
        }
    }
}

/// Wakes every reader that waits at the tail's position: those with a flag in `tail`, which the
/// caller has cleared, and those with a gap waker. `tail_flags` are all flags of the list.
#[cold]
#[inline(never)]
fn wake_slow(state: &ListState, tail: Word, tail_flags: Word) {
    let wakes = SlowWakes {
        readers: state.readers.all().iter(),
        at: tail & !tail_flags,
        flags: tail & tail_flags,
        first: 1,
    };
    // Continues with the other readers if a waker panics.
    let mut wakes = scopeguard::guard(wakes, |mut rest| rest.run());
    wakes.run();
    ScopeGuard::into_inner(wakes);
}

/// The readers that have still to be looked at, each with both slots.
struct SlowWakes<'a> {
    readers: slice::Iter<'a, ReaderCell>,
    at: Position,
    flags: Word,
    first: Word,
}

impl SlowWakes<'_> {
    #[inline(always)]
    fn run(&mut self) {
        for reader in &mut self.readers {
            self.flags /= 2;
            let first = mem::take(&mut self.first);
            let waker = if self.flags % 2 != 0 {
                // SAFETY: by the contract of `wake_slow`.
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
