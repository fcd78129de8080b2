//! [`SkipAiter`]: a reader of a hub that may miss items.

use crate::{
    Statistics, TryNextError,
    fork::bound::Seen,
    list::UserCount,
    ring::{Found, RingCursor},
    wait::{join::Joining, task::TaskId},
};
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};

/// A reader of a [hub](crate::push_hub) with the bound [`skip(n)`](crate::bound::skip): if it is
/// more than `n` items behind it misses the oldest of them, and is told how many.
///
/// What came before its first item is never missed.
///
/// # Cancel safety
/// Cancel safe: all state is in the reader, so dropping a future that waits for the next item loses
/// nothing. The reader keeps the waker of its last pending poll until it ends, is dropped, or is
/// polled by another task.
///
/// # Progress
/// The readers of a hub that may miss items access its ring one at a time. A reader that finds
/// another thread there is pending, and that thread wakes it.
///
/// # Example
/// ```
/// use aiter_core::{bound::{self, Seen}, push_hub};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let hub = push_hub(bound::skip(2));
/// let mut slow = hub.subscribe();
/// hub.push(0).unwrap();
/// assert_eq!(block_on(slow.next()), Some(Seen { missed: 0, item: 0 }));
/// hub.push_all(1..=5).unwrap();
/// assert_eq!(block_on(slow.next()), Some(Seen { missed: 3, item: 4 }));
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct SkipAiter<T> {
    // In this order: it is counted as long as it has a place.
    cursor: RingCursor<T>,
    /// `None` if the hub was stopped by then.
    count: Option<UserCount<T>>,
    /// Until another thread has brought what the cursor is to read.
    expects: Option<Joining<()>>,
    /// The task whose waker the cursor holds.
    task: TaskId,
    /// Whether it has yielded no item yet.
    is_first: bool,
    ended: bool,
}

impl<T> SkipAiter<T> {
    pub(super) fn new(
        cursor: RingCursor<T>,
        count: Option<UserCount<T>>,
        expects: Option<Joining<()>>,
    ) -> Self {
        Self {
            cursor,
            count,
            expects,
            task: TaskId::NONE,
            is_first: true,
            ended: false,
        }
    }

    /// Creates another reader, which yields the same items from here on.
    ///
    /// # Progress
    /// Lock-free. It allocates a few words for every few readers.
    pub fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        let limit = self.cursor.limit();
        Self {
            cursor: self.cursor.fork_with(limit),
            count: self.count.as_ref().map(UserCount::another),
            expects: self.expects.clone(),
            task: TaskId::NONE,
            is_first: self.is_first,
            ended: self.ended,
        }
    }

    /// Takes the next item if one is available, without waiting.
    ///
    /// # Errors
    /// [`TryNextError::Empty`] if no item is available now, or if another thread accesses the ring
    /// at this moment. [`TryNextError::Ended`] if none will come any more.
    ///
    /// # Example
    /// ```
    /// # use aiter_core::{TryNextError, bound, push_hub};
    /// let hub = push_hub(bound::skip(1));
    /// let mut reader = hub.subscribe();
    /// assert_eq!(reader.try_next(), Err(TryNextError::Empty));
    /// hub.push('a').unwrap();
    /// assert_eq!(reader.try_next().unwrap().item, 'a');
    /// hub.stop();
    /// assert_eq!(reader.try_next(), Err(TryNextError::Ended));
    /// ```
    pub fn try_next(&mut self) -> Result<Seen<T>, TryNextError> {
        let found = self.find(None);
        match found {
            Poll::Ready(Some(seen)) => Ok(seen),
            Poll::Ready(None) => Err(TryNextError::Ended),
            Poll::Pending => Err(TryNextError::Empty),
        }
    }

    /// Whether the hub was [stopped](crate::PushHub::stop). Items that were pushed before may still
    /// be available.
    pub fn is_stopped(&self) -> bool {
        self.cursor.is_closed()
    }

    /// A snapshot of the counters of the hub. See
    /// [`PushHub::statistics`](crate::PushHub::statistics).
    pub fn statistics(&self) -> Statistics {
        self.cursor.ring().statistics()
    }

    /// Finds the next item, or has the task woken.
    fn find(&mut self, waker: Option<&Waker>) -> Poll<Option<Seen<T>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.expects.is_some() && !self.has_place(waker) {
            return Poll::Pending;
        }
        // If no waker is given, the registered one stays.
        match self.cursor.next_or_sleep(waker) {
            Found::Item(missed, item) => {
                let missed = if mem::take(&mut self.is_first) {
                    0
                } else {
                    missed
                };
                Poll::Ready(Some(Seen { missed, item }))
            }
            Found::End => {
                self.ended = true;
                self.forget_task();
                Poll::Ready(None)
            }
            Found::Waiting | Found::Nothing => {
                self.task = waker.map_or(self.task, TaskId::of);
                Poll::Pending
            }
        }
    }

    /// Whether the reader that the cursor expects has come.
    #[cold]
    #[inline(never)]
    fn has_place(&mut self, waker: Option<&Waker>) -> bool {
        let has_place = self.expects.as_mut().is_none_or(|expects| match waker {
            Some(waker) => expects
                .poll_served(&mut Context::from_waker(waker))
                .is_ready(),
            None => expects.get().is_some(),
        });
        if has_place {
            self.expects = None;
        }
        has_place
    }

    fn forget_task(&mut self) {
        if mem::replace(&mut self.task, TaskId::NONE) != TaskId::NONE {
            self.cursor.clear_waker();
        }
    }
}

impl<T> Stream for SkipAiter<T> {
    type Item = Seen<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Seen<T>>> {
        let this = self.get_mut();
        if this.task.is_another(cx.waker()) {
            this.forget_task();
        }
        this.find(Some(cx.waker()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.ended.then_some(0))
    }
}

impl<T> FusedStream for SkipAiter<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> fmt::Debug for SkipAiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkipAiter")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}
