//! The end that appends.

use super::PushAiter;
use crate::{Statistics, list::Writer};
use alloc::vec::Vec;
use core::{error, fmt};

/// The end of a [push list](super::push_aiter) that items are pushed into. Clone it to push from several places.
///
/// Dropping the last one stops the list.
pub struct Pusher<T> {
    writer: Writer<T>,
}

/// The list takes no items any more; here is what was to be pushed.
///
/// It was [stopped](Pusher::stop), or its last consumer is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stopped<T>(pub T);

/// The longest batch that is written while its iterator runs; a longer one is collected first. This bounds what an
/// iterator that lies about its length can cost: so many slots without an item.
const fn trusted<T>() -> usize {
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
    /// Gives the item back after [`stop`](Self::stop), or when no consumer is left. One that was accepted is delivered
    /// to each consumer that stays.
    ///
    /// # Progress
    /// Lock-free, and wait-free but for every 62nd item (30th where words have 32 bits), whose pusher may race others
    /// to link the next block. Never waits for a consumer or another pusher. A pusher that is preempted in here holds
    /// back the items behind its own until it goes on; consumers sleep that long. Wakers run in here.
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

    /// The same as [`push`](Self::push), for code that has the pusher to itself. Both cost one atomic read-modify-write.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Progress
    /// As [`push`](Self::push).
    ///
    /// # Example
    /// ```
    /// let (mut pusher, mut aiter) = aiter_core::push_aiter();
    /// for n in 0..3 {
    ///     pusher.push_mut(n).unwrap();
    /// }
    /// assert_eq!(aiter.try_next(), Ok(0));
    /// ```
    #[inline]
    pub fn push_mut(&mut self, item: T) -> Result<(), Stopped<T>> {
        self.push(item)
    }

    /// Appends a batch. No other push lands inside it.
    ///
    /// Items become visible while the iterator runs if it tells its exact length, of at most 131072 items and a mebibyte
    /// (256 and a kibibyte where words have 32 bits). Otherwise the iterator is run to its end first, and its items are
    /// pushed then. While it runs, items of other pushers behind the batch are held back: it should not wait for their
    /// consumers.
    ///
    /// If the iterator panics, what it had yielded is delivered. If it yields fewer items than it said, nobody waits for
    /// the others; if more, those come after the batch, where other pushes may land between.
    ///
    /// # Errors
    /// Gives back the items that were not pushed, in order: all of them, unless the iterator said too small a length
    /// and the list was stopped in between. A batch without items is never refused.
    ///
    /// # Panics
    /// When the iterator panics.
    ///
    /// # Progress
    /// As [`push`](Self::push), with one reservation for the whole batch and one publication for every 31 items (15).
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
            (len, Some(most)) if len == most && len <= trusted::<T>() => {
                let yielded_all = len == 0
                    || match self.writer.push_batch(len, &mut items) {
                        Ok(yielded_all) => yielded_all,
                        Err(()) => return Err(Stopped(items.collect())),
                    };
                // An iterator that is longer than it said. One that ended before is not asked again.
                match yielded_all.then(|| items.next()).flatten() {
                    None => Ok(()),
                    Some(item) => self.push_collected(core::iter::once(item).chain(items)),
                }
            }
            _ => self.push_collected(items),
        }
    }

    /// Collects the items first, then pushes them.
    fn push_collected(&self, items: impl Iterator<Item = T>) -> Result<(), Stopped<Vec<T>>> {
        /// Pushes what was collected, also when the iterator panics.
        struct Collected<'a, T> {
            writer: &'a Writer<T>,
            items: Chunks<T>,
        }
        impl<T> Collected<'_, T> {
            fn push(&mut self) -> Result<(), Stopped<Vec<T>>> {
                let mut items = core::mem::take(&mut self.items);
                match items.len {
                    0 => Ok(()),
                    len => self
                        .writer
                        .push_batch(len, &mut items)
                        .map(|_| ())
                        .map_err(|()| Stopped(items.collect())),
                }
            }
        }
        impl<T> Drop for Collected<'_, T> {
            fn drop(&mut self) {
                // Only a panic leaves items here; then nobody is there to be told that the list is closed.
                self.push().ok();
            }
        }
        let mut collected = Collected {
            writer: &self.writer,
            items: Chunks::default(),
        };
        for item in items {
            collected.items.push(item);
        }
        collected.push()
    }

    /// Ends the list: what was pushed is still delivered, then the end. Waiting consumers wake at once.
    ///
    /// Linearizable against pushes: each push is either accepted, before the stop, or gives its item back. Stopping
    /// again does nothing.
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

    /// Whether pushes are refused: the list was [stopped](Self::stop), or has no consumer left.
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_stopped(&self) -> bool {
        self.writer.is_closed()
    }

    /// A new consumer, which sees what is pushed from here on. It is passive: it never runs a
    /// [`preflight`](super::push_aiter_with).
    ///
    /// After [`stop`](Self::stop), or when no consumer is left, it has ended from the start: a list without
    /// consumers does not come back to life. Keep one to subscribe beside it.
    ///
    /// Items are cloned for all consumers but the last to read them, and several may clone one item at once: hence the
    /// bounds.
    ///
    /// # Progress
    /// As [`push`](Self::push); allocates a few words for every few consumers.
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

    /// How the list stands. Looks at one word for each consumer.
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

impl<T> Clone for Pusher<T> {
    fn clone(&self) -> Self {
        Self::new(self.writer.clone())
    }
}

/// Pushes each item; once the list is stopped, the items are dropped.
impl<T> Extend<T> for Pusher<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            if self.push_mut(item).is_err() {
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

impl<T> fmt::Debug for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stopped").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list is stopped, or has no consumer left")
    }
}

impl<T> error::Error for Stopped<T> {}

/// Items in chunks, each freed as soon as it was yielded, so that a batch that moves into the list is held once and
/// not twice.
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
                // The first grows as needed: most batches are short.
                let mut chunk = Vec::with_capacity(if self.chunks.is_empty() {
                    4
                } else {
                    Self::CHUNK
                });
                chunk.push(item);
                self.chunks.push_back(chunk);
            }
        }
        // Items without a size may be more than can be counted. The list then refuses the batch.
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

    /// Items without a size may be: each 256 of them take no more than the header of a vector.
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
        let said = panic_of(|| pusher.writer.push_batch(items.len, &mut items));
        assert_eq!(said, "capacity overflow");
        pusher.push(()).unwrap();
        assert_eq!(aiter.len(), 1);
    }
}
