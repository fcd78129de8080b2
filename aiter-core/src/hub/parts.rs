//! What a hub consists of, whatever its bound.

use super::{SkipAiter, retained::Retained};
use crate::{
    Statistics,
    list::{Reader, Writer, open_list, trailed_list},
    push::PushAiter,
    ring::Ring,
    sync::{AtomicUsize, OnceBox, Ordering},
};
use scopeguard::{defer, guard};

/// The list of a hub, with what follows it.
pub(super) struct Core<T> {
    pub(super) writer: Writer<T>,
    /// `None` if the hub retains nothing.
    pub(super) retained: Option<Retained<T>>,
    /// Made for the first reader that may miss items, or with `retained`.
    ring: OnceBox<Ring<T>>,
    /// The number of items that were dropped because there was no reader.
    pub(super) unread: AtomicUsize,
}

impl<T> Core<T> {
    pub(super) fn new(retains: usize) -> Self {
        let ring = OnceBox::new();
        let (writer, retained) = match retains {
            0 => (open_list(), None),
            items => {
                let (writer, trail) = trailed_list(items);
                ring.get_or_make(|| Ring::near(trail.as_reader()));
                (writer, Some(Retained::new(trail)))
            }
        };
        Self {
            writer,
            retained,
            ring,
            unread: AtomicUsize::new(0),
        }
    }

    /// To be called after each push.
    #[inline]
    pub(super) fn pushed(&self) {
        let Some(retained) = &self.retained else {
            return self.feed();
        };
        // The ring's reader goes first, so that the trail can pass the items behind it without
        // another look at the readers. The trail follows also if a user's code panics.
        defer! { retained.serve() };
        self.feed();
    }

    #[inline]
    fn feed(&self) {
        if let Some(ring) = self.ring.get().filter(|ring| ring.has_cursors()) {
            ring.transfer();
        }
    }

    pub(super) fn stop(&self) {
        // Those that ask for a place while the list is being closed are served afterwards, also if
        // the waker of a reader panics.
        defer! { self.pushed() };
        self.writer.close();
    }

    /// Counts items that nobody would have read.
    pub(super) fn count_unread(&self, items: usize) {
        // Ordering: Relaxed, only the sum counts.
        self.unread.fetch_add(items, Ordering::Relaxed);
    }

    /// A reader that reserves a slot. Items behind that slot may have been published before it, and
    /// the ring's feed comes to them only now.
    fn subscribe(&self) -> Reader<T>
    where
        T: Clone + Sync,
    {
        // Also if the waker of a reader panics.
        let feed = guard((), |()| self.feed());
        let reader = self.writer.subscribe_exact();
        // Not left to the end of the function: a waker that panics there would leak the reader.
        drop(feed);
        reader
    }

    /// A reader that misses nothing, from the last `items` on.
    pub(super) fn lossless(&self, items: usize) -> PushAiter<T>
    where
        T: Clone + Sync,
    {
        PushAiter::late(match &self.retained {
            Some(retained) => retained.join(&self.writer, items),
            None => {
                let mut reader = self.subscribe();
                reader.count_user();
                (reader, None)
            }
        })
    }

    /// A reader that misses what is older than the latest `limit` items, from the last `items` on.
    pub(super) fn lossy(&self, items: usize, limit: usize) -> SkipAiter<T>
    where
        T: Clone + Sync,
    {
        match (&self.retained, self.ring.get()) {
            (Some(retained), Some(ring)) => {
                let (cursor, expects) = retained.join_ring(&self.writer, ring, items, limit);
                // Not earlier: a pusher that finds the reader counted pushes to it.
                let count = self.writer.count_user();
                SkipAiter::new(cursor, Some(count), expects)
            }
            _ => {
                let reader = self.subscribe();
                if reader.is_ended() {
                    // It is one of another list, which is not counted.
                    let ring = Ring::near(&reader);
                    let cursor = ring.join_ahead(reader, 0, limit);
                    return SkipAiter::new(cursor, None, None);
                }
                let ring = self.ring.get_or_make(|| Ring::near(&reader));
                let cursor = ring.join_ahead(reader, 0, limit);
                SkipAiter::new(cursor, Some(self.writer.count_user()), None)
            }
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        match self.ring.get() {
            Some(ring) => ring.statistics(),
            None => self.writer.statistics(),
        }
    }
}

impl<T> Drop for Core<T> {
    fn drop(&mut self) {
        self.stop();
    }
}
