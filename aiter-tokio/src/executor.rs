//! The executors that tasks run on.

use crate::BlockOn;
use aiter_core::adapter::{Nested, Spawn};
use core::future::Future;
use std::rc::Rc;
use tokio::{
    runtime::Handle,
    task::{LocalSet, spawn_local},
};

/// Starts tasks on the executor given to [`active_aiter_on`](crate::active_aiter_on) and its like.
///
/// | executor | what has to be `Send` |
/// |---|---|
/// | a [`Handle`], a [`Runtime`](tokio::runtime::Runtime), a reference or an `Arc` to one | everything that a task holds: the stream, its items, closures and futures |
/// | `&LocalSet`, `Rc<LocalSet>`, [`Local`] | nothing |
///
/// The caller has to run the executor, as for all of its tasks. When a runtime shuts down, or a
/// [`LocalSet`] is dropped, the streams whose tasks were there end, after the items that the tasks
/// had pulled.
#[derive(Clone, Copy, Debug)]
pub struct On<R>(pub(crate) R);

/// The [`LocalSet`] in which the caller runs, as for [`spawn_local`].
#[derive(Clone, Copy, Debug)]
pub struct Local;

impl<R: BlockOn, T: Future<Output = ()> + Send + 'static> Spawn<T> for On<R> {
    fn spawn(&self, task: T) {
        self.0.handle().spawn(task);
    }
}

impl<R: BlockOn> Nested for On<R> {
    type Handle = On<Handle>;

    fn handle(&self, _: usize) -> On<Handle> {
        On(self.0.handle().clone())
    }
}

impl<T: Future<Output = ()> + 'static> Spawn<T> for On<&LocalSet> {
    fn spawn(&self, task: T) {
        self.0.spawn_local(task);
    }
}

impl<T: Future<Output = ()> + 'static> Spawn<T> for On<Rc<LocalSet>> {
    fn spawn(&self, task: T) {
        self.0.spawn_local(task);
    }
}

impl<T: Future<Output = ()> + 'static> Spawn<T> for On<Local> {
    #[track_caller]
    fn spawn(&self, task: T) {
        spawn_local(task);
    }
}

/// The tasks of a set are always polled inside it.
macro_rules! local_sets {
    ($($Set:ty)*) => {$(
        impl Nested for On<$Set> {
            type Handle = On<Local>;

            fn handle(&self, _: usize) -> On<Local> {
                On(Local)
            }
        }
    )*};
}
local_sets! { &LocalSet Rc<LocalSet> Local }
