//! [`PushAiter`]: the end that yields the items.

use super::{
    Pusher,
    next_many::{append, most},
};
use crate::{
    Statistics, TryNextError,
    list::{Late, Peek, Reader},
    sync::Arc,
};
use alloc::{boxed::Box, vec::Vec};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};

/// The end of a [push list](super::push_aiter) that yields its items as a [`Stream`], one by one or
/// [many at once](Self::next_many).
///
/// A single consumer moves items out. Several consumers ([forks](Self::fork)) clone them, except
/// the last one to read an item, which moves it out. If two consumers take the last copy at the
/// same moment, each clones it, and the original is dropped with its block. Dropping the last
/// consumer drops the items that were not read, and stops the list.
///
/// # Cancel safety
/// Cancel safe: all state is in the aiter, so dropping a future that waits for the next item loses
/// nothing. The aiter keeps the waker of its last pending poll, so that the same task need not
/// clone it again. It drops that waker when it ends, when it is dropped, or when another task polls
/// it and has to look for an item, at the latest after a block of items.
///
/// # Progress
/// Polling is lock-free, and wait-free except for the step to the next block. A poll never waits
/// for another thread. If the push of the next slot is under way, the consumer sleeps, and that
/// push wakes it.
///
/// With the feature `std`, a poll that finds no item may look up to four times more, 40 [spin-loop
/// hints](core::hint::spin_loop) apart, if that has helped on this list lately. On Linux with
/// `std`, if a seccomp filter revokes `membarrier(2)` while the process runs, some polls after that
/// may wake their own task to look again.
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
    extra: Extra<T>,
}

/// What a few consumers do before they look for an item. It is one field, so that all others pay
/// for one check.
enum Extra<T> {
    None,
    Preflight(Preflight<T>),
    /// The consumer has not come to its first item yet.
    Late(Box<Late<T>>),
}

impl<T> From<Option<Late<T>>> for Extra<T> {
    fn from(late: Option<Late<T>>) -> Self {
        late.map_or(Self::None, |late| Self::Late(Box::new(late)))
    }
}

impl<T> PushAiter<T> {
    pub(crate) fn new(reader: Reader<T>, preflight: Option<Preflight<T>>) -> Self {
        let extra = preflight.map_or(Extra::None, Extra::Preflight);
        Self { reader, extra }
    }

    /// A consumer that may have to settle something first.
    pub(crate) fn late((reader, late): (Reader<T>, Option<Late<T>>)) -> Self {
        let extra = late.into();
        Self { reader, extra }
    }

    /// Creates another consumer, which yields the same items from here on. It is active if this one
    /// is: see [`push_aiter_with`](super::push_aiter_with).
    ///
    /// From then on items are cloned for every consumer except the last one to read them. Several
    /// consumers may clone one item at once, each on its thread, hence the bounds: `Send` alone
    /// would not be sound ([RUSTSEC-2025-0023] describes a channel that required no more).
    ///
    /// # Panics
    /// A panic of `T::clone` reaches the consumer that polled. That consumer loses the item, and
    /// the others still receive it.
    ///
    /// # Progress
    /// O(1) and lock-free. It allocates a few words for every few consumers.
    ///
    /// [RUSTSEC-2025-0023]: https://rustsec.org/advisories/RUSTSEC-2025-0023.html
    pub fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        let mut fork = self.fork_passive();
        if let Extra::Preflight(preflight) = &self.extra {
            fork.extra = Extra::Preflight(preflight.fork());
        }
        fork
    }

    /// Like [`fork`](Self::fork), except that the new consumer is passive: it never runs a
    /// [`preflight`](super::push_aiter_with), and sees the items whose push others caused.
    pub fn fork_passive(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        match &mut self.extra {
            Extra::Late(late) => Self::late(late.fork(&mut self.reader)),
            _ => Self::new(self.reader.fork(), None),
        }
    }

    /// Takes the next item if one is available, without waiting.
    ///
    /// # Errors
    /// [`TryNextError::Empty`] if no item is available now, [`TryNextError::Ended`] if none will
    /// come any more.
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
        if !self.prepare(None) {
            return Err(TryNextError::Empty);
        }
        match self.reader.next() {
            Poll::Ready(Some(item)) => {
                self.item_received();
                Ok(item)
            }
            Poll::Pending => Err(TryNextError::Empty),
            Poll::Ready(None) => Err(TryNextError::Ended),
        }
    }

    /// Iterates over the items that are available now, without taking them and without running a
    /// [`preflight`](super::push_aiter_with). It also yields items that are pushed while the
    /// iterator is in use.
    ///
    /// # Progress
    /// Each step is wait-free.
    ///
    /// # Example
    /// ```
    /// let (pusher, mut aiter) = aiter_core::push_aiter();
    /// pusher.push_all([1, 2]).unwrap();
    /// assert_eq!(aiter.available_iter().sum::<i32>(), 3);
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// ```
    pub fn available_iter(&self) -> AvailableIter<'_, T> {
        AvailableIter::new(self.peek())
    }

    /// How many items are available now. It counts exactly those that are published, and costs at
    /// most one load per item, or one per block of 64 (32 where words have 32 bits) for items that
    /// were pushed as a batch. See [`is_len_at_least`](Self::is_len_at_least) and
    /// [`statistics`](Self::statistics) for cheaper answers.
    pub fn len(&self) -> usize {
        self.peek().count_to(usize::MAX)
    }

    /// Whether no item is available now. More may come, unless the aiter [is
    /// terminated](FusedStream::is_terminated).
    pub fn is_empty(&self) -> bool {
        !self.is_item_available()
    }

    /// Whether an item is available now.
    pub fn is_item_available(&self) -> bool {
        self.is_len_at_least(1)
    }

    /// Whether at least `n` items are available now. It stops counting at `n`.
    ///
    /// # Example
    /// ```
    /// let (pusher, aiter) = aiter_core::push_aiter();
    /// pusher.push_all(0..1000).unwrap();
    /// assert!(aiter.is_len_at_least(3));
    /// ```
    pub fn is_len_at_least(&self, n: usize) -> bool {
        self.peek().count_to(n) == n
    }

    /// Whether the list was [stopped](Pusher::stop). Items that were pushed before may still be
    /// available.
    pub fn is_stopped(&self) -> bool {
        match &self.extra {
            Extra::Late(late) => late.is_closed(&self.reader),
            _ => self.reader.is_closed(),
        }
    }

    /// A snapshot of the counters of the list, with all its consumers. See [`Pusher::statistics`].
    pub fn statistics(&self) -> Statistics {
        match &self.extra {
            Extra::Late(late) => late.statistics(&self.reader),
            _ => self.reader.statistics(),
        }
    }

    fn peek(&self) -> Peek<'_, T> {
        match &self.extra {
            Extra::Late(late) => late.peek(&self.reader),
            _ => self.reader.peek(),
        }
    }

    /// The poll of [`next_many`](Self::next_many).
    pub(super) fn poll_many(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        let Some(item) = ready!(Pin::new(&mut *self).poll_next(cx)) else {
            return Poll::Ready(0);
        };
        buf.push(item);
        let most = most(&self.reader, limit);
        let mut taken = 1;
        if matches!(self.extra, Extra::None) {
            taken += append(&mut self.reader, buf, most - taken);
        } else {
            while taken < most {
                let Ok(item) = self.try_next() else { break };
                buf.push(item);
                taken += 1;
            }
        }
        Poll::Ready(taken)
    }

    #[inline(never)]
    fn poll_with_extra(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if !self.prepare(Some(cx)) {
            return Poll::Pending;
        }
        let item = ready!(self.reader.poll_next(cx));
        self.item_received();
        Poll::Ready(item)
    }

    /// Runs the preflight, once for each item that is requested. Returns false if the consumer
    /// cannot come to its first item yet.
    #[inline]
    fn prepare(&mut self, cx: Option<&mut Context<'_>>) -> bool {
        match &mut self.extra {
            Extra::None => {}
            Extra::Preflight(preflight) => preflight.run(&self.reader),
            Extra::Late(late) => {
                if !late.settle(&mut self.reader, cx) {
                    return false;
                }
                self.extra = Extra::None;
            }
        }
        true
    }

    #[inline]
    fn item_received(&mut self) {
        if let Extra::Preflight(preflight) = &mut self.extra {
            preflight.has_run = false;
        }
    }
}

impl<T> Stream for PushAiter<T> {
    type Item = T;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if !matches!(this.extra, Extra::None) {
            return this.poll_with_extra(cx);
        }
        this.reader.poll_next(cx)
    }

    /// The number of available items, up to a thousand: counting more would take too long.
    fn size_hint(&self) -> (usize, Option<usize>) {
        const MOST: usize = 1000;
        let len = self.peek().count_to(MOST);
        // After a stop, items of pushers that are under way may still be published.
        (len, self.is_terminated().then_some(0))
    }
}

impl<T> FusedStream for PushAiter<T> {
    fn is_terminated(&self) -> bool {
        self.peek().at_end()
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

/// The iterator that [`PushAiter::available_iter`] returns.
pub struct AvailableIter<'a, T> {
    peek: Peek<'a, T>,
}

impl<'a, T> AvailableIter<'a, T> {
    pub(super) fn new(peek: Peek<'a, T>) -> Self {
        Self { peek }
    }
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
    /// The preflight has run for the requested item.
    has_run: bool,
}

impl<T> Preflight<T> {
    pub(super) fn new(run: impl Fn(&Pusher<T>) + Send + Sync + 'static) -> Self {
        Self {
            run: Arc::new(Box::new(run)),
            has_run: false,
        }
    }

    fn fork(&self) -> Self {
        Self {
            run: self.run.clone(),
            has_run: false,
        }
    }

    fn run(&mut self, reader: &Reader<T>) {
        if !self.has_run {
            (self.run)(&Pusher::new(reader.writer()));
            self.has_run = true;
        }
    }
}
