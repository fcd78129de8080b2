//! The handles of tasks, and what is counted for them.

use std::{
    cell::{Cell, Ref, RefCell},
    fmt, mem,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// What an executor and the handle of a task share.
#[derive(Debug, Default)]
pub(super) struct Counts {
    polls: Cell<u64>,
    pub(super) wakes: Arc<AtomicU64>,
    futile_wakes: Cell<u64>,
    /// Whether the current poll has taken an item.
    has_progressed: Cell<bool>,
    is_finished: Cell<bool>,
}

impl Counts {
    pub(super) fn start_poll(&self) {
        self.polls.set(self.polls.get() + 1);
        self.has_progressed.set(false);
    }

    /// Notes that the current poll has taken an item.
    pub(super) fn progress(&self) {
        self.has_progressed.set(true);
    }

    pub(super) fn has_progressed(&self) -> bool {
        self.has_progressed.get()
    }

    pub(super) fn end_poll(&self, is_ready: bool) {
        self.is_finished.set(is_ready);
        // The first poll comes without a wake.
        if !is_ready && !self.has_progressed() && self.polls.get() > 1 {
            self.futile_wakes.set(self.futile_wakes.get() + 1);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (polls, wakes) = (self.polls.get(), self.wakes.load(Relaxed));
        let futile = self.futile_wakes.get();
        write!(f, "polls: {polls}, wakes: {wakes}, futile: {futile}")
    }
}

/// The handle of a task that [`Executor::spawn`](crate::Executor::spawn) has added. Dropping it
/// leaves the task running.
pub struct Task<T> {
    pub(super) id: u64,
    pub(super) name: Rc<str>,
    pub(super) output: Rc<RefCell<Option<T>>>,
    pub(super) counts: Rc<Counts>,
}

impl<T> Task<T> {
    /// Returns the name that was given to the task.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns `true` once the future has completed. A task that was cancelled or has panicked is
    /// not finished.
    pub fn is_finished(&self) -> bool {
        self.counts.is_finished.get()
    }

    /// Takes the output of the future, if that has completed and its output was not taken before.
    pub fn output(&self) -> Option<T> {
        self.output.borrow_mut().take()
    }

    /// Returns how often the task was polled.
    pub fn polls(&self) -> u64 {
        self.counts.polls.get()
    }

    /// Returns how often the waker of the task was called, also while the task was woken already.
    pub fn wakes(&self) -> u64 {
        self.counts.wakes.load(Relaxed)
    }

    /// Returns how often the task was woken for nothing: the number of polls after the first one
    /// that have neither completed the future nor, for [`collect`](crate::Executor::collect), taken
    /// an item.
    ///
    /// A future that waits for several events in turn may make progress that the executor cannot
    /// see. For such a future this is an upper bound.
    pub fn futile_wakes(&self) -> u64 {
        self.counts.futile_wakes.get()
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("is_finished", &self.is_finished())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// The handle of a task that takes the items of a stream. [`Executor::collect`](
/// crate::Executor::collect) returns it. Dropping it leaves the task running.
pub struct Collected<T> {
    task: Task<()>,
    items: Rc<RefCell<Vec<(Duration, T)>>>,
}

impl<T> Collected<T> {
    pub(super) fn new(task: Task<()>, items: Rc<RefCell<Vec<(Duration, T)>>>) -> Self {
        Self { task, items }
    }

    /// Returns the items that were not taken yet.
    pub(crate) fn items(&self) -> Ref<'_, [(Duration, T)]> {
        Ref::map(self.items.borrow(), Vec::as_slice)
    }

    /// Returns the handle of the task, which is finished at the end of the stream.
    pub fn task(&self) -> &Task<()> {
        &self.task
    }

    /// Takes the items that have come since the last call.
    pub fn take(&self) -> Vec<T> {
        let items = self.take_timed().into_iter();
        items.map(|(_, item)| item).collect()
    }

    /// Takes the items that have come since the last call, each with the time of the executor at
    /// which it came.
    pub fn take_timed(&self) -> Vec<(Duration, T)> {
        mem::take(&mut self.items.borrow_mut())
    }
}

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected")
            .field("task", &self.task)
            .field("items", &self.items.borrow().len())
            .finish()
    }
}
