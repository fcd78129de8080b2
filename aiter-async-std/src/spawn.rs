//! Drivers, joins and maps in tasks.
#[doc(inline)]
pub use aiter_core::adapter::{ActiveAiter, JoinTasks, MapTasks, PreloadAiter, Spawned};
use aiter_core::adapter::{Spawn, functions};
use core::future::Future;
use futures_core::Stream;

/// Starts tasks on the executor of async-std.
#[derive(Clone, Copy, Debug)]
pub struct OnAsyncStd;

impl<T: Future<Output = ()> + Send + 'static> Spawn<T> for OnAsyncStd {
    fn spawn(&self, task: T) {
        async_std::task::spawn(task);
    }
}

functions! {
    place: OnAsyncStd = OnAsyncStd,
    example: "aiter_async_std", "async_std::task::block_on(async {", "});",
}
