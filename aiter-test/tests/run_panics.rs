//! Runs, marbles and what is expected of them panic at the line of the caller. This is the only
//! test of its process, because it installs a panic hook.

use aiter_test::{Executor, Task, marbles};
use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Mutex,
    time::Duration,
};

static PLACE: Mutex<String> = Mutex::new(String::new());

/// Checks that the call panics at this line.
macro_rules! panics_here {
    ($call:expr) => {
        let panic = catch_unwind(AssertUnwindSafe(|| $call));
        assert!(panic.is_err(), "line {} does not panic", line!());
        // It is copied because the hook takes the lock when the assertion fails.
        let place = PLACE.lock().unwrap().clone();
        assert_eq!(place, format!("{}:{}", file!(), line!()));
    };
}

#[test]
fn panics_are_at_the_callers_line() {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let place = info.location().unwrap();
        *PLACE.lock().unwrap() = format!("{}:{}", place.file(), place.line());
        before(info);
    }));
    let mut executor = Executor::new();
    let lonely: Task<()> = executor.spawn("lonely", pending());
    panics_here!(executor.run_until_stalled());
    panics_here!(executor.run_for(Duration::from_secs(1)));
    panics_here!(executor.run());
    assert!(!lonely.is_finished());
    let source = executor.record("source", marbles("a|").play(&executor.time()));
    panics_here!(source.assert_marbles("a|"));
    panics_here!(source.assert_marbles("a)"));
    panics_here!(drop(marbles("a)")));
}
