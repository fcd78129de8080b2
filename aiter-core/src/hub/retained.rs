//! The retained items of a hub: a [`Trail`] behind a lock.
//!
//! Every push has the trail follow. A thread that finds the lock held delegates that, and goes on:
//! the holder serves it before the release. A subscriber that finds it held leaves a request for a
//! place, and gets the place later. `aiter-core/docs/design/hub.md` says why it misses nothing.

use crate::{
    handoff::{Combine, Deposits, HandoffLock, REQUESTS},
    list::{Late, Passed, Place, Reader, ReaderCount, Trail, Writer},
    ring::{Ring, RingCursor},
    wait::join::{Joiners, Joining, Promise, Served},
};
use alloc::vec::Vec;
use scopeguard::{ScopeGuard, guard};

/// Request: give those that ask for it a place, and have the trail follow.
const SERVE: usize = REQUESTS[0];

pub(super) struct Retained<T>(HandoffLock<Shared<T>>);

struct Shared<T> {
    joiners: Joiners<Place<T>>,
    /// Cursors of rings that expect a reader.
    expecting: Deposits<Expecting<T>>,
}

struct Expecting<T> {
    ring: Ring<T>,
    limit: usize,
    /// Of the reader that is to be brought.
    count: ReaderCount<T>,
    promise: Promise<()>,
}

/// Work that is left for the time after the release. The tasks are woken first, and the items are
/// dropped also if a waker panics.
struct FollowUp<T> {
    served: Served<Place<T>>,
    expected: Expected<T>,
    passed: Passed<T>,
}

/// Places for cursors that expect a reader. Dropping them brings the readers.
struct Expected<T>(Vec<(Expecting<T>, Place<T>)>);

impl<T> Expected<T> {
    #[cold]
    #[inline(never)]
    fn bring_all(&mut self) {
        while let Some((expecting, place)) = self.0.pop() {
            let Expecting {
                ring,
                limit,
                count,
                promise,
            } = expecting;
            // The others also if users' code panics.
            let others = guard(&mut *self, |expected| expected.bring_all());
            // It is told also if users' code panics in the transfer.
            let promise = guard(promise, |promise| promise.keep(()));
            let reader = place.reader(count);
            drop(place);
            ring.bring(reader, limit);
            drop(promise);
            ScopeGuard::into_inner(others);
        }
    }
}

impl<T> Drop for Expected<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.bring_all();
        }
    }
}

impl<T> Default for FollowUp<T> {
    fn default() -> Self {
        Self {
            served: Served::default(),
            expected: Expected(Vec::new()),
            passed: Passed::default(),
        }
    }
}

impl<T> Combine for Shared<T> {
    type State = Trail<T>;
    type FollowUp = FollowUp<T>;

    #[inline]
    fn nothing_due(&self, _: &Trail<T>) -> bool {
        true
    }

    fn combine(&self, trail: &mut Trail<T>, _: usize, follow_up: &mut FollowUp<T>) {
        // The head comes first, then the requests, and the trail last. If the list is being closed,
        // the closing thread requests this again.
        if let Some(head) = trail.head() {
            self.joiners.serve(&mut follow_up.served, || trail.place());
            if !self.expecting.is_empty() {
                let expecting = self.expecting.take_all();
                let expected = expecting.map(|expecting| (expecting, trail.place()));
                follow_up.expected.0.extend(expected);
            }
            trail.follow(head, &mut follow_up.passed);
        }
    }

    fn follow_up(&self, follow_up: FollowUp<T>) {
        drop(follow_up);
    }
}

impl<T> Retained<T> {
    pub(super) fn new(trail: Trail<T>) -> Self {
        let shared = Shared {
            joiners: Joiners::new(),
            expecting: Deposits::new(),
        };
        Self(HandoffLock::new(shared, trail))
    }

    /// To be called after each push and after the close.
    #[inline]
    pub(super) fn serve(&self) {
        // Not `HandoffLock::notify`: a request that comes while this thread does the work must not
        // pass for the one that it serves, because it may ask for a place, or follow a later push.
        let Some(mut guard) = self.0.try_lock() else {
            drop(self.0.delegate(SERVE));
            return;
        };
        let mut follow_up = FollowUp::default();
        guard.with(|shared, trail| shared.combine(trail, SERVE, &mut follow_up));
        drop(guard);
        drop(follow_up);
    }

    /// A reader that starts `items` before the end of the list.
    pub(super) fn join(&self, writer: &Writer<T>, items: usize) -> (Reader<T>, Option<Late<T>>)
    where
        T: Clone + Sync,
    {
        let mut count = writer.count_reader();
        if let Some(mut guard) = self.0.try_lock() {
            let placed = guard.with(|_, trail| Some((trail.head()?, trail.place())));
            // The release may run users' code, so what is returned is made after it.
            drop(guard);
            if let Some((head, place)) = placed {
                count.count_user();
                return Late::placed(place, count, head, items);
            }
        }
        let joining = self.0.shared().joiners.request();
        let head = writer.announce();
        // Not earlier: a pusher that finds the reader counted pushes to it.
        count.count_user();
        let (mut reader, mut late) = Late::joining(joining, count, head, items);
        self.serve();
        // Most often it was served just now.
        let is_settled = late.settle(&mut reader, None);
        (reader, (!is_settled).then_some(late))
    }

    /// A cursor of the hub's ring that starts `items` before the end of the list. It must not be
    /// polled until what it expects is there.
    pub(super) fn join_ring(
        &self,
        writer: &Writer<T>,
        ring: &Ring<T>,
        items: usize,
        limit: usize,
    ) -> (RingCursor<T>, Option<Joining<()>>)
    where
        T: Clone + Sync,
    {
        let count = writer.count_reader();
        if let Some(mut guard) = self.0.try_lock() {
            let placed = guard.with(|_, trail| Some((trail.head()?, trail.place())));
            drop(guard);
            if let Some((head, place)) = placed {
                let mut reader = place.reader(count);
                drop(place);
                let mut ahead = 0;
                if let Some(start) = reader.start(head, items) {
                    reader.pass_to(start);
                    ahead = reader.slots_to(start);
                }
                return (ring.join_ahead(reader, ahead, limit), None);
            }
        }
        // The cursor is there before its reader can be, and no further on than it will be.
        let now = writer.announce();
        let tail = writer.tail_at(now);
        let mut cursor = ring.expect(tail, items, limit);
        let ring = ring.clone();
        let (expects, promise) = Joining::promised();
        let expecting = Expecting {
            ring,
            limit,
            count,
            promise,
        };
        self.0.shared().expecting.push(expecting);
        let head = writer.announce();
        match writer.tail_at(head) {
            Some(tail) => cursor.move_to(tail, items),
            // Nothing follows what is there.
            None => cursor.limit_to(items),
        }
        self.serve();
        (cursor, Some(expects))
    }
}
