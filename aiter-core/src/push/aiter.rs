//! The end that yields.

use super::Pusher;
use crate::{
    Statistics, TryNextError,
    list::{Peek, Reader},
    sync::Arc,
};
use alloc::boxed::Box;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};

/// The end of a [push list](super::push_aiter) that yields its items; a [`Stream`].
///
/// An unforked aiter moves items out. [Forked](Self::fork) ones clone them, and the last to read an item moves it.
/// Consumers that take one item at the same moment may each clone it; the original is then dropped with its block.
/// Dropping the last one drops what was not read, and stops the list.
///
/// # Cancel safety
/// All state is in the aiter: dropping a future that waits for its next item loses nothing. The
/// waker that it waited with last is kept, so that the same task need not clone it anew: until the
/// aiter ends or is dropped, or another task polls it and has to look for its item, as it has at
/// the latest when a block is read.
///
/// # Progress
/// Polling is lock-free, and wait-free but for the move to the next block. It waits for no other thread and never wakes
/// itself; a slot whose pusher is under way is slept on, and its pusher wakes the sleepers. With the feature `std`, on more
/// than one core, a poll that finds nothing may look up to four times more, 40 [spin-loop hints](core::hint::spin_loop)
/// apart, if that has paid on this list lately.
///
/// # Example
/// ```
/// use aiter_core::push_aiter;
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (pusher, mut aiter) = push_aiter();
/// let mut fork = aiter.fork();
/// pusher.push(String::from("seen by both")).unwrap();
/// assert_eq!(block_on(aiter.next()), block_on(fork.next()));
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct PushAiter<T> {
    reader: Reader<T>,
    preflight: Option<Preflight<T>>,
}

impl<T> PushAiter<T> {
    pub(crate) fn new(reader: Reader<T>, preflight: Option<Preflight<T>>) -> Self {
        Self { reader, preflight }
    }

    /// Another consumer, which yields the same items from here on. It is active if this one is: see
    /// [`push_aiter_with`](super::push_aiter_with).
    ///
    /// From then on items are cloned for all consumers but the last to read them. Several may clone one item at once,
    /// each on its thread, hence the bounds: `Send` alone would not be sound ([RUSTSEC-2025-0023] tells of a channel
    /// that had no more).
    ///
    /// # Panics
    /// When `T::clone` panics, the panic reaches the consumer that polled; the item is lost to that one, and to no
    /// other.
    ///
    /// # Progress
    /// O(1), lock-free; allocates a few words for every few consumers.
    ///
    /// [RUSTSEC-2025-0023]: https://rustsec.org/advisories/RUSTSEC-2025-0023.html
    pub fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        let preflight = self.preflight.as_ref().map(Preflight::fork);
        Self::new(self.reader.fork(), preflight)
    }

    /// Like [`fork`](Self::fork), but the new consumer is passive: it never runs a
    /// [`preflight`](super::push_aiter_with), and sees what others caused to be pushed.
    pub fn fork_passive(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        Self::new(self.reader.fork(), None)
    }

    /// Takes the next item if it is there, without waiting.
    ///
    /// # Errors
    /// [`TryNextError::Empty`] when nothing is there now, [`TryNextError::Ended`] when nothing will come any more.
    ///
    /// # Progress
    /// As polling.
    ///
    /// # Example
    /// ```
    /// # use aiter_core::TryNextError;
    /// let (pusher, mut aiter) = aiter_core::push_aiter();
    /// assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
    /// pusher.push('a').unwrap();
    /// assert_eq!(aiter.try_next(), Ok('a'));
    /// drop(pusher);
    /// assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
    /// ```
    #[inline]
    pub fn try_next(&mut self) -> Result<T, TryNextError> {
        self.ask();
        match self.reader.next() {
            Poll::Ready(Some(item)) => {
                self.answered();
                Ok(item)
            }
            Poll::Pending => Err(TryNextError::Empty),
            Poll::Ready(None) => Err(TryNextError::Ended),
        }
    }

    /// The items that are there now, to look at. Takes nothing, and runs no
    /// [`preflight`](super::push_aiter_with); sees items that are pushed while it is used.
    ///
    /// # Progress
    /// Wait-free for each item.
    ///
    /// # Example
    /// ```
    /// let (pusher, mut aiter) = aiter_core::push_aiter();
    /// pusher.push_all([1, 2]).unwrap();
    /// assert_eq!(aiter.available_iter().sum::<i32>(), 3);
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// ```
    pub fn available_iter(&self) -> AvailableIter<'_, T> {
        AvailableIter {
            peek: self.reader.peek(),
        }
    }

    /// How many items are there now: exact for what has been published. Costs a step for every 31 of them (15 where
    /// words have 32 bits); see [`is_len_at_least`](Self::is_len_at_least) and [`statistics`](Self::statistics).
    pub fn len(&self) -> usize {
        self.reader.peek().count_to(usize::MAX)
    }

    /// Whether no item is there now. More may come, unless it [has ended](FusedStream::is_terminated).
    pub fn is_empty(&self) -> bool {
        !self.is_item_available()
    }

    /// Whether an item is there now.
    pub fn is_item_available(&self) -> bool {
        self.is_len_at_least(1)
    }

    /// Whether at least `n` items are there now. Costs no more steps than it takes to count to `n`.
    ///
    /// # Example
    /// ```
    /// let (pusher, aiter) = aiter_core::push_aiter();
    /// pusher.push_all(0..1000).unwrap();
    /// assert!(aiter.is_len_at_least(3));
    /// ```
    pub fn is_len_at_least(&self, n: usize) -> bool {
        self.reader.peek().count_to(n) == n
    }

    /// Whether the list was [stopped](Pusher::stop). Items pushed before may still be there.
    pub fn is_stopped(&self) -> bool {
        self.reader.is_stopped()
    }

    /// How the list stands, with all its consumers: see [`Pusher::statistics`].
    pub fn statistics(&self) -> Statistics {
        self.reader.statistics()
    }

    #[inline(never)]
    fn poll_active(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.ask();
        let item = ready!(self.reader.poll_next(cx));
        self.answered();
        Poll::Ready(item)
    }

    /// Runs the preflight, once for each item that is asked for.
    #[inline(always)]
    fn ask(&mut self) {
        if let Some(preflight) = &mut self.preflight {
            preflight.ask(&self.reader);
        }
    }

    #[inline(always)]
    fn answered(&mut self) {
        if let Some(preflight) = &mut self.preflight {
            preflight.asked = false;
        }
    }
}

impl<T> Stream for PushAiter<T> {
    type Item = T;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if this.preflight.is_some() {
            return this.poll_active(cx);
        }
        this.reader.poll_next(cx)
    }

    /// The number of items that are there, up to a thousand: to count more would take too long.
    fn size_hint(&self) -> (usize, Option<usize>) {
        const MOST: usize = 1000;
        let len = self.reader.peek().count_to(MOST);
        // Once stopped, what is published may still lack items of pushers that are under way.
        (len, self.is_terminated().then_some(0))
    }
}

impl<T> FusedStream for PushAiter<T> {
    fn is_terminated(&self) -> bool {
        self.reader.is_ended()
    }
}

impl<T> fmt::Debug for PushAiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushAiter")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}

/// Looks at the items that are there: see [`PushAiter::available_iter`].
pub struct AvailableIter<'a, T> {
    peek: Peek<'a, T>,
}

impl<'a, T> Iterator for AvailableIter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        self.peek.next()
    }

    fn count(self) -> usize {
        self.peek.count()
    }
}

impl<T> Clone for AvailableIter<'_, T> {
    fn clone(&self) -> Self {
        Self {
            peek: self.peek.clone(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for AvailableIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

type Run<T> = Box<dyn Fn(&Pusher<T>) + Send + Sync>;

/// What an active consumer runs before it looks for an item.
pub(crate) struct Preflight<T> {
    run: Arc<Run<T>>,
    /// It ran for the item that is asked for.
    asked: bool,
}

impl<T> Preflight<T> {
    pub(super) fn new(run: impl Fn(&Pusher<T>) + Send + Sync + 'static) -> Self {
        Self {
            run: Arc::new(Box::new(run)),
            asked: false,
        }
    }

    fn fork(&self) -> Self {
        Self {
            run: self.run.clone(),
            asked: false,
        }
    }

    fn ask(&mut self, reader: &Reader<T>) {
        if !self.asked {
            (self.run)(&Pusher::new(reader.writer()));
            self.asked = true;
        }
    }
}
