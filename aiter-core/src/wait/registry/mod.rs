//! The readers of a list. A registered reader has a *slot*, with its position in the list and,
//! while it sleeps, its waker.
//!
//! The first slot is inside the list itself, so that an unforked list allocates nothing. A few
//! *nearby* ones are allocated together as soon as there is a second reader, and live as long as
//! the list. All others are in [segments](segments), which are freed when they are empty: the cost
//! of the readers follows their present number.
//!
//! Positions and the readers that are at or behind them: this file. The states of a slot: [`slot`].
//! Sleeping and waking: [`sleep`] and [`wake`]. Leaving a slot: [`mod@release`].

#![allow(unsafe_code)]

mod epoch;
mod release;
mod segment;
mod segments;
mod sleep;
mod slot;
mod wake;

pub(crate) use segment::SlotRef;
pub(crate) use sleep::SleepKind;

use crate::sync::{AtomicU8, AtomicUsize, AtomicWord, OnceBox, Ordering::*, fence};
use core::{array, iter, ptr::NonNull};
use epoch::Epoch;
use release::{release, release_abandoned};
use segment::{Floor, Segment, Slots, least};
use segments::Segments;
use slot::{FAR, IDLE, Occupancy, ReaderSlot};

/// The number of nearby slots.
const NEARBY: usize = if cfg!(aiter_loom) { 2 } else { 8 };

/// Writers [wake](Registry::wake_at) by the tail word of a list slot, which has this many bits
/// fewer for the slot's number than a position has. A position is shifted by it before it is
/// compared with a tail word.
pub(crate) const TAIL_SHIFT: u32 = if usize::BITS >= 64 { 0 } else { 1 };

/// All slots of a list's readers. For every item, writers load the first field and the only reader
/// writes the last one: they are [not in one cache line](Self::SPAN).
#[repr(C)]
pub(crate) struct Registry {
    /// The number of readers that sleep at a gap, and 1 for an announced drain position.
    gap_waiters: AtomicUsize,
    /// How often a slot was claimed. A scan of all slots during which this changed may have missed
    /// a reader.
    registrations: AtomicWord,
    /// Whether the first slot is in use.
    occupancy: Occupancy,
    /// When the floors of all segments were reset.
    epoch: Epoch,
    /// All further slots, from the second reader on.
    nearby: OnceBox<Nearby>,
    state: [AtomicU8; 1],
    slot: [ReaderSlot; 1],
}

/// The nearby slots, and the segments.
struct Nearby {
    occupancy: Occupancy,
    states: [AtomicU8; NEARBY],
    slots: [ReaderSlot; NEARBY],
    segments: Segments,
}

impl Nearby {
    fn new() -> Self {
        Self {
            occupancy: Occupancy::new(0),
            states: array::from_fn(|_| AtomicU8::new(IDLE)),
            slots: array::from_fn(|_| ReaderSlot::new(FAR)),
            segments: Segments::new(),
        }
    }

    fn slots(&self) -> Slots<'_> {
        Slots {
            occupancy: &self.occupancy,
            states: &self.states,
            slots: &self.slots,
            segment: None,
        }
    }
}

/// Another reader that was seen at or behind this one's position. It keeps the memory of the
/// other's slot, and has to be [forgotten](Registry::forget_follower) before it is dropped.
pub(crate) struct Follower {
    slot: NonNull<ReaderSlot>,
    /// The segment, if the slot is in one.
    segment: Option<NonNull<Segment>>,
}

/// Whether a reader is the last one to come to a position.
pub(crate) enum IsLast {
    /// Another reader is at the position or behind it.
    No,
    /// No other reader is. If there are others, all of them are at this position or further on.
    Yes(Option<usize>),
    /// A reader came meanwhile, and may have been missed.
    Unknown,
}

impl Registry {
    /// The distance between `gap_waiters` and the position in the first slot, in bytes.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const SPAN: usize =
        core::mem::offset_of!(Self, slot) + core::mem::offset_of!(ReaderSlot, position);

    /// A registry with one reader at `position`; see [`Registry::first`].
    pub(crate) fn new(position: usize) -> Self {
        Self {
            gap_waiters: AtomicUsize::new(0),
            registrations: AtomicWord::new(0),
            occupancy: Occupancy::new(1),
            epoch: Epoch::new(),
            nearby: OnceBox::new(),
            state: [AtomicU8::new(IDLE)],
            slot: [ReaderSlot::new(position)],
        }
    }

    /// The slot of the first reader.
    pub(crate) fn first(&self) -> SlotRef {
        self.first_slots().get(0)
    }

    fn first_slots(&self) -> Slots<'_> {
        Slots {
            occupancy: &self.occupancy,
            states: &self.state,
            slots: &self.slot,
            segment: None,
        }
    }

    #[inline]
    fn nearby(&self) -> Option<&Nearby> {
        self.nearby.get()
    }

    fn segments(&self) -> Option<&Segments> {
        self.nearby().map(|nearby| &nearby.segments)
    }

    fn slot(&self, slot_ref: SlotRef) -> &ReaderSlot {
        // SAFETY: a reader's slot lives as long as it is the reader's, and `self` as long as all
        // slots.
        unsafe { slot_ref.slot.as_ref() }
    }

    fn state(&self, slot_ref: SlotRef) -> &AtomicU8 {
        // SAFETY: as in `slot`.
        unsafe { slot_ref.state.as_ref() }
    }

    fn occupancy(&self, slot_ref: SlotRef) -> &Occupancy {
        // SAFETY: as in `slot`.
        unsafe { slot_ref.occupancy.as_ref() }
    }

    /// Registers a new reader at `position`. This is lock-free: it looks at a limited number of
    /// segments, and allocates one for many readers.
    pub(crate) fn register(&self, position: usize, skipped: usize) -> SlotRef {
        let slot_ref = self.claim();
        // The claim ends the previous reader's use of the slot. Otherwise its position could
        // replace that of this reader.
        self.slot(slot_ref).lifetime.over();
        self.advance(slot_ref, position, skipped);
        if let Some(segment) = slot_ref.segment {
            // SAFETY: the reader's slot keeps the segment.
            unsafe { Segment::get(segment) }.reset_floor();
        }
        // Ordering: Release, after the position and before the reader it was forked from moves on,
        // pairs with the loads in `check_last` and `each_unless_one_comes`: a thread that sees that
        // reader further on sees this count too.
        self.registrations.fetch_add(1, Release);
        slot_ref
    }

    fn claim(&self) -> SlotRef {
        if let Some(slot_ref) = self.first_slots().claim() {
            return slot_ref;
        }
        let nearby = self.nearby.get_or_make(Nearby::new);
        if let Some(slot_ref) = nearby.slots().claim() {
            return slot_ref;
        }
        nearby.segments.claim().1
    }

    /// Removes a reader, which must not use its slot any more.
    pub(crate) fn unregister(&self, slot_ref: SlotRef) {
        let slot = self.slot(slot_ref);
        let far = slot.position.load(Relaxed).wrapping_add(FAR);
        // Ordering: as in `publish_position`.
        slot.position.store(far, Release);
        slot.lifetime.used();
        if self.disarm(slot_ref) {
            // SAFETY: the slot is idle and was this reader's.
            unsafe { release(slot_ref, self.segments()) };
        } else {
            let segments = self.segments();
            // Another thread may vacate the slot, and then the segment may be freed.
            let _walk = slot_ref.segment.and(segments).and_then(Segments::walk);
            // Ordering: Release pairs with the Acquire in `release_abandoned`: this reader is done
            // with the slot.
            self.occupancy(slot_ref)
                .abandoned
                .fetch_or(1 << slot_ref.index, Release);
            // Ordering: SeqCst, between the bit and the load of the state below, pairs with the
            // fence in `sweep`.
            fence(SeqCst);
            // SAFETY: the walk keeps the segment, if the slot is in one.
            unsafe { release_abandoned(slot_ref, segments) };
        }
    }

    /// Publishes that the reader has read everything before `position`, of which `skipped` list
    /// slots held no item.
    #[inline]
    pub(crate) fn advance(&self, slot_ref: SlotRef, position: usize, skipped: usize) {
        let slot = self.slot(slot_ref);
        self.epoch.enter(position, || self.reset_floors());
        slot.skipped.store(skipped, Relaxed);
        self.publish_position(slot_ref, position);
    }

    #[cold]
    fn reset_floors(&self) {
        if let Some(walk) = self.segments().and_then(Segments::walk) {
            for segment in walk.all() {
                // SAFETY: this walk has come to the segment and has not ended.
                unsafe { Segment::get(segment) }.reset_floor();
            }
        }
    }

    /// As [`advance`](Self::advance), and leaves the number beside the position as it is.
    #[inline]
    pub(crate) fn move_to(&self, slot_ref: SlotRef, position: usize) {
        self.epoch.enter(position, || self.reset_floors());
        self.publish_position(slot_ref, position);
    }

    /// As [`advance`](Self::advance), if no list slot without an item was passed.
    #[inline]
    pub(crate) fn publish_position(&self, slot_ref: SlotRef, position: usize) {
        // Ordering: Release pairs with the Acquire in `Slots::readers`: a thread that sees the
        // reader past a list slot may move the item of that slot out.
        self.slot(slot_ref).position.store(position, Release);
    }

    /// Whether the follower is at or behind `position`. A reader that has left since is not.
    #[inline]
    pub(crate) fn is_behind(&self, follower: &Follower, position: usize) -> bool {
        #[cfg(aiter_loom)]
        if let Some(segment) = follower.segment {
            // SAFETY: the follower holds it.
            unsafe { Segment::get(segment) };
        }
        // SAFETY: the follower keeps the memory of the slot.
        let slot = unsafe { follower.slot.as_ref() };
        // Ordering: Relaxed. If the result is true, the caller clones an item that it has yet to
        // read itself, and no reader moves that out before it has. If the other reader has moved on
        // by now, one clone more is made than needed. If the result is false, no item is moved
        // because of it: a reader that moves items has looked at all slots, see `check_last`.
        let other = slot.position.load(Relaxed);
        // The position in a slot that was left is odd. With 32 bits it may come to seem behind.
        (TAIL_SHIFT == 0 || other & 1 == 0) && position.wrapping_sub(other) as isize >= 0
    }

    /// Whether the reader at `me` is the last one to come to `position`. If not, `follower` is set
    /// to a reader that is yet to come.
    ///
    /// However many readers there are, and in whatever order they come, this looks at few of them.
    /// It looks first at the segment of the follower, where some reader is most likely still at or
    /// behind the position. Otherwise it goes on to the next segments, and does not look again at
    /// one whose readers have all passed the position. So while all readers pass a position, each
    /// segment is looked at once; and if a few readers lag behind many, the segments of the others
    /// are known to be further on.
    pub(crate) fn check_last(
        &self,
        me: SlotRef,
        follower: &mut Option<Follower>,
        position: usize,
    ) -> IsLast {
        if let Some(Follower {
            slot,
            segment: Some(segment),
        }) = follower
        {
            // SAFETY: the follower holds it.
            let slots = unsafe { Segment::get(*segment) }.slots();
            if let Ok(found) = slots.find_follower(me.slot, position) {
                *slot = found;
                return IsLast::No;
            }
        }
        // Ordering: Acquire pairs with the Release in `register`: a reader that is counted is seen
        // below.
        let registrations = self.registrations.load(Acquire);
        let mut others = None;
        let nearby = self.nearby();
        for slots in iter::once(self.first_slots()).chain(nearby.map(Nearby::slots)) {
            match slots.find_follower(me.slot, position) {
                Ok(slot) => {
                    let segment = None;
                    self.set_follower(follower, Follower { slot, segment });
                    return IsLast::No;
                }
                Err(minima) => others = least(others, minima.others),
            }
        }
        if let Some(walk) = nearby.and_then(|nearby| nearby.segments.walk()) {
            let start = follower.as_ref().and_then(|follower| follower.segment);
            // SAFETY: the follower holds the segment.
            for segment in unsafe { walk.from(start) } {
                // SAFETY: this walk has come to the segment and has not ended.
                let linked = unsafe { Segment::get(segment) };
                match linked.floor(position) {
                    Floor::NoReaders => continue,
                    Floor::Above(floor) => {
                        others = least(others, Some(floor));
                        continue;
                    }
                    Floor::Unknown => {}
                }
                let scan = linked.begin_scan(me.slot);
                match linked.slots().find_follower(me.slot, position) {
                    Ok(slot) => {
                        // SAFETY: this walk has come to the segment and has not ended.
                        unsafe { Segments::hold(segment) };
                        let segment = Some(segment);
                        self.set_follower(follower, Follower { slot, segment });
                        return IsLast::No;
                    }
                    Err(minima) => {
                        scan.finish(minima.all);
                        others = least(others, minima.others);
                    }
                }
            }
        }
        self.forget_follower(follower);
        // Ordering: Relaxed. A reader that was missed above was counted before its parent moved on,
        // or before it left its old slot. That was seen (Acquire), or the reader itself would have
        // been, so this load finds the count.
        if self.registrations.load(Relaxed) == registrations {
            IsLast::Yes(others)
        } else {
            IsLast::Unknown
        }
    }

    fn set_follower(&self, follower: &mut Option<Follower>, other: Follower) {
        self.forget_follower(follower);
        *follower = Some(other);
    }

    /// Forgets the follower, and releases the segment that it holds.
    pub(crate) fn forget_follower(&self, follower: &mut Option<Follower>) {
        let segment = follower.take().and_then(|follower| follower.segment);
        if let Some((segment, segments)) = segment.zip(self.segments()) {
            // SAFETY: the follower has held the segment until now.
            unsafe { segments.release_hold(segment) };
        }
    }

    /// Calls `look` with each reader's position, and with the number of list slots without an item
    /// that it has passed.
    pub(crate) fn each(&self, mut look: impl FnMut(usize, usize)) {
        self.each_slot(|slot, position| look(position, slot.skipped.load(Relaxed)));
    }

    /// Whether `look` returns `true` for a reader; it is called as [`each`](Self::each) does.
    pub(crate) fn any(&self, mut look: impl FnMut(usize, usize) -> bool) -> bool {
        let mut finds = |slots: Slots<'_>| {
            slots.readers().any(|(slot, position)| {
                // SAFETY: it is one of these slots.
                let skipped = &unsafe { slot.as_ref() }.skipped;
                look(position, skipped.load(Relaxed))
            })
        };
        if finds(self.first_slots()) {
            return true;
        }
        let Some(nearby) = self.nearby() else {
            return false;
        };
        if finds(nearby.slots()) {
            return true;
        }
        nearby.segments.walk().is_some_and(|walk| {
            // SAFETY: this walk has come to the segment and has not ended.
            walk.all()
                .any(|segment| finds(unsafe { Segment::get(segment) }.slots()))
        })
    }

    /// As [`each`](Self::each), without the reader whose slot has this [address](SlotRef::address).
    pub(crate) fn each_except(&self, address: usize, mut look: impl FnMut(usize, usize)) {
        self.each_slot(|slot, position| {
            if core::ptr::from_ref(slot).addr() != address {
                look(position, slot.skipped.load(Relaxed));
            }
        });
    }

    /// Calls `look` as [`each`](Self::each) does. Returns whether no reader came meanwhile: one
    /// that did may have been missed.
    pub(crate) fn each_unless_one_comes(&self, look: impl FnMut(usize, usize)) -> bool {
        // Ordering: as in `check_last`.
        let registrations = self.registrations.load(Acquire);
        self.each(look);
        self.registrations.load(Relaxed) == registrations
    }

    /// The number beside the reader's position.
    pub(crate) fn skipped(&self, slot_ref: SlotRef) -> &AtomicUsize {
        &self.slot(slot_ref).skipped
    }

    /// Stores a number beside the position of each reader. Returns whether no reader came
    /// meanwhile. Readers of a registry that is used like this must not wait: a slot that is moved
    /// copies the number.
    pub(crate) fn set_all_skipped(&self, skipped: usize) -> bool {
        let registrations = self.registrations.load(Acquire);
        // Ordering: Relaxed, the caller executes a fence and looks again.
        self.each_slot(|slot, _| slot.skipped.store(skipped, Relaxed));
        // Ordering: SeqCst pairs with the fence in `Waiter::another`: this sees that a reader came,
        // or that one sees what was stored.
        fence(SeqCst);
        self.registrations.load(Relaxed) == registrations
    }

    #[inline]
    fn each_slot(&self, mut look: impl FnMut(&ReaderSlot, usize)) {
        let mut look_at = |slots: Slots<'_>| {
            for (slot, position) in slots.readers() {
                // SAFETY: it is one of these slots.
                look(unsafe { slot.as_ref() }, position);
            }
        };
        look_at(self.first_slots());
        let Some(nearby) = self.nearby() else {
            return;
        };
        look_at(nearby.slots());
        if let Some(walk) = nearby.segments.walk() {
            for segment in walk.all() {
                // SAFETY: this walk has come to the segment and has not ended.
                look_at(unsafe { Segment::get(segment) }.slots());
            }
        }
    }

    /// How many segments there are.
    #[cfg(all(test, not(aiter_loom)))]
    pub(crate) fn segment_count(&self) -> usize {
        self.segments().map_or(0, |segments| segments.lens().len())
    }

    /// Whether a reader may sleep at a gap. Ordering: see `List::wake_after`.
    #[inline]
    pub(crate) fn has_gap_waiters(&self) -> bool {
        self.gap_waiters.load(Relaxed) != 0
    }

    /// Counts one more reader that sleeps at a gap, or the drain position.
    pub(crate) fn add_gap_waiter(&self) {
        // Ordering: Relaxed, because the caller executes a heavy fence next, which pairs with the
        // light half in `List::wake_after`.
        self.gap_waiters.fetch_add(1, Relaxed);
    }

    pub(crate) fn remove_gap_waiter(&self) {
        // Ordering: Relaxed. A writer that misses this looks at the registry in vain.
        self.gap_waiters.fetch_sub(1, Relaxed);
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
