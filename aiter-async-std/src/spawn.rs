//! Drivers, joins and maps in tasks.
#[doc(inline)]
pub use aiter_core::adapter::{ActiveAiter, JoinTasks, MapTasks, PreloadAiter, Spawned};
use aiter_core::adapter::{Place, Spawn, functions};
use core::future::Future;
use futures_core::Stream;

/// Starts tasks in a place. There is one here, the [`Global`] executor.
#[derive(Clone, Copy, Debug)]
pub struct On<R>(R);

/// The executor behind [`async_std::task::spawn`].
#[derive(Clone, Copy, Debug)]
pub struct Global;

impl<T: Future<Output = ()> + Send + 'static> Spawn<T> for On<Global> {
    fn spawn(&self, task: T) {
        async_std::task::spawn(task);
    }
}

impl Place for On<Global> {
    type Inside = Self;

    fn inside(&self, _: usize) -> Self {
        *self
    }
}

functions! {
    place: On<Global> = On(Global),
    example: "aiter_async_std", "async_std::task::block_on(async {", "});",
}
