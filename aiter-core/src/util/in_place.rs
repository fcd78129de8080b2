//! [`InPlace`]: a future that is made, polled and dropped in one place.

use core::{
    pin::Pin,
    task::{Context, Poll},
};
use pin_project::pin_project;
use scopeguard::ScopeGuard;

/// Room for one future, which is dropped when it has finished, by returning or by a panic. Its
/// owner makes the next one in the same place, without a box.
#[pin_project]
#[derive(Debug)]
pub(crate) struct InPlace<F>(#[pin] Option<F>);

impl<F> InPlace<F> {
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Drops the future that is there, and keeps this one.
    pub(crate) fn set(self: Pin<&mut Self>, future: F) {
        self.project().0.set(Some(future));
    }

    /// Drops the future that is there.
    pub(crate) fn clear(self: Pin<&mut Self>) {
        self.project().0.set(None);
    }
}

impl<F: Future> InPlace<F> {
    /// Polls the future, which must be there.
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut finished = scopeguard::guard(self.project().0, |mut place| place.set(None));
        let future = finished.as_mut().as_pin_mut();
        let polled = future.expect("no future was set").poll(cx);
        if polled.is_pending() {
            ScopeGuard::into_inner(finished);
        }
        polled
    }
}
