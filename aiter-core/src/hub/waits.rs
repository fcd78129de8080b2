//! The waits for the last reader to go ([`PushHubIdle`]), for the first to come
//! ([`PushHubOccupied`]), and for the stop.

use super::{HubBound, PushHub};
use crate::{push::UntilStopped, wait::wait_set::Waiter};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// The future that [`PushHub::idle`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct PushHubIdle<'a, T, B: HubBound> {
    hub: &'a PushHub<T, B>,
    /// From the first pending poll on.
    waiter: Option<Waiter>,
}

/// The future that [`PushHub::occupied`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct PushHubOccupied<'a, T, B: HubBound> {
    hub: &'a PushHub<T, B>,
    /// From the first pending poll on.
    waiter: Option<Waiter>,
}

impl<T, B: HubBound> PushHub<T, B> {
    /// Waits until there is no reader. Use it with [`occupied`](Self::occupied) to produce items
    /// only while somebody reads them.
    ///
    /// It is ready if there is no reader in that poll. A reader may come at any time, so a task
    /// that acts on it looks again. Any number of tasks may wait, and all are woken.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future loses nothing. It keeps the waker of its last pending poll
    /// until it completes or is dropped.
    ///
    /// # Progress
    /// Lock-free. The tasks are woken inside the call that drops the last reader.
    ///
    /// # Example
    /// A task measures while somebody reads, and pauses when nobody does:
    /// ```
    /// use aiter_core::{bound, push_hub};
    /// use futures_lite::{StreamExt, future::{block_on, or, yield_now, zip}};
    ///
    /// let hub = push_hub(bound::unbounded());
    /// let measuring = async {
    ///     hub.occupied().await;
    ///     let measure = async {
    ///         for reading in 0.. {
    ///             hub.push(reading).unwrap();
    ///             yield_now().await;
    ///         }
    ///     };
    ///     or(hub.idle(), measure).await;
    /// };
    /// let client = async {
    ///     let mut reader = hub.subscribe();
    ///     assert_eq!((reader.next().await, reader.next().await), (Some(0), Some(1)));
    /// };
    /// block_on(zip(client, measuring));
    /// ```
    pub fn idle(&self) -> PushHubIdle<'_, T, B> {
        PushHubIdle::new(self)
    }

    /// Waits until there is a reader, which gets what is pushed from then on. See
    /// [`idle`](Self::idle), which waits for the opposite in the same way.
    ///
    /// # Cancel safety
    /// As [`idle`](Self::idle).
    ///
    /// # Progress
    /// Lock-free. The tasks are woken inside the call that makes the first reader.
    ///
    /// # Example
    /// ```
    /// use futures_lite::future::{block_on, poll_once};
    ///
    /// let hub = aiter_core::push_hub::<u8, _>(aiter_core::bound::unbounded());
    /// let mut occupied = hub.occupied();
    /// assert!(block_on(poll_once(&mut occupied)).is_none());
    /// let _reader = hub.subscribe();
    /// block_on(occupied);
    /// ```
    pub fn occupied(&self) -> PushHubOccupied<'_, T, B> {
        PushHubOccupied::new(self)
    }

    /// Waits until the hub is [stopped](Self::stop), or its last handle is dropped. Use it to end
    /// the work that produces items.
    ///
    /// Any number of tasks may wait, and all are woken. The future borrows nothing and does not
    /// keep the hub open.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future loses nothing. It keeps the waker of its last pending poll
    /// until it completes or is dropped.
    ///
    /// # Progress
    /// Lock-free. The tasks are woken inside the call that stops the hub, after its readers.
    ///
    /// # Example
    /// ```
    /// use futures_lite::future::{block_on, poll_once};
    ///
    /// let hub = aiter_core::push_hub::<u8, _>(aiter_core::bound::unbounded());
    /// let mut stopped = hub.stopped();
    /// assert!(block_on(poll_once(&mut stopped)).is_none());
    /// hub.stop();
    /// block_on(stopped);
    /// ```
    pub fn stopped(&self) -> UntilStopped<T> {
        UntilStopped::new(self.inner.core.writer.downgrade())
    }
}

impl<'a, T, B: HubBound> PushHubIdle<'a, T, B> {
    pub(super) fn new(hub: &'a PushHub<T, B>) -> Self {
        let waiter = None;
        Self { hub, waiter }
    }
}

impl<'a, T, B: HubBound> PushHubOccupied<'a, T, B> {
    pub(super) fn new(hub: &'a PushHub<T, B>) -> Self {
        let waiter = None;
        Self { hub, waiter }
    }
}

impl<T, B: HubBound> Future for PushHubIdle<'_, T, B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { hub, waiter } = self.get_mut();
        hub.inner.core.writer.poll_idle(waiter, cx)
    }
}

impl<T, B: HubBound> Future for PushHubOccupied<'_, T, B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { hub, waiter } = self.get_mut();
        hub.inner.core.writer.poll_occupied(waiter, cx)
    }
}

impl<T, B: HubBound> fmt::Debug for PushHubIdle<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushHubIdle")
            .field("hub", self.hub)
            .finish()
    }
}

impl<T, B: HubBound> fmt::Debug for PushHubOccupied<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushHubOccupied")
            .field("hub", self.hub)
            .finish()
    }
}
