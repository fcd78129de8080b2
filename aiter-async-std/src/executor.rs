//! The executor that tasks run on.

use aiter_core::adapter::{Nested, Spawn};
use core::future::Future;

/// Starts tasks on an executor. There is only one, the [`Global`] one.
#[derive(Clone, Copy, Debug)]
pub struct On<R>(pub(crate) R);

/// The executor behind [`async_std::task::spawn`].
#[derive(Clone, Copy, Debug)]
pub struct Global;

impl<T: Future<Output = ()> + Send + 'static> Spawn<T> for On<Global> {
    fn spawn(&self, task: T) {
        async_std::task::spawn(task);
    }
}

impl Nested for On<Global> {
    type Handle = Self;

    fn handle(&self, _: usize) -> Self {
        *self
    }
}
