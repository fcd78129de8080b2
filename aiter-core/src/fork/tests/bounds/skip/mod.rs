//! `skip(n)`: a fork that is too far behind misses the oldest items.

mod within;

use super::*;

const NOTHING: Poll<Option<Seen<u32>>> = Poll::Pending;
const OVER: Poll<Option<Seen<u32>>> = Poll::Ready(None);

fn seen(item: u32) -> Poll<Option<Seen<u32>>> {
    after(0, item)
}

fn after(missed: usize, item: u32) -> Poll<Option<Seen<u32>>> {
    Poll::Ready(Some(Seen { missed, item }))
}

#[test]
fn a_fork_too_far_behind_misses_the_oldest_items_and_counts_them() {
    for n in 1..5 {
        for ahead in 0..12 {
            let ([mut fast, mut slow], remote) = forks(bound::skip(n as usize), (0..99).map(Item));
            assert!((0..ahead).all(|at| fast.poll() == seen(at)));
            let now = fast.fork.statistics();
            assert_eq!(now.lag, ahead.min(n) as usize);
            assert_eq!((now.pushed, now.taken), (ahead as usize, ahead as usize));
            let missed = ahead.saturating_sub(n);
            let mut expected = after(missed as usize, missed);
            for at in missed..ahead {
                assert_eq!(slow.poll(), expected, "{n} {ahead}");
                expected = seen(at + 1);
            }
            assert_eq!(remote.polls(), ahead as usize);
            assert_eq!((slow.poll(), fast.poll()), (expected, seen(ahead)));
        }
    }
}

#[test]
fn a_fork_within_the_bound_misses_nothing() {
    let ([mut fast, mut slow], _remote) = forks(bound::skip(100), (0..300).map(Item));
    for at in [0, 100, 200] {
        assert!((at..at + 100).all(|n| fast.poll() == seen(n)));
        assert!((at..at + 100).all(|n| slow.poll() == seen(n)));
    }
}

#[test]
fn a_fork_may_miss_items_repeatedly() {
    let ([mut fast, mut slow], _remote) = forks(bound::skip(2), (0..99).map(Item));
    for round in 0..10 {
        for at in 0..5 {
            assert_eq!(fast.poll(), seen(5 * round + at));
        }
        // One of each five items is read. The one after it is missed in the next round.
        let missed = if round == 0 { 3 } else { 4 };
        assert_eq!(slow.poll(), after(missed, 5 * round + 3));
    }
}

#[test]
fn missed_items_are_reported_before_the_end_and_a_panic() {
    for panics in [false, true] {
        let steps = (0..5).map(Item).chain([if panics { Panic } else { End }]);
        let ([mut fast, mut slow], _remote) = forks(bound::skip(1), steps);
        let mut passive = fast.fork_passive();
        assert!((0..5).all(|n| fast.poll() == seen(n)));
        if panics {
            assert_eq!(panic_of(|| fast.poll()), "source");
            assert!(fast.fork.is_terminated());
        }
        assert_eq!(fast.poll(), OVER);
        let mut late = slow.fork();
        for fork in [&mut slow, &mut passive, &mut late] {
            assert!(!fork.fork.is_terminated());
            assert_eq!(fork.poll(), after(4, 4));
            assert_eq!(fork.fork.is_terminated(), !panics);
            if panics {
                assert_eq!(panic_of(|| fork.poll()), ANOTHER);
            }
            assert_eq!((fork.poll(), fork.poll()), (OVER, OVER));
            assert!(fork.fork.is_terminated());
        }
    }
}

#[test]
fn a_fork_has_missed_the_items_that_its_parent_has_missed() {
    let ([mut fast, mut slow], _remote) = forks(bound::skip(2), (0..9).map(Item));
    assert!((0..5).all(|n| fast.poll() == seen(n)));
    let mut child = slow.fork_passive();
    assert_eq!((slow.poll(), slow.poll()), (after(3, 3), seen(4)));
    assert_eq!(fast.poll(), seen(5));
    assert_eq!(
        (child.poll(), child.poll(), child.poll()),
        (after(4, 4), seen(5), NOTHING)
    );
}

#[test]
fn a_single_fork_misses_nothing_and_needs_no_clone() {
    let mut a = aiter_forker_with(
        bound::skip(1),
        crate::iter_to_aiter([Cell::new(1), Cell::new(2)]),
    );
    for n in 1..3 {
        let found = poll_noop(&mut a).map(|found| found.map(|seen| (seen.missed, seen.item.get())));
        assert_eq!(found, Poll::Ready(Some((0, n))));
    }
    assert_eq!(a.statistics().pushed, 2);
    assert!(matches!(poll_noop(&mut a), Poll::Ready(None)));
}

#[test]
fn a_fork_that_is_alone_again_reads_what_is_left_and_goes_on() {
    let ([mut a, b], remote) = forks(bound::skip(2), (0..6).map(Item).chain([End]));
    let mut slow = a.fork_passive();
    assert!((0..4).all(|n| a.poll() == seen(n)));
    drop((a, b));
    slow.fork.activate();
    assert_eq!(
        (slow.poll(), slow.poll(), slow.poll()),
        (after(2, 2), seen(3), seen(4))
    );
    let mut late = slow.fork();
    assert_eq!(
        (slow.poll(), slow.poll(), remote.polls()),
        (seen(5), OVER, 7)
    );
    assert_eq!((late.poll(), late.poll()), (seen(5), OVER));
    let now = late.fork.statistics();
    assert_eq!((now.pushed, now.taken, now.waiting, now.lag), (6, 6, 0, 0));
}

#[test]
fn at_most_the_latest_n_items_are_kept() {
    let (live, items) = counted();
    let mut a = aiter_forker_with(bound::skip(8), crate::iter_to_aiter(items));
    let mut slow = a.fork_passive();
    let never = a.fork();
    for n in 0..1000 {
        drop(poll_noop(&mut a));
        assert_eq!(Arc::strong_count(&live), 2 + 8.min(n + 1));
    }
    drop(never);
    for left in (0..8).rev() {
        assert!(poll_noop(&mut slow).is_ready());
        assert_eq!(
            Arc::strong_count(&live),
            2 + left,
            "the last to pass an item moves it"
        );
    }
    for _ in 0..5 {
        drop(poll_noop(&mut a));
    }
    drop(slow);
    assert_eq!(
        Arc::strong_count(&live),
        2,
        "they were kept for that fork only"
    );
}

#[test]
fn the_last_fork_to_take_an_item_moves_it() {
    let flag = Arc::new(AtomicBool::new(false));
    let (source, _remote) = source((0..4).map(|n| Item(Fragile(n, flag.clone()))));
    let mut a = aiter_forker_with(bound::skip(4), source);
    let mut b = a.fork();
    assert!((0..3).all(|_| poll_noop(&mut a).is_ready()));
    flag.store(true, Relaxed);
    assert!((0..3).all(|_| poll_noop(&mut b).is_ready()));
    panic_of(|| poll_noop(&mut b));
    flag.store(false, Relaxed);
    // The item was lost to that fork only.
    assert!(poll_noop(&mut a).is_ready() && poll_noop(&mut b).is_pending());
    assert_eq!(Arc::strong_count(&flag), 1);
}

#[test]
fn an_item_lost_to_a_panicking_clone_does_not_count_as_missed() {
    let flag = Arc::new(AtomicBool::new(false));
    let (source, _remote) = source((0..6).map(|n| Item(Fragile(n, flag.clone()))));
    let mut a = aiter_forker_with(bound::skip(2), source);
    let mut b = a.fork();
    let mut c = a.fork();
    assert!((0..4).all(|_| poll_noop(&mut a).is_ready()));
    flag.store(true, Relaxed);
    panic_of(|| poll_noop(&mut b));
    flag.store(false, Relaxed);
    let number = |found: Poll<Option<Seen<Fragile>>>| match found {
        Poll::Ready(Some(seen)) => (seen.missed, seen.item.0),
        _ => panic!("an item"),
    };
    assert_eq!(number(poll_noop(&mut b)), (2, 3));
    assert_eq!(
        (number(poll_noop(&mut c)), number(poll_noop(&mut c))),
        ((2, 2), (0, 3))
    );
}

#[test]
fn passive_forks_wait_for_the_buffer() {
    let ([mut a], remote) = forks(bound::skip(2), []);
    let mut passive = a.fork_passive();
    assert_eq!((a.poll(), passive.poll()), (NOTHING, NOTHING));
    remote.add([Item(0), Item(1), Item(2), Item(3), End]);
    assert_eq!(
        (a.wakes(), passive.wakes()),
        (1, 0),
        "the wake of the source wakes only active forks"
    );
    assert_eq!(a.poll(), seen(0));
    assert_eq!(
        (passive.wakes(), passive.poll(), passive.poll()),
        (1, seen(0), NOTHING)
    );
    assert_eq!((a.poll(), passive.wakes()), (seen(1), 2));
    assert_eq!(
        (a.poll(), a.poll(), passive.wakes()),
        (seen(2), seen(3), 2),
        "once is enough"
    );
    assert_eq!(
        (passive.poll(), passive.poll(), passive.poll()),
        (after(1, 2), seen(3), NOTHING)
    );
    assert_eq!((a.poll(), passive.wakes(), passive.poll()), (OVER, 3, OVER));
}

#[test]
fn without_an_active_fork_passive_ones_get_the_rest_and_end_for_now() {
    let ([mut a], _remote) = forks(bound::skip(2), (0..9).map(Item));
    let mut one = a.fork_passive();
    let mut other = a.fork_passive();
    assert!((0..3).all(|n| a.poll() == seen(n)));
    assert_eq!(
        (other.poll(), other.poll(), other.poll()),
        (after(1, 1), seen(2), NOTHING)
    );
    drop(a);
    assert_eq!((other.wakes(), other.poll()), (1, OVER));
    assert!(other.fork.is_terminated() && !one.fork.is_terminated());
    assert_eq!(
        (one.poll(), one.poll(), one.poll()),
        (after(1, 1), seen(2), OVER)
    );
    one.fork.activate();
    assert!(!other.fork.is_terminated());
    assert_eq!((other.poll(), one.poll()), (NOTHING, seen(3)));
    assert_eq!((other.wakes(), other.poll()), (2, seen(3)));
}

#[test]
fn active_forks_that_wait_are_woken_together() {
    let ([mut a, mut b], remote) = forks(bound::skip(1), [Pending, Item(0)]);
    assert_eq!((a.poll(), b.poll(), remote.polls()), (NOTHING, NOTHING, 1));
    assert_eq!(
        (b.poll(), a.wakes(), a.poll()),
        (seen(0), 1, seen(0)),
        "without a wake"
    );
    assert_eq!((a.poll(), b.poll()), (NOTHING, NOTHING));
    remote.add([Item(1)]);
    assert_eq!((a.wakes(), b.wakes()), (2, 2));
    drop(a);
    assert_eq!(b.poll(), seen(1));
}

#[test]
fn size_hints_promise_no_item_that_may_be_missed() {
    let ([mut a, slow], _remote) = forks(bound::skip(2), (0..5).map(Item).chain([End]));
    assert_eq!(a.fork.size_hint(), (0, None));
    assert!((0..4).all(|n| a.poll() == seen(n)));
    assert_eq!(
        (a.fork.size_hint(), slow.fork.size_hint()),
        ((0, None), (2, None))
    );
    drop(a);
    assert_eq!(slow.fork.size_hint(), (2, Some(3)));
}

#[test]
fn a_fork_with_a_buffer_keeps_one_waker() {
    for passive in [false, true] {
        let ([mut a], remote) = forks(bound::skip(1), []);
        let mut b = if passive { a.fork_passive() } else { a.fork() };
        let (old, waker) = Wakes::new();
        for _ in 0..many(100_000) {
            assert_eq!(poll(&mut b.fork, &waker), NOTHING);
        }
        assert_eq!(Arc::strong_count(&old), 3);
        assert_eq!(b.poll(), NOTHING);
        drop(waker);
        assert_eq!(Arc::strong_count(&old), 1);
        remote.add([Item(1)]);
        assert_eq!(a.poll(), seen(1));
        assert_eq!((old.count(), b.wakes()), (0, 1));
        let wakes = Arc::downgrade(&b.wakes);
        drop(b);
        assert!(wakes.upgrade().is_none(), "the waker goes with the fork");
    }
}

#[test]
fn across_threads_each_fork_sees_or_misses_every_item() {
    const ITEMS: u32 = many(20_000);
    let mut first = aiter_forker_with(bound::skip(5), crate::iter_to_aiter(0..ITEMS));
    let read = |mut fork: Fork<_, Skip>| {
        std::thread::spawn(move || {
            let mut next = 0;
            while let Some(seen) =
                futures_lite::future::block_on(futures_lite::StreamExt::next(&mut fork))
            {
                next += seen.missed as u32;
                assert_eq!(seen.item, next);
                next += 1;
            }
            next
        })
    };
    let passive = read(first.fork_passive());
    let threads: Vec<_> = (0..3).map(|_| read(first.fork())).collect();
    for thread in threads.into_iter().chain([passive]) {
        assert_eq!(thread.join().unwrap(), ITEMS);
    }
    // This fork was not polled until now.
    assert_eq!(poll_noop(&mut first), after(ITEMS as usize - 5, ITEMS - 5));
}
