//! The places of a bounded list: how many are taken, and who hears of one that becomes free.
//!
//! | word | values | written by |
//! |---|---|---|
//! | `admitted` | items that were pushed, and permits that are out, as a [`Count`] | one more: whoever takes a place, by a compare-exchange below the limit. One less: whoever gives a permit back |
//! | `limit` | a lower bound of the items that the slowest reader has passed, and `n` | whoever finds `admitted` at it computes it anew, from the positions that readers publish |
//! | `queued` | pushers that wait and have no place yet | one more: a pusher, before it passes its ticket on. One less: the holder of the lock, when it answers the ticket or finds it dropped |
//! | `watched` | 1 while readers have to report that they have passed an item | the holder of the lock |
//!
//! See `docs/design/bounded.md` for the proofs.

use crate::{
    list::{
        Observer,
        count::{self, Count, ahead, distance},
    },
    sync::{
        AtomicUsize, AtomicWord,
        Ordering::{Acquire, Relaxed},
        Word, fence, truncate,
    },
};

pub(super) struct Places<T> {
    admitted: AtomicWord,
    limit: AtomicUsize,
    queued: AtomicUsize,
    /// The most places that are taken at a time.
    n: usize,
    observer: Observer<T>,
    watched: Apart,
}

/// Readers load this with each item, and pushers write the other words with each item.
#[repr(align(64))]
struct Apart(AtomicUsize);

/// What one place adds to `admitted`.
const ONE: Word = ahead(0, 1) as Word;

impl<T> Places<T> {
    pub(super) fn new(n: usize, observer: Observer<T>) -> Self {
        let n = n.min(count::MAX);
        Self {
            admitted: AtomicWord::new(count::FIRST as Word),
            limit: AtomicUsize::new(ahead(count::FIRST, n)),
            queued: AtomicUsize::new(0),
            n,
            observer,
            watched: Apart(AtomicUsize::new(0)),
        }
    }

    /// Takes a place if there is one that no waiting pusher is to have.
    #[inline]
    pub(super) fn try_take(&self) -> bool {
        let admitted = self.admitted.load(Relaxed);
        // Ordering: Relaxed. The limit only grows, and what was loaded is at most what it is now.
        let free = distance(truncate(admitted), self.limit.load(Relaxed));
        // Ordering: Relaxed. A pusher that began to wait before this call is counted, and places
        // that it is to have are not taken here.
        (free > self.queued.load(Relaxed) as isize && self.try_admit(admitted).is_ok())
            || self.try_take_slow()
    }

    #[cold]
    #[inline(never)]
    fn try_take_slow(&self) -> bool {
        loop {
            // Ordering: Acquire, before the limit is computed: at the moment of this load there
            // were no more free places than are found.
            let admitted = self.admitted.load(Acquire);
            let queued = self.queued.load(Acquire);
            if distance(truncate(admitted), self.compute_limit(admitted)) <= queued as isize {
                return false;
            }
            if self.try_admit(admitted).is_ok() {
                return true;
            }
        }
    }

    /// Takes a place for the first pusher in the queue. Only the holder of the lock may call this.
    pub(super) fn take_for_waiter(&self) -> bool {
        loop {
            let admitted = self.admitted.load(Acquire);
            if distance(truncate(admitted), self.compute_limit(admitted)) <= 0 {
                return false;
            }
            if self.try_admit(admitted).is_ok() {
                return true;
            }
        }
    }

    #[inline]
    fn try_admit(&self, admitted: Word) -> Result<Word, Word> {
        // Ordering: Relaxed, because the place is only a number: the list orders what is written
        // into its slots.
        self.admitted
            .compare_exchange(admitted, admitted.wrapping_add(ONE), Relaxed, Relaxed)
    }

    /// Looks how far the slowest reader has come.
    fn compute_limit(&self, admitted: Word) -> Count {
        let known = self.limit.load(Relaxed);
        // Without readers the list is closed, and refuses the push.
        let passed = self.observer.passed().unwrap_or(truncate(admitted));
        let limit = ahead(passed, self.n);
        if distance(known, limit) <= 0 {
            return known;
        }
        // Ordering: Relaxed. If it fails, another thread has computed a limit.
        let _ = self.limit.compare_exchange(known, limit, Relaxed, Relaxed);
        limit
    }

    /// Gives a place back. The caller has to [announce](super::waiters::announce) it.
    pub(super) fn give_back(&self) {
        // Ordering: Relaxed, because the place is only a number; see `try_admit`. The fence in
        // `announce` follows.
        self.admitted.fetch_sub(ONE, Relaxed);
    }

    /// Counts a pusher that begins to wait.
    pub(super) fn add_queued(&self) {
        self.queued.fetch_add(1, Relaxed);
    }

    /// Counts a pusher that has its answer, or was dropped.
    pub(super) fn remove_queued(&self) {
        self.queued.fetch_sub(1, Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.observer.is_closed()
    }

    /// Whether readers have to report. A reader calls it after it has passed an item: the store of
    /// its position comes before this load.
    #[inline]
    pub(super) fn is_watched_after_fence(&self) -> bool {
        // Ordering: between the publication of a position (or the return of a place, or the close)
        // and the load; pairs with the heavy half in `watch`: either the holder of the lock sees
        // the place, or this thread sees that it is awaited.
        fence::light();
        self.is_watched()
    }

    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.watched.0.load(Relaxed) != 0
    }

    /// Has readers report. The caller has to look for places once more. Returns `false` if a reader
    /// may be missed, as [`fence::heavy`] does.
    #[must_use]
    pub(super) fn watch(&self) -> bool {
        self.watched.0.store(1, Relaxed);
        // Ordering: pairs with the light half in `is_watched_after_fence`.
        fence::heavy()
    }

    pub(super) fn unwatch(&self) {
        self.watched.0.store(0, Relaxed);
    }
}
