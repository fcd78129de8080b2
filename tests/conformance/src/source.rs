//! A stream that is steered from outside.

use crate::Feed;
use futures_core::{FusedStream, Stream};
use std::{
    collections::VecDeque,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

#[derive(Debug)]
enum Step {
    Item(u64),
    Panic,
    End,
}

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    waker: Option<Waker>,
    ended: bool,
}

/// Takes a step at each poll, and is pending when there is none. Like other streams, it keeps the
/// waker of its last poll. A poll that panics uses the step up, and the next poll takes the step
/// after it.
#[derive(Debug)]
pub struct Source(Arc<Mutex<State>>);

/// Steers a [`Source`].
#[derive(Debug)]
pub struct Remote(Arc<Mutex<State>>);

/// Makes a source and the remote that steers it.
pub fn source() -> (Source, Remote) {
    let state = Arc::default();
    (Source(Arc::clone(&state)), Remote(state))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    fn add(&self, step: Step) {
        let waker = {
            let mut state = lock(&self.0);
            state.steps.push_back(step);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Feed for Remote {
    fn send(&mut self, item: u64) {
        self.add(Step::Item(item));
    }

    fn end(&mut self) {
        self.add(Step::End);
    }

    fn panic(&mut self) -> bool {
        self.add(Step::Panic);
        true
    }
}

impl Stream for Source {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let mut state = lock(&self.0);
        if state.ended {
            return Poll::Ready(None);
        }
        let Some(step) = state.steps.pop_front() else {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if state.steps.is_empty() {
            // The memory of a burst must not count against the handles that read it.
            drop(mem::take(&mut state.steps));
        }
        match step {
            Step::Item(item) => Poll::Ready(Some(item)),
            Step::End => {
                state.ended = true;
                Poll::Ready(None)
            }
            Step::Panic => {
                drop(state);
                panic!("the source panics");
            }
        }
    }
}

impl FusedStream for Source {
    fn is_terminated(&self) -> bool {
        lock(&self.0).ended
    }
}
