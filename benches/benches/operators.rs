//! What forks, gates, takers and blocking iterators add to the stream below them, and takers
//! compared with other channels.

use aiter_benches::{
    Bench, Extra, Mark, Way, ours, peer,
    takers::{AsyncChannel, Crossfire, Kanal, SharedList, Takers, across_threads},
};
use aiter_core::{
    AiterExt, PushAiter, RateLimit, aiter_forker, gated_aiter, iter_to_aiter, push_aiter,
    rate_limit, sharable_aiter,
};
use aiter_tokio::{aiter_to_iter, aiter_to_iter_on};
use futures_core::Stream;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, MonotonicClock, QuantaClock, Reference},
    prelude::StreamRateLimitExt,
};
use std::{
    array,
    future::{poll_fn, ready},
    hint::black_box,
    iter,
    pin::{Pin, pin},
    process::ExitCode,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

const ITEMS: u64 = 100_000;
const PULLS: u64 = 20_000;
const ACROSS: u64 = 1_000_000;

fn main() -> ExitCode {
    let mut bench = Bench::from_args();
    for forks in [1, 2, 8, 64] {
        any_stream(&mut bench, forks);
    }
    wrapped(&mut bench);
    rate_limits(&mut bench);
    blocking(&mut bench);
    takers(&mut bench);
    bench.finish()
}

/// A stream that is always ready.
fn counter(items: u64) -> impl Stream<Item = u64> + Unpin {
    iter_to_aiter((0..items).map(black_box))
}

#[inline]
fn poll<S: Stream<Item = u64> + Unpin>(stream: &mut S) -> Option<u64> {
    match Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("something is there"),
    }
}

fn forks_of<S>(mut first: S, forks: usize, fork: impl Fn(&mut S) -> S) -> Vec<S> {
    let others: Vec<S> = (1..forks).map(|_| fork(&mut first)).collect();
    iter::once(first).chain(others).collect()
}

/// One item after the other, which each fork takes in turn. The first fork pulls it, or it was
/// pushed into a list.
fn any_stream(bench: &mut Bench, forks: usize) {
    fn take_in_turn<S: Stream<Item = u64> + Unpin>(mut forks: Vec<S>, mut before: impl FnMut(u64)) {
        for item in 0..PULLS {
            before(item);
            for fork in &mut forks {
                assert_eq!(poll(fork), Some(item));
            }
        }
    }
    let ways = vec![
        ours("aiter_forker", move || {
            take_in_turn(
                forks_of(aiter_forker(counter(PULLS)), forks, |fork| fork.fork()),
                |_| (),
            );
        }),
        ours("push", move || {
            let (pusher, aiter) = push_aiter();
            take_in_turn(forks_of(aiter, forks, PushAiter::fork), |item| {
                pusher.push(black_box(item)).expect("the forks are there");
            });
        }),
    ];
    let extras = [Extra {
        ours: "aiter_forker",
        base: "push",
        at_most: 6.0,
    }];
    let title = format!("{forks} forks of any stream, per pull");
    bench.compare_extra(&title, PULLS as usize, 101, ways, &[], &extras);
}

/// Takes all items of a stream that is always ready.
fn drain(stream: impl Stream<Item = u64>) {
    let mut stream = pin!(stream);
    let mut taken = 0;
    while let Some(item) = poll(&mut stream) {
        black_box(item);
        taken += 1;
    }
    assert_eq!(taken, ITEMS);
}

fn wrapped(bench: &mut Bench) {
    let ways: Vec<Way> = vec![
        ours("stream", || drain(counter(ITEMS))),
        ours("gated_aiter, open", || {
            let (gated, gate) = gated_aiter(counter(ITEMS));
            gate.open();
            drain(gated);
        }),
        ours("sharable_aiter", || drain(sharable_aiter(counter(ITEMS)))),
        ours("sharable_aiter, one of two", || {
            let other = sharable_aiter(counter(ITEMS));
            drain(other.clone());
        }),
    ];
    let extras = [
        ("gated_aiter, open", 3.0),
        ("sharable_aiter", 12.0),
        ("sharable_aiter, one of two", 12.0),
    ]
    .map(|(ours, at_most)| Extra {
        ours,
        base: "stream",
        at_most,
    });
    bench.compare_extra(
        "around a stream that is ready, one thread",
        ITEMS as usize,
        201,
        ways,
        &[],
        &extras,
    );
}

/// A runtime with virtual time.
fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made")
}

/// Limits that are never reached, and one for whose token each item waits.
///
/// tokio-stream's `throttle` reads no clock and sets no timer if its duration is zero, which is no
/// limit at all: it is the stream alone. With any other duration each item waits for its timer,
/// which tokio rounds up to a millisecond. It is compared with the least such duration, and where
/// each item has to wait, in tokio's virtual time. There a timer that is set again costs `throttle`
/// less than a new one for each item costs us, so that comparison has no mark.
fn rate_limits(bench: &mut Bench) {
    const PER_SECOND: u32 = 1_000_000_000;
    let runtime = paused();
    let quanta = QuantaClock::default();
    let at_start = quanta.now();
    let on_start = |clock: &QuantaClock, start| Duration::from(clock.now().duration_since(start));
    let start = Instant::now();
    let clock = move || (|_| ready(()), move || start.elapsed());
    let limit = RateLimit::new(PER_SECOND as usize, Duration::from_secs(1));
    let quota = Quota::per_second(PER_SECOND.try_into().expect("it is not 0"));
    let on_instant = RateLimiter::direct_with_clock(quota, MonotonicClock);
    let on_quanta = RateLimiter::direct(quota);
    let ways = vec![
        ours("rate_limit", move || {
            drain(rate_limit(limit, clock(), counter(ITEMS)));
        }),
        ours("rate_limit, quanta", move || {
            let clock = (|_| ready(()), || on_start(&quanta, at_start));
            drain(rate_limit(limit, clock, counter(ITEMS)));
        }),
        peer("governor, same clock", move || {
            drain(counter(ITEMS).ratelimit_stream(&on_instant));
        }),
        peer("governor, quanta", move || {
            drain(counter(ITEMS).ratelimit_stream(&on_quanta));
        }),
        peer("the clock alone", move || {
            drain(counter(ITEMS).map_aiter(move |item| {
                black_box(start.elapsed());
                item
            }));
        }),
        peer("throttle(0)", move || {
            let _guard = runtime.enter();
            drain(tokio_stream::StreamExt::throttle(
                counter(ITEMS),
                Duration::ZERO,
            ));
        }),
    ];
    let marks = [
        ("rate_limit", "governor, same clock"),
        ("rate_limit, quanta", "governor, quanta"),
    ]
    .map(|(ours, peer)| Mark {
        ours,
        peer,
        at_most: 1.0,
    });
    let title = "a rate limit that is never reached, one thread";
    bench.compare(title, ITEMS as usize, 101, ways, &marks);

    const WAITS: u64 = 2_000;
    const TICK: Duration = Duration::from_millis(1);
    /// Takes all items, each of which waits, in virtual time.
    fn wait_for_each<S: Stream<Item = u64>>(limited: impl FnOnce() -> S) {
        paused().block_on(async {
            let start = tokio::time::Instant::now();
            let mut stream = pin!(limited());
            while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                black_box(item);
            }
            assert!(start.elapsed() >= TICK * (WAITS as u32 - 1));
        });
    }
    let ways = vec![
        ours("rate_limit", || {
            wait_for_each(|| {
                let start = tokio::time::Instant::now();
                let clock = (tokio::time::sleep, move || start.elapsed());
                rate_limit(RateLimit::new(1, TICK), clock, counter(WAITS))
            });
        }),
        peer("throttle", || {
            wait_for_each(|| tokio_stream::StreamExt::throttle(counter(WAITS), TICK));
        }),
    ];
    let title = "a rate limit for which each item waits, virtual time";
    bench.compare(title, WAITS as usize, 51, ways, &[]);

    const FEW: u64 = 20;
    /// Takes all items, as fast as they come, in real time.
    fn run<S: Stream<Item = u64>>(limited: impl FnOnce() -> S) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime can be made");
        runtime.block_on(async {
            let mut stream = pin!(limited());
            while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                black_box(item);
            }
        });
    }
    let ways = vec![
        ours("rate_limit", move || {
            run(|| {
                let clock = (tokio::time::sleep, move || start.elapsed());
                rate_limit(limit, clock, counter(FEW))
            });
        }),
        peer("throttle(1 ns)", || {
            run(|| tokio_stream::StreamExt::throttle(counter(FEW), Duration::from_nanos(1)));
        }),
    ];
    let marks = [Mark {
        ours: "rate_limit",
        peer: "throttle(1 ns)",
        at_most: 0.7,
    }];
    let title = "a rate limit of an item per nanosecond, 20 items";
    bench.compare(title, FEW as usize, 21, ways, &marks);
}

/// Ready items in a `for` loop outside of any runtime, and in one under a guard of the caller's.
fn blocking(bench: &mut Bench) {
    fn drain(items: impl Iterator<Item = u64>) {
        let mut taken = 0;
        for item in items {
            black_box(item);
            taken += 1;
        }
        assert_eq!(taken, ITEMS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("threads can be made");
    let on = move || runtime.handle().clone();
    let [guarded, ahead, exact, folded, each] = array::from_fn(|_| on());
    let ways = vec![
        ours("aiter_to_iter, guarded", move || {
            let _guard = guarded.enter();
            drain(aiter_to_iter(counter(ITEMS)));
        }),
        ours("aiter_to_iter_on, read_ahead(32)", move || {
            drain(aiter_to_iter_on(&ahead, counter(ITEMS)).read_ahead(32));
        }),
        ours("aiter_to_iter_on", move || {
            drain(aiter_to_iter_on(&exact, counter(ITEMS)));
        }),
        ours("aiter_to_iter_on, for_each", move || {
            aiter_to_iter_on(&folded, counter(ITEMS)).for_each(|item| _ = black_box(item));
        }),
        peer("futures-lite", || {
            drain(futures_lite::stream::block_on(counter(ITEMS)));
        }),
        peer("Handle::block_on each", move || {
            let mut stream = counter(ITEMS);
            drain(iter::from_fn(|| {
                each.block_on(poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)))
            }));
        }),
        peer("block_on_stream", || {
            drain(futures::executor::block_on_stream(counter(ITEMS)));
        }),
        peer("none", || drain((0..ITEMS).map(black_box))),
    ];
    let extras = [
        "aiter_to_iter, guarded",
        "aiter_to_iter_on, read_ahead(32)",
        "aiter_to_iter_on, for_each",
    ]
    .map(|ours| Extra {
        ours,
        base: "none",
        at_most: 3.0,
    });
    bench.compare_extra(
        "blocking iterator, ready items",
        ITEMS as usize,
        101,
        ways,
        &[],
        &extras,
    );
}

fn takers(bench: &mut Bench) {
    let ways = vec![
        ours(SharedList::NAME, || {
            across_threads::<SharedList>(2, 2, ACROSS)
        }),
        peer(Kanal::NAME, || across_threads::<Kanal>(2, 2, ACROSS)),
        peer(AsyncChannel::NAME, || {
            across_threads::<AsyncChannel>(2, 2, ACROSS)
        }),
        peer(Crossfire::NAME, || {
            across_threads::<Crossfire>(2, 2, ACROSS)
        }),
    ];
    let marks = [Mark {
        ours: SharedList::NAME,
        peer: Kanal::NAME,
        at_most: 1.0,
    }];
    bench.compare(
        "1 000 000, 2 pushers to 2 takers",
        ACROSS as usize,
        11,
        ways,
        &marks,
    );
}
