//! The readers of a list: one *seat* each, with its waker while it sleeps and its position in the list.
//!
//! Seats stand in rows. The first row is a single seat inside the list itself, so that an unforked list allocates
//! nothing; each further row has four times as many, up to the bits of a word. A row lives as long as its list: whoever walks the rows never meets freed
//! memory, and a seat that was given up is taken by the next reader. Memory is bounded by the most readers there were
//! at one time.
//!
//! # States of a seat
//! | state | the waker belongs to | who moves it on |
//! |---|---|---|
//! | `IDLE` | its reader | its reader → `ARMED` |
//! | `ARMED` | whoever moves it on | its reader → `IDLE`, to change the waker or to leave; any writer → `WAKING` |
//! | `AT_GAP` | the same | the same; and whoever does counts one less `at_gap` |
//! | `WAKING` | that writer, which calls it | that writer → `IDLE` |
//!
//! The waker is called where it is and stays there between waits: a task that waits again and again clones it once.
//! A reader that wants to sleep while its seat is `WAKING` does not wait for the writer, which may be preempted or in a
//! system call: it leaves the seat and takes another.
//!
//! The writer ends `WAKING` with a plain store, and looks for [`left`](row) bits once it has woken all. It may miss one that is set
//! later. Then the seat stays, with its waker, until somebody wakes or the next reader looks for a seat: that costs a
//! seat for a while, and a read-modify-write less for every wake.

#![allow(unsafe_code)]

mod row;

use crate::sync::{AtomicU8, AtomicUsize, Ordering::*};
use alloc::boxed::Box;
use core::{
    iter, mem,
    ptr::{self, NonNull},
    task::Waker,
};
use row::{FAR, HeapRow, Row, Seat, Seating};

const IDLE: u8 = 0;
const ARMED: u8 = 1;
const WAKING: u8 = 2;
/// Armed by a reader of whom the writer that it waits for does not know otherwise.
const AT_GAP: u8 = 3;

/// What a reader found that goes to sleep.
#[derive(Clone, Copy)]
pub(crate) enum Sleep {
    /// Nobody has its slot yet: the tail word tells whoever gets it.
    AtTail,
    /// Somebody has its slot, and has yet to publish it.
    AtGap,
}

/// All seats of a list. Writers look at the first field, and the reader in the list writes the last one, for every item: they
/// are [not in one cache line](Self::SPAN).
#[repr(C)]
pub(crate) struct Seats {
    /// Readers that sleep at a gap.
    at_gap: AtomicUsize,
    /// How often a seat was claimed. A look at all seats that saw this change may have missed a reader.
    claims: AtomicUsize,
    first: Row,
    state: [AtomicU8; 1],
    seat: [Seat; 1],
}

/// A reader's own seat. It is used with the [`Seats`] it was taken from, which outlive it.
#[derive(Clone, Copy)]
pub(crate) struct SeatRef {
    row: *const Row,
    state: *const AtomicU8,
    seat: Standing,
    index: usize,
}

/// Where a reader stands, for others to look at: its seat, with the [`Seats`] it was seen in, which outlive it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Standing(NonNull<Seat>);

impl SeatRef {
    pub(crate) fn standing(self) -> Standing {
        self.seat
    }
}

impl Seats {
    /// How far `at_gap` and the position of the first seat are apart, in bytes.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const SPAN: usize = mem::offset_of!(Self, seat) + mem::offset_of!(Seat, position);

    /// Seats of which the first is taken, by a reader at `position`: see [`Seats::first`].
    pub(crate) fn new(position: usize) -> Self {
        Self {
            at_gap: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            first: Row::new(1),
            state: [AtomicU8::new(IDLE)],
            seat: [Seat::new(position)],
        }
    }

    pub(crate) fn first(&self) -> SeatRef {
        self.first_row().at(0)
    }

    fn first_row(&self) -> Seating<'_> {
        Seating {
            row: &self.first,
            states: &self.state,
            seats: &self.seat,
        }
    }

    fn rows(&self) -> impl Iterator<Item = Seating<'_>> {
        iter::successors(Some(self.first_row()), |seating| seating.next())
    }

    fn seat(&self, at: SeatRef) -> &Seat {
        self.seen(at.seat)
    }

    fn seen(&self, at: Standing) -> &Seat {
        // SAFETY: seats live as long as `self`, from which the reference was taken.
        unsafe { at.0.as_ref() }
    }

    fn state(&self, at: SeatRef) -> &AtomicU8 {
        // SAFETY: as in `seat`.
        unsafe { &*at.state }
    }

    fn row(&self, at: SeatRef) -> &Row {
        // SAFETY: rows live as long as `self`, from which the reference was taken.
        unsafe { &*at.row }
    }

    /// A seat for a new reader that stands at `position`. Lock-free; looks at one word for each row.
    pub(crate) fn claim(&self, position: usize, skipped: usize) -> SeatRef {
        let at = self.claim_vacant();
        // Else the last reader's position might come to stand after this one's.
        self.seat(at).lifetime.over();
        self.advance(at, position, skipped);
        // Ordering: Release, after the position and before the reader it was forked from moves on, pairs with the
        // loads in `slowest_but`: who sees that reader further on sees this count too.
        self.claims.fetch_add(1, Release);
        at
    }

    fn claim_vacant(&self) -> SeatRef {
        let mut fresh: Option<Box<HeapRow>> = None;
        loop {
            self.sweep();
            let mut last = self.first_row();
            for seating in self.rows() {
                if let Some(index) = seating.row.claim(seating.seats.len()) {
                    return seating.at(index);
                }
                last = seating;
            }
            let row = fresh
                .take()
                .unwrap_or_else(|| HeapRow::new((last.seats.len() * 4).min(usize::BITS as usize)));
            let row = Box::into_raw(row);
            // Ordering: Release publishes the row to the Acquire in `rows`.
            if last
                .row
                .next
                .compare_exchange(ptr::null_mut(), row, Release, Relaxed)
                .is_err()
            {
                // SAFETY: `row` came from `into_raw` above and was not linked.
                fresh = Some(unsafe { Box::from_raw(row) });
            }
        }
    }

    /// The reader has read everything before `position`, of which `skipped` slots held no item.
    #[inline]
    pub(crate) fn advance(&self, at: SeatRef, position: usize, skipped: usize) {
        self.seat(at).skipped.store(skipped, Relaxed);
        self.step(at, position);
    }

    /// The same, when no slot without an item was passed.
    #[inline]
    pub(crate) fn step(&self, at: SeatRef, position: usize) {
        // Ordering: Release pairs with the Acquire in `each`: who sees the reader past a slot may move the slot's item out.
        self.seat(at).position.store(position, Release);
    }

    /// Whether the reader of a seat stands at or behind `position`. A seat given up since is behind nobody.
    #[inline]
    pub(crate) fn is_behind(&self, at: Standing, position: usize) -> bool {
        // Ordering: Relaxed. If it is, the caller clones an item that it has to read itself, which nobody moves before that;
        // should the other have gone on by now, one more is cloned than need be. If not, nothing is moved on the strength of
        // this: who moves has looked at all, see `each`.
        position.wrapping_sub(self.seen(at).position.load(Relaxed)) as isize >= 0
    }

    /// The slowest reader but the one at `me`, if it is given, with its position; `None` without other readers. An error if a reader
    /// came meanwhile, who may have been missed.
    pub(crate) fn slowest_but(
        &self,
        me: Option<Standing>,
    ) -> Result<Option<(Standing, usize)>, Changed> {
        // Ordering: Acquire pairs with the Release in `claim`: a reader that is counted is seen below.
        let claims = self.claims.load(Acquire);
        let mut slowest: Option<(Standing, usize)> = None;
        self.each(|at, position| {
            if Some(at) != me
                && slowest.is_none_or(|(_, least)| (position.wrapping_sub(least) as isize) < 0)
            {
                slowest = Some((at, position));
            }
        });
        // Ordering: Relaxed. Who was missed below was counted before its parent moved on, or before it left its old seat; that
        // was seen (Acquire), or the reader would have been, so this finds the count.
        if self.claims.load(Relaxed) == claims {
            Ok(slowest)
        } else {
            Err(Changed)
        }
    }

    /// Looks at each reader's seat and position.
    #[inline(always)]
    pub(crate) fn each(&self, mut look: impl FnMut(Standing, usize)) {
        for row in self.rows() {
            for (_, seat) in row.used() {
                // Ordering: Acquire pairs with the Release in `step`; and with that in `leave`: who misses a reader that
                // changed its seat sees the claim of the new one.
                let position = seat.position.load(Acquire);
                // Else the seat is vacant, or its reader has yet to say where it stands.
                if position & 1 == 0 {
                    look(Standing(NonNull::from(seat)), position);
                }
            }
        }
    }

    /// How many slots without an item the reader of a seat has passed.
    pub(crate) fn skipped(&self, at: Standing) -> usize {
        self.seen(at).skipped.load(Relaxed)
    }

    /// Leaves the waker in the reader's seat; the caller then lets writers know, and looks again. If a writer was just at the
    /// seat the reader is moved to another one, and this is true.
    #[inline(always)]
    pub(crate) fn arm(&self, at: &mut SeatRef, waker: &Waker, sleep: Sleep) -> bool {
        // Ordering: Acquire pairs with the Release of IDLE in `wake`: the writer is done with the waker.
        let was = self.state(*at).load(Acquire);
        let is_unready = was != IDLE || !self.keeps(*at, waker);
        let has_moved = is_unready && self.prepare(at, was, waker);
        // Ordering: Release pairs with the Acquire in `take`. That a writer sees this at all is due to what the reader does
        // next (see `Reader::sleep`).
        self.state(*at).store(
            match sleep {
                Sleep::AtTail => ARMED,
                Sleep::AtGap => {
                    self.at_gap.fetch_add(1, Relaxed);
                    AT_GAP
                }
            },
            Release,
        );
        has_moved
    }

    /// The same as [`arm`](Self::arm) at the tail, if the waker is there already and the seat is idle. Else false.
    #[inline(always)]
    pub(crate) fn rearm(&self, at: SeatRef, waker: &Waker) -> bool {
        // Ordering: as in `arm`.
        let is_ready = self.state(at).load(Acquire) == IDLE && self.keeps(at, waker);
        if is_ready {
            self.state(at).store(ARMED, Release);
        }
        is_ready
    }

    /// Whether a waker for the same task is in the reader's seat, which is not armed.
    #[inline(always)]
    fn keeps(&self, at: SeatRef, waker: &Waker) -> bool {
        self.seat(at).waker.with(|kept| {
            // SAFETY: only the reader writes it, which is here.
            let kept = unsafe { &*kept };
            kept.as_ref().is_some_and(|kept| kept.will_wake(waker))
        })
    }

    /// Puts the waker into the reader's seat, or into another, and leaves that idle. True if it is another.
    #[cold]
    fn prepare(&self, at: &mut SeatRef, was: u8, waker: &Waker) -> bool {
        let moves = !self.take_back(*at, was);
        if moves {
            let seat = self.seat(*at);
            let other = self.claim(seat.position.load(Relaxed), seat.skipped.load(Relaxed));
            // Said before anything can panic: from here on the old seat may be another reader's.
            let old = mem::replace(at, other);
            self.leave(old);
        }
        let old = self.seat(*at).waker.with_mut(|kept| {
            // SAFETY: the seat is idle, and an idle seat's waker is its reader's alone.
            match unsafe { &mut *kept } {
                Some(kept) if kept.will_wake(waker) => None,
                kept => kept.replace(waker.clone()),
            }
        });
        drop(old);
        moves
    }

    /// The reader takes its seat back, to write the waker or to leave. False while a writer is at it.
    #[inline(always)]
    pub(crate) fn disarm(&self, at: SeatRef) -> bool {
        // Ordering: as in `arm`.
        self.take_back(at, self.state(at).load(Acquire))
    }

    /// The same, for a seat that the reader saw in a state.
    #[inline(always)]
    fn take_back(&self, at: SeatRef, was: u8) -> bool {
        match was {
            ARMED | AT_GAP => self.take(self.state(at), was, IDLE) != WAKING,
            was => was == IDLE,
        }
    }

    /// The reader leaves its seat for good.
    pub(crate) fn leave(&self, at: SeatRef) {
        let seat = self.seat(at);
        let far = seat.position.load(Relaxed).wrapping_add(FAR);
        // Ordering: as in `step`.
        seat.position.store(far, Release);
        seat.lifetime.used();
        if self.disarm(at) {
            // SAFETY: the seat is idle and was this reader's.
            unsafe { self.vacate(at) };
        } else {
            // Ordering: Release pairs with the Acquire in `vacate_left`: this reader is done with the seat.
            self.row(at).left.fetch_or(1 << at.index, Release);
            self.vacate_left(at);
        }
    }

    /// Vacates the seats that readers have left while they were being woken, where that is over.
    #[cold]
    fn sweep(&self) {
        for row in self.rows() {
            for index in bits(row.row.left.load(Relaxed)) {
                self.vacate_left(row.at(index));
            }
        }
    }

    /// Vacates a seat that a reader has left while it was being woken, if that is over.
    fn vacate_left(&self, at: SeatRef) {
        // Ordering: Acquire pairs with the Release of IDLE in `wake`.
        if self.state(at).load(Acquire) != IDLE {
            return;
        }
        // Ordering: Acquire pairs with the Release in `leave`. Of several who are here, one finds the bit.
        if self.row(at).left.fetch_and(!(1 << at.index), Acquire) & 1 << at.index != 0 {
            // SAFETY: the seat is idle; its reader has left it to whoever finds the bit.
            unsafe { self.vacate(at) };
        }
    }

    /// # Safety
    /// The seat is idle, and the caller acts for its reader, which has left.
    unsafe fn vacate(&self, at: SeatRef) {
        // SAFETY: by the contract the waker is the caller's.
        let waker = self.seat(at).waker.with_mut(|w| unsafe { (*w).take() });
        self.row(at).vacate(at.index);
        drop(waker);
    }

    /// Whether a reader may sleep at a gap. Ordering: see `List::wake_after`.
    #[inline(always)]
    pub(crate) fn any_at_gap(&self) -> bool {
        self.at_gap.load(Relaxed) != 0
    }

    /// Has [`any_at_gap`](Self::any_at_gap) say so until [`forget_gap`](Self::forget_gap).
    pub(crate) fn keep_gap(&self) {
        self.at_gap.fetch_add(1, Relaxed);
    }

    pub(crate) fn forget_gap(&self) {
        self.at_gap.fetch_sub(1, Relaxed);
    }

    /// Wakes every sleeper. The caller holds nothing that a waker could want: it may run any code.
    pub(crate) fn wake_all(&self) {
        self.wake_those(Whom::All);
    }

    /// Wakes the sleepers that wait for exactly `position`, and those that sleep at a gap from there on; else as
    /// [`wake_all`](Self::wake_all). False if there was none.
    #[inline(always)]
    pub(crate) fn wake_at(&self, position: usize) -> bool {
        self.wake_those(Whom::At(position))
    }

    /// Wakes the sleepers that wait for `position` or anything after it; else as [`wake_all`](Self::wake_all).
    pub(crate) fn wake_from(&self, position: usize) {
        self.wake_those(Whom::From(position));
    }

    /// Wakes the only reader of a list that has had no more than one at a time, if it sleeps at the tail: the common case, in
    /// few enough instructions that a push does not notice. False if it is another case.
    ///
    /// It is not asked for which slot the reader waits. One that sleeps further on by now has taken the caller's item and set the
    /// flag anew: the writer that clears that would wake it for nothing, too.
    #[inline(always)]
    pub(crate) fn wake_only(&self) -> bool {
        struct OnUnwind<'a>(&'a AtomicU8);
        impl Drop for OnUnwind<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                // Ordering: as below.
                self.0.store(IDLE, Release);
            }
        }
        let ([state], [seat]) = (&self.state, &self.seat);
        // Ordering: of `next` as in `wake_those`; of the state as in `take`.
        if !self.first.next.load(Relaxed).is_null()
            || state
                .compare_exchange(ARMED, WAKING, Acquire, Relaxed)
                .is_err()
        {
            return false;
        }
        let unwind = OnUnwind(state);
        // SAFETY: the seat is WAKING, by this writer.
        unsafe { seat.call() };
        mem::forget(unwind);
        // Ordering: Release lets the reader have the waker back.
        state.store(IDLE, Release);
        if self.first.left.load(Relaxed) != 0 {
            self.sweep();
        }
        true
    }

    #[inline(always)]
    fn wake_those(&self, whom: Whom) -> bool {
        let first = self.wake(&self.state[0], &self.seat[0], whom);
        // Ordering: Relaxed, what it points to is not looked at here. A sleeper that has to be woken linked its row before it
        // armed its seat, and that is visible (see `Reader::sleep`).
        if self.first.next.load(Relaxed).is_null() && self.first.left.load(Relaxed) == 0 {
            return first;
        }
        self.wake_rows(whom) | first
    }

    /// The seats after the first one.
    #[inline(never)]
    fn wake_rows(&self, whom: Whom) -> bool {
        let (mut any, mut left) = (false, self.first.left.load(Relaxed));
        for row in self.rows().skip(1) {
            for (state, seat) in row.used() {
                any |= self.wake(state, seat, whom);
            }
            left |= row.row.left.load(Relaxed);
        }
        if left != 0 {
            self.sweep();
        }
        any
    }

    /// Wakes the reader of one seat. False if nobody sleeps there, or not one of those.
    #[inline(always)]
    fn wake(&self, state: &AtomicU8, seat: &Seat, whom: Whom) -> bool {
        /// Ends the wake, and wakes the others, when the waker panics.
        struct OnUnwind<'a>(&'a Seats, &'a AtomicU8, Whom);
        impl Drop for OnUnwind<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                let Self(seats, state, whom) = *self;
                seats.wake_others(state, whom);
            }
        }
        // Ordering: Relaxed. The readers that have to be woken, and their positions, are visible (see `Reader::sleep`); for
        // any other reader a stale value does no harm.
        let was = state.load(Relaxed);
        if !whom.is_one(was, seat) || self.take(state, was, WAKING) != was {
            return false;
        }
        let unwind = OnUnwind(self, state, whom);
        // SAFETY: the seat is WAKING, by this writer.
        unsafe { seat.call() };
        mem::forget(unwind);
        // Ordering: Release lets the reader have the waker back.
        state.store(IDLE, Release);
        true
    }

    /// What is left to be done when the waker of a seat panics.
    #[cold]
    fn wake_others(&self, state: &AtomicU8, whom: Whom) {
        // Ordering: as in `wake`.
        state.store(IDLE, Release);
        self.wake_those(whom);
    }

    /// Moves a seat that was seen armed on, unless somebody else has done so since. Gives the state it was in.
    ///
    /// One attempt is enough. Only the reader arms its seat, so where the reader comes second it finds the seat idle or WAKING. A
    /// writer that comes second meets a reader that has been awake since, and looked at its slot after that.
    #[inline(always)]
    fn take(&self, state: &AtomicU8, was: u8, to: u8) -> u8 {
        // Ordering: Acquire pairs with the Release in `arm`: the waker is seen whole; of IDLE: as there.
        match state.compare_exchange(was, to, Acquire, Acquire) {
            Ok(_) => {
                if was == AT_GAP {
                    self.at_gap.fetch_sub(1, Relaxed);
                }
                was
            }
            Err(now) => now,
        }
    }
}

/// Which of the sleepers to wake.
#[derive(Clone, Copy)]
enum Whom {
    All,
    /// Those that wait for this position or anything after it.
    From(usize),
    /// Those that wait for exactly this position; and those at a gap from there on, since one writer that publishes a batch
    /// does not look for each of them.
    At(usize),
}

impl Whom {
    /// Whether the reader of a seat that was seen in a state is one of them.
    #[inline(always)]
    fn is_one(self, state: u8, seat: &Seat) -> bool {
        let ahead_of = |from: usize| seat.position.load(Relaxed).wrapping_sub(from) as isize >= 0;
        match (state, self) {
            (ARMED, Self::At(position)) => seat.position.load(Relaxed) == position,
            (ARMED | AT_GAP, Self::All) => true,
            (ARMED | AT_GAP, Self::At(from) | Self::From(from)) => ahead_of(from),
            _ => false,
        }
    }
}

/// A reader came while all were looked at.
pub(crate) struct Changed;

fn bits(mut word: usize) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

impl Drop for Seats {
    fn drop(&mut self) {
        let mut next = self.first.next.load(Relaxed);
        while !next.is_null() {
            // SAFETY: rows come from `Box::into_raw`, are linked once, and nobody else is left to look at them.
            let row = unsafe { Box::from_raw(next) };
            next = row.row.next.load(Relaxed);
        }
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
