//! The tasks that were woken, in the order of their wakes.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Wake,
};

/// The numbers of the woken tasks, each of them once. Wakes may come from any thread.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    order: VecDeque<u64>,
    woken: BTreeSet<u64>,
}

impl Queue {
    pub(super) fn push(&self, id: u64) {
        let mut state = self.state();
        if state.woken.insert(id) {
            state.order.push_back(id);
        }
    }

    pub(super) fn pop(&self) -> Option<u64> {
        let mut state = self.state();
        let id = state.order.pop_front()?;
        state.woken.remove(&id);
        Some(id)
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.state().woken.contains(&id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker of one task. Only the task and clones of its `Waker` keep it, so the reference count
/// tells whether the task can still be woken.
#[derive(Debug)]
pub(super) struct TaskWaker {
    id: u64,
    queue: Arc<Queue>,
    /// How often the waker was called. Shared with the handle of the task.
    wakes: Arc<AtomicU64>,
}

impl TaskWaker {
    pub(super) fn new(id: u64, queue: Arc<Queue>, wakes: Arc<AtomicU64>) -> Self {
        Self { id, queue, wakes }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Relaxed);
        self.queue.push(self.id);
    }
}
