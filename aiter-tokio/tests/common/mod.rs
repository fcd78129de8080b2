//! What several tests need: runtimes of both kinds, and waits that fail loudly instead of hanging.
#![allow(dead_code, reason = "each test uses a part of it")]
use std::{future::Future, panic::AssertUnwindSafe, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// No wait of a test takes this long unless it would take for ever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

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

/// Runs `f` on a thread of its own, so that a wait that never ends fails the test instead of hanging it.
#[track_caller]
pub(crate) fn in_time<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = done.send(std::panic::catch_unwind(AssertUnwindSafe(f)));
    });
    match result.recv_timeout(DEADLINE) {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => panic!("nothing happened in time"),
    }
}

/// The message of a panic.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap()
}
