//! The executors that tasks run on.

use aiter_core::{
    Pusher,
    adapter::{Nested, Spawn},
    push_aiter,
};
use core::future::Future;
use futures_lite::StreamExt as _;
use smol::{Executor, LocalExecutor};
use std::{
    convert::Infallible,
    rc::{self, Rc},
    sync::{
        self, Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::available_parallelism,
};

/// Starts tasks on the executor given to [`active_aiter_on`](crate::active_aiter_on) and its like.
///
/// | executor | what has to be `Send` | how long tasks may borrow |
/// |---|---|---|
/// | [`Global`] | everything that a task holds: the stream, its items, closures and futures | `'static` |
/// | `&Executor<'a>`, `Arc<Executor<'a>>` | the same | `'a` |
/// | `&LocalExecutor<'a>`, `Rc<LocalExecutor<'a>>` | nothing | `'a` |
///
/// The caller has to run the executor, as for all of its tasks. Dropping an executor ends the
/// streams whose tasks were on it, after the items that the tasks had pulled.
///
/// The tasks of [`map_workers_on`](crate::map_workers_on) start other tasks. A task may outlive a
/// reference to its executor, so it cannot hold one. For `&Executor`, all tasks but the first
/// therefore run on an inner executor, which as many tasks of the given one run as there are
/// processors; for `&LocalExecutor`, one task runs it. An `Arc` or an `Rc` needs no inner executor.
#[derive(Clone, Copy, Debug)]
pub struct On<R>(pub(crate) R);

/// The executor behind [`smol::spawn`]: one thread, or as many as `SMOL_THREADS` says.
#[derive(Clone, Copy, Debug)]
pub struct Global;

impl<T: Future<Output = ()> + Send + 'static> Spawn<T> for On<Global> {
    fn spawn(&self, task: T) {
        smol::spawn(task).detach();
    }
}

impl<'a, T: Future<Output = ()> + Send + 'a> Spawn<T> for On<&Executor<'a>> {
    fn spawn(&self, task: T) {
        self.0.spawn(task).detach();
    }
}

impl<'a, T: Future<Output = ()> + Send + 'a> Spawn<T> for On<Arc<Executor<'a>>> {
    fn spawn(&self, task: T) {
        self.0.spawn(task).detach();
    }
}

impl<'a, T: Future<Output = ()> + 'a> Spawn<T> for On<&LocalExecutor<'a>> {
    fn spawn(&self, task: T) {
        self.0.spawn(task).detach();
    }
}

impl<'a, T: Future<Output = ()> + 'a> Spawn<T> for On<Rc<LocalExecutor<'a>>> {
    fn spawn(&self, task: T) {
        self.0.spawn(task).detach();
    }
}

impl Nested for On<Global> {
    type Handle = Self;

    fn handle(&self, _: usize) -> Self {
        *self
    }
}

impl<'a> Nested for On<Arc<Executor<'a>>> {
    type Handle = InTask<sync::Weak<Executor<'a>>>;

    fn handle(&self, _: usize) -> Self::Handle {
        InTask(Arc::downgrade(&self.0), None)
    }
}

impl<'a> Nested for On<Rc<LocalExecutor<'a>>> {
    type Handle = InTask<rc::Weak<LocalExecutor<'a>>>;

    fn handle(&self, _: usize) -> Self::Handle {
        InTask(Rc::downgrade(&self.0), None)
    }
}

impl<'a> Nested for On<&Executor<'a>> {
    type Handle = InTask<sync::Weak<Executor<'a>>>;

    /// An inner executor, which as many tasks run as there are processors: then each processor can
    /// run some of its tasks.
    fn handle(&self, more: usize) -> Self::Handle {
        let own = Arc::new(Executor::new());
        let (tasks, mut end) = push_aiter::<Infallible>();
        let runners = processors().min(more);
        for _ in 0..runners {
            let (own, mut end) = (own.clone(), end.fork());
            let run = async move { own.run(end.next()).await };
            self.0.spawn(run).detach();
        }
        InTask(Arc::downgrade(&own), Some(tasks))
    }
}

/// The number of processors. Asking the system takes some microseconds, so the answer is cached.
/// Threads that come before the first answer each ask the system.
fn processors() -> usize {
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    // Ordering: Relaxed, only the number itself counts.
    let known = KNOWN.load(Relaxed);
    if known > 0 {
        return known;
    }
    let asked = available_parallelism().map_or(1, usize::from);
    KNOWN.store(asked, Relaxed);
    asked
}

impl<'a> Nested for On<&LocalExecutor<'a>> {
    type Handle = InTask<rc::Weak<LocalExecutor<'a>>>;

    /// An inner executor, which one task runs.
    fn handle(&self, more: usize) -> Self::Handle {
        let own = Rc::new(LocalExecutor::new());
        let (tasks, mut end) = push_aiter::<Infallible>();
        let weak = Rc::downgrade(&own);
        if more > 0 {
            let run = async move { own.run(end.next()).await };
            self.0.spawn(run).detach();
        }
        InTask(weak, Some(tasks))
    }
}

/// An executor as its own tasks hold it. A strong reference would keep the executor and its tasks
/// alive for ever. For an inner executor it also has the handle whose drop ends the tasks that run
/// that executor.
#[derive(Clone, Debug)]
pub struct InTask<W>(
    W,
    #[expect(dead_code, reason = "its drop is what counts")] Option<Pusher<Infallible>>,
);

/// Tasks are started where another task is polled, and while that happens the executor is alive.
impl<'a, T: Future<Output = ()> + Send + 'a> Spawn<T> for InTask<sync::Weak<Executor<'a>>> {
    fn spawn(&self, task: T) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}

impl<'a, T: Future<Output = ()> + 'a> Spawn<T> for InTask<rc::Weak<LocalExecutor<'a>>> {
    fn spawn(&self, task: T) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}
