//! Tasks on one thread that are polled when they were woken and not otherwise.

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

/// What was made on this thread and not dropped, on whatever thread: items, and sources of them.
pub fn live() -> usize {
    LIVE.with(Arc::strong_count) - 1
}

/// What the sources do that are made on this thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plan {
    /// They yield the items, some at once, some after a poll or two, which they ask for themselves.
    Items,
    /// They yield none.
    Empty,
    /// They panic behind half of the items.
    Panic,
}

/// Makes a plan for this thread.
pub fn plan(plan: Plan) {
    PLAN.set(plan);
}

/// The plan of this thread.
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

/// A number that is counted.
#[derive(Clone, Debug)]
pub struct Item(Box<u32>, Arc<()>);

impl Item {
    /// Counted on this thread.
    pub fn new(number: u32) -> Self {
        Self(Box::new(number), LIVE.with(Arc::clone))
    }

    /// Another number, counted where this one is, on whatever thread.
    pub fn beside(&self, number: u32) -> Self {
        Self(Box::new(number), self.1.clone())
    }

    pub fn number(&self) -> u32 {
        *self.0
    }
}

const ITEMS: Range<u32> = 0..6;

/// Yields [`items`] as this thread's [`Plan`] says.
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

    /// The next item, without its pauses.
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

/// What a source says that panics.
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

/// Goes round the executor once.
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

/// The waker of one future: once that is dropped it wakes nobody any more.
struct Own {
    task: Waker,
    is_over: AtomicBool,
}

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        if !self.is_over.load(Acquire) {
            self.task.wake_by_ref();
        }
    }
}

/// Polls the future with a waker of its own until it is done or no poll is `left`; then drops it.
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

/// The next item, waited for with a waker that is good for this future only.
pub async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    struct Over(Option<Arc<Own>>);
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
            Arc::new(Own {
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
pub struct Bench {
    tasks: Vec<Task>,
    executors: usize,
}

impl Bench {
    /// One that is not expected to be done: to be given before the others.
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

    /// Until all tasks are done, or none that is left was woken; gives their number.
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
