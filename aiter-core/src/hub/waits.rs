//! [`PushHubIdle`] and [`PushHubOccupied`]: the waits for the last reader to go, and for the first to come.

use super::{HubBound, PushHub};
use crate::wait::wait_set::Waiter;
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
