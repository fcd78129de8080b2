//! What the loom models share.

use alloc::{sync::Arc, task::Wake};
use core::{
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;
use loom::sync::Notify;

/// Checks every interleaving with up to three preemptions, or `LOOM_MAX_PREEMPTIONS`.
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    check(loom::model::Builder::new().preemption_bound.unwrap_or(3), f);
}

/// The same for what has too many: one preemption less than `LOOM_MAX_PREEMPTIONS`, one by default.
pub(crate) fn large_model(f: impl Fn() + Send + Sync + 'static) {
    let bound = loom::model::Builder::new()
        .preemption_bound
        .map_or(1, |bound| bound.saturating_sub(1));
    check(bound, f);
}

fn check(bound: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(bound);
    builder.check(f);
}

/// A task on the thread that makes it: it polls its stream only when it has been woken. One that is never woken again
/// is a deadlock to loom.
pub(crate) struct Task<S> {
    woken: Arc<Woken>,
    waker: Waker,
    pub(crate) stream: S,
}

/// Runs a future on the thread that calls, which sleeps until it is woken.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = core::pin::pin!(future);
    let woken = Woken::new();
    let waker = Waker::from(woken.clone());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        woken.wait();
    }
}

struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}

impl Woken {
    fn new() -> Arc<Self> {
        Arc::new(Self(Notify::new()))
    }

    fn wait(&self) {
        self.0.wait();
    }
}

impl<S: Stream + Unpin> Task<S> {
    pub(crate) fn new(stream: S) -> Self {
        let woken = Woken::new();
        Self {
            waker: Waker::from(woken.clone()),
            woken,
            stream,
        }
    }

    /// Polls without having been woken.
    pub(crate) fn poll(&mut self) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.stream).poll_next(&mut Context::from_waker(&self.waker))
    }

    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(crate) fn next(&mut self) -> Option<S::Item> {
        match self.poll() {
            Poll::Ready(item) => item,
            Poll::Pending => self.woken(),
        }
    }

    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// The next item, after a poll that was pending.
    pub(crate) fn woken(&mut self) -> Option<S::Item> {
        self.woken.wait();
        self.next()
    }
}
