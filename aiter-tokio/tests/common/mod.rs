//! Helpers for several tests: runtimes of both kinds, and waits that fail instead of hanging.
#![allow(dead_code, unused_imports, reason = "no test uses all of these")]
use std::future::Future;
use tokio::runtime::{Builder, Runtime};
pub(crate) use waiting::{DEADLINE, in_time};

mod waiting;

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn both() -> [Runtime; 2] {
    [current_thread(), multi_thread()]
}

/// Awaits `future`, and panics if that takes longer than [`DEADLINE`].
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(DEADLINE, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing happened in time at {caller}"),
        }
    }
}

/// Returns the message of a panic.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap()
}
