//! What the loom models share.

use crate::sync::{AtomicPtr, AtomicUsize, Ordering};
use ::loom::sync::{self, Notify};
use alloc::{boxed::Box, sync::Arc, task::Wake};
use core::{
    pin::Pin,
    ptr,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;

/// Checks every interleaving with up to three preemptions, or `LOOM_MAX_PREEMPTIONS`.
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    check(
        ::loom::model::Builder::new().preemption_bound.unwrap_or(3),
        f,
    );
}

/// The same for models with too many interleavings: one preemption less than
/// `LOOM_MAX_PREEMPTIONS`, and one by default.
pub(crate) fn large_model(f: impl Fn() + Send + Sync + 'static) {
    let bound = ::loom::model::Builder::new()
        .preemption_bound
        .map_or(1, |bound| bound.saturating_sub(1));
    check(bound, f);
}

fn check(bound: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(bound);
    builder.check(f);
}

/// A task on the thread that creates it. It polls its stream only when it has been woken, so loom
/// reports a deadlock if a wake is lost.
pub(crate) struct Task<S> {
    woken: Arc<Woken>,
    waker: Waker,
    pub(crate) stream: S,
}

/// Runs a future on the calling thread, which sleeps until the future is woken.
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

    /// Waits for a wake after a pending poll, and returns the next item.
    pub(crate) fn woken(&mut self) -> Option<S::Item> {
        self.woken.wait();
        self.next()
    }
}

/// Yields 1, 2, … up to the number that its [`Remote`] has given, and ends or panics at a chosen
/// item. Its counter is relaxed, so that the code under test has to order what it yields.
pub(crate) struct Source {
    remote: sync::Arc<Remote>,
    next: usize,
}

impl Source {
    pub(crate) fn new(remote: &sync::Arc<Remote>) -> Self {
        let remote = remote.clone();
        Self { remote, next: 0 }
    }
}

pub(crate) struct Remote {
    given: AtomicUsize,
    /// The item at which the source does something else, and what that is.
    last: (usize, Last),
    /// The waker of the last pending poll, as a leaked box.
    waker: AtomicPtr<Waker>,
}

#[derive(Clone, Copy)]
pub(crate) enum Last {
    End,
    Panic,
}

impl Remote {
    pub(crate) fn new(at: usize, last: Last) -> sync::Arc<Self> {
        sync::Arc::new(Self {
            given: AtomicUsize::new(0),
            last: (at, last),
            waker: AtomicPtr::new(ptr::null_mut()),
        })
    }

    pub(crate) fn endless() -> sync::Arc<Self> {
        Self::new(usize::MAX, Last::End)
    }

    #[allow(unsafe_code)]
    fn swap(&self, waker: *mut Waker) -> Option<Box<Waker>> {
        let old = self.waker.swap(waker, Ordering::AcqRel);
        // SAFETY: it comes from `Box::into_raw` below, and the swap gives it to one thread.
        (!old.is_null()).then(|| unsafe { Box::from_raw(old) })
    }

    pub(crate) fn give_without_a_wake(&self, items: usize) {
        self.given.fetch_add(items, Ordering::Relaxed);
    }

    pub(crate) fn give(&self, items: usize) {
        self.give_without_a_wake(items);
        if let Some(waker) = self.swap(ptr::null_mut()) {
            waker.wake();
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.swap(ptr::null_mut()));
    }
}

impl Stream for Source {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        for looks in 0..2 {
            if self.remote.given.load(Ordering::Relaxed) > self.next {
                self.next += 1;
                return match self.remote.last {
                    (at, Last::End) if at == self.next => Poll::Ready(None),
                    (at, Last::Panic) if at == self.next => panic!("source"),
                    _ => Poll::Ready(Some(self.next)),
                };
            }
            if looks == 0 {
                let waker = Box::into_raw(Box::new(cx.waker().clone()));
                drop(self.remote.swap(waker));
            }
        }
        Poll::Pending
    }
}
