//! Drivers, joins and maps in tasks.
#[doc(inline)]
pub use aiter_core::adapter::{ActiveAiter, JoinTasks, MapTasks, PreloadAiter, Spawned};
use aiter_core::{
    Driver,
    adapter::{self, Spawn, functions, functions_on},
};
use core::future::Future;
use futures_core::Stream;
use smol::{Executor, LocalExecutor};
use std::{rc::Rc, sync::Arc};

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

functions! {
    place: On<Global> = On(Global),
    example: "aiter_smol", "smol::block_on(async {", "});",
}

functions_on! {
    example: "aiter_smol",
        "let executor = smol::LocalExecutor::new(); smol::block_on(executor.run(async {", "&executor", "}));",
}
