//! [`Pusher`]: the end that items are pushed into.

use super::PushAiter;
use crate::{Statistics, error::Stopped, list::Writer};
use alloc::vec::Vec;
use core::fmt;
use scopeguard::ScopeGuard;

/// The end of a [push list](super::push_aiter) that items are pushed into. Clone it to push from
/// several places.
///
/// Dropping the last one stops the list. A [`WeakPusher`](super::WeakPusher) does not keep it open.
pub struct Pusher<T> {
    pub(super) writer: Writer<T>,
}

/// The longest batch that is written while its iterator runs. A longer one is collected first. This
/// bounds the cost of an iterator that reports a wrong length: at most this many slots without an
/// item.
const fn longest_direct_batch<T>() -> usize {
    let (items, bytes) = if usize::BITS == 64 {
        (1 << 17, 1 << 20)
    } else {
        (1 << 8, 1 << 10)
    };
    match size_of::<T>() {
        0 => items,
        size if bytes / size < items => bytes / size,
        _ => items,
    }
}

impl<T> Pusher<T> {
    pub(crate) fn new(writer: Writer<T>) -> Self {
        Self { writer }
    }

    /// Appends an item, and wakes the consumers that wait for it.
    ///
    /// # Errors
    /// Gives the item back after [`stop`](Self::stop), or if no consumer is left. Every consumer
    /// that is not dropped receives each accepted item.
    ///
    /// # Progress
    /// Lock-free, and wait-free except for every 64th item (every 32nd where words have 32 bits),
    /// whose pusher may race others to link the next block. A push never waits for a consumer or
    /// another pusher. A pusher that is preempted in this call holds back the items behind its own
    /// until it continues, and consumers sleep meanwhile. Wakers run inside this call.
    ///
    /// With the feature `std`, a push that finds another pusher at work may pause for 40 [spin-loop
    /// hints](core::hint::spin_loop), if that has helped on this list lately.
    ///
    /// # Example
    /// ```
    /// let (pusher, mut aiter) = aiter_core::push_aiter();
    /// pusher.push("item").unwrap();
    /// assert_eq!(aiter.try_next(), Ok("item"));
    /// drop(aiter);
    /// assert_eq!(pusher.push("late").unwrap_err().0, "late");
    /// ```
    #[inline]
    pub fn push(&self, item: T) -> Result<(), Stopped<T>> {
        self.writer.push(item).map_err(Stopped)
    }

    /// Appends a batch of items. No other push comes in between.
    ///
    /// If the iterator reports its exact length, of at most 131072 items and a mebibyte (256 items
    /// and a kibibyte where words have 32 bits), items become visible block by block while it runs.
    /// While it runs, it holds back the items of other pushers behind the batch, so it should not
    /// wait for their consumers. In all other cases the iterator first runs to its end, and its
    /// items are pushed then.
    ///
    /// If the iterator panics, the items that it had yielded are delivered. If it yields fewer
    /// items than it reported, the batch is that much shorter. If it yields more, the others are
    /// pushed after the batch, and other pushes may come in between.
    ///
    /// # Errors
    /// Gives back the items that were not pushed, in order. These are all items, unless the
    /// iterator reported too small a length and the list was stopped in between. An empty batch is
    /// never refused.
    ///
    /// # Panics
    /// If the waker of a consumer panics; the rest of the batch is pushed all the same, and if the
    /// iterator panics as well while that is done, the program aborts. If the iterator panics. If
    /// the batches that are being pushed to this list at the same time
    /// have more items together than positions can tell apart: 2²⁶ where words have 32 bits (items
    /// of one byte can be so many), and 2⁵⁸ where they have 64.
    ///
    /// # Progress
    /// As [`push`](Self::push), with one reservation for the whole batch and one publication for
    /// each block that it touches.
    ///
    /// # Example
    /// ```
    /// let (pusher, aiter) = aiter_core::push_aiter();
    /// pusher.push_all(0..5).unwrap();
    /// assert!(aiter.available_iter().eq(&[0, 1, 2, 3, 4]));
    /// ```
    pub fn push_all(&self, items: impl IntoIterator<Item = T>) -> Result<(), Stopped<Vec<T>>> {
        let mut items = items.into_iter();
        match items.size_hint() {
            (len, Some(most)) if len == most && len <= longest_direct_batch::<T>() => {
                let yielded_all = len == 0
                    || match self.writer.push_batch(len, &mut items) {
                        Ok(yielded_all) => yielded_all,
                        Err(()) => return Err(Stopped(items.collect())),
                    };
                // The iterator may be longer than it reported. One that ended before is not asked
                // again.
                match yielded_all.then(|| items.next()).flatten() {
                    None => Ok(()),
                    Some(item) => push_collected(&self.writer, core::iter::once(item).chain(items)),
                }
            }
            _ => push_collected(&self.writer, items),
        }
    }

    /// Ends the list, and wakes the consumers that wait. They receive the items that were pushed
    /// before, then the end.
    ///
    /// A stop is linearizable against pushes: each push is either accepted, before the stop, or
    /// gives its item back. Stopping again does nothing.
    ///
    /// # Progress
    /// As [`push`](Self::push).
    ///
    /// # Example
    /// ```
    /// # use aiter_core::TryNextError;
    /// let (pusher, mut aiter) = aiter_core::push_aiter();
    /// pusher.push(1).unwrap();
    /// pusher.stop();
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
    /// ```
    pub fn stop(&self) {
        self.writer.close();
    }

    /// Whether the list refuses pushes: it was [stopped](Self::stop), or has no consumer left.
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_stopped(&self) -> bool {
        self.writer.is_closed()
    }

    /// Creates a consumer, which receives the items that are pushed from here on. It is passive: it
    /// never runs a [`preflight`](super::push_aiter_with).
    ///
    /// After [`stop`](Self::stop), or if no consumer is left, the new consumer has ended from the
    /// start, because a list without consumers stays stopped. Keep one consumer to subscribe beside
    /// it.
    ///
    /// Items are cloned for every consumer except the last one to read them. Several consumers may
    /// clone one item at once, hence the bounds.
    ///
    /// # Progress
    /// As [`push`](Self::push). It allocates a few words for every few consumers.
    ///
    /// # Example
    /// ```
    /// let (pusher, first) = aiter_core::push_aiter();
    /// pusher.push(1).unwrap();
    /// let late = pusher.subscribe();
    /// pusher.push(2).unwrap();
    /// assert!(first.available_iter().eq(&[1, 2]));
    /// assert!(late.available_iter().eq(&[2]));
    /// ```
    pub fn subscribe(&self) -> PushAiter<T>
    where
        T: Clone + Sync,
    {
        PushAiter::new(self.writer.subscribe(), None)
    }

    /// A snapshot of the list's counters, for metrics. It loads one word for each consumer.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// let (pusher, mut aiter) = aiter_core::push_aiter();
    /// pusher.push_all(0..10).unwrap();
    /// let _slow = aiter.fork();
    /// aiter.try_next().unwrap();
    /// let now = pusher.statistics();
    /// assert_eq!((now.pushed, now.taken, now.waiting, now.lag), (10, 1, 9, 10));
    /// ```
    pub fn statistics(&self) -> Statistics {
        self.writer.statistics()
    }
}

/// Collects the items first, then pushes them as a batch.
pub(crate) fn push_collected<T>(
    writer: &Writer<T>,
    items: impl Iterator<Item = T>,
) -> Result<(), Stopped<Vec<T>>> {
    // Pushes what was collected, also if the iterator panics. Then no caller is left who could be
    // told that the list is closed.
    let mut collected = scopeguard::guard(Chunks::default(), |collected| {
        push_chunks(writer, collected).ok();
    });
    for item in items {
        collected.push(item);
    }
    push_chunks(writer, ScopeGuard::into_inner(collected))
}

fn push_chunks<T>(writer: &Writer<T>, mut items: Chunks<T>) -> Result<(), Stopped<Vec<T>>> {
    match items.len {
        0 => Ok(()),
        len => match writer.push_batch(len, &mut items) {
            Ok(_) => Ok(()),
            Err(()) => Err(Stopped(items.collect())),
        },
    }
}

impl<T> Clone for Pusher<T> {
    fn clone(&self) -> Self {
        Self::new(self.writer.clone())
    }
}

/// Pushes each item. Once the list is stopped, the items are dropped.
impl<T> Extend<T> for Pusher<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            if self.push(item).is_err() {
                return;
            }
        }
    }
}

impl<T> fmt::Debug for Pusher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pusher")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}

/// Items in chunks. Each chunk is freed as soon as its items were yielded, so that a batch that
/// moves into the list is not held twice.
struct Chunks<T> {
    chunks: alloc::collections::VecDeque<Vec<T>>,
    first: alloc::vec::IntoIter<T>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self {
            chunks: Default::default(),
            first: Vec::new().into_iter(),
            len: 0,
        }
    }
}

impl<T> Chunks<T> {
    const CHUNK: usize = 256;

    fn push(&mut self, item: T) {
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < Self::CHUNK => chunk.push(item),
            _ => {
                // The first chunk grows as needed, because most batches are short.
                let mut chunk = Vec::with_capacity(if self.chunks.is_empty() {
                    4
                } else {
                    Self::CHUNK
                });
                chunk.push(item);
                self.chunks.push_back(chunk);
            }
        }
        // There may be more items of size zero than can be counted. The list refuses such a batch.
        self.len = self.len.saturating_add(1);
    }
}

impl<T> Iterator for Chunks<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(item) = self.first.next() {
                return Some(item);
            }
            self.first = self.chunks.pop_front()?.into_iter();
        }
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{push_aiter, test_support::panic_of};

    /// Items of size zero reach such a number: each 256 of them take only the header of a vector.
    #[test]
    fn a_batch_of_more_than_can_be_counted_is_refused() {
        let (pusher, aiter) = push_aiter();
        let mut items = Chunks {
            len: usize::MAX - 1,
            ..Chunks::default()
        };
        items.push(());
        items.push(());
        assert_eq!(items.len, usize::MAX);
        let message = panic_of(|| pusher.writer.push_batch(items.len, &mut items));
        assert_eq!(message, "capacity overflow");
        pusher.push(()).unwrap();
        assert_eq!(aiter.len(), 1);
    }
}
