//! `Timer` in runtimes whose time is paused, and outside of any.

use aiter_tokio::{
    Clock, RateLimit, Sleep, Timer, batch_within, debounce, iter_to_aiter, rate_limit,
};
use futures_lite::StreamExt;
use std::{pin::pin, time::Duration};
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

/// An hour of items takes no time, and each comes at its second.
#[test]
fn operators_keep_to_a_time_that_is_paused() {
    runtime(true).block_on(async {
        let start = Timer.now();
        let second = || (Timer.now() - start).as_secs();
        let limit = RateLimit::new(60, HOUR).burst(2);
        let mut limited = pin!(rate_limit(limit, iter_to_aiter(0..5)));
        for minute in [0, 0, 1, 2, 3] {
            assert!(limited.next().await.is_some());
            assert_eq!(second(), minute * 60);
        }
        assert_eq!(limited.next().await, None);

        // An item every minute, three times, and then one after an hour.
        let (start, apart) = (Timer.now(), [1, 1, 1, 60]);
        let ticks = || {
            let ticks = futures_lite::stream::iter(apart.into_iter().enumerate());
            ticks.then(|(n, minutes)| async move {
                Timer.sleep(HOUR / 60 * minutes).await;
                n
            })
        };
        let minute = || ((Timer.now() - start).as_secs_f64() / 60.).round() as u64;
        let mut newest = pin!(debounce(HOUR / 2, ticks()));
        assert_eq!((newest.next().await, minute()), (Some(2), 33));
        assert_eq!((newest.next().await, minute()), (Some(3), 63));
        assert_eq!(newest.next().await, None);

        let start = Timer.now();
        let minute = || ((Timer.now() - start).as_secs_f64() / 60.).round() as u64;
        let mut batches = pin!(batch_within(9, HOUR / 2, ticks()));
        assert_eq!((batches.next().await, minute()), (Some(vec![0, 1, 2]), 31));
        assert_eq!((batches.next().await, minute()), (Some(vec![3]), 63));
        assert_eq!(batches.next().await, None);
    });
}

#[test]
fn a_sleep_outside_of_a_runtime_panics() {
    let panicked = std::panic::catch_unwind(|| drop(Timer.sleep(HOUR)));
    assert!(panicked.is_err());
}
