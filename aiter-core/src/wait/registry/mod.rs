//! The readers of a list: one *seat* each, with its waker while it sleeps and its position in the list.
//!
//! The first seat stands inside the list itself, so that an unforked list allocates nothing; a few more stand beside it as soon as
//! there is a second reader, and live as long as the list. All others stand in [rows on the heap](rows) that are freed when they are empty:
//! what the readers cost follows how many there are now.
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
//! The writer ends `WAKING` with a plain store, and looks for [`left`](row) bits once it has woken
//! all. It may miss one that is set later. Then the seat stays, with its waker, until somebody
//! wakes again: that costs a seat for a while, and a read-modify-write less for every wake. A
//! reader that looks for a seat does not sweep such seats: the drop of a waker may panic, and a
//! panic of one reader's waker must not reach another reader.

#![allow(unsafe_code)]

mod epoch;
mod segment;
mod segments;

use crate::sync::{AtomicPtr, AtomicU8, AtomicUsize, AtomicWord, Ordering::*};
use alloc::boxed::Box;
use core::{
    array, iter, mem,
    ptr::{self, NonNull},
    task::Waker,
};
use epoch::Epoch;
use segment::{FAR, Floor, HeapRow, Row, Seat, Seating, least};
use segments::Rows;

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

/// Seats beside the list.
const BESIDE: usize = if cfg!(aiter_loom) { 2 } else { 8 };

/// Writers [wake](Seats::wake_at) by the tail word of a slot, which has so many bits fewer for the
/// slot's number than a position has. A position is shifted by it before it is compared with such a
/// word.
pub(crate) const SHORTER: u32 = if usize::BITS >= 64 { 0 } else { 1 };

/// All seats of a list. Writers look at the first field, and the reader in the list writes the last one, for every item: they
/// are [not in one cache line](Self::SPAN).
#[repr(C)]
pub(crate) struct Seats {
    /// Readers that sleep at a gap.
    at_gap: AtomicUsize,
    /// How often a seat was claimed. A look at all seats that saw this change may have missed a reader.
    claims: AtomicWord,
    first: Row,
    /// When the floors of all rows were reset.
    epoch: Epoch,
    /// All further ones. There from the second reader on.
    others: AtomicPtr<Others>,
    state: [AtomicU8; 1],
    seat: [Seat; 1],
}

struct Others {
    row: Row,
    states: [AtomicU8; BESIDE],
    seats: [Seat; BESIDE],
    rows: Rows,
}

impl Others {
    fn new() -> Box<Self> {
        Box::new(Self {
            row: Row::new(0),
            states: array::from_fn(|_| AtomicU8::new(IDLE)),
            seats: array::from_fn(|_| Seat::new(FAR)),
            rows: Rows::new(),
        })
    }

    fn seating(&self) -> Seating<'_> {
        Seating {
            row: &self.row,
            states: &self.states,
            seats: &self.seats,
            heap: None,
        }
    }
}

/// A reader's own seat. It is used with the [`Seats`] it was taken from, which outlive it.
#[derive(Clone, Copy)]
pub(crate) struct SeatRef {
    row: NonNull<Row>,
    state: NonNull<AtomicU8>,
    seat: NonNull<Seat>,
    heap: Option<NonNull<HeapRow>>,
    index: usize,
}

/// Another reader that was seen behind. It keeps the memory of its seat, and is [let go](Seats::let_go) before it is dropped.
pub(crate) struct Behind {
    seat: NonNull<Seat>,
    heap: Option<NonNull<HeapRow>>,
}

/// Whether a reader is the last one to come to a position.
pub(crate) enum Last {
    /// Another one stands there or behind it.
    No,
    /// None does. All others stand at this position or further on, if there are others.
    Yes(Option<usize>),
    /// A reader came meanwhile, and may have been missed.
    Unknown,
}

impl Seats {
    /// How far `at_gap` and the position of the first seat are apart, in bytes.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const SPAN: usize = mem::offset_of!(Self, seat) + mem::offset_of!(Seat, position);

    /// Seats of which the first is taken, by a reader at `position`: see [`Seats::first`].
    pub(crate) fn new(position: usize) -> Self {
        Self {
            at_gap: AtomicUsize::new(0),
            claims: AtomicWord::new(0),
            first: Row::new(1),
            epoch: Epoch::new(),
            others: AtomicPtr::new(ptr::null_mut()),
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
            heap: None,
        }
    }

    fn others(&self) -> Option<&Others> {
        // Ordering: Acquire pairs with the Release in `make_others`.
        let others = self.others.load(Acquire);
        // SAFETY: they live as long as `self`, and are never borrowed mutably before.
        unsafe { others.as_ref() }
    }

    fn make_others(&self) -> &Others {
        if let Some(others) = self.others() {
            return others;
        }
        let fresh = Box::into_raw(Others::new());
        // Ordering: Release publishes them to the Acquire in `others`; Acquire, when it fails, as there.
        let others = match self
            .others
            .compare_exchange(ptr::null_mut(), fresh, Release, Acquire)
        {
            Ok(_) => fresh,
            Err(others) => {
                // SAFETY: made above, and nobody has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                others
            }
        };
        // SAFETY: as in `others`; not null.
        unsafe { &*others }
    }

    fn seat(&self, at: SeatRef) -> &Seat {
        // SAFETY: a reader's seat lives as long as it is the reader's, and `self` as long as all seats.
        unsafe { at.seat.as_ref() }
    }

    fn state(&self, at: SeatRef) -> &AtomicU8 {
        // SAFETY: as in `seat`.
        unsafe { at.state.as_ref() }
    }

    fn row(&self, at: SeatRef) -> &Row {
        // SAFETY: as in `seat`.
        unsafe { at.row.as_ref() }
    }

    /// A seat for a new reader that stands at `position`. Lock-free; looks at a few rows, and allocates one for many readers.
    pub(crate) fn claim(&self, position: usize, skipped: usize) -> SeatRef {
        let at = self.claim_vacant();
        // Else the last reader's position might come to stand after this one's.
        self.seat(at).lifetime.over();
        self.advance(at, position, skipped);
        if let Some(row) = at.heap {
            // SAFETY: the row has this reader.
            unsafe { HeapRow::at(row) }.joined();
        }
        // Ordering: Release, after the position and before the reader it was forked from moves on, pairs with the
        // loads in `last_at` and `slowest`: who sees that reader further on sees this count too.
        self.claims.fetch_add(1, Release);
        at
    }

    fn claim_vacant(&self) -> SeatRef {
        let in_list = self.first_row();
        if let Some(at) = claim_in(in_list) {
            return at;
        }
        let others = self.make_others();
        if let Some(at) = claim_in(others.seating()) {
            return at;
        }
        let (_walk, row, index) = others.rows.claim();
        // SAFETY: the row has this reader.
        unsafe { HeapRow::at(row) }.seating().at(index)
    }

    /// The reader has read everything before `position`, of which `skipped` slots held no item.
    #[inline]
    pub(crate) fn advance(&self, at: SeatRef, position: usize, skipped: usize) {
        let seat = self.seat(at);
        self.epoch.enter(position, || self.forget_floors());
        seat.skipped.store(skipped, Relaxed);
        self.step(at, position);
    }

    #[cold]
    fn forget_floors(&self) {
        if let Some(walk) = self.rows().and_then(Rows::walk) {
            for row in walk.all() {
                // SAFETY: seen by a walk that goes on.
                unsafe { HeapRow::at(row) }.joined();
            }
        }
    }

    /// The same, when no slot without an item was passed.
    #[inline]
    pub(crate) fn step(&self, at: SeatRef, position: usize) {
        // Ordering: Release pairs with the Acquire in `each`: who sees the reader past a slot may move the slot's item out.
        self.seat(at).position.store(position, Release);
    }

    /// Whether another reader stands at or behind `position`. One that has left since is behind nobody.
    #[inline(always)]
    pub(crate) fn is_behind(&self, other: &Behind, position: usize) -> bool {
        #[cfg(aiter_loom)]
        if let Some(row) = other.heap {
            // SAFETY: held.
            unsafe { HeapRow::at(row) };
        }
        // SAFETY: the seat is kept as long as it is remembered.
        let seat = unsafe { other.seat.as_ref() };
        // Ordering: Relaxed. If it is, the caller clones an item that it has to read itself, which nobody moves before that;
        // should the other have gone on by now, one more is cloned than need be. If not, nothing is moved on the strength of
        // this: who moves has looked at all, see `last_at`.
        let at = seat.position.load(Relaxed);
        // The position of a seat that was left is odd. Where words are short, it may come to look
        // as if it were behind.
        (SHORTER == 0 || at & 1 == 0) && position.wrapping_sub(at) as isize >= 0
    }

    /// Whether the reader at `me` is the last one to come to `position`. Another one that is to come is remembered in `behind`.
    ///
    /// However many readers there are, and in whatever order they come, this looks at few of them: at those in the row of the
    /// one that was remembered, of whom one is still behind most likely; else at the rows from there on, and not again at a row
    /// of which all have passed. So while all readers pass a position, each row is looked at once. If some lag behind many,
    /// the rows of all others are known to be further on.
    pub(crate) fn last_at(
        &self,
        me: SeatRef,
        behind: &mut Option<Behind>,
        position: usize,
    ) -> Last {
        if let Some(Behind {
            seat,
            heap: Some(row),
        }) = behind
        {
            // SAFETY: held.
            let seating = unsafe { HeapRow::at(*row) }.seating();
            if let Ok(found) = seating.follower(me.seat, position) {
                *seat = found;
                return Last::No;
            }
        }
        // Ordering: Acquire pairs with the Release in `claim`: a reader that is counted is seen below.
        let claims = self.claims.load(Acquire);
        let mut others = None;
        let beside = self.others();
        for seating in iter::once(self.first_row()).chain(beside.map(Others::seating)) {
            match seating.follower(me.seat, position) {
                Ok(seat) => {
                    self.remember(behind, Behind { seat, heap: None });
                    return Last::No;
                }
                Err((_, least_other)) => others = least(others, least_other),
            }
        }
        if let Some(walk) = beside.and_then(|beside| beside.rows.walk()) {
            let start = behind.as_ref().and_then(|behind| behind.heap);
            for row in walk.from(start) {
                // SAFETY: seen by a walk that goes on.
                let heap = unsafe { HeapRow::at(row) };
                match heap.floor(position) {
                    Floor::Nobody => continue,
                    Floor::Above(floor) => {
                        others = least(others, Some(floor));
                        continue;
                    }
                    Floor::Unknown => {}
                }
                let mut least_other = None;
                let scanned = heap.scan(me.seat, || {
                    heap.seating()
                        .follower(me.seat, position)
                        .map_err(|(all, other)| {
                            least_other = other;
                            all
                        })
                });
                match scanned {
                    Ok(seat) => {
                        Rows::hold(row);
                        let heap = Some(row);
                        self.remember(behind, Behind { seat, heap });
                        return Last::No;
                    }
                    Err(_) => others = least(others, least_other),
                }
            }
        }
        self.let_go(behind);
        // Ordering: Relaxed. Who was missed above was counted before its parent moved on, or before it left its old seat; that
        // was seen (Acquire), or the reader would have been, so this finds the count.
        if self.claims.load(Relaxed) == claims {
            Last::Yes(others)
        } else {
            Last::Unknown
        }
    }

    fn remember(&self, behind: &mut Option<Behind>, other: Behind) {
        self.let_go(behind);
        *behind = Some(other);
    }

    /// Forgets a reader that was remembered.
    pub(crate) fn let_go(&self, behind: &mut Option<Behind>) {
        let row = behind.take().and_then(|behind| behind.heap);
        if let Some((row, rows)) = row.zip(self.rows()) {
            rows.let_go(row);
        }
    }

    /// The position of the slowest reader but the one at `me`, if it is given; `None` without other readers. Looks at each reader,
    /// again if one came meanwhile: lock-free.
    pub(crate) fn slowest(&self, me: Option<SeatRef>) -> Option<usize> {
        loop {
            // Ordering: as in `last_at`.
            let claims = self.claims.load(Acquire);
            let mut slowest = None;
            self.each_seat(|seat, position| {
                if me.is_none_or(|me| me.seat != NonNull::from(seat)) {
                    slowest = least(slowest, Some(position));
                }
            });
            if self.claims.load(Relaxed) == claims {
                return slowest;
            }
        }
    }

    /// Looks at each reader's position, and at how many slots without an item it has passed.
    pub(crate) fn each(&self, mut look: impl FnMut(usize, usize)) {
        self.each_seat(|seat, position| look(position, seat.skipped.load(Relaxed)));
    }

    #[inline(always)]
    fn each_seat(&self, mut look: impl FnMut(&Seat, usize)) {
        let mut look_at = |seating: Seating<'_>| {
            for (seat, position) in seating.readers() {
                // SAFETY: a seat of the row that is looked at.
                look(unsafe { seat.as_ref() }, position);
            }
        };
        look_at(self.first_row());
        let Some(others) = self.others() else {
            return;
        };
        look_at(others.seating());
        if let Some(walk) = others.rows.walk() {
            for row in walk.all() {
                // SAFETY: seen by a walk that goes on.
                look_at(unsafe { HeapRow::at(row) }.seating());
            }
        }
    }

    /// Leaves the waker in the reader's seat; the caller then lets writers know, and looks again.
    /// If a writer is at the seat just then, the reader [takes another](Self::take_another).
    #[inline(always)]
    pub(crate) fn arm(
        &self,
        at: &mut SeatRef,
        behind: &mut Option<Behind>,
        waker: &Waker,
        sleep: Sleep,
    ) {
        // Ordering: Acquire pairs with the Release of IDLE in `wake`: the writer is done with the waker.
        let was = self.state(*at).load(Acquire);
        if was != IDLE || !self.keeps(*at, waker) {
            self.prepare(at, behind, was, waker);
        }
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

    /// Puts the waker into the reader's seat, or into another, and leaves that idle.
    #[cold]
    fn prepare(&self, at: &mut SeatRef, behind: &mut Option<Behind>, was: u8, waker: &Waker) {
        if !self.take_back(*at, was) {
            self.take_another(at, behind);
        }
        let old = self.seat(*at).waker.with_mut(|kept| {
            // SAFETY: the seat is idle, and an idle seat's waker is its reader's alone.
            match unsafe { &mut *kept } {
                Some(kept) if kept.will_wake(waker) => None,
                kept => kept.replace(waker.clone()),
            }
        });
        drop(old);
    }

    /// Whether nobody is to be woken, nor being woken, in the reader's seat.
    pub(crate) fn is_idle(&self, at: SeatRef) -> bool {
        // Ordering: as in `arm`.
        self.state(at).load(Acquire) == IDLE
    }

    /// Drops the waker in the reader's seat. If a writer is at the seat just then, the reader
    /// [takes another](Self::take_another), and the writer drops the waker.
    pub(crate) fn forget(&self, at: &mut SeatRef, behind: &mut Option<Behind>) {
        if !self.disarm(*at) {
            self.take_another(at, behind);
        }
        let waker = self.seat(*at).waker.with_mut(|kept| {
            // SAFETY: the seat is idle, and an idle seat's waker is its reader's alone.
            unsafe { (*kept).take() }
        });
        drop(waker);
    }

    /// Moves the reader to another seat, because a writer is at its own. The new one may have been
    /// that of the reader that was seen `behind`, which has left then: it is let go, or the reader
    /// would be behind itself.
    fn take_another(&self, at: &mut SeatRef, behind: &mut Option<Behind>) {
        let seat = self.seat(*at);
        let other = self.claim(seat.position.load(Relaxed), seat.skipped.load(Relaxed));
        // Said before anything can panic: from here on the old seat may be another reader's.
        let old = mem::replace(at, other);
        if behind.as_ref().is_some_and(|behind| behind.seat == at.seat) {
            self.let_go(behind);
        }
        self.leave(old);
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
            unsafe { vacate(at, self.rows()) };
        } else {
            let rows = self.rows();
            // Whoever vacates the seat may be another thread, and then the row may go.
            let _walk = at.heap.and(rows).and_then(Rows::walk);
            // Ordering: Release pairs with the Acquire in `vacate_left`: this reader is done with the seat.
            self.row(at).left.fetch_or(1 << at.index, Release);
            vacate_left(at, rows);
        }
    }

    fn rows(&self) -> Option<&Rows> {
        self.others().map(|others| &others.rows)
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

    /// Wakes the sleepers that wait for exactly this slot, and those that sleep at a gap from there
    /// on; else as
    /// [`wake_all`](Self::wake_all). False if there was none.
    #[inline(always)]
    pub(crate) fn wake_at(&self, slot: usize) -> bool {
        self.wake_those(Whom::At(slot))
    }

    /// Wakes the sleepers that wait for a slot or anything after it; else as
    /// [`wake_all`](Self::wake_all).
    pub(crate) fn wake_from(&self, slot: usize) {
        // A writer may stand between its publication and this while all others go on. Where words
        // are short they may come so far meanwhile that a sleeper at the tail would be taken for
        // one behind the slot.
        self.wake_those(if SHORTER == 0 {
            Whom::From(slot)
        } else {
            Whom::All
        });
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
        // Ordering: of `others` as in `wake_those`; of the state as in `take`.
        if !self.others.load(Relaxed).is_null()
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
            self.sweep_first();
        }
        true
    }

    #[cold]
    fn sweep_first(&self) {
        sweep(self.first_row(), None);
    }

    #[inline(always)]
    fn wake_those(&self, whom: Whom) -> bool {
        let first = self.wake(&self.state[0], &self.seat[0], whom);
        // Ordering: Relaxed, what it points to is not looked at here. A sleeper that has to be woken saw it set before it
        // armed its seat, and that is visible (see `Reader::sleep`).
        if self.others.load(Relaxed).is_null() && self.first.left.load(Relaxed) == 0 {
            return first;
        }
        self.wake_others_too(whom) | first
    }

    /// The seats after the first one. Those that were left meanwhile are swept when all are woken:
    /// a waker's drop may panic.
    #[inline(never)]
    fn wake_others_too(&self, whom: Whom) -> bool {
        let Some(others) = self.others() else {
            self.sweep_first();
            return false;
        };
        let mut any = self.wake_row(others.seating(), whom);
        let mut left = self.first.left.load(Relaxed) | others.row.left.load(Relaxed);
        if let Some(walk) = others.rows.walk() {
            for row in walk.all() {
                // SAFETY: seen by a walk that goes on.
                let seating = unsafe { HeapRow::at(row) }.seating();
                any |= self.wake_row(seating, whom);
                left |= seating.row.left.load(Relaxed);
            }
        }
        if left != 0 {
            self.sweep_all(others);
        }
        any
    }

    #[inline(always)]
    fn wake_row(&self, seating: Seating<'_>, whom: Whom) -> bool {
        let mut any = false;
        for (state, seat) in seating.used() {
            any |= self.wake(state, seat, whom);
        }
        any
    }

    #[cold]
    fn sweep_all(&self, others: &Others) {
        self.sweep_first();
        sweep(others.seating(), None);
        if let Some(walk) = others.rows.walk() {
            for row in walk.all() {
                // SAFETY: seen by a walk that goes on.
                sweep(unsafe { HeapRow::at(row) }.seating(), Some(&others.rows));
            }
        }
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
    /// Those that wait for this slot or anything after it.
    From(usize),
    /// Those that wait for exactly this slot; and those at a gap from there on, since one writer
    /// that publishes a batch does not look for each of them.
    At(usize),
}

impl Whom {
    /// Whether the reader of a seat that was seen in a state is one of them.
    #[inline(always)]
    fn is_one(self, state: u8, seat: &Seat) -> bool {
        let slot = || seat.position.load(Relaxed) << SHORTER;
        let ahead_of = |from: usize| slot().wrapping_sub(from) as isize >= 0;
        match (state, self) {
            (ARMED, Self::At(at)) => slot() == at,
            (ARMED | AT_GAP, Self::All) => true,
            (ARMED | AT_GAP, Self::At(from) | Self::From(from)) => ahead_of(from),
            _ => false,
        }
    }
}

fn claim_in(seating: Seating<'_>) -> Option<SeatRef> {
    let (index, _) = seating.row.claim(seating.seats.len())?;
    Some(seating.at(index))
}

/// Vacates the seats of a row that readers have left while they were being woken, where that is over.
#[cold]
fn sweep(seating: Seating<'_>, rows: Option<&Rows>) {
    for index in bits(seating.row.left.load(Relaxed)) {
        vacate_left(seating.at(index), rows);
    }
}

/// Vacates a seat that a reader has left while it was being woken, if that is over. The caller keeps the seat's row.
fn vacate_left(at: SeatRef, rows: Option<&Rows>) {
    // SAFETY: kept by the caller. Ordering: Acquire pairs with the Release of IDLE in `wake`.
    if unsafe { at.state.as_ref() }.load(Acquire) != IDLE {
        return;
    }
    // SAFETY: as above.
    let row = unsafe { at.row.as_ref() };
    // Ordering: Acquire pairs with the Release in `leave`. Of several who are here, one finds the bit.
    if row.left.fetch_and(!(1 << at.index), Acquire) & 1 << at.index != 0 {
        // SAFETY: the seat is idle; its reader has left it to whoever finds the bit.
        unsafe { vacate(at, rows) };
    }
}

/// # Safety
/// The seat is idle, and the caller acts for its reader, which has left.
unsafe fn vacate(at: SeatRef, rows: Option<&Rows>) {
    // SAFETY: the seat is in use until below, which keeps it.
    let seat = unsafe { at.seat.as_ref() };
    // SAFETY: by the contract the waker is the caller's.
    let waker = seat.waker.with_mut(|w| unsafe { (*w).take() });
    let on_heap = at.heap.zip(rows);
    if let Some((row, rows)) = on_heap {
        rows.note_vacant(row);
    }
    // SAFETY: as above.
    let is_empty = unsafe { at.row.as_ref() }.vacate(at.index);
    if let Some((_, rows)) = on_heap.filter(|_| is_empty) {
        rows.emptied();
    }
    drop(waker);
}

fn bits(mut word: usize) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

impl Drop for Seats {
    fn drop(&mut self) {
        let others = self.others.load(Relaxed);
        if !others.is_null() {
            // SAFETY: made by `Box::into_raw`, and nobody else is left to look at them.
            drop(unsafe { Box::from_raw(others) });
        }
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
