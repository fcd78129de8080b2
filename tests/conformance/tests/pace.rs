//! Rate limits of ours and of published crates, in virtual time. Ours have to pass each probe; what
//! the others do is printed (`cargo test --release --test pace -- --nocapture`).

use aiter_core::{RateLimit, iter_to_aiter, rate_limit};
use futures_core::Stream;
use std::{
    cell::Cell,
    future::ready,
    pin::Pin,
    task::{Context, Waker},
    time::Duration,
};

/// `n` items per `per`, with bursts of `burst`; so many items, of which the first is asked for at
/// once and the one with the number `pause.0` only after `pause.1`.
#[derive(Clone, Copy, Debug)]
struct Question {
    n: u32,
    per: Duration,
    burst: u32,
    items: usize,
    pause: (usize, Duration),
}

const NONE: (usize, Duration) = (usize::MAX, Duration::ZERO);
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The times at which the items come.
type Times = Vec<Duration>;

fn ours(asked: Question) -> Times {
    let now = &Cell::new(Duration::ZERO);
    let sleep = |duration| {
        now.set(now.get() + duration);
        ready(())
    };
    let limit = RateLimit::new(asked.n as usize, asked.per).burst(asked.burst as usize);
    let mut limited = rate_limit(limit, (sleep, || now.get()), iter_to_aiter(0..));
    let cx = &mut Context::from_waker(Waker::noop());
    let time = |item| {
        if item == asked.pause.0 {
            now.set(now.get() + asked.pause.1);
        }
        // A timer that is ready at once may make it yield.
        while Pin::new(&mut limited).poll_next(cx).is_pending() {}
        now.get()
    };
    (0..asked.items).map(time).collect()
}

#[cfg(feature = "governor")]
fn governor(asked: Question) -> Times {
    use governor::{Quota, RateLimiter, clock::FakeRelativeClock};
    let clock = FakeRelativeClock::default();
    assert_eq!(asked.per, SECOND);
    let quota = Quota::per_second(asked.n.try_into().unwrap());
    let quota = quota.allow_burst(asked.burst.try_into().unwrap());
    let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
    let start = governor::clock::Clock::now(&clock);
    let time = |item| {
        if item == asked.pause.0 {
            clock.advance(asked.pause.1);
        }
        while let Err(not_until) = limiter.check() {
            let wait = not_until.wait_time_from(governor::clock::Clock::now(&clock));
            clock.advance(wait);
        }
        let now = governor::clock::Clock::now(&clock);
        governor::clock::Reference::duration_since(&now, start).into()
    };
    (0..asked.items).map(time).collect()
}

/// It has no bursts.
#[cfg(all(feature = "tokio", feature = "tokio-stream"))]
fn throttle(asked: Question) -> Times {
    use std::{future::poll_fn, pin::pin};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let start = tokio::time::Instant::now();
        let interval = asked.per / asked.n;
        let mut limited = pin!(tokio_stream::StreamExt::throttle(
            iter_to_aiter(0..),
            interval
        ));
        let mut times = Vec::new();
        for item in 0..asked.items {
            if item == asked.pause.0 {
                tokio::time::advance(asked.pause.1).await;
            }
            poll_fn(|cx| limited.as_mut().poll_next(cx)).await;
            times.push(start.elapsed());
        }
        times
    })
}

/// A probe: the question, and what is wrong with an answer to it.
type Probe = (
    &'static str,
    Question,
    fn(Question, &Times) -> Result<(), String>,
);

const PROBES: &[Probe] = &[
    (
        "rate",
        Question {
            n: 7_000_000,
            per: SECOND,
            burst: 1_000,
            items: 71_000,
            pause: NONE,
        },
        |_, times| {
            // A burst, and then 70 000 items in 10 ms.
            let last = *times.last().unwrap();
            match last == 10 * MILLI {
                true => Ok(()),
                false => Err(format!(
                    "70 000 items of 7 000 000 a second take {last:?}, not 10 ms"
                )),
            }
        },
    ),
    (
        "idle",
        Question {
            n: 10,
            per: SECOND,
            burst: 10,
            items: 40,
            pause: (20, Duration::from_secs(3_600)),
        },
        |asked, times| {
            let at_once = times[20..]
                .iter()
                .filter(|time| **time == times[20])
                .count();
            match at_once == asked.burst as usize {
                true => Ok(()),
                false => Err(format!("{at_once} items come after an idle hour, not 10")),
            }
        },
    ),
    (
        "window",
        Question {
            n: 100,
            per: SECOND,
            burst: 5,
            items: 2_000,
            pause: (700, Duration::from_millis(50)),
        },
        |asked, times| {
            let most = (0..times.len())
                .map(|first| {
                    let in_window = |time: &&Duration| **time - times[first] <= asked.per;
                    times[first..].iter().take_while(in_window).count()
                })
                .max();
            match most <= Some((asked.n + asked.burst) as usize) {
                true => Ok(()),
                false => Err(format!("{most:?} items come in a second, not 105")),
            }
        },
    ),
];

#[test]
fn ours_keep_to_the_limit_and_reach_it() {
    type Subject = (&'static str, fn(Question) -> Times);
    let subjects: &[Subject] = &[
        ("aiter_core::rate_limit", ours),
        #[cfg(feature = "governor")]
        ("governor", governor),
        #[cfg(all(feature = "tokio", feature = "tokio-stream"))]
        ("tokio_stream throttle", throttle),
    ];
    for (subject, run) in subjects {
        for (probe, asked, judge) in PROBES {
            let verdict = judge(*asked, &run(*asked));
            println!("| {subject} | {probe} | {verdict:?} |");
            assert!(*subject != subjects[0].0 || verdict.is_ok(), "{verdict:?}");
        }
    }
}
