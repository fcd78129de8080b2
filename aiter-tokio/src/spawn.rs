//! Drivers, joins and maps in tasks.
use crate::{BlockOn, Budget};
#[doc(inline)]
pub use aiter_core::adapter::Spawned;
use aiter_core::{
    Driver,
    adapter::{self, Place, Spawn, functions, functions_on},
};
use core::future::Future;
use futures_core::Stream;
use std::rc::Rc;
use tokio::{
    runtime::Handle,
    task::{LocalSet, spawn_local},
};

/// The list that a task fills: see [`active_aiter`].
pub type ActiveAiter<T> = adapter::ActiveAiter<T, Budget>;
/// A stream that a task keeps ahead of its consumer: see [`preload_aiter`].
pub type PreloadAiter<T> = adapter::PreloadAiter<T, Budget>;
/// Streams joined, with a task each: see [`join_aiters`].
pub type JoinTasks<SS, R> = adapter::JoinTasks<SS, R, Budget>;
/// What workers made of a stream, in the order in which it was ready: see [`map_workers`].
pub type MapTasks<T> = adapter::MapTasks<T, Budget>;

/// Starts tasks in a place: on the current runtime, or in the place given to [`active_aiter_on`] and its like.
///
/// | place | what has to be `Send` |
/// |---|---|
/// | a [`Handle`], a [`Runtime`](tokio::runtime::Runtime), a reference or an `Arc` to one | everything that a task holds: the stream, its items, closures and futures |
/// | `&LocalSet`, `Rc<LocalSet>`, [`Local`] | nothing |
///
/// Somebody has to run what is given, as with all of its tasks. When a runtime shuts down, or a [`LocalSet`] is dropped, the
/// streams whose tasks were there end, after the items that those had pulled.
#[derive(Clone, Copy, Debug)]
pub struct On<R>(R);

/// The [`LocalSet`] that the code is running in, as [`spawn_local`] means it.
#[derive(Clone, Copy, Debug)]
pub struct Local;

impl<R: BlockOn, T: Future<Output = ()> + Send + 'static> Spawn<T> for On<R> {
    fn spawn(&self, task: T) {
        self.0.handle().spawn(task);
    }
}

impl<R: BlockOn> Place for On<R> {
    type Inside = On<Handle>;

    fn inside(&self, _: usize) -> On<Handle> {
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
macro_rules! local_places {
    ($($Place:ty)*) => {$(
        impl Place for On<$Place> {
            type Inside = On<Local>;

            fn inside(&self, _: usize) -> On<Local> {
                On(Local)
            }
        }
    )*};
}
local_places! { &LocalSet Rc<LocalSet> Local }

functions! {
    place: On<Handle> = On(Handle::current()),
    outside: "outside a tokio runtime",
    example: "aiter_tokio",
        "tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {", "});",
}

functions_on! {
    example: "aiter_tokio",
        "let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
# tokio::task::LocalSet::new().block_on(&runtime, async {",
        "aiter_tokio::Local", "});",
}
