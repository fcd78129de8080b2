//! Items whose clone can panic, and tasks that are polled by hand.

use futures_core::Stream;
use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

thread_local! {
    static NEXT_CLONE_PANICS: Cell<bool> = const { Cell::new(false) };
}

/// An item. Its clone panics once when that is asked for.
#[derive(Debug)]
pub(crate) struct Item(pub(crate) u64);

impl Item {
    /// Makes the next clone of an item panic, or no longer.
    pub(crate) fn next_clone_panics(panics: bool) {
        NEXT_CLONE_PANICS.set(panics);
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        assert!(!NEXT_CLONE_PANICS.replace(false), "the clone panics");
        Self(self.0)
    }
}

/// What a reader is given.
#[derive(Debug)]
pub(crate) enum Got {
    Item(Item),
    /// An item, and how many the reader is told that it missed before it.
    Seen(u64, Item),
    /// How many items the reader is told that it missed.
    Missed(u64),
    End,
}

/// A future that a task waits for.
pub(crate) type Waiting<T> = Pin<Box<dyn Future<Output = T>>>;

/// The reading end of a subject.
pub(crate) trait Reader {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Got>;
    /// Drops the future that waits, if there is one. The reader stays.
    fn cancel(&mut self) {}
}

/// A reader that is a stream.
pub(crate) struct OfStream<S, T>(pub(crate) Pin<Box<S>>, pub(crate) fn(T) -> Got);

impl<T, S: Stream<Item = T>> Reader for OfStream<S, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Got> {
        let polled = self.0.as_mut().poll_next(cx);
        polled.map(|item| item.map_or(Got::End, self.1))
    }
}

/// A reader that makes a future for each item. The future borrows the receiver, which stays when
/// the future is dropped.
pub(crate) struct OfFuture<R> {
    /// Declared first, so that it is dropped before the receiver.
    waiting: Option<Waiting<Got>>,
    receiver: Rc<RefCell<R>>,
    next: fn(Rc<RefCell<R>>) -> Waiting<Got>,
}

impl<R> OfFuture<R> {
    pub(crate) fn new(receiver: R, next: fn(Rc<RefCell<R>>) -> Waiting<Got>) -> Self {
        Self {
            waiting: None,
            receiver: Rc::new(RefCell::new(receiver)),
            next,
        }
    }
}

impl<R> Reader for OfFuture<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Got> {
        let next = || (self.next)(Rc::clone(&self.receiver));
        let polled = self.waiting.get_or_insert_with(next).as_mut().poll(cx);
        if polled.is_ready() {
            self.waiting = None;
        }
        polled
    }

    fn cancel(&mut self) {
        self.waiting = None;
    }
}

#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, probes have one thread.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker that counts, and how many wakes its task has seen.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    wakes: Arc<Wakes>,
    seen: usize,
}

impl Bell {
    /// The waker, for a poll that sees all wakes before it.
    pub(crate) fn waker(&mut self) -> Waker {
        self.seen = self.count();
        Waker::from(Arc::clone(&self.wakes))
    }

    pub(crate) fn rang(&self) -> bool {
        self.count() != self.seen
    }

    fn count(&self) -> usize {
        // Ordering: Relaxed, as above.
        self.wakes.0.load(Ordering::Relaxed)
    }
}

/// A task that reads.
pub(crate) struct Task {
    reader: Box<dyn Reader>,
    bell: Bell,
    pub(crate) got: Vec<u64>,
    /// How many items it was told that it missed.
    pub(crate) missed: u64,
    pub(crate) has_ended: bool,
    pub(crate) panics: usize,
    /// How many of its polls found nothing.
    pub(crate) futile: usize,
}

/// More than any probe needs, so that a reader which is always ready ends.
const STEPS: usize = 100;

/// A task that has panicked so often gives up.
const PANICS: usize = 3;

impl Task {
    pub(crate) fn new(reader: Box<dyn Reader>) -> Self {
        Self {
            reader,
            bell: Bell::default(),
            got: Vec::new(),
            missed: 0,
            has_ended: false,
            panics: 0,
            futile: 0,
        }
    }

    /// Polls once. Returns whether there may be more: false if it waits or has ended. A panic is
    /// caught, drops the future that panicked, and is followed by another poll.
    pub(crate) fn step(&mut self) -> bool {
        let waker = self.bell.waker();
        let cx = &mut Context::from_waker(&waker);
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| self.reader.poll(cx))) else {
            self.reader.cancel();
            self.panics += 1;
            return self.panics < PANICS;
        };
        match polled {
            Poll::Ready(Got::Item(item)) => self.got.push(item.0),
            Poll::Ready(Got::Seen(missed, item)) => {
                self.missed += missed;
                self.got.push(item.0);
            }
            Poll::Ready(Got::Missed(missed)) => self.missed += missed,
            Poll::Ready(Got::End) => {
                self.has_ended = true;
                return false;
            }
            Poll::Pending => return false,
        }
        true
    }

    /// Polls until it waits, whether it was woken or not.
    pub(crate) fn poll(&mut self) {
        let before = self.got.len();
        let mut steps = 0..STEPS;
        while steps.next().is_some() && self.step() {}
        if self.got.len() == before {
            self.futile += 1;
        }
    }

    /// Drops the future that waits.
    pub(crate) fn cancel(&mut self) {
        self.reader.cancel();
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.bell.rang()
    }
}

/// Polls those that were woken, in turn, until none is.
pub(crate) fn run(tasks: &mut [&mut Task]) {
    for _ in 0..STEPS {
        let mut all_sleep = true;
        for task in tasks.iter_mut() {
            if task.is_woken() && !task.has_ended {
                all_sleep = false;
                task.poll();
            }
        }
        if all_sleep {
            return;
        }
    }
}

/// A task that waits for room, and then sends.
pub(crate) struct Sending {
    waiting: Waiting<bool>,
    bell: Bell,
}

impl Sending {
    pub(crate) fn new(waiting: Waiting<bool>) -> Self {
        Self {
            waiting,
            bell: Bell::default(),
        }
    }

    /// Returns whether it has sent. Never called again after it has.
    pub(crate) fn poll(&mut self) -> bool {
        let waker = self.bell.waker();
        self.waiting
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.bell.rang()
    }
}
