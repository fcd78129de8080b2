//! The rows on the heap that come and go with their readers: a chain, and how its rows are freed under those who walk it.
//!
//! # Who changes the chain
//! A reader that finds no seat links a new row in front. All else is done by one thread at a time, the one that *tidies up*: it
//! closes the rows without a reader, unlinks them and frees them. It is whoever vacated a seat and saw that half of the
//! rows are empty, so that a row that is freed has paid for the walk.
//!
//! | `upkeep` | means | moved on by |
//! |---|---|---|
//! | 0 | nobody tidies up | a thread that wants to → `BUSY` |
//! | `BUSY` | one does | that thread → 0; another that wants to → `BUSY` and `AGAIN`, and goes on |
//! | `BUSY` and `AGAIN` | one does, and is to begin anew | that thread → `BUSY` |
//!
//! # When a row may be freed
//! Each walk counts itself in `walkers`. A row that is unlinked is out of reach for walks that begin later, so it may be freed once
//! there was no walk since. Both sides use a read-modify-write on the count: if that of the walk comes second it sees the row
//! unlinked, and if it comes first it is seen. A reader that remembers another beyond its walk [holds](Segment::holders) the other's
//! row.
//!
//! What has to stay is looked at again by the last walk to end, or the last holder to let go, by the flags in `stale`. Walks that
//! overlap without end would keep it, as any reader keeps the items behind it.

use super::segment::Segment;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering::*};
use alloc::boxed::Box;
use core::{
    iter,
    ptr::{self, NonNull},
};

const BUSY: usize = 1;
const AGAIN: usize = 2;

/// Flags in `stale`: rows wait for walks to end, or for holders to let go.
const WALKED: usize = 1;
const HELD: usize = 2;

/// Seats in the first row, and in each further one.
const FEW: usize = if cfg!(aiter_loom) { 2 } else { 16 };
const MANY: usize = if cfg!(aiter_loom) {
    2
} else {
    usize::BITS as usize
};

/// A new reader looks at so many rows for a vacant seat.
const LOOKS: usize = 32;

pub(super) struct Segments {
    head: AtomicPtr<Segment>,
    /// A row in which a seat was given up, or taken, last.
    vacant: AtomicPtr<Segment>,
    walkers: AtomicUsize,
    upkeep: AtomicUsize,
    stale: AtomicUsize,
    /// How many rows are linked, and how many of them are empty. A row may be counted a little later than it changes.
    linked: AtomicUsize,
    empty: AtomicUsize,
    /// Unlinked rows that are not freed yet. For the thread that tidies up.
    retired: AtomicPtr<Segment>,
}

impl Segments {
    pub(super) fn new() -> Self {
        let null = || AtomicPtr::new(ptr::null_mut());
        let zero = || AtomicUsize::new(0);
        Self {
            head: null(),
            vacant: null(),
            walkers: zero(),
            upkeep: zero(),
            stale: zero(),
            linked: zero(),
            empty: zero(),
            retired: null(),
        }
    }

    /// Begins a walk, if there are any rows.
    #[inline(always)]
    pub(super) fn walk(&self) -> Option<Walk<'_>> {
        // Ordering: Relaxed. A walk has to see the rows that were linked before what it comes after, and does.
        (!self.head.load(Relaxed).is_null()).then(|| self.pin())
    }

    fn pin(&self) -> Walk<'_> {
        // Ordering: Acquire pairs with the Release in `free_retired`: the rows that were unlinked before that are out of reach.
        self.walkers.fetch_add(1, Acquire);
        Walk(self)
    }

    /// A row with a vacant seat, which is taken by that, or a new row with its first seat taken. Lock-free; looks at a few rows.
    pub(super) fn claim(&self) -> (Walk<'_>, NonNull<Segment>, usize) {
        let walk = self.pin();
        // Ordering: Acquire pairs with the Release in `note_vacant`: the row is seen whole.
        let hint = NonNull::new(self.vacant.load(Acquire));
        let found = walk.from(hint).take(LOOKS).find_map(|segment| {
            // SAFETY: seen by a walk that goes on.
            let seating = unsafe { Segment::at(segment) }.seating();
            let (index, was_empty) = seating.segment.claim(seating.slots.len())?;
            if was_empty {
                self.empty.fetch_sub(1, Relaxed);
            }
            Some((segment, index))
        });
        if let Some((segment, index)) = found {
            self.note_vacant(segment);
            return (walk, segment, index);
        }
        let len = if self.linked.fetch_add(1, Relaxed) == 0 {
            FEW
        } else {
            MANY
        };
        // SAFETY: not null, as a box never is.
        let segment = unsafe { NonNull::new_unchecked(Box::into_raw(Segment::new(len))) };
        // For the models: the row has to be made before another thread uses it.
        // SAFETY: made just now.
        unsafe { segment.as_ref() }.lifetime.over();
        let mut head = self.head.load(Relaxed);
        loop {
            // SAFETY: it is not linked yet.
            unsafe { Segment::at(segment) }.next.store(head, Relaxed);
            // Ordering: Release publishes the row to the Acquire in `Walk::from`.
            match self
                .head
                .compare_exchange(head, segment.as_ptr(), Release, Relaxed)
            {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        self.note_vacant(segment);
        (walk, segment, 0)
    }

    /// The next reader may find a vacant seat in this row. To be called by a thread that has a seat there: the row is not closed.
    pub(super) fn note_vacant(&self, segment: NonNull<Segment>) {
        if self.vacant.load(Relaxed) != segment.as_ptr() {
            // Ordering: Release publishes the row to the Acquire in `claim`. `unlink_empty` comes after all such stores, by the
            // Release with which seats are vacated.
            self.vacant.store(segment.as_ptr(), Release);
        }
    }

    /// A row has become empty.
    pub(super) fn emptied(&self) {
        // Ordering: whoever comes last to count sees the other rows empty, too.
        let empty = self.empty.fetch_add(1, AcqRel).wrapping_add(1);
        if empty.wrapping_mul(2) as isize >= self.linked.load(Relaxed) as isize {
            self.tidy_up();
        }
    }

    /// A reader in another row is to be remembered beyond the walk that found it.
    pub(super) fn hold(segment: NonNull<Segment>) {
        // SAFETY: the caller's walk goes on. Ordering: Relaxed, the end of the walk publishes it.
        unsafe { Segment::at(segment) }
            .holders
            .fetch_add(1, Relaxed);
    }

    /// It is remembered no more.
    pub(super) fn let_go(&self, segment: NonNull<Segment>) {
        // SAFETY: held until now. Ordering: Release, for what was read in the row; Acquire pairs with the Release in `free_retired`:
        // if that has found this holder, the flag is seen.
        if unsafe { Segment::at(segment) }.holders.fetch_sub(1, AcqRel) == 1
            && self.stale.load(Relaxed) & HELD != 0
        {
            self.tidy_up();
        }
    }

    /// Frees what nobody needs, or leaves that to the thread that does so already.
    #[cold]
    fn tidy_up(&self) {
        // Ordering: Release hands over what this thread has seen, to itself or to the one that tidies up.
        if self.upkeep.fetch_or(BUSY | AGAIN, Release) & BUSY != 0 {
            return;
        }
        loop {
            // Ordering: Acquire pairs with the Release of the threads that asked for it, and of the last one that tidied up: the
            // exchange above keeps up what that released.
            self.upkeep.fetch_and(!AGAIN, Acquire);
            self.unlink_empty();
            self.free_retired();
            // Ordering: Release pairs with the Acquire above.
            if self
                .upkeep
                .compare_exchange(BUSY, 0, Release, Relaxed)
                .is_ok()
            {
                return;
            }
        }
    }

    fn unlink_empty(&self) {
        // SAFETY, for the references to rows: rows are freed by the thread that tidies up alone, which is this one.
        let mut link = &self.head;
        // Ordering: Acquire pairs with the Release of the thread that linked the row; all others were seen by that.
        let mut next = NonNull::new(link.load(Acquire));
        while let Some(segment) = next {
            // SAFETY: as above.
            let linked = unsafe { Segment::at(segment) };
            next = NonNull::new(linked.next.load(Relaxed));
            if !linked.close() {
                link = &linked.next;
                continue;
            }
            self.linked.fetch_sub(1, Relaxed);
            self.empty.fetch_sub(1, Relaxed);
            link = self.unlink(link, segment);
            let _ =
                self.vacant
                    .compare_exchange(segment.as_ptr(), ptr::null_mut(), Relaxed, Relaxed);
            linked.retired.store(self.retired.load(Relaxed), Relaxed);
            self.retired.store(segment.as_ptr(), Relaxed);
        }
    }

    /// Unlinks a row; gives the link that led to it.
    fn unlink<'a>(
        &'a self,
        mut link: &'a AtomicPtr<Segment>,
        segment: NonNull<Segment>,
    ) -> &'a AtomicPtr<Segment> {
        // SAFETY: as in `unlink_empty`.
        let next = unsafe { Segment::at(segment) }.next.load(Relaxed);
        // Ordering: Relaxed, see `Walk::next`; when it fails, Acquire pairs with the Release of the thread that linked the row.
        let mut before = match link.compare_exchange(segment.as_ptr(), next, Relaxed, Acquire) {
            Ok(_) => return link,
            // It was the first, and others were linked in front of it.
            Err(first) => first,
        };
        while before != segment.as_ptr() {
            // SAFETY: not null, as the chain leads to the row.
            let linked = unsafe { NonNull::new_unchecked(before) };
            // SAFETY: as in `unlink_empty`.
            link = &unsafe { Segment::at(linked) }.next;
            before = link.load(Relaxed);
        }
        // Ordering: as above. Only the first link is written by others.
        link.store(next, Relaxed);
        link
    }

    fn free_retired(&self) {
        if self.retired.load(Relaxed).is_null() {
            return;
        }
        self.stale.store(WALKED, Relaxed);
        // Ordering: a read-modify-write, in one order with those of the walks. Release, for the rows unlinked and the flag; Acquire
        // pairs with the Release of walks that have ended.
        if self.walkers.fetch_add(0, AcqRel) != 0 {
            return;
        }
        self.stale.store(HELD, Relaxed);
        let mut kept = ptr::null_mut();
        let mut next = self.retired.load(Relaxed);
        while let Some(segment) = NonNull::new(next) {
            // SAFETY: retired, and not freed yet.
            let retired = unsafe { Segment::at(segment) };
            next = retired.retired.load(Relaxed);
            // Ordering: a read-modify-write, in one order with those of holders: Release for the flag, Acquire pairs with their Release.
            if retired.holders.fetch_add(0, AcqRel) == 0 {
                retired.lifetime.over();
                // SAFETY: made by `Box::into_raw`, unlinked, and neither walked nor held: nobody can come to it.
                drop(unsafe { Box::from_raw(segment.as_ptr()) });
            } else {
                retired.retired.store(kept, Relaxed);
                kept = segment.as_ptr();
            }
        }
        self.retired.store(kept, Relaxed);
        if kept.is_null() {
            self.stale.store(0, Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn lens(&self) -> alloc::vec::Vec<usize> {
        let walk = self.walk();
        let segments = walk.iter().flat_map(|walk| walk.all());
        // SAFETY: the walk goes on.
        segments
            .map(|segment| unsafe { Segment::at(segment) }.seating().slots.len())
            .collect()
    }
}

impl Segments {
    /// Rows that are unlinked and not freed.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        let mut waiting = 0;
        let mut segment = self.retired.load(Relaxed);
        while !segment.is_null() {
            waiting += 1;
            // SAFETY: nobody tidies up meanwhile.
            segment = unsafe { (*segment).retired.load(Relaxed) };
        }
        waiting
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        let free = |first: &AtomicPtr<Segment>, next: fn(&Segment) -> &AtomicPtr<Segment>| {
            let mut segment = first.load(Relaxed);
            while !segment.is_null() {
                // SAFETY: rows come from `Box::into_raw`, are in one of the two chains, and nobody else is left to look at them.
                let freed = unsafe { Box::from_raw(segment) };
                segment = next(&freed).load(Relaxed);
            }
        };
        free(&self.head, |segment| &segment.next);
        free(&self.retired, |segment| &segment.retired);
    }
}

/// While it lives no row is freed that it can come to.
pub(super) struct Walk<'a>(&'a Segments);

impl Walk<'_> {
    /// All rows.
    #[inline(always)]
    pub(super) fn all(&self) -> impl Iterator<Item = NonNull<Segment>> {
        // Ordering: Acquire pairs with the Release in `claim`.
        iter::successors(NonNull::new(self.0.head.load(Acquire)), Self::next)
    }

    /// All rows, from one on that this walk or a hold keeps, or from the first.
    pub(super) fn from(
        &self,
        start: Option<NonNull<Segment>>,
    ) -> impl Iterator<Item = NonNull<Segment>> {
        // A row that was unlinked before this walk began leads nowhere.
        // SAFETY: by the contract.
        let start = start.filter(|segment| !unsafe { Segment::at(*segment) }.is_closed());
        let first = start.is_none();
        let rest = iter::successors(start, Self::next);
        rest.chain(
            self.all()
                .take_while(move |segment| first || Some(*segment) != start),
        )
    }

    #[inline(always)]
    fn next(segment: &NonNull<Segment>) -> Option<NonNull<Segment>> {
        // SAFETY: the walk keeps the row. Ordering: Relaxed. It leads to a row that was linked earlier than this one, and only
        // read-modify-writes change the first link: who has acquired this row there has acquired the others too.
        NonNull::new(unsafe { Segment::at(*segment) }.next.load(Relaxed))
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        // Ordering: Release, for what was read of the rows, and for what is held now; Acquire pairs with the Release in
        // `free_retired`: if that has counted this walk, the flag is seen.
        if self.0.walkers.fetch_sub(1, AcqRel) == 1 && self.0.stale.load(Relaxed) & WALKED != 0 {
            self.0.tidy_up();
        }
    }
}
