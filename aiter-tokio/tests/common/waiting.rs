//! Waits that fail instead of hanging.
use std::{panic::AssertUnwindSafe, time::Duration};

/// A limit for every wait. A wait that takes longer is taken for one that would never end.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Runs `f` on a thread of its own, so that a wait that never ends fails the test instead of
/// hanging it.
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
