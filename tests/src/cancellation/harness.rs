//! An executor for one thread that polls a task only after it was woken, and the items, sources and
//! futures that the sweeps use.

use futures_core::Stream;
use std::{
    cell::Cell,
    collections::VecDeque,
    future::{Future, poll_fn},
    ops::Range,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::*},
    },
    task::{Context, Poll, Wake, Waker},
};

thread_local! {
    static LIVE: Arc<()> = Arc::default();
    static PLAN: Cell<Plan> = const { Cell::new(Plan::Items) };
}

/// Returns how many items and sources that were made on this thread are still alive, on whatever
/// thread they are.
pub fn live() -> usize {
    LIVE.with(Arc::strong_count) - 1
}

/// What the sources that are made on this thread do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plan {
    /// They yield the items, some at once and some after one or two pending polls that wake
    /// themselves.
    Items,
    /// They yield no item.
    Empty,
    /// They panic after half of the items.
    Panic,
}

/// Sets the plan of this thread.
pub fn plan(plan: Plan) {
    PLAN.set(plan);
}

/// Returns the plan of this thread.
pub fn planned() -> Plan {
    PLAN.get()
}

/// The items that a [`Source`] yields if nothing goes wrong.
pub fn items() -> Range<u32> {
    match planned() {
        Plan::Empty => 0..0,
        Plan::Items | Plan::Panic => ITEMS,
    }
}

/// A number that is counted while it is alive.
#[derive(Clone, Debug)]
pub struct Item(Box<u32>, Arc<()>);

impl Item {
    /// Makes an item that is counted on this thread.
    pub fn new(number: u32) -> Self {
        Self(Box::new(number), LIVE.with(Arc::clone))
    }

    /// Makes another item, counted on the same thread as this one, whatever thread calls it.
    pub fn beside(&self, number: u32) -> Self {
        Self(Box::new(number), self.1.clone())
    }

    pub fn number(&self) -> u32 {
        *self.0
    }
}

const ITEMS: Range<u32> = 0..6;

/// Yields [`items`] as the [`Plan`] of this thread says.
pub struct Source(VecDeque<Step>, Arc<()>);

enum Step {
    Pause,
    Item(u32),
    Panic,
}

impl Source {
    pub fn new() -> Self {
        let pauses = [1, 0, 2, 0, 0, 1];
        let mut steps = VecDeque::new();
        for (number, pauses) in items().zip(pauses) {
            if planned() == Plan::Panic && number == ITEMS.end / 2 {
                steps.push_back(Step::Panic);
                return Self(steps, LIVE.with(Arc::clone));
            }
            steps.extend((0..pauses).map(|_| Step::Pause));
            steps.push_back(Step::Item(number));
        }
        steps.push_back(Step::Pause);
        Self(steps, LIVE.with(Arc::clone))
    }

    /// Takes the next item, without the pauses before it.
    pub fn now(&mut self) -> Option<Item> {
        loop {
            match self.0.pop_front()? {
                Step::Pause => {}
                Step::Item(number) => return Some(Item(Box::new(number), self.1.clone())),
                Step::Panic => panic!("{BROKEN}"),
            }
        }
    }
}

/// The message of a source that panics as planned.
pub const BROKEN: &str = "a source panics as planned";

impl Stream for Source {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if let Some(Step::Pause) = self.0.front() {
            self.0.pop_front();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.now())
    }
}

/// Lets the executor go round once.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|cx| match std::mem::replace(&mut paused, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// The waker of one future. After that future was dropped it wakes nobody.
struct FutureWaker {
    task: Waker,
    is_over: AtomicBool,
}

impl Wake for FutureWaker {
    fn wake(self: Arc<Self>) {
        if !self.is_over.load(Acquire) {
            self.task.wake_by_ref();
        }
    }
}

/// Polls the future with a waker of its own until it completes or no poll is `left`, and then drops
/// it.
pub async fn at_most<F: Future>(left: &mut usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if *left == 0 {
            return Poll::Ready(None);
        }
        *left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Pending if *left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}

/// Waits for the next item with a waker that is valid for this future only.
pub async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    struct Over(Option<Arc<FutureWaker>>);
    impl Drop for Over {
        fn drop(&mut self) {
            if let Some(own) = &self.0 {
                own.is_over.store(true, Release);
            }
        }
    }
    let mut own = Over(None);
    poll_fn(|cx| {
        let own = own.0.get_or_insert_with(|| {
            Arc::new(FutureWaker {
                task: cx.waker().clone(),
                is_over: AtomicBool::new(false),
            })
        });
        let waker = Waker::from(own.clone());
        Pin::new(&mut *stream).poll_next(&mut Context::from_waker(&waker))
    })
    .await
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Release);
    }
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
pub struct Harness {
    tasks: Vec<Task>,
    executors: usize,
}

impl Harness {
    /// Adds a future that is not expected to complete. Call it before other tasks are added.
    pub fn executor(&mut self, future: impl Future<Output = ()> + 'static) {
        self.task(future);
        self.executors = self.tasks.len();
    }

    pub fn task(&mut self, future: impl Future<Output = ()> + 'static) {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.tasks.push(Task {
            future: Some(Box::pin(future)),
            woken,
        });
    }

    /// Runs until all tasks are done, or until none that is left was woken. Returns the number of
    /// those left.
    pub fn run(&mut self) -> usize {
        for _ in 0..100_000 {
            let mut any = false;
            for task in &mut self.tasks {
                if task.future.is_none() || !task.woken.0.swap(false, AcqRel) {
                    continue;
                }
                any = true;
                let waker = Waker::from(task.woken.clone());
                let future = task.future.as_mut().unwrap().as_mut();
                if future.poll(&mut Context::from_waker(&waker)).is_ready() {
                    task.future = None;
                }
            }
            if !any {
                return self.tasks[self.executors..]
                    .iter()
                    .filter(|task| task.future.is_some())
                    .count();
            }
        }
        panic!("tasks wake each other for ever");
    }
}
