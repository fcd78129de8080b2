use super::*;
use crate::{
    Sleep, iter_to_aiter,
    test_support::{clock::ManualClock, *},
};
use alloc::{boxed::Box, rc::Rc, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    future::{Ready, pending, ready},
    time::Duration,
};
use futures_lite::StreamExt;

const SECOND: Duration = Duration::from_secs(1);

const fn nanos(n: u64) -> Duration {
    Duration::from_nanos(n)
}

/// A clock whose timers move it on by what they wait for, and are ready at once.
#[derive(Clone, Default)]
struct Virtual(Rc<Cell<Duration>>);

impl Sleep for Virtual {
    type Sleep = Ready<()>;

    fn sleep(&self, duration: Duration) -> Ready<()> {
        self.0.set(self.0.get().saturating_add(duration));
        ready(())
    }
}

impl Clock for Virtual {
    fn now(&self) -> Duration {
        self.0.get()
    }
}

/// How many items come out at once.
fn count_ready<S: Stream + Unpin>(stream: &mut S) -> usize {
    let mut count = 0;
    while poll_noop(stream).is_ready() {
        count += 1;
        assert!(count < 10_000_000, "a flood");
    }
    count
}

fn limited<C: Clock>(n: usize, per: Duration, burst: usize, clock: C) -> RateLimited<Endless, C> {
    let limit = RateLimit::new(n, per).burst(burst);
    rate_limit(limit, clock, iter_to_aiter(0..))
}

type Endless = crate::IterToAiter<core::ops::RangeFrom<u64>>;

/// The limits of the exact tests: whole intervals, fractions, several items each nanosecond.
const LIMITS: [(usize, Duration, usize); 8] = [
    (1, SECOND, 1),
    (10, SECOND, 10),
    (7, SECOND, 3),
    (3, nanos(1_000_000_001), 100),
    (999_983, Duration::from_secs(60), 1),
    (7_919, nanos(1_000), 50),
    (37, nanos(2), 1_000),
    (usize::MAX - 1, Duration::from_secs(1 << 40), 1_000),
];

#[test]
fn a_million_items_come_exactly_when_their_tokens_do() {
    for (n, per, burst) in LIMITS {
        let clock = Virtual::default();
        let mut stream = limited(n, per, burst, clock.clone());
        for k in 0..u128::from(many(1_000_000)) {
            assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(k as u64)));
            let tokens = (k + 1).saturating_sub(burst as u128);
            let due = (tokens * per.as_nanos()).div_ceil(n as u128);
            assert_eq!(clock.now().as_nanos(), due, "item {k} of {n} per {per:?}");
        }
    }
}

#[test]
fn no_window_has_more_than_the_limit_and_a_burst() {
    let mut random = Random(1);
    for (n, per, burst) in LIMITS {
        let clock = Virtual::default();
        let mut stream = limited(n, per, burst, clock.clone());
        let mut times = Vec::new();
        for _ in 0..many(100_000) {
            // Now and then it is idle, for up to some periods.
            if random.below(50) == 0 {
                let idle = per.mul_f64(random.below(3_000) as f64 / 1_000.0);
                clock.0.set(clock.now() + idle);
            }
            assert!(poll_noop(&mut stream).is_ready());
            times.push(clock.now());
        }
        let mut first = 0;
        for (last, time) in times.iter().enumerate() {
            while *time - times[first] > per {
                first += 1;
            }
            assert!(last - first < n.saturating_add(burst), "{n} per {per:?}");
        }
    }
}

/// A small generator of random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn it_starts_full_and_is_full_after_an_idle_hour() {
    for (n, burst) in [(10, 10), (10, 3), (2, 40)] {
        let clock = ManualClock::default();
        let mut stream = limited(n, SECOND, burst, clock.clone());
        for _ in 0..2 {
            assert_eq!(count_ready(&mut stream), burst);
            assert_eq!(count_ready(&mut stream), 0);
            clock.advance(Duration::from_secs(3_600));
        }
        count_ready(&mut stream);
        clock.advance(SECOND);
        assert_eq!(count_ready(&mut stream), n.min(burst));
    }
    // Without a burst of its own it is `n`.
    let limit = RateLimit::new(5, SECOND);
    let mut stream = rate_limit(limit, ManualClock::default(), iter_to_aiter(0..));
    assert_eq!(count_ready(&mut stream), 5);
}

#[test]
fn the_source_is_polled_with_a_token_only_and_an_item_spends_it() {
    let clock = ManualClock::default();
    let (source, remote) = source([Pending, Item(1), Item(2), Pending, Pending, Panic, Item(3)]);
    let mut stream = rate_limit(RateLimit::new(1, SECOND), clock.clone(), source);
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(1)));
    // One timer waits for the token, however often it is polled.
    for _ in 0..3 {
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    }
    assert_eq!((remote.polls(), clock.made(), clock.live()), (2, 1, 1));
    clock.advance(SECOND - nanos(1));
    assert_eq!(
        (poll(&mut stream, &waker), wakes.taken()),
        (Poll::Pending, 0)
    );
    clock.advance(nanos(1));
    assert_eq!(wakes.taken(), 1);
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(2)));
    assert_eq!((clock.made(), clock.live()), (1, 0));
    // A source that is pending or panics spends none.
    clock.advance(SECOND);
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!(panic_of(|| poll(&mut stream, &waker)), "source");
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(3)));
    assert_eq!((clock.made(), clock.live()), (1, 0));
}

/// The time that a source takes in its poll belongs to no earlier window.
#[test]
fn a_token_is_spent_when_the_item_comes_out() {
    let clock = ManualClock::default();
    let source = {
        let clock = clock.clone();
        iter_to_aiter((0..).inspect(move |n| {
            if *n == 0 {
                clock.advance(SECOND);
            }
        }))
    };
    let mut stream = rate_limit(RateLimit::new(3, SECOND), clock, source);
    assert_eq!(count_ready(&mut stream), 3);
}

#[test]
fn the_end_waits_for_a_token_and_spends_none() {
    let clock = ManualClock::default();
    let (source, remote) = source([Item(1), End]);
    let mut stream = rate_limit(RateLimit::new(1, SECOND), clock.clone(), source);
    assert_eq!(stream.size_hint(), (1, Some(1)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    assert!(!stream.is_terminated());
    clock.advance(SECOND);
    for _ in 0..3 {
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(stream.is_terminated() && remote.is_dropped());
    }
    assert_eq!(
        (clock.made(), clock.live(), stream.size_hint()),
        (1, 0, (0, Some(0)))
    );
}

#[test]
fn the_largest_numbers_work() {
    const HUGE: [(usize, Duration, usize); 6] = [
        (usize::MAX, Duration::MAX, usize::MAX),
        (usize::MAX, nanos(1), usize::MAX),
        (1, Duration::MAX, usize::MAX),
        (usize::MAX, Duration::MAX, 1_000),
        (1, Duration::MAX, 1_000),
        (3, Duration::MAX, 1_000),
    ];
    for (n, per, burst) in HUGE {
        let clock = ManualClock::default();
        let mut stream = limited(n, per, burst, clock.clone());
        for _ in 0..1_000 {
            assert!(poll_noop(&mut stream).is_ready(), "{n} per {per:?}");
        }
        assert_eq!(poll_noop(&mut stream).is_ready(), burst == usize::MAX);
    }
    // A bucket that is empty for half an eternity.
    let clock = ManualClock::default();
    let mut stream = limited(2, Duration::MAX, 1_000, clock.clone());
    assert_eq!(count_ready(&mut stream), 1_000);
    clock.advance(Duration::MAX);
    assert_eq!(count_ready(&mut stream), 2);
    assert_eq!(count_ready(&mut stream), 0);
    // An interval far below a nanosecond: the bucket is full again in each.
    let mut stream = limited(usize::MAX, nanos(1), 1_000, Virtual::default());
    for _ in 0..10_000 {
        assert!(poll_noop(&mut stream).is_ready());
    }
    assert_eq!(stream.clock.now(), nanos(9));
}

/// A clock that a test sets, and timers that it counts and that never wake.
fn scripted(now: &Cell<Duration>, slept: &RefCell<Vec<Duration>>) -> impl Clock<Sleep: Unpin> {
    let sleep = |duration| {
        slept.borrow_mut().push(duration);
        pending::<()>()
    };
    (sleep, || now.get())
}

#[test]
fn the_clock_decides_and_not_the_timer() {
    let (now, slept) = (Cell::new(100 * SECOND), RefCell::default());
    let clock = scripted(&now, &slept);
    let mut stream = limited(4, SECOND, 2, clock);
    assert_eq!(count_ready(&mut stream), 2);
    assert_eq!(*slept.borrow(), [SECOND / 4]);
    // It stands still.
    for _ in 0..10 {
        assert_eq!(count_ready(&mut stream), 0);
    }
    // It jumps ahead.
    now.set(now.get() + SECOND / 4);
    assert_eq!(count_ready(&mut stream), 1);
    now.set(Duration::MAX);
    assert_eq!(count_ready(&mut stream), 2);
    assert_eq!(*slept.borrow(), [SECOND / 4; 3]);
}

#[test]
fn a_clock_that_goes_back_neither_floods_nor_starves() {
    let (now, slept) = (Cell::new(100 * SECOND), RefCell::default());
    let clock = scripted(&now, &slept);
    let mut stream = limited(4, SECOND, 2, clock);
    let mut at = |time: Duration| {
        now.set(time);
        count_ready(&mut stream)
    };
    assert_eq!(at(100 * SECOND), 2);
    // To and fro within a period: the same time passes once.
    let quarter = SECOND / 4;
    for _ in 0..10 {
        assert_eq!(at(99 * SECOND), 0);
        assert_eq!(at(100 * SECOND), 0);
    }
    assert_eq!(at(100 * SECOND + quarter), 1);
    assert_eq!(at(99 * SECOND + quarter), 0);
    assert_eq!(at(100 * SECOND + 2 * quarter), 1);
    // It is set back by a day: time counts from there, and nothing comes at once.
    assert_eq!(at(SECOND), 0);
    assert_eq!(at(SECOND + quarter), 1);
    assert_eq!(at(2 * SECOND + quarter), 2);
    assert_eq!(at(Duration::ZERO), 0);
    assert_eq!(at(Duration::MAX), 2);
    assert_eq!(at(Duration::ZERO), 0);
    assert_eq!(at(quarter), 1);
}

#[test]
fn the_timer_waits_for_a_clock_that_is_behind() {
    let (now, slept) = (Cell::new(100 * SECOND), RefCell::default());
    let clock = scripted(&now, &slept);
    let mut stream = limited(4, SECOND, 1, clock);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(0)));
    now.set(99 * SECOND);
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    assert_eq!(*slept.borrow(), [SECOND + SECOND / 4]);
}

#[test]
fn a_timer_that_is_early_is_set_again_without_a_busy_loop() {
    // Each timer is ready when a tenth of its time is over.
    let clock = ManualClock::default();
    let early = |duration: Duration| clock.sleep(duration / 10);
    let mut stream = limited(1, SECOND, 1, (early, || clock.now()));
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut stream, &waker).is_ready());
    assert!(poll(&mut stream, &waker).is_pending());
    clock.advance(SECOND / 10);
    assert_eq!(wakes.taken(), 1);
    for _ in 0..3 {
        assert!(poll(&mut stream, &waker).is_pending());
        assert_eq!((wakes.taken(), clock.made(), clock.live()), (0, 2, 1));
    }
    clock.advance(SECOND);
    assert!(poll(&mut stream, &waker).is_ready());

    // Timers that are ready although no time has passed: it yields to the executor.
    let made = Cell::new(0);
    let broken = |_| {
        made.set(made.get() + 1);
        ready(())
    };
    let mut stream = limited(1, SECOND, 1, (broken, || Duration::ZERO));
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut stream, &waker).is_ready());
    for polls in 1..5 {
        assert!(poll(&mut stream, &waker).is_pending());
        assert_eq!((wakes.taken(), made.get()), (1, 2 * polls));
    }
}

#[test]
fn next_is_dropped_at_each_await_and_the_task_that_polled_last_is_woken() {
    let clock = ManualClock::default();
    let (source, remote) = source([Pending, Item(1), Pending, Item(2)]);
    let mut stream = rate_limit(RateLimit::new(1, SECOND), clock.clone(), source);
    let mut seen = Vec::new();
    let mut wakes = Vec::new();
    for _ in 0..3 {
        for _ in 0..3 {
            let (count, waker) = Wakes::new();
            wakes.push(count);
            // Each poll has a `next()` and a task of its own.
            let next = core::pin::pin!(stream.next());
            if let Poll::Ready(item) = next.poll(&mut Context::from_waker(&waker)) {
                seen.push(item.unwrap());
            }
        }
        clock.advance(SECOND);
    }
    assert_eq!((seen, remote.waiting()), (Vec::from([1, 2]), 0));
    // The timer woke the last of the tasks that waited for it, and has let go of the others.
    let counts: Vec<_> = wakes.iter().map(|wakes| wakes.count()).collect();
    assert_eq!(counts, [0, 0, 1, 0, 0, 1, 0, 0, 0]);
    let kept = |wakes: &alloc::sync::Arc<Wakes>| alloc::sync::Arc::strong_count(wakes) - 1;
    assert_eq!(wakes.iter().map(kept).sum::<usize>(), 1);
}

#[test]
fn a_panic_of_the_timer_or_the_clock_leaves_it_usable() {
    let clock = ManualClock::default();
    let bad = Cell::new("");
    let sleep = |duration| {
        let (slept, bad) = (clock.sleep(duration), bad.take());
        assert!(bad != "sleep", "sleep");
        async move {
            assert!(bad != "timer", "timer");
            slept.await;
        }
    };
    let now = || {
        assert!(bad.get() != "clock", "clock");
        clock.now()
    };
    let mut stream = Box::pin(limited(1, SECOND, 1, (sleep, now)));
    bad.set("clock");
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "clock");
    bad.set("");
    // That item is lost, and its token is not spent.
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    for panic in ["sleep", "timer", "clock"] {
        bad.set(panic);
        assert_eq!(panic_of(|| poll_noop(&mut stream)), panic);
    }
    bad.set("");
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    assert_eq!(clock.live(), 1);
    clock.advance(SECOND);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(2)));
}

#[test]
fn a_limit_is_a_value() {
    const LIMIT: RateLimit = RateLimit::new(2, SECOND).burst(5);
    let copy = LIMIT;
    assert_eq!(copy, LIMIT);
    assert_ne!(LIMIT, RateLimit::new(2, SECOND));
    assert_eq!(
        alloc::format!("{LIMIT:?}"),
        "RateLimit { n: 2, per: 1s, burst: 5 }"
    );
    let waits = limited(2, SECOND, 5, (|_| pending::<()>(), || Duration::ZERO));
    let shown = alloc::format!("{waits:?}");
    assert!(
        shown.contains("burst: 5") && shown.contains("has_token: true"),
        "{shown}"
    );
}
