//! Tasks that are polled by hand.

use crate::{Build, Feed, Handle, Kind};
use std::{
    any::Any,
    fmt::Display,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// More polls than any probe needs before all tasks sleep.
pub(crate) const STEPS: usize = 10_000;

/// The result of a probe that got to its end.
pub type Answer<T = ()> = Result<T, Stop>;

/// The reason why a probe stopped.
#[derive(Debug, Eq, PartialEq)]
pub enum Stop {
    /// The subject fails, with the reason.
    Fail(String),
    /// The question makes no sense for it, with the reason.
    Skip(String),
}

impl Stop {
    /// Stops because the subject fails.
    pub fn fail<T>(reason: impl Display) -> Answer<T> {
        Err(Self::Fail(reason.to_string()))
    }
}

/// Counts its wakes. Its strong count says how many of its wakers are alive.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed, probes have one thread.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that takes one item after the other, until it has to wait.
#[derive(Debug)]
pub(crate) struct Task {
    /// `None` after it was dropped.
    pub(crate) handle: Option<Box<dyn Handle>>,
    /// Whether it is polled when it was woken. Otherwise it is kept, and never polled again.
    pub(crate) comes: bool,
    wakes: Arc<Wakes>,
    seen_wakes: usize,
    pub(crate) got: Vec<u64>,
    pub(crate) ended: bool,
    pub(crate) panicked: bool,
}

impl Task {
    fn new(handle: Box<dyn Handle>) -> Self {
        Self {
            handle: Some(handle),
            comes: true,
            wakes: Arc::default(),
            seen_wakes: 0,
            got: Vec::new(),
            ended: false,
            panicked: false,
        }
    }

    /// Moves it to another task, which the old waker does not wake. Returns a reference that shows
    /// whether the old waker is still kept.
    pub(crate) fn change_waker(&mut self) -> Weak<Wakes> {
        self.seen_wakes = 0;
        Arc::downgrade(&mem::take(&mut self.wakes))
    }

    /// Returns whether it was woken since its last poll.
    pub(crate) fn is_woken(&self) -> bool {
        self.wakes() != self.seen_wakes
    }

    /// Returns how often its current waker was woken.
    pub(crate) fn wakes(&self) -> usize {
        // Ordering: Relaxed, probes have one thread.
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Returns how many of its wakers are kept by others.
    pub(crate) fn wakers_kept(&self) -> usize {
        Arc::strong_count(&self.wakes) - 1
    }

    pub(crate) fn is_active(&self) -> bool {
        self.handle.is_some() && self.comes && !self.ended && !self.panicked
    }

    /// Polls once. Returns whether it is to be polled on.
    pub(crate) fn poll(&mut self) -> bool {
        let Some(mut handle) = self.handle.take() else {
            return false;
        };
        self.seen_wakes = self.wakes();
        let waker = Waker::from(Arc::clone(&self.wakes));
        let cx = &mut Context::from_waker(&waker);
        // A panic drops the handle during unwinding, as it drops the values on the stack of a task.
        let polled = catch_unwind(AssertUnwindSafe(move || (handle.poll(cx), handle)));
        let Ok((polled, handle)) = polled else {
            self.panicked = true;
            return false;
        };
        self.handle = Some(handle);
        match polled {
            Poll::Ready(Some(item)) => self.got.push(item),
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => return false,
        }
        self.is_active()
    }
}

/// A subject, set up with a task for each handle.
#[derive(Debug)]
pub struct Stage {
    pub(crate) kind: Kind,
    pub(crate) feed: Box<dyn Feed>,
    pub(crate) tasks: Vec<Task>,
    /// The probe expects a panic.
    pub(crate) may_panic: bool,
}

impl Stage {
    /// Sets up `count` tasks, each of which waits.
    pub(crate) fn waiting(kind: Kind, build: Build, count: usize) -> Answer<Self> {
        let (feed, handles) = build(count);
        let tasks = handles.into_iter().map(Task::new).collect();
        let mut stage = Self {
            kind,
            feed,
            tasks,
            may_panic: false,
        };
        for task in 0..count {
            stage.poll(task)?;
            let task = &stage.tasks[task];
            if task.ended || !task.got.is_empty() {
                return Stop::fail("it does not wait, though nothing is there");
            }
        }
        Ok(stage)
    }

    /// Polls a task until it waits, whether it was woken or not.
    pub(crate) fn poll(&mut self, task: usize) -> Answer {
        let task = &mut self.tasks[task];
        let mut steps = 0..STEPS;
        while task.poll() {
            if steps.next().is_none() {
                return Stop::fail("it has no end of items");
            }
        }
        if task.panicked && !self.may_panic {
            return Stop::fail("it panics");
        }
        Ok(())
    }

    /// Polls the tasks that were woken, in turn, until none is.
    pub(crate) fn run(&mut self) -> Answer {
        for _ in 0..STEPS {
            let mut all_sleep = true;
            for task in 0..self.tasks.len() {
                if self.tasks[task].is_active() && self.tasks[task].is_woken() {
                    all_sleep = false;
                    self.poll(task)?;
                }
            }
            if all_sleep {
                return Ok(());
            }
        }
        Stop::fail("it wakes itself without end")
    }

    /// Checks that items 1 to `last` have reached each task that comes, or one of these, as the
    /// kind demands.
    pub(crate) fn delivered(&mut self, last: u64) -> Answer {
        let Some(missing) = self.missing(last) else {
            return Ok(());
        };
        for task in 0..self.tasks.len() {
            if self.tasks[task].is_active() {
                self.poll(task)?;
            }
        }
        match self.missing(last) {
            None => Stop::fail("a waiting task is not woken for an item"),
            Some(_) => Stop::fail(missing),
        }
    }

    fn missing(&self, last: u64) -> Option<String> {
        let coming = || {
            self.tasks
                .iter()
                .filter(|task| task.handle.is_some() && task.comes)
        };
        let all: Vec<u64> = (1..=last).collect();
        let is_complete = match self.kind {
            Kind::Fork => coming().all(|task| task.got == all),
            Kind::Take => {
                let mut got: Vec<u64> = coming().flat_map(|task| &task.got).copied().collect();
                got.sort_unstable();
                got == all
            }
        };
        let got: Vec<_> = coming().map(|task| &task.got).collect();
        (!is_complete).then(|| {
            format!("of the items 1 to {last} there came {got:?}, and polling brings no more")
        })
    }

    /// Drops all handles. Returns whether none of them panics.
    pub(crate) fn take_down(&mut self) -> bool {
        let handles = self.tasks.iter_mut().map(|task| task.handle.take());
        let dropped = handles.map(|handle| catch_unwind(AssertUnwindSafe(|| drop(handle))));
        // Every handle is dropped, also after one that panics.
        dropped.filter(Result::is_err).count() == 0
    }
}

/// Ignores panics from here on: the probe has its result.
impl Drop for Stage {
    fn drop(&mut self) {
        self.take_down();
    }
}

/// Returns the message of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("?")
}
