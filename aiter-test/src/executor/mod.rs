//! An executor that polls only tasks that were woken.
//!
//! | state of a task | in `tasks` | in the queue | next |
//! |---|---|---|---|
//! | woken | yes | yes | when it is polled: waits, or over if that poll completes or panics |
//! | waits | yes | no | when its waker is called: woken |
//! | over | no | perhaps | |

mod queue;
mod task;

use crate::{
    Clock, VirtualTime,
    marbles::{Recorded, Recording, frame_of},
};
use futures_core::Stream;
use queue::{Queue, TaskWaker};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use task::Counts;
pub use task::{Collected, Task};

/// The most polls of one task in one run. A task that is polled more often is taken to be woken in
/// a loop.
const MOST_POLLS: u64 = if cfg!(test) { 10_000 } else { 10_000_000 };

/// An executor for tests. It runs named tasks on the current thread, polls a task only after its
/// waker was called, and panics with the names of the tasks that cannot go on.
///
/// Tasks are polled in the order in which they were woken, so a test takes the same course each
/// time. The executor has a [`VirtualTime`]. [`run`](Self::run) and [`run_for`](Self::run_for)
/// advance it when no task is woken.
///
/// | to run tasks | call |
/// |---|---|
/// | until none is woken, while the time stands still | [`run_until_stalled`](Self::run_until_stalled) |
/// | for some virtual time | [`run_for`](Self::run_for) |
/// | until all have completed | [`run`](Self::run) |
///
/// # Example
///
/// ```
/// use aiter_core::push_aiter;
/// use aiter_test::Executor;
///
/// let (orders, mut kitchen) = push_aiter();
/// let mut executor = Executor::new();
/// let first = executor.collect("first cook", kitchen.fork());
/// let second = executor.collect("second cook", kitchen);
/// executor.run_until_stalled();
///
/// orders.push("soup").unwrap();
/// executor.run_until_stalled();
/// assert_eq!((first.take(), second.take()), (vec!["soup"], vec!["soup"]));
///
/// orders.stop();
/// executor.run();
/// ```
///
/// Without the call of `stop`, the last run would panic with this message:
///
/// ```text
/// 2 tasks are left. None is woken, and no timer waits:
/// - `first cook` (polls: 2, wakes: 1, futile: 0) waits. Its waker is kept, and nobody calls it: end
///   or drop what it waits for, such as a pusher or a gate, or `cancel` the task before the run.
/// - `second cook` (polls: 2, wakes: 1, futile: 0) waits. …
/// ```
///
/// # Panics
///
/// The methods that run tasks panic at the caller's line, in the cases that each of them names. A
/// panic of a task reaches the caller of that method, and drops the task. The executor can be used
/// after any panic.
#[derive(Default)]
pub struct Executor<'a> {
    tasks: BTreeMap<u64, Running<'a>>,
    queue: Arc<Queue>,
    time: VirtualTime,
}

/// A task that has not completed.
struct Running<'a> {
    name: Rc<str>,
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    waker: Arc<TaskWaker>,
    counts: Rc<Counts>,
}

/// How often each task was polled in one run.
type Polls = BTreeMap<u64, u64>;

impl<'a> Executor<'a> {
    /// Makes an executor without tasks. Its time is zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the time of this executor. It is a timer and a clock for the tasks.
    pub fn time(&self) -> VirtualTime {
        self.time.clone()
    }

    /// Adds a task. The next run polls it.
    ///
    /// Dropping the handle leaves the task running; [`cancel`](Self::cancel) drops the task.
    pub fn spawn<F>(&mut self, name: impl Into<Rc<str>>, future: F) -> Task<F::Output>
    where
        F: Future + 'a,
        F::Output: 'a,
    {
        let output = Rc::new(RefCell::new(None));
        let kept = output.clone();
        self.add(name.into(), output, Rc::default(), async move {
            let output = future.await;
            *kept.borrow_mut() = Some(output);
        })
    }

    /// Adds a task that takes all items of `stream`. The handle has the items, each with the time
    /// at which it came.
    pub fn collect<S>(&mut self, name: impl Into<Rc<str>>, stream: S) -> Collected<S::Item>
    where
        S: Stream + 'a,
        S::Item: 'a,
    {
        let items = Rc::new(RefCell::new(Vec::new()));
        let counts = Rc::new(Counts::default());
        let (kept, counted, time) = (items.clone(), counts.clone(), self.time());
        let task = self.add(name.into(), Rc::default(), counts, async move {
            let mut stream = pin!(stream);
            poll_fn(|cx| {
                while let Some(item) = ready!(stream.as_mut().poll_next(cx)) {
                    counted.progress();
                    kept.borrow_mut().push((time.now(), item));
                }
                Poll::Ready(())
            })
            .await;
        });
        Collected::new(task, items)
    }

    /// Adds a task that takes the items of `stream` up to its end, and records them as
    /// [`marbles`](crate::marbles()): each item as it is displayed, in the millisecond in which it
    /// came.
    ///
    /// A panic of the stream is recorded too, and does not reach the caller of the run. An item
    /// that is displayed with a `'` in it has no form as marbles: map it to another text before.
    pub fn record<S>(&mut self, name: impl Into<Rc<str>>, stream: S) -> Recorded
    where
        S: Stream + 'a,
        S::Item: fmt::Display,
    {
        let start = frame_of(self.time.now());
        Recorded::new(self.collect(name, Recording::new(stream)), start)
    }

    fn add<T>(
        &mut self,
        name: Rc<str>,
        output: Rc<RefCell<Option<T>>>,
        counts: Rc<Counts>,
        future: impl Future<Output = ()> + 'a,
    ) -> Task<T> {
        // One number for each task of the process, so that no handle finds a task of another
        // executor.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Relaxed);
        let waker = TaskWaker::new(id, self.queue.clone(), counts.wakes.clone());
        let running = Running {
            name: name.clone(),
            future: Box::pin(future),
            waker: Arc::new(waker),
            counts: counts.clone(),
        };
        self.tasks.insert(id, running);
        self.queue.push(id);
        Task {
            id,
            name,
            output,
            counts,
        }
    }

    /// Drops the future of a task of this executor. Does nothing if the task has completed.
    pub fn cancel<T>(&mut self, task: &Task<T>) {
        self.tasks.remove(&task.id);
    }

    /// Returns the names of the tasks that have not completed, in the order in which they were
    /// added.
    pub fn unfinished(&self) -> impl Iterator<Item = &str> {
        self.tasks.values().map(|task| &*task.name)
    }

    /// Polls the woken tasks until none is woken. The time stands still.
    ///
    /// # Panics
    ///
    /// Panics if a task is *stranded*: it waits, and nothing keeps its waker, so it can never be
    /// woken. The message names all such tasks. A future that has to wait for ever may await
    /// [`sleep(Duration::MAX)`](crate::Sleep::sleep) of [`time`](Self::time), which keeps the
    /// waker.
    ///
    /// Panics if a task is polled more than ten million times.
    #[track_caller]
    pub fn run_until_stalled(&mut self) {
        self.poll_woken(&mut Polls::new());
        self.expect_none_stranded();
    }

    /// Runs tasks for some virtual time. Whenever no task is woken, the time advances to the next
    /// timer, until `duration` has passed.
    ///
    /// # Panics
    ///
    /// As [`run_until_stalled`](Self::run_until_stalled).
    #[track_caller]
    pub fn run_for(&mut self, duration: Duration) {
        let mut polls = Polls::new();
        let end = self.time.now().saturating_add(duration);
        self.poll_woken(&mut polls);
        while self.time.next_due().is_some_and(|due| due <= end) {
            self.time.advance_to_next();
            self.poll_woken(&mut polls);
        }
        self.time.set(end);
        self.expect_none_stranded();
    }

    /// Runs tasks until all have completed. Whenever no task is woken, the time advances to the
    /// next timer.
    ///
    /// # Panics
    ///
    /// Panics if tasks are left, none is woken, and no timer waits. The message names each of them
    /// and says why it cannot go on: either it is stranded, as in
    /// [`run_until_stalled`](Self::run_until_stalled), or its waker is kept but was not called. To
    /// find lost wakes, each of these tasks is polled once more. If it completes or takes an item
    /// then, it should have been woken.
    ///
    /// Panics if a task is polled more than ten million times.
    #[track_caller]
    pub fn run(&mut self) {
        let mut polls = Polls::new();
        loop {
            self.poll_woken(&mut polls);
            let tasks = match self.tasks.len() {
                0 => return,
                1 => "1 task is",
                many => &format!("{many} tasks are"),
            };
            if !self.time.advance_to_next() {
                let reasons = self.reasons();
                panic!("{tasks} left. None is woken, and no timer waits:{reasons}");
            }
        }
    }

    #[track_caller]
    fn poll_woken(&mut self, polls: &mut Polls) {
        while let Some(id) = self.queue.pop() {
            let Some(task) = self.tasks.get(&id) else {
                continue;
            };
            let polled = polls.entry(id).or_default();
            *polled += 1;
            if *polled > MOST_POLLS {
                let name = &task.name;
                panic!("`{name}` was polled {MOST_POLLS} times in one run: it is woken in a loop");
            }
            self.poll(id);
        }
    }

    fn poll(&mut self, id: u64) {
        // It is put back only after a pending poll, so that a task that panics is dropped.
        let Some(mut task) = self.tasks.remove(&id) else {
            return;
        };
        let waker = Waker::from(task.waker.clone());
        task.counts.start_poll();
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        task.counts.end_poll(polled.is_ready());
        if polled.is_pending() {
            self.tasks.insert(id, task);
        }
    }

    #[track_caller]
    fn expect_none_stranded(&self) {
        let stranded: Vec<_> = self
            .tasks
            .values()
            .filter(|task| task.is_stranded())
            .map(|task| format!("\n- {task} {STRANDED}"))
            .collect();
        let tasks = match stranded.len() {
            0 => return,
            1 => "A task is",
            _ => "Tasks are",
        };
        panic!("{tasks} stranded:{}", stranded.concat());
    }

    /// Returns, for each task, why it is left. Polls the task once more to find out.
    fn reasons(&mut self) -> String {
        let mut reasons = String::new();
        for id in Vec::from_iter(self.tasks.keys().copied()) {
            let task = &self.tasks[&id];
            let (line, counts) = (format!("\n- {task} "), task.counts.clone());
            let (is_stranded, is_woken) = (task.is_stranded(), self.queue.contains(id));
            if !is_woken {
                self.poll(id);
            }
            let reason = if is_woken {
                "waits for one of the tasks above."
            } else if !self.tasks.contains_key(&id) || counts.has_progressed() {
                LOST_WAKE
            } else if is_stranded {
                STRANDED
            } else {
                WAITS
            };
            reasons.push_str(&line);
            reasons.push_str(reason);
        }
        reasons
    }
}

const STRANDED: &str = "can never be woken, because nobody keeps its waker. Keep \
    `cx.waker().clone()` from its last poll until you call it. If its owner was dropped, look \
    for what should have woken the task before.";
const LOST_WAKE: &str = "could go on, and nobody called its waker. Look for the event that it waits \
    for, and for the wake that was lost there.";
const WAITS: &str = "waits. Its waker is kept, and nobody calls it: end or drop what it waits for, \
    such as a pusher or a gate, or `cancel` the task before the run.";

impl Running<'_> {
    /// Returns whether nothing can wake this task, because its waker has no clone. Asked only of
    /// tasks that wait.
    fn is_stranded(&self) -> bool {
        Arc::strong_count(&self.waker) == 1
    }
}

impl fmt::Display for Running<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.counts)
    }
}

impl fmt::Debug for Executor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("unfinished", &Vec::from_iter(self.unfinished()))
            .field("time", &self.time)
            .finish()
    }
}

#[cfg(test)]
mod tests;
