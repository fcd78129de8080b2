//! [`Segments`]: the segments of a registry, which come and go with their readers. They form a
//! chain, whose segments can be freed while other threads walk it.
//!
//! # Which thread changes the chain
//! A reader that finds no vacant slot links a new segment in front. Everything else is done by one
//! thread at a time, the *reclaiming* thread: it closes the segments without a reader, unlinks them
//! and frees them. A thread starts to reclaim when it has vacated a slot and sees that half of the
//! segments are empty, so that a walk frees at least as many segments as it keeps.
//!
//! | `reclaim_state` | means | how it changes |
//! |---|---|---|
//! | 0 | no thread reclaims | a thread that wants to → `BUSY` |
//! | `BUSY` | one thread reclaims | that thread → 0; another that wants to → `BUSY` and `AGAIN`, and leaves it to that thread |
//! | `BUSY` and `AGAIN` | one thread reclaims, and has to start again | that thread → `BUSY` |
//!
//! # When a segment may be freed
//! Each walk counts itself in `walkers`. An unlinked segment is out of reach for walks that begin
//! later, so it may be freed once there was a moment without a walk. Both sides use a
//! read-modify-write on the count: if that of the walk comes second, the walk sees the segment
//! unlinked; if it comes first, the reclaiming thread sees the walk. A reader that remembers a
//! follower beyond its walk [holds](Segment::holders) the follower's segment.
//!
//! A segment that cannot be freed yet is looked at again by the last walk to end, or by the last
//! holder to release it; the flags in `deferred` ask for that. Walks that overlap without end would
//! keep it, as any reader keeps the items behind it.

use super::segment::{Segment, SlotRef};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering::*};
use alloc::boxed::Box;
use core::{
    iter,
    ptr::{self, NonNull},
};

const BUSY: usize = 1;
const AGAIN: usize = 2;

/// Flag in `deferred`: segments wait for walks to end.
const AWAIT_WALKS: usize = 1;
/// Flag in `deferred`: segments wait for holders to release them.
const AWAIT_HOLDERS: usize = 2;

/// The number of slots in the first segment of the chain.
const FIRST_LEN: usize = if cfg!(aiter_loom) { 2 } else { 16 };
/// The number of slots in each further segment.
const LEN: usize = if cfg!(aiter_loom) {
    2
} else {
    usize::BITS as usize
};

/// In how many segments a new reader looks for a vacant slot.
const MAX_PROBES: usize = 32;

pub(super) struct Segments {
    head: AtomicPtr<Segment>,
    /// The segment in which a slot was vacated or claimed last. New readers look there first.
    vacant_hint: AtomicPtr<Segment>,
    walkers: AtomicUsize,
    reclaim_state: AtomicUsize,
    deferred: AtomicUsize,
    /// How many segments are linked, and how many of those are empty. Both counts may lag a little
    /// behind the changes.
    linked: AtomicUsize,
    empty: AtomicUsize,
    /// The unlinked segments that are not freed yet. For the reclaiming thread.
    retired: AtomicPtr<Segment>,
}

impl Segments {
    pub(super) fn new() -> Self {
        let null = || AtomicPtr::new(ptr::null_mut());
        let zero = || AtomicUsize::new(0);
        Self {
            head: null(),
            vacant_hint: null(),
            walkers: zero(),
            reclaim_state: zero(),
            deferred: zero(),
            linked: zero(),
            empty: zero(),
            retired: null(),
        }
    }

    /// Begins a walk, if there are any segments.
    #[inline]
    pub(super) fn walk(&self) -> Option<Walk<'_>> {
        // Ordering: Acquire pairs with the Release in `unlink`: a caller that finds no segment sees
        // what the readers did that were there. For the segments that it has to see Relaxed would
        // do: the event for which the caller walks comes after the link of each.
        (!self.head.load(Acquire).is_null()).then(|| self.begin_walk())
    }

    fn begin_walk(&self) -> Walk<'_> {
        // Ordering: Acquire pairs with the Release in `free_retired`: the segments that were
        // unlinked before that are out of reach.
        self.walkers.fetch_add(1, Acquire);
        Walk(self)
    }

    /// Claims a slot in a segment that has a vacant one, or in a new segment. The walk keeps the
    /// segment until the slot has been recorded as the caller's. This is lock-free: it looks at a
    /// limited number of segments.
    pub(super) fn claim(&self) -> (Walk<'_>, SlotRef) {
        let walk = self.begin_walk();
        // Ordering: Acquire pairs with the Release in `set_vacant_hint`: the segment is
        // initialized.
        let hint = NonNull::new(self.vacant_hint.load(Acquire));
        // SAFETY: the hint was loaded during this walk, and is cleared before its segment is freed.
        let candidates = unsafe { walk.from(hint) };
        let found = candidates.take(MAX_PROBES).find_map(|segment| {
            // SAFETY: this walk has come to the segment and has not ended.
            let slots = unsafe { Segment::get(segment) }.slots();
            let (index, was_empty) = slots.occupancy.claim(slots.slots.len())?;
            if was_empty {
                self.empty.fetch_sub(1, Relaxed);
            }
            Some((segment, index))
        });
        let (segment, index) = found.unwrap_or_else(|| (self.link_new(), 0));
        self.set_vacant_hint(segment);
        // SAFETY: the claimed slot keeps the segment.
        let slot_ref = unsafe { Segment::get(segment) }.slots().get(index);
        (walk, slot_ref)
    }

    /// Links a new segment, whose first slot the caller has claimed.
    fn link_new(&self) -> NonNull<Segment> {
        let len = if self.linked.fetch_add(1, Relaxed) == 0 {
            FIRST_LEN
        } else {
            LEN
        };
        // SAFETY: the pointer of a box is not null.
        let segment = unsafe { NonNull::new_unchecked(Box::into_raw(Segment::new(len))) };
        // For the models: the segment is made before another thread uses it.
        // SAFETY: the segment was made just now.
        unsafe { segment.as_ref() }.lifetime.over();
        let mut head = self.head.load(Relaxed);
        loop {
            // SAFETY: the segment is not linked yet.
            unsafe { Segment::get(segment) }.next.store(head, Relaxed);
            // Ordering: Release publishes the segment to the Acquire in `Walk::all`.
            match self
                .head
                .compare_exchange(head, segment.as_ptr(), Release, Relaxed)
            {
                Ok(_) => return segment,
                Err(now) => head = now,
            }
        }
    }

    /// Has the next reader look in this segment first. The caller has a slot in it, so the segment
    /// is not closed.
    pub(super) fn set_vacant_hint(&self, segment: NonNull<Segment>) {
        if self.vacant_hint.load(Relaxed) != segment.as_ptr() {
            // Ordering: Release publishes the segment to the Acquire in `claim`. `unlink_empty`
            // comes after all such stores, because slots are vacated with Release.
            self.vacant_hint.store(segment.as_ptr(), Release);
        }
    }

    /// Counts a segment that has become empty, and reclaims if enough are.
    pub(super) fn segment_emptied(&self) {
        // Ordering: AcqRel, so that the last thread to count sees the other segments empty, too.
        let empty = self.empty.fetch_add(1, AcqRel).wrapping_add(1);
        if empty.wrapping_mul(2) as isize >= self.linked.load(Relaxed) as isize {
            self.reclaim();
        }
    }

    /// Keeps a segment's memory beyond the walk that has come to it.
    ///
    /// # Safety
    /// A walk of the caller has come to the segment and has not ended.
    pub(super) unsafe fn hold(segment: NonNull<Segment>) {
        // SAFETY: by the contract. Ordering: Relaxed, because the end of the walk publishes it.
        unsafe { Segment::get(segment) }
            .holders
            .fetch_add(1, Relaxed);
    }

    /// Ends a [`hold`](Self::hold).
    ///
    /// # Safety
    /// The caller has held the segment, and does not access it afterwards.
    pub(super) unsafe fn release_hold(&self, segment: NonNull<Segment>) {
        // SAFETY: by the contract. Ordering: Release, for the caller's reads of the segment;
        // Acquire pairs with the Release in `free_retired`: if that has found this holder, the flag
        // is seen.
        let before = unsafe { Segment::get(segment) }
            .holders
            .fetch_sub(1, AcqRel);
        if before == 1 && self.deferred.load(Relaxed) & AWAIT_HOLDERS != 0 {
            self.reclaim();
        }
    }

    /// Frees the segments that are not needed, or leaves that to the thread that already reclaims.
    #[cold]
    fn reclaim(&self) {
        // Ordering: Release hands over what this thread has seen, to itself or to the thread that
        // reclaims.
        if self.reclaim_state.fetch_or(BUSY | AGAIN, Release) & BUSY != 0 {
            return;
        }
        loop {
            // Ordering: Acquire pairs with the Release of the threads that asked for it, and of the
            // last one that reclaimed: the read-modify-write above continues its release sequence.
            self.reclaim_state.fetch_and(!AGAIN, Acquire);
            self.unlink_empty();
            self.free_retired();
            // Ordering: Release pairs with the Acquire above.
            if self
                .reclaim_state
                .compare_exchange(BUSY, 0, Release, Relaxed)
                .is_ok()
            {
                return;
            }
        }
    }

    fn unlink_empty(&self) {
        // SAFETY, for the references to segments: only the reclaiming thread frees segments, and
        // that is this thread.
        let mut link = &self.head;
        // Ordering: Acquire pairs with the Release of the thread that linked the segment, which had
        // seen all others.
        let mut next = NonNull::new(link.load(Acquire));
        while let Some(segment) = next {
            // SAFETY: as above.
            let linked = unsafe { Segment::get(segment) };
            next = NonNull::new(linked.next.load(Relaxed));
            if !linked.close() {
                link = &linked.next;
                continue;
            }
            self.linked.fetch_sub(1, Relaxed);
            self.empty.fetch_sub(1, Relaxed);
            link = self.unlink(link, segment);
            let _ = self.vacant_hint.compare_exchange(
                segment.as_ptr(),
                ptr::null_mut(),
                Relaxed,
                Relaxed,
            );
            linked.retired.store(self.retired.load(Relaxed), Relaxed);
            self.retired.store(segment.as_ptr(), Relaxed);
        }
    }

    /// Unlinks a segment, and returns the link that led to it.
    fn unlink<'a>(
        &'a self,
        mut link: &'a AtomicPtr<Segment>,
        segment: NonNull<Segment>,
    ) -> &'a AtomicPtr<Segment> {
        // SAFETY: as in `unlink_empty`.
        let next = unsafe { Segment::get(segment) }.next.load(Relaxed);
        // Ordering: Release pairs with the Acquire in `walk` and `Walk::next`: the last readers of
        // the segment are done with the items that they have passed. If it fails, Acquire pairs
        // with the Release of the thread that linked the segment.
        let mut before = match link.compare_exchange(segment.as_ptr(), next, Release, Acquire) {
            Ok(_) => return link,
            // It was the first one, and others were linked in front of it.
            Err(first) => first,
        };
        while before != segment.as_ptr() {
            // SAFETY: the pointer is not null, because the chain leads to the segment.
            let linked = unsafe { NonNull::new_unchecked(before) };
            // SAFETY: as in `unlink_empty`.
            link = &unsafe { Segment::get(linked) }.next;
            before = link.load(Relaxed);
        }
        // Ordering: as above. Other threads write only the first link.
        link.store(next, Release);
        link
    }

    fn free_retired(&self) {
        if self.retired.load(Relaxed).is_null() {
            return;
        }
        self.deferred.store(AWAIT_WALKS, Relaxed);
        // Ordering: a read-modify-write, in one order with those of the walks. Release, for the
        // unlinked segments and the flag; Acquire pairs with the Release of walks that have ended.
        if self.walkers.fetch_add(0, AcqRel) != 0 {
            return;
        }
        self.deferred.store(AWAIT_HOLDERS, Relaxed);
        let mut kept = ptr::null_mut();
        let mut next = self.retired.load(Relaxed);
        while let Some(segment) = NonNull::new(next) {
            // SAFETY: the segment is retired, and not freed yet.
            let retired = unsafe { Segment::get(segment) };
            next = retired.retired.load(Relaxed);
            // Ordering: a read-modify-write, in one order with those of holders. Release for the
            // flag; Acquire pairs with the Release of the holders.
            if retired.holders.fetch_add(0, AcqRel) == 0 {
                retired.lifetime.over();
                // SAFETY: `Box::into_raw` made the pointer. The segment is unlinked, not walked and
                // not held, so no other thread can reach it.
                drop(unsafe { Box::from_raw(segment.as_ptr()) });
            } else {
                retired.retired.store(kept, Relaxed);
                kept = segment.as_ptr();
            }
        }
        self.retired.store(kept, Relaxed);
        if kept.is_null() {
            self.deferred.store(0, Relaxed);
        }
    }

    /// The lengths of the linked segments.
    #[cfg(test)]
    pub(super) fn lens(&self) -> alloc::vec::Vec<usize> {
        let walk = self.walk();
        let segments = walk.iter().flat_map(|walk| walk.all());
        // SAFETY: the walk has not ended.
        segments
            .map(|segment| unsafe { Segment::get(segment) }.slots().slots.len())
            .collect()
    }

    /// How many segments are unlinked and not freed.
    #[cfg(test)]
    pub(super) fn retired_len(&self) -> usize {
        let mut len = 0;
        let mut segment = self.retired.load(Relaxed);
        while !segment.is_null() {
            len += 1;
            // SAFETY: no thread reclaims meanwhile.
            segment = unsafe { (*segment).retired.load(Relaxed) };
        }
        len
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        let free = |first: &AtomicPtr<Segment>, next: fn(&Segment) -> &AtomicPtr<Segment>| {
            let mut segment = first.load(Relaxed);
            while !segment.is_null() {
                // SAFETY: `Box::into_raw` made the pointer. The segment is in only one of the two
                // chains, and no other thread is left that could use it.
                let freed = unsafe { Box::from_raw(segment) };
                segment = next(&freed).load(Relaxed);
            }
        };
        free(&self.head, |segment| &segment.next);
        free(&self.retired, |segment| &segment.retired);
    }
}

/// A walk over the segments. Until it is dropped, no segment is freed that it can come to.
pub(super) struct Walk<'a>(&'a Segments);

impl Walk<'_> {
    /// All segments.
    #[inline]
    pub(super) fn all(&self) -> impl Iterator<Item = NonNull<Segment>> {
        // Ordering: Acquire pairs with the Release in `link_new`.
        let first = NonNull::new(self.0.head.load(Acquire));
        // SAFETY: the walk keeps the segment.
        iter::successors(first, |segment| unsafe { Self::next(*segment) })
    }

    /// All segments, starting at `start` if that is given and still linked, or at the first one.
    ///
    /// # Safety
    /// This walk or a hold keeps `start` as long as the iterator is advanced.
    pub(super) unsafe fn from(
        &self,
        start: Option<NonNull<Segment>>,
    ) -> impl Iterator<Item = NonNull<Segment>> {
        // A segment that was unlinked before this walk began leads nowhere.
        // SAFETY: by the contract.
        let start = start.filter(|segment| !unsafe { Segment::get(*segment) }.is_closed());
        let is_whole = start.is_none();
        // SAFETY: the walk keeps the segment, or the hold on `start` does.
        let rest = iter::successors(start, |segment| unsafe { Self::next(*segment) });
        rest.chain(
            self.all()
                .take_while(move |segment| is_whole || Some(*segment) != start),
        )
    }

    /// # Safety
    /// As in [`Segment::get`].
    #[inline]
    unsafe fn next(segment: NonNull<Segment>) -> Option<NonNull<Segment>> {
        // SAFETY: by the contract. Ordering: Acquire pairs with the Release in `unlink`. It leads
        // to a segment that was linked earlier than this one, and only read-modify-writes change
        // the first link: a thread that has acquired this segment there has acquired the others
        // too.
        NonNull::new(unsafe { Segment::get(segment) }.next.load(Acquire))
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        // Ordering: Release, for the reads of the segments and for the holds that were taken;
        // Acquire pairs with the Release in `free_retired`: if that has counted this walk, the flag
        // is seen.
        if self.0.walkers.fetch_sub(1, AcqRel) == 1
            && self.0.deferred.load(Relaxed) & AWAIT_WALKS != 0
        {
            self.0.reclaim();
        }
    }
}
