//! The retained items of a hub: a [`Trail`] behind a lock.
//!
//! Every push has the trail follow. A thread that finds the lock held delegates that, and goes on:
//! the holder serves it before the release. A subscriber that finds it held leaves a request for a
//! place, and gets the place later. `aiter-core/docs/design/hub.md` says why it misses nothing.

use crate::{
    handoff::{Combine, HandoffLock, REQUESTS},
    list::{Late, Passed, Place, Reader, ReaderCount, Trail, Writer},
    wait::join::{Joiners, Served},
};

/// Request: give those that ask for it a place, and have the trail follow.
const SERVE: usize = REQUESTS[0];

pub(super) struct Retained<T>(HandoffLock<Shared<T>>);

struct Shared<T> {
    joiners: Joiners<Place<T>>,
}

/// Work that is left for the time after the release. The tasks are woken first, and the items are
/// dropped also if a waker panics.
struct FollowUp<T> {
    _served: Served<Place<T>>,
    _passed: Passed<T>,
}

impl<T> Default for FollowUp<T> {
    fn default() -> Self {
        Self {
            _served: Served::default(),
            _passed: Passed::default(),
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
            self.joiners.serve(&mut follow_up._served, || trail.place());
            trail.follow(head, &mut follow_up._passed);
        }
    }

    fn follow_up(&self, follow_up: FollowUp<T>) {
        drop(follow_up);
    }
}

impl<T> Retained<T> {
    pub(super) fn new(trail: Trail<T>) -> Self {
        let joiners = Joiners::new();
        Self(HandoffLock::new(Shared { joiners }, trail))
    }

    /// To be called after each push and after the close.
    #[inline]
    pub(super) fn serve(&self) {
        self.0.notify(SERVE);
    }

    /// A reader that starts `items` before the end of the list.
    pub(super) fn join(
        &self,
        writer: &Writer<T>,
        count: ReaderCount<T>,
        items: usize,
    ) -> (Reader<T>, Option<Late<T>>)
    where
        T: Clone + Sync,
    {
        if let Some(mut guard) = self.0.try_lock() {
            let placed = guard.with(|_, trail| Some((trail.head()?, trail.place())));
            // The release may run users' code, so the place is not left to a panic there.
            drop(guard);
            if let Some((head, place)) = placed {
                return Late::placed(place, count, head, items);
            }
        }
        let joining = self.0.shared().joiners.request();
        let head = writer.announce();
        let (reader, late) = Late::joining(joining, count, head, items);
        self.serve();
        // Most often it was served just now.
        let mut late = late;
        let mut reader = reader;
        let is_settled = late.settle(&mut reader, None);
        (reader, (!is_settled).then_some(late))
    }
}
