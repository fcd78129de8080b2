//! The clock of `Timer` in runtimes whose time is paused, and outside of any.

use aiter_tokio::{Clock, Sleep, Timer};
use std::time::Duration;
use tokio::{
    runtime::{Builder, Runtime},
    time,
};

const HOUR: Duration = Duration::from_secs(3600);

fn runtime(is_paused: bool) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(is_paused);
    builder.build().unwrap()
}

/// Whether the clock has moved by no more than what the test may take.
fn stands(before: Duration, after: Duration) -> bool {
    after >= before && after - before < HOUR / 2
}

#[test]
fn the_clock_of_a_paused_runtime_jumps_nowhere() {
    // Its time stands from here on, before the first call of the clock.
    let (early, other) = (runtime(true), runtime(false));
    let start = early.block_on(async { time::Instant::now().into_std() });
    let in_other = other.block_on(async { Timer.now() });
    let outside = Timer.now();
    assert!(stands(in_other, outside));

    early.block_on(async move {
        let first = Timer.now();
        assert!(
            stands(first, in_other),
            "it lies before the epoch of the other one"
        );
        // Each step of the runtime's time is one of the clock, on both sides of the first call.
        for step in [1, 1, 1_000_000_000, HOUR.as_nanos() as u64 * 1000] {
            let before = Timer.now();
            time::advance(Duration::from_nanos(step)).await;
            assert_eq!(Timer.now() - before, Duration::from_nanos(step));
        }
        Timer.sleep(HOUR).await;
        let passed = time::Instant::now().into_std() - start;
        assert!(passed >= HOUR * 1001, "{passed:?}");
        assert_eq!(Timer.now() - first, passed);
    });
    // The other runtimes' clocks went on as they were.
    let later = other.block_on(async { Timer.now() });
    assert!(stands(in_other, later) && stands(outside, Timer.now()));
    let elsewhere = std::thread::spawn(|| Timer.now()).join().unwrap();
    assert!(stands(later, elsewhere));
}
