use super::*;
use crate::{
    Sleep, batch, batch_within, iter_to_aiter,
    test_support::{clock::ManualClock, *},
};
use alloc::{boxed::Box, rc::Rc, vec, vec::Vec};
use core::{cell::Cell, future::Future, iter, task::Waker, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

/// Batches of up to `n`, which wait for a second.
fn in_a_second<S: Stream>(n: usize, clock: &ManualClock, source: S) -> BatchWithin<S, ManualClock> {
    batch_within(n, SECOND, clock.clone(), source)
}

fn ready<T>(items: impl IntoIterator<Item = T>) -> Poll<Option<Vec<T>>> {
    Poll::Ready(Some(items.into_iter().collect()))
}

#[test]
fn a_batch_has_what_is_ready_up_to_n() {
    let (source, remote) = source([Pending]);
    let mut batches = batch(3, source);
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut batches, &waker), Poll::Pending);
    remote.push(1);
    assert_eq!(wakes.taken(), 1);
    assert_eq!(poll(&mut batches, &waker), ready([1]));
    remote.add((2..9).map(Item));
    assert_eq!(poll(&mut batches, &waker), ready([2, 3, 4]));
    assert_eq!(poll(&mut batches, &waker), ready([5, 6, 7]));
    assert_eq!(poll(&mut batches, &waker), ready([8]));
    assert_eq!(poll(&mut batches, &waker), Poll::Pending);
}

#[test]
fn the_tail_comes_at_once_and_the_source_is_dropped() {
    for n in [1, 2, 3, usize::MAX] {
        for items in [0, 1, 2, 3, 4, 6, 10_000] {
            let clock = ManualClock::default();
            let steps = || (0..items).map(Item).chain([End]);
            let (first, remote) = source(steps());
            let (second, timed_remote) = source(steps());
            let mut batches = batch(n, first);
            let mut timed = in_a_second(n, &clock, second);
            let mut next = 0;
            while next < items {
                let most = n.min(MANY).min(items - next);
                assert_eq!(poll_noop(&mut batches), ready(next..next + most));
                assert_eq!(poll_noop(&mut timed), ready(next..next + most));
                next += most;
            }
            for _ in 0..2 {
                assert_eq!(poll_noop(&mut batches), Poll::Ready(None));
                assert_eq!(poll_noop(&mut timed), Poll::Ready(None));
                assert!(batches.is_terminated() && timed.is_terminated());
                assert_eq!(batches.size_hint(), (0, Some(0)));
                assert_eq!(timed.size_hint(), (0, Some(0)));
            }
            assert!(remote.is_dropped() && timed_remote.is_dropped());
            assert_eq!(clock.made(), 0, "no timer is made for ready items");
        }
    }
}

#[test]
fn a_source_that_is_always_ready_hangs_no_poll() {
    for n in [MANY + 1, usize::MAX] {
        let mut batches = batch(n, iter_to_aiter(0..));
        let clock = ManualClock::default();
        let mut timed = batch_within(n, Duration::MAX, clock, iter_to_aiter(0..));
        for from in [0, MANY] {
            assert_eq!(poll_noop(&mut batches), ready(from..from + MANY));
            assert_eq!(poll_noop(&mut timed), ready(from..from + MANY));
        }
    }
}

#[test]
fn a_batch_that_waits_may_have_more_items_than_one_poll_takes() {
    let (source, remote) = source((0..3_000).map(Item));
    let clock = ManualClock::default();
    let mut batches = in_a_second(usize::MAX, &clock, source);
    for from in [3_000, 6_000] {
        assert_eq!(poll_noop(&mut batches), Poll::Pending);
        remote.add((from..from + 3_000).map(Item));
    }
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
    clock.advance(SECOND);
    assert_eq!(poll_noop(&mut batches), ready(0..9_000));
    // The room of the next one has a limit.
    remote.add([Item(7), End]);
    match poll_noop(&mut batches) {
        Poll::Ready(Some(batch)) => assert_eq!((&*batch, batch.capacity()), (&[7][..], MANY)),
        polled => panic!("{polled:?}"),
    }
}

#[test]
fn it_waits_after_the_first_item_and_gives_a_full_batch_at_once() {
    let clock = ManualClock::default();
    let (source, remote) = source([Pending]);
    let mut batches = in_a_second(3, &clock, source);
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut batches, &waker), Poll::Pending);
    // No time passes before the first item.
    clock.advance(10 * SECOND);
    assert_eq!((wakes.taken(), clock.made()), (0, 0));
    remote.push(1);
    assert_eq!(poll(&mut batches, &waker), Poll::Pending);
    clock.advance(SECOND / 2);
    remote.push(2);
    assert_eq!(wakes.taken(), 2);
    assert_eq!(poll(&mut batches, &waker), Poll::Pending);
    // The second item has not started it again.
    clock.advance(SECOND / 2);
    assert_eq!(wakes.taken(), 1);
    assert_eq!(poll(&mut batches, &waker), ready([1, 2]));
    assert_eq!((clock.live(), clock.made()), (0, 1));

    remote.push(3);
    assert_eq!(poll(&mut batches, &waker), Poll::Pending);
    remote.add([Item(4), Item(5), Item(6)]);
    assert_eq!(poll(&mut batches, &waker), ready([3, 4, 5]));
    // The next batch has a time of its own.
    assert_eq!(clock.live(), 0);
    clock.advance(SECOND);
    assert_eq!(poll(&mut batches, &waker), Poll::Pending);
    assert_eq!((clock.live(), clock.made()), (1, 3));
    remote.end();
    assert_eq!(poll(&mut batches, &waker), ready([6]));
    assert_eq!(clock.live(), 0);
    assert_eq!(poll(&mut batches, &waker), Poll::Ready(None));
}

#[test]
fn a_consumer_that_comes_late_gets_the_batch_at_once() {
    for n in [3, 4, 5] {
        let clock = ManualClock::default();
        let (source, remote) = source([Item(1), Pending]);
        let mut batches = in_a_second(n, &clock, source);
        assert_eq!(poll_noop(&mut batches), Poll::Pending);
        remote.add([Item(2), Item(3), Item(4)]);
        clock.advance(5 * SECOND);
        // With what is ready by then.
        assert_eq!(poll_noop(&mut batches), ready(1..=n.min(4)));
        assert_eq!((clock.live(), clock.made()), (0, 1));
    }
}

#[test]
fn the_timer_wakes_the_task_that_polled_last() {
    let clock = ManualClock::default();
    let (source, _remote) = source([Item(1)]);
    let mut batches = in_a_second(2, &clock, source);
    let (first, first_waker) = Wakes::new();
    let (second, second_waker) = Wakes::new();
    assert_eq!(poll(&mut batches, &first_waker), Poll::Pending);
    assert_eq!(poll(&mut batches, &second_waker), Poll::Pending);
    assert_eq!(clock.made(), 1);
    clock.advance(SECOND);
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn no_time_and_all_time_are_times_too() {
    let clock = ManualClock::default();
    let (first, _remote) = source([Pending, Item(1), Item(2), Pending]);
    let mut at_once = batch_within(9, Duration::ZERO, clock.clone(), first);
    assert_eq!(poll_noop(&mut at_once), Poll::Pending);
    assert_eq!(poll_noop(&mut at_once), ready([1, 2]));
    assert_eq!(poll_noop(&mut at_once), Poll::Pending);
    assert_eq!(clock.made(), 0);

    let (second, remote) = source([Item(1), Pending]);
    let mut never = batch_within(2, Duration::MAX, clock.clone(), second);
    assert_eq!(poll_noop(&mut never), Poll::Pending);
    clock.advance(Duration::MAX - SECOND);
    assert_eq!(poll_noop(&mut never), Poll::Pending);
    remote.push(2);
    assert_eq!(poll_noop(&mut never), ready([1, 2]));
}

/// A source that obeys a budget, as those of tokio do: each poll with an item costs one unit, and
/// without any left the task is woken at once.
fn with_budget<T>(
    budget: &Rc<Cell<u32>>,
    mut items: impl Iterator<Item = T>,
) -> impl Stream<Item = T> + Unpin {
    let budget = budget.clone();
    futures_lite::stream::poll_fn(move |cx| {
        let Some(left) = budget.get().checked_sub(1) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        budget.set(left);
        Poll::Ready(items.next())
    })
}

/// A timer that obeys the same budget.
struct Budgeted(ManualClock, Rc<Cell<u32>>);

impl Sleep for Budgeted {
    type Sleep = core::pin::Pin<Box<dyn Future<Output = ()>>>;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        let budget = self.1.clone();
        let mut timer = self.0.sleep(duration);
        Box::pin(core::future::poll_fn(move |cx| {
            if budget.get() == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Pin::new(&mut timer).poll(cx)
        }))
    }
}

#[test]
fn a_source_that_uses_up_the_budget_of_the_task_does_not_hide_the_timer() {
    let clock = ManualClock::default();
    let budget = Rc::new(Cell::new(0));
    let timer = Budgeted(clock.clone(), budget.clone());
    let mut batches = batch_within(usize::MAX, SECOND, timer, with_budget(&budget, 0..));
    for _ in 0..2 {
        budget.set(10);
        assert_eq!(poll_noop(&mut batches), Poll::Pending);
    }
    clock.advance(SECOND);
    budget.set(10);
    assert_eq!(poll_noop(&mut batches), ready(0..30));
}

#[cfg(feature = "std")]
#[test]
fn a_panic_comes_after_the_items_before_it() {
    let clock = ManualClock::default();
    let steps = || {
        [
            Panic,
            Item(1),
            Item(2),
            Panic,
            Item(3),
            Panic,
            Panic,
            Item(4),
            End,
        ]
    };
    let (first, remote) = source(steps());
    let (second, _) = source(steps());
    let mut batches = batch(3, first);
    let mut timed = in_a_second(3, &clock, second);
    macro_rules! both {
        ($stream:ident => $check:expr) => {{
            let $stream = &mut batches;
            $check;
            let $stream = &mut timed;
            $check;
        }};
    }
    both!(stream => assert_eq!(panic_of(|| poll_noop(stream)), "source"));
    both!(stream => assert_eq!(poll_noop(stream), ready([1, 2])));
    both!(stream => assert!(!stream.is_terminated()));
    both!(stream => assert_eq!(panic_of(|| poll_noop(stream)), "source"));
    both!(stream => assert_eq!(poll_noop(stream), ready([3])));
    assert_eq!(
        remote.polls(),
        6,
        "the kept panic is not followed by a poll"
    );
    both!(stream => assert_eq!(panic_of(|| poll_noop(stream)), "source"));
    both!(stream => assert_eq!(panic_of(|| poll_noop(stream)), "source"));
    both!(stream => assert_eq!(poll_noop(stream), ready([4])));
    both!(stream => assert_eq!(poll_noop(stream), Poll::Ready(None)));
    assert_eq!(clock.made(), 0);
}

#[cfg(not(feature = "std"))]
#[test]
fn the_items_before_a_panic_stay_in_the_stream() {
    let clock = ManualClock::default();
    let steps = || [Item(1), Item(2), Panic, Item(3), End];
    let mut batches = batch(3, source(steps()).0);
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "source");
    assert_eq!(batches.size_hint(), (1, Some(2)));
    assert_eq!(poll_noop(&mut batches), ready([1, 2, 3]));
    assert_eq!(poll_noop(&mut batches), Poll::Ready(None));

    let (source, remote) = source([Item(1), Pending, Item(2), Panic, Pending]);
    let mut timed = in_a_second(9, &clock, source);
    assert_eq!(poll_noop(&mut timed), Poll::Pending);
    clock.advance(SECOND);
    assert_eq!(panic_of(|| poll_noop(&mut timed)), "source");
    // Its time is over.
    assert_eq!(poll_noop(&mut timed), ready([1, 2]));
    remote.end();
    assert_eq!(poll_noop(&mut timed), Poll::Ready(None));
}

#[cfg(feature = "std")]
#[test]
fn a_panic_of_the_sources_drop_comes_after_the_last_batch() {
    struct Ends(u32);
    impl Stream for Ends {
        type Item = u32;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            self.0 += 1;
            Poll::Ready((self.0 < 3).then_some(self.0))
        }
    }
    impl Drop for Ends {
        fn drop(&mut self) {
            panic!("drop");
        }
    }
    let mut batches = batch(9, Ends(0));
    assert_eq!(poll_noop(&mut batches), ready([1, 2]));
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "drop");
    assert_eq!(poll_noop(&mut batches), Poll::Ready(None));
    assert!(batches.is_terminated());
}

#[test]
fn a_panic_of_the_timer_loses_nothing() {
    /// Panics when it is made, when it is first polled, when it is polled again, and when it is
    /// dropped; then it does as it should.
    struct Panics(Cell<u32>, ManualClock);
    struct Timer(u32, <ManualClock as Sleep>::Sleep);
    impl Sleep for Panics {
        type Sleep = Timer;
        fn sleep(&self, d: Duration) -> Timer {
            let turn = self.0.replace(self.0.get() + 1);
            assert!(turn != 0, "sleep");
            Timer(turn, self.1.sleep(d))
        }
    }
    impl Future for Timer {
        type Output = u8;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u8> {
            assert!(self.0 != 1, "poll");
            if self.0 == 2 {
                self.0 = 1;
            }
            Pin::new(&mut self.1).poll(cx).map(|()| 7)
        }
    }
    impl Drop for Timer {
        fn drop(&mut self) {
            assert!(self.0 != 3, "drop");
        }
    }
    let clock = ManualClock::default();
    let (source, remote) = source([Item(1), Pending]);
    let mut batches = batch_within(9, SECOND, Panics(Cell::new(0), clock.clone()), source);
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "sleep");
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "poll");
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "poll");
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
    clock.advance(SECOND);
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "drop");
    remote.push(2);
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
    assert_eq!((clock.live(), clock.made()), (1, 4));
    clock.advance(SECOND);
    assert_eq!(poll_noop(&mut batches), ready([1, 2]));
}

#[cfg(feature = "std")]
#[test]
fn a_timer_whose_drop_panics_comes_before_the_batch_and_the_panic_of_the_source() {
    struct Timer(bool);
    impl Future for Timer {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl Drop for Timer {
        fn drop(&mut self) {
            assert!(!self.0, "drop");
        }
    }
    let first = Cell::new(true);
    let (source, _remote) = source([Item(1), Pending, Panic, Panic]);
    let mut batches = batch_within(9, SECOND, |_| Timer(first.take()), source);
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "drop");
    assert_eq!(poll_noop(&mut batches), ready([1]));
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "source");
    assert_eq!(panic_of(|| poll_noop(&mut batches)), "source");
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
}

#[test]
fn a_next_that_is_dropped_at_any_point_loses_nothing() {
    use futures_lite::StreamExt;
    let clock = ManualClock::default();
    let steps = (0..10).flat_map(|n| [Pending, Item(n)]).chain([End]);
    let (source, remote) = source(steps);
    let mut batches = in_a_second(4, &clock, source);
    let mut seen = Vec::new();
    loop {
        // Each poll has a `next()` of its own.
        let next = core::pin::pin!(batches.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => clock.advance(SECOND / 3),
            Poll::Ready(Some(batch)) => seen.push(batch),
            Poll::Ready(None) => break,
        }
    }
    assert_eq!(seen.concat(), Vec::from_iter(0..10));
    assert!(seen.iter().all(|batch| (1..=4).contains(&batch.len())));
    assert!(remote.is_dropped());
}

#[test]
fn dropped_in_the_middle_it_drops_its_items_and_its_timer() {
    let clock = ManualClock::default();
    let item = Rc::new(());
    let (source, remote) = source([Item(item.clone()), Item(item.clone())]);
    let mut batches = in_a_second(4, &clock, source);
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
    assert_eq!((Rc::strong_count(&item), clock.live()), (3, 1));
    drop(batches);
    assert_eq!((Rc::strong_count(&item), clock.live()), (1, 0));
    assert!(remote.is_dropped());
}

#[test]
fn it_knows_how_many_batches_there_are_at_least_and_at_most() {
    assert_eq!(batch(4, iter_to_aiter(0..0)).size_hint(), (0, Some(0)));
    assert_eq!(batch(4, iter_to_aiter(0..8)).size_hint(), (2, Some(8)));
    assert_eq!(batch(4, iter_to_aiter(0..9)).size_hint(), (3, Some(9)));
    let endless = || iter_to_aiter(iter::repeat(0));
    assert_eq!(batch(1, endless()).size_hint(), (usize::MAX, None));
    assert_eq!(batch(usize::MAX, endless()).size_hint(), (1, None));

    let clock = ManualClock::default();
    let (source, _remote) = source([Item(0), Pending, Item(1), Item(2), Item(3), Item(4), End]);
    let mut batches = in_a_second(3, &clock, source);
    assert_eq!(poll_noop(&mut batches), Poll::Pending);
    // Four are to come, and one waits.
    assert_eq!(batches.size_hint(), (2, Some(5)));
    assert!(!batches.is_terminated());
}

#[test]
fn a_batch_begins_with_the_room_that_the_last_one_needed() {
    let (source, remote) = source((0..100).map(Item));
    let mut batches = batch(usize::MAX, source);
    let mut capacity = |items| {
        remote.add_silently((0..items).map(Item));
        match poll_noop(&mut batches) {
            Poll::Ready(Some(batch)) => batch.capacity(),
            polled => panic!("{polled:?}"),
        }
    };
    // Grown step by step.
    assert!((100..200).contains(&capacity(0)));
    assert_eq!(capacity(100), 100);
    assert_eq!(capacity(3), 100);
    assert!(capacity(3) < 5);
    assert!(capacity(MANY) < 2 * MANY);
    assert_eq!(capacity(MANY), MANY);
}

#[test]
fn items_without_a_size_are_counted_too() {
    let mut batches = batch(3, iter_to_aiter(vec![(); 7]));
    for n in [3, 3, 1] {
        assert_eq!(poll_noop(&mut batches), ready(vec![(); n]));
    }
    assert_eq!(poll_noop(&mut batches), Poll::Ready(None));
}
