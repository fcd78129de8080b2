extern crate std;

use super::*;
use crate::{
    iter_to_aiter,
    test_support::{clock::ManualClock, *},
};
use alloc::rc::Rc;
use core::{cell::Cell, task::Waker};
use futures_lite::StreamExt;

const QUIET: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);

/// What a poll found, and how many timers were ever made and are live.
fn step<S: Stream + Unpin>(
    stream: &mut Debounce<S, ManualClock>,
    waker: &Waker,
) -> (Poll<Option<S::Item>>, u64, usize) {
    let polled = poll(stream, waker);
    (polled, stream.sleep.made(), stream.sleep.live())
}

#[test]
fn the_newest_item_comes_after_the_quiet_and_the_last_one_at_the_end() {
    let clock = ManualClock::default();
    let (source, remote) = source([Item(1), Item(2), Item(3)]);
    let mut stream = debounce(QUIET, clock.clone(), source);
    let (wakes, waker) = Wakes::new();
    // One timer for three items.
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 1, 1));
    clock.advance(QUIET - Duration::from_nanos(1));
    assert_eq!(wakes.taken(), 0);
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 1, 1));
    // A fourth item begins the quiet anew.
    remote.push(4);
    assert_eq!(wakes.taken(), 1);
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 2, 1));
    clock.advance(SECOND);
    assert_eq!(wakes.taken(), 0);
    clock.advance(QUIET - SECOND);
    assert_eq!(wakes.taken(), 1);
    assert_eq!(step(&mut stream, &waker), (Poll::Ready(Some(4)), 2, 0));
    // Without an item there is no timer.
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 2, 0));
    remote.push(5);
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 3, 1));
    remote.add([Item(6), Item(7), End]);
    assert_eq!(step(&mut stream, &waker), (Poll::Ready(Some(7)), 3, 0));
    assert!(remote.is_dropped() && stream.is_terminated());
    assert_eq!(step(&mut stream, &waker), (Poll::Ready(None), 3, 0));
}

#[test]
fn nothing_and_one_item() {
    let clock = ManualClock::default();
    let mut none = debounce(QUIET, clock.clone(), iter_to_aiter([0; 0]));
    assert!(!none.is_terminated());
    assert_eq!(poll_noop(&mut none), Poll::Ready(None));
    assert!(none.is_terminated());
    assert_eq!(poll_noop(&mut none), Poll::Ready(None));
    let mut one = debounce(QUIET, clock.clone(), iter_to_aiter([1]));
    assert_eq!(poll_noop(&mut one), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut one), Poll::Ready(None));
    let (source, remote) = source([Item(1)]);
    let mut waits = debounce(QUIET, clock.clone(), source);
    assert_eq!(poll_noop(&mut waits), Poll::Pending);
    remote.end();
    assert_eq!(poll_noop(&mut waits), Poll::Ready(Some(1)));
    assert!(waits.is_terminated());
    assert_eq!(clock.live(), 0);
}

#[test]
fn an_item_whose_quiet_was_long_enough_comes_before_those_that_came_since() {
    let clock = ManualClock::default();
    let (source, remote) = source([Item(1)]);
    let mut stream = debounce(QUIET, clock.clone(), source);
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    clock.advance(QUIET);
    remote.add([Item(2), Item(3), End]);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

/// The task is polled later than the items come, each time.
#[test]
fn a_slow_task_is_not_starved() {
    let clock = ManualClock::default();
    let (source, remote) = source([]);
    let mut stream = debounce(QUIET, clock.clone(), source);
    let mut yielded = 0;
    for n in 0..10 {
        remote.push(n);
        clock.advance(2 * QUIET);
        yielded += u32::from(poll_noop(&mut stream).is_ready());
    }
    assert_eq!(yielded, 5);
}

#[test]
fn a_source_that_is_always_ready_lets_others_run_and_loses_nothing() {
    let clock = ManualClock::default();
    let runs = 3;
    let items = runs * MAX_TAKEN;
    let (source, remote) = source((0..items).map(Item));
    let mut stream = debounce(QUIET, clock.clone(), source);
    let (wakes, waker) = Wakes::new();
    for run in 1..=runs {
        assert_eq!(step(&mut stream, &waker), (Poll::Pending, 0, 0));
        assert_eq!((remote.polls(), wakes.taken()), (run * MAX_TAKEN, 1));
    }
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 1, 1));
    assert_eq!(wakes.taken(), 0);
    clock.advance(QUIET);
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(items - 1)));

    // The quiet that was under way ends with the first of many items.
    remote.push(0);
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    remote.add((1..=MAX_TAKEN).map(Item));
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 2, 0));
    clock.advance(QUIET);
    assert_eq!(step(&mut stream, &waker), (Poll::Pending, 3, 1));
    clock.advance(QUIET);
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(MAX_TAKEN)));
}

#[test]
fn any_duration_works() {
    let clock = ManualClock::default();
    let (source, remote) = source([Item(1), Item(2)]);
    let mut at_once = debounce(Duration::ZERO, clock.clone(), source);
    assert_eq!(
        step(&mut at_once, Waker::noop()),
        (Poll::Ready(Some(2)), 0, 0)
    );
    assert_eq!(step(&mut at_once, Waker::noop()), (Poll::Pending, 0, 0));
    remote.push(3);
    assert_eq!(
        step(&mut at_once, Waker::noop()),
        (Poll::Ready(Some(3)), 0, 0)
    );

    let (source, remote) = crate::test_support::source([Item(1)]);
    let mut never = debounce(Duration::MAX, clock.clone(), source);
    assert_eq!(poll_noop(&mut never), Poll::Pending);
    clock.advance(Duration::from_secs(u64::MAX));
    assert_eq!(poll_noop(&mut never), Poll::Pending);
    remote.end();
    assert_eq!(poll_noop(&mut never), Poll::Ready(Some(1)));
}

#[test]
fn next_is_dropped_at_each_await_and_the_quiet_goes_on() {
    let clock = ManualClock::default();
    let (source, remote) = source([Pending, Item(1)]);
    let mut stream = debounce(QUIET, clock.clone(), source);
    let mut next = || {
        let next = core::pin::pin!(stream.next());
        next.poll(&mut Context::from_waker(Waker::noop()))
    };
    for _ in 0..4 {
        assert_eq!(next(), Poll::Pending);
    }
    clock.advance(SECOND);
    assert_eq!(next(), Poll::Pending);
    clock.advance(QUIET - SECOND);
    assert_eq!(next(), Poll::Ready(Some(1)));
    assert_eq!((clock.made(), remote.waiting()), (1, 0));
}

#[test]
fn the_task_that_polled_last_is_woken() {
    let clock = ManualClock::default();
    let (source, _remote) = source([Item(1)]);
    let mut stream = debounce(QUIET, clock.clone(), source);
    let (first, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    drop(waker);
    let (second, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!(
        Rc::strong_count(&Rc::new(())),
        alloc::sync::Arc::strong_count(&first)
    );
    clock.advance(QUIET);
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn a_panic_of_the_source_or_the_timer_loses_nothing() {
    let clock = ManualClock::default();
    let bad = Cell::new(true);
    let timer = |d| {
        let (slept, bad) = (clock.sleep(d), bad.take());
        async move {
            assert!(!bad, "timer");
            slept.await;
        }
    };
    let (source, remote) = source([Item(1), Item(2), Panic, Item(3), Pending, Panic, End]);
    let mut stream = alloc::boxed::Box::pin(debounce(QUIET, timer, source));
    // The panic of the source comes after the items before it.
    if cfg!(feature = "std") {
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(2)));
        assert!(!stream.is_terminated());
    }
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "source");
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "timer");
    if cfg!(feature = "std") {
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
    }
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "source");
    if cfg!(not(feature = "std")) {
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
    }
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert!(remote.is_dropped() && stream.is_terminated());
    assert_eq!(clock.live(), 0);
}

/// A panic that comes while the timer runs ends the quiet.
#[test]
fn a_panic_of_the_source_comes_after_an_item_that_waits() {
    let clock = ManualClock::default();
    let (source, remote) = source([Panic, Item(1)]);
    let mut stream = debounce(QUIET, clock.clone(), source);
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "source");
    assert_eq!(step(&mut stream, Waker::noop()), (Poll::Pending, 1, 1));
    remote.add([Panic]);
    if cfg!(feature = "std") {
        assert_eq!(
            step(&mut stream, Waker::noop()),
            (Poll::Ready(Some(1)), 1, 0)
        );
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "source");
    } else {
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "source");
        clock.advance(QUIET);
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    }
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    remote.end();
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

#[test]
fn the_drop_of_an_item_that_was_replaced_may_panic() {
    struct Bad(u32, Rc<Cell<u32>>);
    impl Drop for Bad {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            assert!(self.0 != 1, "drop");
        }
    }
    let drops = Rc::new(Cell::new(0));
    let clock = ManualClock::default();
    let items = [0, 1, 2].map(|n| Item(Bad(n, drops.clone())));
    let (source, remote) = source(items);
    let mut stream = debounce(QUIET, clock.clone(), source);
    let mut newest = None;
    let mut panics = 0;
    for _ in 0..4 {
        match std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| poll_noop(&mut stream))) {
            Ok(Poll::Ready(item)) => newest = item,
            Ok(Poll::Pending) => clock.advance(QUIET),
            Err(_) => panics += 1,
        }
    }
    assert_eq!((panics, drops.get(), remote.waiting()), (1, 2, 0));
    assert_eq!(newest.map(|item| item.0), Some(2));
}

/// The source and the timer are dropped at the end, in this order.
#[test]
fn the_last_item_comes_though_the_drop_of_the_source_or_the_timer_panics() {
    struct Bad<T>(T, &'static str);
    impl<T> Drop for Bad<T> {
        fn drop(&mut self) {
            panic!("{}", self.1);
        }
    }
    impl<S: Stream + Unpin> Stream for Bad<S> {
        type Item = S::Item;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
            Pin::new(&mut self.0).poll_next(cx)
        }
    }
    impl<F: Future + Unpin> Future for Bad<F> {
        type Output = F::Output;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            Pin::new(&mut self.0).poll(cx)
        }
    }
    let clock = ManualClock::default();
    let (source, remote) = source([Item(1)]);
    let timer = |d| Bad(clock.sleep(d), "timer");
    let mut stream = debounce(QUIET, timer, Bad(source, "source"));
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    remote.end();
    let mut seen = alloc::vec::Vec::new();
    for _ in 0..4 {
        let polled = core::panic::AssertUnwindSafe(|| poll_noop(&mut stream));
        seen.push(std::panic::catch_unwind(polled).ok());
        let is_over = seen.contains(&Some(Poll::Ready(None)));
        assert_eq!(stream.is_terminated(), is_over || seen.len() == 3);
    }
    let (panics, end) = (None, Some(Poll::Ready(None)));
    let item = Some(Poll::Ready(Some(1)));
    let expected = match cfg!(feature = "std") {
        true => [panics, item, panics, end],
        false => [panics, panics, item, end],
    };
    assert_eq!(seen, expected);

    let (source, remote) = crate::test_support::source([Item(2)]);
    let mut stream = debounce(QUIET, |d| Bad(clock.sleep(d), "timer"), source);
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    remote.end();
    panic_of(|| poll_noop(&mut stream));
    assert!(!stream.is_terminated());
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(2)));
    assert!(stream.is_terminated());
}

#[cfg(feature = "std")]
#[test]
fn a_timer_whose_drop_panics_comes_before_the_newest_item_and_the_panic_of_the_source() {
    struct Timer;
    impl Future for Timer {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl Drop for Timer {
        fn drop(&mut self) {
            panic!("timer");
        }
    }
    let (source, remote) = source([Item(1), Pending, Panic, Item(2), End]);
    let mut stream = debounce(QUIET, |_| Timer, source);
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "timer");
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(panic_of(|| poll_noop(&mut stream)), "source");
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(2)));
    assert!(remote.is_dropped() && stream.is_terminated());
}

#[test]
fn counts_the_newest_item_in_its_size() {
    let clock = ManualClock::default();
    let mut stream = debounce(QUIET, clock.clone(), iter_to_aiter([1, 2, 3]));
    assert_eq!(stream.size_hint(), (1, Some(3)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
    assert_eq!(stream.size_hint(), (0, Some(0)));
    let (source, remote) = source([Item(1)]);
    let mut stream = debounce(QUIET, clock, source);
    assert_eq!(poll_noop(&mut stream), Poll::Pending);
    assert_eq!(stream.size_hint(), (1, None));
    remote.add_silently([End]);
    assert_eq!(stream.size_hint(), (1, Some(1)));
    let endless = debounce(QUIET, ManualClock::default(), iter_to_aiter(0..));
    assert_eq!(endless.size_hint(), (1, None));
}
