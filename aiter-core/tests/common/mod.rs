//! A stream fed by hand that counts its polls, and a waker that counts its wakes.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations
)]
use futures_core::Stream;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

#[derive(Default)]
pub struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    /// How often it was woken since it was asked last.
    pub fn taken(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

pub fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (count.clone(), Waker::from(count))
}

struct Fed<T> {
    items: VecDeque<T>,
    ended: bool,
    dropped: bool,
    polls: usize,
    waker: Option<Waker>,
}

pub struct Feeder<T>(Arc<Mutex<Fed<T>>>);
pub struct Feed<T>(Arc<Mutex<Fed<T>>>);

pub fn feed<T>() -> (Feeder<T>, Feed<T>) {
    let fed = Arc::new(Mutex::new(Fed {
        items: VecDeque::new(),
        ended: false,
        dropped: false,
        polls: 0,
        waker: None,
    }));
    (Feeder(fed.clone()), Feed(fed))
}

impl<T> Feeder<T> {
    fn with<R>(&self, f: impl FnOnce(&mut Fed<T>) -> R) -> R {
        f(&mut self.0.lock().unwrap())
    }

    fn change(&self, f: impl FnOnce(&mut Fed<T>)) {
        let waker = self.with(|fed| {
            f(fed);
            fed.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn push(&self, item: T) {
        self.change(|fed| fed.items.push_back(item));
    }

    pub fn end(&self) {
        self.change(|fed| fed.ended = true);
    }

    pub fn polls(&self) -> usize {
        self.with(|fed| fed.polls)
    }

    pub fn waiting(&self) -> usize {
        self.with(|fed| fed.items.len())
    }

    pub fn is_dropped(&self) -> bool {
        self.with(|fed| fed.dropped)
    }
}

impl<T> Stream for Feed<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut fed = self.0.lock().unwrap();
        fed.polls += 1;
        match fed.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if fed.ended => Poll::Ready(None),
            None => {
                fed.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let mut fed = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        assert!(!fed.dropped, "dropped twice");
        fed.dropped = true;
    }
}
