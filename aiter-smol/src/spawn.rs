//! Drivers, joins and maps in tasks.
#[doc(inline)]
pub use aiter_core::adapter::{ActiveAiter, JoinTasks, MapTasks, PreloadAiter, Spawned};
use aiter_core::{
    Driver, Pusher,
    adapter::{self, Place, Spawn, functions, functions_on},
    push_aiter,
};
use core::future::Future;
use futures_core::Stream;
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

/// Starts tasks in a place: on the [`Global`] executor, or on one that is given to [`active_aiter_on`] and its like.
///
/// | place | what has to be `Send` | how long tasks may borrow |
/// |---|---|---|
/// | [`Global`] | everything that a task holds: the stream, its items, closures and futures | `'static` |
/// | `&Executor<'a>`, `Arc<Executor<'a>>` | the same | `'a` |
/// | `&LocalExecutor<'a>`, `Rc<LocalExecutor<'a>>` | nothing | `'a` |
///
/// Somebody has to run an executor that is given, as with all of its tasks. Dropping it ends the streams whose tasks
/// were on it, after the items that those had pulled.
///
/// The tasks of [`map_workers_on`] start others. A task cannot hold a reference to the executor
/// that it is on, as it may outlive that; so for `&Executor` all tasks but the first are on an
/// executor of their own, which is run by as many tasks of the given one as there are processors,
/// and for `&LocalExecutor` by one. An `Arc` or an `Rc` does without that.
#[derive(Clone, Copy, Debug)]
pub struct On<R>(R);

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

impl Place for On<Global> {
    type Inside = Self;

    fn inside(&self, _: usize) -> Self {
        *self
    }
}

impl<'a> Place for On<Arc<Executor<'a>>> {
    type Inside = Inside<sync::Weak<Executor<'a>>>;

    fn inside(&self, _: usize) -> Self::Inside {
        Inside(Arc::downgrade(&self.0), None)
    }
}

impl<'a> Place for On<Rc<LocalExecutor<'a>>> {
    type Inside = Inside<rc::Weak<LocalExecutor<'a>>>;

    fn inside(&self, _: usize) -> Self::Inside {
        Inside(Rc::downgrade(&self.0), None)
    }
}

impl<'a> Place for On<&Executor<'a>> {
    type Inside = Inside<sync::Weak<Executor<'a>>>;

    /// On an executor of their own, which as many tasks run as there are processors: it then makes
    /// no difference on which threads those are.
    fn inside(&self, more: usize) -> Self::Inside {
        let own = Arc::new(Executor::new());
        let (tasks, mut end) = push_aiter::<Infallible>();
        let runners = processors().min(more);
        for _ in 0..runners {
            let (own, mut end) = (own.clone(), end.fork());
            let run = async move { own.run(end.next()).await };
            self.0.spawn(run).detach();
        }
        Inside(Arc::downgrade(&own), Some(tasks))
    }
}

/// The number of processors. Asking the system takes some microseconds, so the answer is kept.
/// Threads that need it before the first answer is there ask as well.
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

impl<'a> Place for On<&LocalExecutor<'a>> {
    type Inside = Inside<rc::Weak<LocalExecutor<'a>>>;

    /// On an executor of their own, which one task runs.
    fn inside(&self, more: usize) -> Self::Inside {
        let own = Rc::new(LocalExecutor::new());
        let (tasks, mut end) = push_aiter::<Infallible>();
        let weak = Rc::downgrade(&own);
        if more > 0 {
            let run = async move { own.run(end.next()).await };
            self.0.spawn(run).detach();
        }
        Inside(weak, Some(tasks))
    }
}

/// An executor as its tasks hold it, and what ends those that run it when the tasks are gone, if it
/// is one of their own: a task cannot hold a reference to the executor that it is on, as it may
/// outlive that.
#[derive(Clone, Debug)]
pub struct Inside<W>(
    W,
    #[expect(dead_code, reason = "its drop is what counts")] Option<Pusher<Infallible>>,
);

/// The executor is there as long as a task of it is polled, which is where tasks are started.
impl<'a, T: Future<Output = ()> + Send + 'a> Spawn<T> for Inside<sync::Weak<Executor<'a>>> {
    fn spawn(&self, task: T) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}

impl<'a, T: Future<Output = ()> + 'a> Spawn<T> for Inside<rc::Weak<LocalExecutor<'a>>> {
    fn spawn(&self, task: T) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}

functions! {
    place: On<Global> = On(Global),
    example: "aiter_smol", "smol::block_on(async {", "});",
}

functions_on! {
    example: "aiter_smol",
        "let executor = smol::LocalExecutor::new(); smol::block_on(executor.run(async {", "&executor", "}));",
}
