//! Many streams joined into one: the streams, and the shapes of work.

use aiter_core::{iter_to_aiter, join_aiters};
use futures_core::Stream;
use std::{
    cell::RefCell,
    hint::black_box,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Takes `items` from a stream that has them.
pub fn take(stream: &mut (impl Stream<Item = u64> + Unpin), items: usize) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut sum = 0;
    for _ in 0..items {
        match Pin::new(&mut *stream).poll_next(&mut cx) {
            Poll::Ready(Some(item)) => sum += item,
            Poll::Ready(None) => panic!("ended early"),
            Poll::Pending => {}
        }
    }
    black_box(sum);
}

/// Takes all items that are available.
pub fn drain(stream: impl Stream<Item = u64>) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut stream = pin!(stream);
    let mut sum = 0;
    loop {
        match stream.as_mut().poll_next(&mut cx) {
            Poll::Ready(Some(item)) => sum += item,
            Poll::Ready(None) => break,
            Poll::Pending => {}
        }
    }
    black_box(sum);
}

/// Counts up for ever.
#[derive(Debug, Default)]
pub struct Endless(u64);

impl Stream for Endless {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        self.0 += 1;
        Poll::Ready(Some(self.0))
    }
}

/// Whether the signal was sent, and the waker of the task that waits for it.
type SignalState = Rc<RefCell<(bool, Option<Waker>)>>;

/// Yields one item whenever the signal is sent.
#[derive(Debug)]
pub struct Signal(SignalState);

impl Signal {
    /// Makes its item ready, and wakes the task that waits for it.
    pub fn send(&self) {
        let waker = {
            let mut state = self.0.borrow_mut();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Stream for Signal {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let mut state = self.0.borrow_mut();
        if std::mem::take(&mut state.0) {
            return Poll::Ready(Some(1));
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The order in which signals are sent.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// One after the other, in the order of memory: this measures the work.
    InTurn,
    /// In any order, so that caches miss, also for the signals themselves.
    Scattered,
}

impl Order {
    /// Returns numbers below `n` in this order.
    pub fn numbers(self, n: usize) -> impl FnMut() -> usize {
        let mut state = 1_u64;
        move || match self {
            Self::InTurn => {
                state += 1;
                state as usize % n
            }
            Self::Scattered => {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) as usize % n
            }
        }
    }
}

/// Makes `n` signals, with the side that sends each and the side that receives it.
pub fn signals(n: usize) -> (Vec<Signal>, Vec<Signal>) {
    (0..n)
        .map(|_| SignalState::default())
        .map(|state: SignalState| (Signal(state.clone()), Signal(state)))
        .unzip()
}

/// Sends one of `n` signals, takes items until nothing is ready, and repeats that `times` times.
pub fn wakes<S: Stream<Item = u64> + Unpin>(
    n: usize,
    times: usize,
    order: Order,
    join: impl FnOnce(Vec<Signal>) -> S,
) -> impl FnMut() {
    let (senders, receivers) = signals(n);
    let mut join = join(receivers);
    let mut next = order.numbers(n);
    move || {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..times {
            senders[next()].send();
            let mut items = 0;
            while items == 0 {
                while let Poll::Ready(item) = Pin::new(&mut join).poll_next(&mut cx) {
                    items += item.expect("signals never end");
                }
            }
            assert_eq!(items, 1);
        }
    }
}

/// A join of signals.
pub fn join_signals(signals: Vec<Signal>) -> impl Stream<Item = u64> + Unpin {
    join_aiters(iter_to_aiter(signals))
}
