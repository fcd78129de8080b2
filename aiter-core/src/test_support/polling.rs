//! Helpers for tests that poll by hand: a waker that counts, and a scripted source.

extern crate std;

use crate::sync::Ordering;
use alloc::{collections::VecDeque, sync::Arc, task::Wake};
use core::{
    pin::Pin,
    sync::atomic::AtomicUsize,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;
use std::sync::{Mutex, MutexGuard};

/// How often to repeat a test. Miri takes a second for some thousand polls, and gets a hundredth of
/// the number.
pub(crate) const fn many(times: u32) -> u32 {
    if cfg!(miri) { times / 100 } else { times }
}

/// Counts its wakes.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// How often it was woken since the last call of this.
    pub(crate) fn taken(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

pub(crate) fn poll<S: Stream + Unpin>(stream: &mut S, waker: &Waker) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(waker))
}

/// Polls with a waker that does nothing.
pub(crate) fn poll_noop<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    poll(stream, Waker::noop())
}

/// A waker that panics when it is called.
pub(crate) fn panicking_waker() -> Waker {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("waker");
        }
    }
    Waker::from(Arc::new(Panics))
}

/// The message of the panic of `f`, which must panic.
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> &'static str {
    match std::panic::catch_unwind(core::panic::AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(payload) => payload.downcast_ref::<&str>().copied().unwrap_or("?"),
    }
}

/// What a [`Source`] does in one poll.
#[derive(Debug)]
pub(crate) enum Step<T> {
    Item(T),
    Pending,
    Panic,
    End,
}
pub(crate) use Step::*;

#[derive(Debug)]
struct State<T> {
    steps: VecDeque<Step<T>>,
    waker: Option<Waker>,
    polls: usize,
    ended: bool,
    dropped: bool,
}

/// A source that takes one step in each poll. It is pending when it has no step, and panics when it
/// is polled after its end.
#[derive(Debug)]
pub(crate) struct Source<T>(Arc<Mutex<State<T>>>);

/// Scripts a [`Source`].
#[derive(Clone, Debug)]
pub(crate) struct Remote<T>(Arc<Mutex<State<T>>>);

pub(crate) fn source<T>(steps: impl IntoIterator<Item = Step<T>>) -> (Source<T>, Remote<T>) {
    let state = Arc::new(Mutex::new(State {
        steps: steps.into_iter().collect(),
        waker: None,
        polls: 0,
        ended: false,
        dropped: false,
    }));
    (Source(state.clone()), Remote(state))
}

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl<T> Remote<T> {
    /// Adds steps, then wakes the task of the last pending poll.
    pub(crate) fn add(&self, steps: impl IntoIterator<Item = Step<T>>) {
        let waker = {
            let mut state = lock(&self.0);
            state.steps.extend(steps);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn push(&self, item: T) {
        self.add([Item(item)]);
    }

    pub(crate) fn end(&self) {
        self.add([End]);
    }

    /// How many steps were not taken yet.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.0).steps.len()
    }

    /// Adds steps without a wake.
    pub(crate) fn add_silently(&self, steps: impl IntoIterator<Item = Step<T>>) {
        lock(&self.0).steps.extend(steps);
    }

    pub(crate) fn polls(&self) -> usize {
        lock(&self.0).polls
    }

    pub(crate) fn is_dropped(&self) -> bool {
        lock(&self.0).dropped
    }
}

impl<T> Stream for Source<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = lock(&self.0);
        state.polls += 1;
        assert!(!state.ended, "polled after its end");
        match state.steps.pop_front() {
            Some(Item(item)) => Poll::Ready(Some(item)),
            Some(Panic) => panic!("source"),
            Some(End) => {
                state.ended = true;
                Poll::Ready(None)
            }
            Some(Pending) | None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Counts the items up to the first other step. The upper bound is known only if an end follows
    /// them.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let state = lock(&self.0);
        let items = state
            .steps
            .iter()
            .take_while(|step| matches!(step, Item(_)))
            .count();
        let all = items + 1 >= state.steps.len() && matches!(state.steps.back(), Some(End));
        (items, all.then_some(items))
    }
}

impl<T> Drop for Source<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.dropped = true;
        state.waker = None;
    }
}
