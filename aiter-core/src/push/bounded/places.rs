//! The places of a bounded list: how many are claimed, and who hears of one that becomes free.
//!
//! | word | values | written by |
//! |---|---|---|
//! | `claimed` | items that were pushed, permits that are out, and pushers that wait: the number of the item that the next place is for | one more: a push or a permit that takes a place, by a compare-exchange below the limit; a pusher that begins to wait, by an addition. One less: a permit that gives its place back; the holder of the lock, for a pusher that was dropped while it waited |
//! | `limit` | a lower bound of the items that the slowest reader has passed, and `n` | a pusher that finds `claimed` at it computes it anew, from the positions that readers publish |
//! | `watched` | 1 while readers have to report that they have passed an item | the holder of the lock |
//!
//! See `docs/design/bounded.md` for the proofs.

use crate::{
    list::{MAX_DISTANCE, Observer, numbers_apart},
    sync::{
        AtomicUsize, AtomicWord,
        Ordering::{Acquire, Relaxed},
        Word, fence, truncate,
    },
};

pub(super) struct Places<T> {
    claimed: AtomicWord,
    limit: AtomicUsize,
    /// The most places that are taken at a time.
    n: usize,
    observer: Observer<T>,
    watched: Apart,
}

/// Readers load this with each item, and pushers write the other words with each item.
#[repr(align(64))]
struct Apart(AtomicUsize);

impl<T> Places<T> {
    pub(super) fn new(n: usize, observer: Observer<T>) -> Self {
        let n = n.min(MAX_DISTANCE);
        Self {
            claimed: AtomicWord::new(0),
            limit: AtomicUsize::new(n),
            n,
            observer,
            watched: Apart(AtomicUsize::new(0)),
        }
    }

    /// Takes a place if there is one that no waiting pusher is to have.
    #[inline]
    pub(super) fn try_take(&self) -> bool {
        self.try_take_known() || self.try_take_slow()
    }

    /// The same without a look at the readers: it may fail though there is a place.
    #[inline]
    pub(super) fn try_take_known(&self) -> bool {
        let claimed = self.claimed.load(Relaxed);
        // Ordering: Relaxed. The limit only grows, and what was loaded is at most what it is now.
        let limit = self.limit.load(Relaxed);
        numbers_apart(truncate(claimed), limit) > 0 && self.try_claim(claimed)
    }

    /// The same unless pushers seem to wait, so that a look at the readers would be in vain.
    pub(super) fn try_take_first(&self) -> bool {
        let claimed = truncate(self.claimed.load(Relaxed));
        numbers_apart(claimed, self.limit.load(Relaxed)) >= 0 && self.try_take_slow()
    }

    #[cold]
    #[inline(never)]
    fn try_take_slow(&self) -> bool {
        loop {
            // Ordering: Acquire, before the limit is computed: at the moment of this load there
            // were no more free places than are found.
            let claimed = self.claimed.load(Acquire);
            if !self.is_below_limit(truncate(claimed)) {
                return false;
            }
            if self.try_claim(claimed) {
                return true;
            }
        }
    }

    #[inline]
    fn try_claim(&self, claimed: Word) -> bool {
        // Ordering: Relaxed, because the place is only a number: the list orders what is written
        // into its slots.
        self.claimed
            .compare_exchange(claimed, claimed.wrapping_add(1), Relaxed, Relaxed)
            .is_ok()
    }

    /// Claims a place for a pusher that is about to wait. Returns whether the place is there
    /// already.
    pub(super) fn claim(&self) -> bool {
        // Ordering: Relaxed, see `try_claim`.
        let claimed = self.claimed.fetch_add(1, Relaxed);
        numbers_apart(truncate(claimed), self.limit.load(Relaxed)) > 0
    }

    /// Whether the first of `waiting` pushers can have its place. Others may have claimed theirs
    /// and be on their way to the queue: they count as if they were before it. If the limit
    /// `is_known`, this does not look at the readers.
    pub(super) fn has_place_for(&self, waiting: usize, is_known: bool) -> bool {
        // Ordering: Relaxed. A pusher that claims a place later than this makes a request
        // afterwards, and so does a thread that gives one back.
        let claimed = truncate(self.claimed.load(Relaxed)).wrapping_sub(waiting);
        numbers_apart(claimed, self.limit.load(Relaxed)) > 0
            || !is_known && self.is_below_limit(claimed)
    }

    fn is_below_limit(&self, claimed: usize) -> bool {
        let mut known = self.limit.load(Relaxed);
        if numbers_apart(claimed, known) > 0 {
            return true;
        }
        // Without readers the list is closed, and refuses the push.
        let Some(slowest) = self.observer.slowest() else {
            return true;
        };
        let limit = slowest.wrapping_add(self.n);
        while numbers_apart(known, limit) > 0 {
            // Ordering: Relaxed, because only the value counts. Another thread may have stored a
            // limit that is less than this one.
            match self
                .limit
                .compare_exchange_weak(known, limit, Relaxed, Relaxed)
            {
                Ok(_) => break,
                Err(now) => known = now,
            }
        }
        numbers_apart(claimed, limit) > 0
    }

    /// Gives up a claim. Unless it was that of a pusher that waits, the caller has to
    /// [announce](super::waiters::Shared::announce) the place.
    pub(super) fn give_back(&self) {
        // Ordering: Relaxed, because the place is only a number; see `try_claim`.
        self.claimed.fetch_sub(1, Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.observer.is_closed()
    }

    /// Whether a reader that has left before the item with this number has made no room.
    pub(super) fn is_followed_at(&self, number: usize) -> bool {
        self.observer.is_followed_at(number)
    }

    /// Whether readers have to report. To be called after the publication of a position, the return
    /// of a place, or the close.
    #[inline]
    pub(super) fn is_watched_after_fence(&self) -> bool {
        // Ordering: between what the caller has done and the load; pairs with the heavy half in
        // `watch`: either the holder of the lock sees that, or this thread sees that it is awaited.
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
