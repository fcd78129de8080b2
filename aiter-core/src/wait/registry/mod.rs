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
//! The writer ends `WAKING` with a plain store, and looks for [`abandoned`](row) bits once it has woken
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
use segment::{FAR, Floor, Occupancy, ReaderSlot, Segment, Slots, least};
use segments::Segments;

const IDLE: u8 = 0;
const ARMED: u8 = 1;
const WAKING: u8 = 2;
/// Armed by a reader of whom the writer that it waits for does not know otherwise.
const AT_GAP: u8 = 3;

/// What a reader found that goes to sleep.
#[derive(Clone, Copy)]
pub(crate) enum SleepKind {
    /// Nobody has its slot yet: the tail word tells whoever gets it.
    AtTail,
    /// Somebody has its slot, and has yet to publish it.
    AtGap,
}

/// Seats beside the list.
const NEARBY: usize = if cfg!(aiter_loom) { 2 } else { 8 };

/// Writers [wake](Registry::wake_at) by the tail word of a slot, which has so many bits fewer for the
/// slot's number than a position has. A position is shifted by it before it is compared with such a
/// word.
pub(crate) const SHORTER: u32 = if usize::BITS >= 64 { 0 } else { 1 };

/// All seats of a list. Writers look at the first field, and the reader in the list writes the last one, for every item: they
/// are [not in one cache line](Self::SPAN).
#[repr(C)]
pub(crate) struct Registry {
    /// Readers that sleep at a gap.
    at_gap: AtomicUsize,
    /// How often a seat was claimed. A look at all seats that saw this change may have missed a reader.
    registrations: AtomicWord,
    first: Occupancy,
    /// When the floors of all rows were reset.
    epoch: Epoch,
    /// All further ones. There from the second reader on.
    others: AtomicPtr<Nearby>,
    state: [AtomicU8; 1],
    slot: [ReaderSlot; 1],
}

struct Nearby {
    segment: Occupancy,
    states: [AtomicU8; NEARBY],
    slots: [ReaderSlot; NEARBY],
    segments: Segments,
}

impl Nearby {
    fn new() -> Box<Self> {
        Box::new(Self {
            segment: Occupancy::new(0),
            states: array::from_fn(|_| AtomicU8::new(IDLE)),
            slots: array::from_fn(|_| ReaderSlot::new(FAR)),
            segments: Segments::new(),
        })
    }

    fn seating(&self) -> Slots<'_> {
        Slots {
            segment: &self.segment,
            states: &self.states,
            slots: &self.slots,
            heap: None,
        }
    }
}

/// A reader's own seat. It is used with the [`Registry`] it was taken from, which outlive it.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef {
    segment: NonNull<Occupancy>,
    state: NonNull<AtomicU8>,
    slot: NonNull<ReaderSlot>,
    heap: Option<NonNull<Segment>>,
    index: usize,
}

/// Another reader that was seen behind. It keeps the memory of its seat, and is [let go](Registry::let_go) before it is dropped.
pub(crate) struct Follower {
    slot: NonNull<ReaderSlot>,
    heap: Option<NonNull<Segment>>,
}

/// Whether a reader is the last one to come to a position.
pub(crate) enum IsLast {
    /// Another one stands there or behind it.
    No,
    /// None does. All others stand at this position or further on, if there are others.
    Yes(Option<usize>),
    /// A reader came meanwhile, and may have been missed.
    Unknown,
}

impl Registry {
    /// How far `at_gap` and the position of the first seat are apart, in bytes.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const SPAN: usize =
        mem::offset_of!(Self, slot) + mem::offset_of!(ReaderSlot, position);

    /// Seats of which the first is taken, by a reader at `position`: see [`Registry::first`].
    pub(crate) fn new(position: usize) -> Self {
        Self {
            at_gap: AtomicUsize::new(0),
            registrations: AtomicWord::new(0),
            first: Occupancy::new(1),
            epoch: Epoch::new(),
            others: AtomicPtr::new(ptr::null_mut()),
            state: [AtomicU8::new(IDLE)],
            slot: [ReaderSlot::new(position)],
        }
    }

    pub(crate) fn first(&self) -> SlotRef {
        self.first_row().at(0)
    }

    fn first_row(&self) -> Slots<'_> {
        Slots {
            segment: &self.first,
            states: &self.state,
            slots: &self.slot,
            heap: None,
        }
    }

    fn others(&self) -> Option<&Nearby> {
        // Ordering: Acquire pairs with the Release in `make_nearby`.
        let others = self.others.load(Acquire);
        // SAFETY: they live as long as `self`, and are never borrowed mutably before.
        unsafe { others.as_ref() }
    }

    fn make_nearby(&self) -> &Nearby {
        if let Some(others) = self.others() {
            return others;
        }
        let fresh = Box::into_raw(Nearby::new());
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

    fn slot(&self, at: SlotRef) -> &ReaderSlot {
        // SAFETY: a reader's seat lives as long as it is the reader's, and `self` as long as all seats.
        unsafe { at.slot.as_ref() }
    }

    fn state(&self, at: SlotRef) -> &AtomicU8 {
        // SAFETY: as in `slot`.
        unsafe { at.state.as_ref() }
    }

    fn segment(&self, at: SlotRef) -> &Occupancy {
        // SAFETY: as in `slot`.
        unsafe { at.segment.as_ref() }
    }

    /// A seat for a new reader that stands at `position`. Lock-free; looks at a few rows, and allocates one for many readers.
    pub(crate) fn register(&self, position: usize, skipped: usize) -> SlotRef {
        let at = self.acquire_slot();
        // Else the last reader's position might come to stand after this one's.
        self.slot(at).lifetime.over();
        self.advance(at, position, skipped);
        if let Some(segment) = at.heap {
            // SAFETY: the row has this reader.
            unsafe { Segment::at(segment) }.joined();
        }
        // Ordering: Release, after the position and before the reader it was forked from moves on, pairs with the
        // loads in `last_at` and `slowest`: who sees that reader further on sees this count too.
        self.registrations.fetch_add(1, Release);
        at
    }

    fn acquire_slot(&self) -> SlotRef {
        let in_list = self.first_row();
        if let Some(at) = claim_in(in_list) {
            return at;
        }
        let others = self.make_nearby();
        if let Some(at) = claim_in(others.seating()) {
            return at;
        }
        let (_walk, segment, index) = others.segments.claim();
        // SAFETY: the row has this reader.
        unsafe { Segment::at(segment) }.seating().at(index)
    }

    /// The reader has read everything before `position`, of which `skipped` slots held no item.
    #[inline]
    pub(crate) fn advance(&self, at: SlotRef, position: usize, skipped: usize) {
        let slot = self.slot(at);
        self.epoch.enter(position, || self.forget_floors());
        slot.skipped.store(skipped, Relaxed);
        self.publish_position(at, position);
    }

    #[cold]
    fn forget_floors(&self) {
        if let Some(walk) = self.segments().and_then(Segments::walk) {
            for segment in walk.all() {
                // SAFETY: seen by a walk that goes on.
                unsafe { Segment::at(segment) }.joined();
            }
        }
    }

    /// The same, when no slot without an item was passed.
    #[inline]
    pub(crate) fn publish_position(&self, at: SlotRef, position: usize) {
        // Ordering: Release pairs with the Acquire in `each`: who sees the reader past a slot may move the slot's item out.
        self.slot(at).position.store(position, Release);
    }

    /// Whether another reader stands at or behind `position`. One that has left since is behind nobody.
    #[inline(always)]
    pub(crate) fn is_behind(&self, other: &Follower, position: usize) -> bool {
        #[cfg(aiter_loom)]
        if let Some(segment) = other.heap {
            // SAFETY: held.
            unsafe { Segment::at(segment) };
        }
        // SAFETY: the seat is kept as long as it is remembered.
        let slot = unsafe { other.slot.as_ref() };
        // Ordering: Relaxed. If it is, the caller clones an item that it has to read itself, which nobody moves before that;
        // should the other have gone on by now, one more is cloned than need be. If not, nothing is moved on the strength of
        // this: who moves has looked at all, see `last_at`.
        let at = slot.position.load(Relaxed);
        // The position of a seat that was left is odd. Where words are short, it may come to look
        // as if it were behind.
        (SHORTER == 0 || at & 1 == 0) && position.wrapping_sub(at) as isize >= 0
    }

    /// Whether the reader at `me` is the last one to come to `position`. Another one that is to come is remembered in `follower`.
    ///
    /// However many readers there are, and in whatever order they come, this looks at few of them: at those in the row of the
    /// one that was remembered, of whom one is still behind most likely; else at the rows from there on, and not again at a row
    /// of which all have passed. So while all readers pass a position, each row is looked at once. If some lag behind many,
    /// the rows of all others are known to be further on.
    pub(crate) fn check_last(
        &self,
        me: SlotRef,
        follower: &mut Option<Follower>,
        position: usize,
    ) -> IsLast {
        if let Some(Follower {
            slot,
            heap: Some(segment),
        }) = follower
        {
            // SAFETY: held.
            let seating = unsafe { Segment::at(*segment) }.seating();
            if let Ok(found) = seating.follower(me.slot, position) {
                *slot = found;
                return IsLast::No;
            }
        }
        // Ordering: Acquire pairs with the Release in `claim`: a reader that is counted is seen below.
        let registrations = self.registrations.load(Acquire);
        let mut others = None;
        let beside = self.others();
        for seating in iter::once(self.first_row()).chain(beside.map(Nearby::seating)) {
            match seating.follower(me.slot, position) {
                Ok(slot) => {
                    self.remember(follower, Follower { slot, heap: None });
                    return IsLast::No;
                }
                Err((_, least_other)) => others = least(others, least_other),
            }
        }
        if let Some(walk) = beside.and_then(|beside| beside.segments.walk()) {
            let start = follower.as_ref().and_then(|follower| follower.heap);
            for segment in walk.from(start) {
                // SAFETY: seen by a walk that goes on.
                let heap = unsafe { Segment::at(segment) };
                match heap.floor(position) {
                    Floor::Nobody => continue,
                    Floor::Above(floor) => {
                        others = least(others, Some(floor));
                        continue;
                    }
                    Floor::Unknown => {}
                }
                let mut least_other = None;
                let scanned = heap.scan(me.slot, || {
                    heap.seating()
                        .follower(me.slot, position)
                        .map_err(|(all, other)| {
                            least_other = other;
                            all
                        })
                });
                match scanned {
                    Ok(slot) => {
                        Segments::hold(segment);
                        let heap = Some(segment);
                        self.remember(follower, Follower { slot, heap });
                        return IsLast::No;
                    }
                    Err(_) => others = least(others, least_other),
                }
            }
        }
        self.forget_follower(follower);
        // Ordering: Relaxed. Who was missed above was counted before its parent moved on, or before it left its old seat; that
        // was seen (Acquire), or the reader would have been, so this finds the count.
        if self.registrations.load(Relaxed) == registrations {
            IsLast::Yes(others)
        } else {
            IsLast::Unknown
        }
    }

    fn remember(&self, follower: &mut Option<Follower>, other: Follower) {
        self.forget_follower(follower);
        *follower = Some(other);
    }

    /// Forgets a reader that was remembered.
    pub(crate) fn forget_follower(&self, follower: &mut Option<Follower>) {
        let segment = follower.take().and_then(|follower| follower.heap);
        if let Some((segment, segments)) = segment.zip(self.segments()) {
            segments.let_go(segment);
        }
    }

    /// The position of the slowest reader but the one at `me`, if it is given; `None` without other readers. Looks at each reader,
    /// again if one came meanwhile: lock-free.
    pub(crate) fn min_position_except(&self, me: Option<SlotRef>) -> Option<usize> {
        loop {
            // Ordering: as in `last_at`.
            let registrations = self.registrations.load(Acquire);
            let mut slowest = None;
            self.each_seat(|slot, position| {
                if me.is_none_or(|me| me.slot != NonNull::from(slot)) {
                    slowest = least(slowest, Some(position));
                }
            });
            if self.registrations.load(Relaxed) == registrations {
                return slowest;
            }
        }
    }

    /// Looks at each reader's position, and at how many slots without an item it has passed.
    pub(crate) fn each(&self, mut look: impl FnMut(usize, usize)) {
        self.each_seat(|slot, position| look(position, slot.skipped.load(Relaxed)));
    }

    #[inline(always)]
    fn each_seat(&self, mut look: impl FnMut(&ReaderSlot, usize)) {
        let mut look_at = |seating: Slots<'_>| {
            for (slot, position) in seating.readers() {
                // SAFETY: a seat of the row that is looked at.
                look(unsafe { slot.as_ref() }, position);
            }
        };
        look_at(self.first_row());
        let Some(others) = self.others() else {
            return;
        };
        look_at(others.seating());
        if let Some(walk) = others.segments.walk() {
            for segment in walk.all() {
                // SAFETY: seen by a walk that goes on.
                look_at(unsafe { Segment::at(segment) }.seating());
            }
        }
    }

    /// Leaves the waker in the reader's seat; the caller then lets writers know, and looks again.
    /// If a writer is at the seat just then, the reader [takes another](Self::take_another).
    #[inline(always)]
    pub(crate) fn arm(
        &self,
        at: &mut SlotRef,
        follower: &mut Option<Follower>,
        waker: &Waker,
        sleep: SleepKind,
    ) {
        // Ordering: Acquire pairs with the Release of IDLE in `wake`: the writer is done with the waker.
        let was = self.state(*at).load(Acquire);
        if was != IDLE || !self.keeps(*at, waker) {
            self.prepare(at, follower, was, waker);
        }
        // Ordering: Release pairs with the Acquire in `take`. That a writer sees this at all is due to what the reader does
        // next (see `Reader::sleep`).
        self.state(*at).store(
            match sleep {
                SleepKind::AtTail => ARMED,
                SleepKind::AtGap => {
                    self.at_gap.fetch_add(1, Relaxed);
                    AT_GAP
                }
            },
            Release,
        );
    }

    /// The same as [`arm`](Self::arm) at the tail, if the waker is there already and the seat is idle. Else false.
    #[inline(always)]
    pub(crate) fn rearm(&self, at: SlotRef, waker: &Waker) -> bool {
        // Ordering: as in `arm`.
        let is_ready = self.state(at).load(Acquire) == IDLE && self.keeps(at, waker);
        if is_ready {
            self.state(at).store(ARMED, Release);
        }
        is_ready
    }

    /// Whether a waker for the same task is in the reader's seat, which is not armed.
    #[inline(always)]
    fn keeps(&self, at: SlotRef, waker: &Waker) -> bool {
        self.slot(at).waker.with(|kept| {
            // SAFETY: only the reader writes it, which is here.
            let kept = unsafe { &*kept };
            kept.as_ref().is_some_and(|kept| kept.will_wake(waker))
        })
    }

    /// Puts the waker into the reader's seat, or into another, and leaves that idle.
    #[cold]
    fn prepare(&self, at: &mut SlotRef, follower: &mut Option<Follower>, was: u8, waker: &Waker) {
        if !self.take_back(*at, was) {
            self.take_another(at, follower);
        }
        let old = self.slot(*at).waker.with_mut(|kept| {
            // SAFETY: the seat is idle, and an idle seat's waker is its reader's alone.
            match unsafe { &mut *kept } {
                Some(kept) if kept.will_wake(waker) => None,
                kept => kept.replace(waker.clone()),
            }
        });
        drop(old);
    }

    /// Whether nobody is to be woken, nor being woken, in the reader's seat.
    pub(crate) fn is_idle(&self, at: SlotRef) -> bool {
        // Ordering: as in `arm`.
        self.state(at).load(Acquire) == IDLE
    }

    /// Drops the waker in the reader's seat. If a writer is at the seat just then, the reader
    /// [takes another](Self::take_another), and the writer drops the waker.
    pub(crate) fn forget(&self, at: &mut SlotRef, follower: &mut Option<Follower>) {
        if !self.disarm(*at) {
            self.take_another(at, follower);
        }
        let waker = self.slot(*at).waker.with_mut(|kept| {
            // SAFETY: the seat is idle, and an idle seat's waker is its reader's alone.
            unsafe { (*kept).take() }
        });
        drop(waker);
    }

    /// Moves the reader to another seat, because a writer is at its own. The new one may have been
    /// that of the reader that was seen `follower`, which has left then: it is let go, or the reader
    /// would be behind itself.
    fn take_another(&self, at: &mut SlotRef, follower: &mut Option<Follower>) {
        let slot = self.slot(*at);
        let other = self.register(slot.position.load(Relaxed), slot.skipped.load(Relaxed));
        // Said before anything can panic: from here on the old seat may be another reader's.
        let old = mem::replace(at, other);
        if follower
            .as_ref()
            .is_some_and(|follower| follower.slot == at.slot)
        {
            self.forget_follower(follower);
        }
        self.unregister(old);
    }

    /// The reader takes its seat back, to write the waker or to leave. False while a writer is at it.
    #[inline(always)]
    pub(crate) fn disarm(&self, at: SlotRef) -> bool {
        // Ordering: as in `arm`.
        self.take_back(at, self.state(at).load(Acquire))
    }

    /// The same, for a seat that the reader saw in a state.
    #[inline(always)]
    fn take_back(&self, at: SlotRef, was: u8) -> bool {
        match was {
            ARMED | AT_GAP => self.take(self.state(at), was, IDLE) != WAKING,
            was => was == IDLE,
        }
    }

    /// The reader leaves its seat for good.
    pub(crate) fn unregister(&self, at: SlotRef) {
        let slot = self.slot(at);
        let far = slot.position.load(Relaxed).wrapping_add(FAR);
        // Ordering: as in `step`.
        slot.position.store(far, Release);
        slot.lifetime.used();
        if self.disarm(at) {
            // SAFETY: the seat is idle and was this reader's.
            unsafe { release(at, self.segments()) };
        } else {
            let segments = self.segments();
            // Whoever vacates the seat may be another thread, and then the row may go.
            let _walk = at.heap.and(segments).and_then(Segments::walk);
            // Ordering: Release pairs with the Acquire in `release_abandoned`: this reader is done with the seat.
            self.segment(at).abandoned.fetch_or(1 << at.index, Release);
            release_abandoned(at, segments);
        }
    }

    fn segments(&self) -> Option<&Segments> {
        self.others().map(|others| &others.segments)
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
        self.wake_those(Target::All);
    }

    /// Wakes the sleepers that wait for exactly this slot, and those that sleep at a gap from there
    /// on; else as
    /// [`wake_all`](Self::wake_all). False if there was none.
    #[inline(always)]
    pub(crate) fn wake_at(&self, list_slot: usize) -> bool {
        self.wake_those(Target::At(list_slot))
    }

    /// Wakes the sleepers that wait for a slot or anything after it; else as
    /// [`wake_all`](Self::wake_all).
    pub(crate) fn wake_from(&self, list_slot: usize) {
        // A writer may stand between its publication and this while all others go on. Where words
        // are short they may come so far meanwhile that a sleeper at the tail would be taken for
        // one behind the slot.
        self.wake_those(if SHORTER == 0 {
            Target::From(list_slot)
        } else {
            Target::All
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
        let ([state], [slot]) = (&self.state, &self.slot);
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
        unsafe { slot.call() };
        mem::forget(unwind);
        // Ordering: Release lets the reader have the waker back.
        state.store(IDLE, Release);
        if self.first.abandoned.load(Relaxed) != 0 {
            self.sweep_first();
        }
        true
    }

    #[cold]
    fn sweep_first(&self) {
        sweep(self.first_row(), None);
    }

    #[inline(always)]
    fn wake_those(&self, whom: Target) -> bool {
        let first = self.wake(&self.state[0], &self.slot[0], whom);
        // Ordering: Relaxed, what it points to is not looked at here. A sleeper that has to be woken saw it set before it
        // armed its seat, and that is visible (see `Reader::sleep`).
        if self.others.load(Relaxed).is_null() && self.first.abandoned.load(Relaxed) == 0 {
            return first;
        }
        self.wake_others_too(whom) | first
    }

    /// The seats after the first one. Those that were left meanwhile are swept when all are woken:
    /// a waker's drop may panic.
    #[inline(never)]
    fn wake_others_too(&self, whom: Target) -> bool {
        let Some(others) = self.others() else {
            self.sweep_first();
            return false;
        };
        let mut any = self.wake_row(others.seating(), whom);
        let mut abandoned =
            self.first.abandoned.load(Relaxed) | others.segment.abandoned.load(Relaxed);
        if let Some(walk) = others.segments.walk() {
            for segment in walk.all() {
                // SAFETY: seen by a walk that goes on.
                let seating = unsafe { Segment::at(segment) }.seating();
                any |= self.wake_row(seating, whom);
                abandoned |= seating.segment.abandoned.load(Relaxed);
            }
        }
        if abandoned != 0 {
            self.sweep_all(others);
        }
        any
    }

    #[inline(always)]
    fn wake_row(&self, seating: Slots<'_>, whom: Target) -> bool {
        let mut any = false;
        for (state, slot) in seating.used() {
            any |= self.wake(state, slot, whom);
        }
        any
    }

    #[cold]
    fn sweep_all(&self, others: &Nearby) {
        self.sweep_first();
        sweep(others.seating(), None);
        if let Some(walk) = others.segments.walk() {
            for segment in walk.all() {
                // SAFETY: seen by a walk that goes on.
                sweep(
                    unsafe { Segment::at(segment) }.seating(),
                    Some(&others.segments),
                );
            }
        }
    }

    /// Wakes the reader of one seat. False if nobody sleeps there, or not one of those.
    #[inline(always)]
    fn wake(&self, state: &AtomicU8, slot: &ReaderSlot, whom: Target) -> bool {
        /// Ends the wake, and wakes the others, when the waker panics.
        struct OnUnwind<'a>(&'a Registry, &'a AtomicU8, Target);
        impl Drop for OnUnwind<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                let Self(slots, state, whom) = *self;
                slots.wake_others(state, whom);
            }
        }
        // Ordering: Relaxed. The readers that have to be woken, and their positions, are visible (see `Reader::sleep`); for
        // any other reader a stale value does no harm.
        let was = state.load(Relaxed);
        if !whom.is_one(was, slot) || self.take(state, was, WAKING) != was {
            return false;
        }
        let unwind = OnUnwind(self, state, whom);
        // SAFETY: the seat is WAKING, by this writer.
        unsafe { slot.call() };
        mem::forget(unwind);
        // Ordering: Release lets the reader have the waker back.
        state.store(IDLE, Release);
        true
    }

    /// What is left to be done when the waker of a seat panics.
    #[cold]
    fn wake_others(&self, state: &AtomicU8, whom: Target) {
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
enum Target {
    All,
    /// Those that wait for this slot or anything after it.
    From(usize),
    /// Those that wait for exactly this slot; and those at a gap from there on, since one writer
    /// that publishes a batch does not look for each of them.
    At(usize),
}

impl Target {
    /// Whether the reader of a seat that was seen in a state is one of them.
    #[inline(always)]
    fn is_one(self, state: u8, slot: &ReaderSlot) -> bool {
        let list_slot = || slot.position.load(Relaxed) << SHORTER;
        let ahead_of = |from: usize| list_slot().wrapping_sub(from) as isize >= 0;
        match (state, self) {
            (ARMED, Self::At(at)) => list_slot() == at,
            (ARMED | AT_GAP, Self::All) => true,
            (ARMED | AT_GAP, Self::At(from) | Self::From(from)) => ahead_of(from),
            _ => false,
        }
    }
}

fn claim_in(seating: Slots<'_>) -> Option<SlotRef> {
    let (index, _) = seating.segment.claim(seating.slots.len())?;
    Some(seating.at(index))
}

/// Vacates the seats of a row that readers have left while they were being woken, where that is over.
#[cold]
fn sweep(seating: Slots<'_>, segments: Option<&Segments>) {
    for index in bits(seating.segment.abandoned.load(Relaxed)) {
        release_abandoned(seating.at(index), segments);
    }
}

/// Vacates a seat that a reader has left while it was being woken, if that is over. The caller keeps the seat's row.
fn release_abandoned(at: SlotRef, segments: Option<&Segments>) {
    // SAFETY: kept by the caller. Ordering: Acquire pairs with the Release of IDLE in `wake`.
    if unsafe { at.state.as_ref() }.load(Acquire) != IDLE {
        return;
    }
    // SAFETY: as above.
    let segment = unsafe { at.segment.as_ref() };
    // Ordering: Acquire pairs with the Release in `leave`. Of several who are here, one finds the bit.
    if segment.abandoned.fetch_and(!(1 << at.index), Acquire) & 1 << at.index != 0 {
        // SAFETY: the seat is idle; its reader has left it to whoever finds the bit.
        unsafe { release(at, segments) };
    }
}

/// # Safety
/// The seat is idle, and the caller acts for its reader, which has left.
unsafe fn release(at: SlotRef, segments: Option<&Segments>) {
    // SAFETY: the seat is in use until below, which keeps it.
    let slot = unsafe { at.slot.as_ref() };
    // SAFETY: by the contract the waker is the caller's.
    let waker = slot.waker.with_mut(|w| unsafe { (*w).take() });
    let on_heap = at.heap.zip(segments);
    if let Some((segment, segments)) = on_heap {
        segments.note_vacant(segment);
    }
    // SAFETY: as above.
    let is_empty = unsafe { at.segment.as_ref() }.release(at.index);
    if let Some((_, segments)) = on_heap.filter(|_| is_empty) {
        segments.emptied();
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

impl Drop for Registry {
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
