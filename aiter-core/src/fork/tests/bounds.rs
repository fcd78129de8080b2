//! Forks with a bound on how far they run apart.

use super::*;
use crate::{
    aiter_forker_with, bound,
    bound::{Seen, Skip, Wait},
};

type Bounded<B> = Reading<Source<u32>, B>;

fn forks<B: Bound, const N: usize>(
    bound: B,
    steps: impl IntoIterator<Item = Step<u32>>,
) -> ([Bounded<B>; N], Remote<u32>) {
    let (source, remote) = source(steps);
    let mut first = Reading::new(aiter_forker_with(bound, source));
    let mut all = core::array::from_fn(|_| first.fork());
    // The first is one of them: no fork is there that is not polled.
    all[0] = first;
    (all, remote)
}

/// Items that say how many of them there are.
fn counted() -> (Arc<()>, impl Iterator<Item = Arc<()>>) {
    let live = Arc::new(());
    let items = live.clone();
    (live, core::iter::repeat_with(move || items.clone()))
}

#[test]
fn unbounded_is_what_a_forker_is_without_a_bound() {
    let ([mut a, mut b], _remote) = forks::<_, 2>(bound::unbounded(), (0..100).map(Item));
    assert!((0..100).all(|n| a.poll() == item(n)));
    assert!((0..100).all(|n| b.poll() == item(n)));
}

// ---- wait

#[test]
fn the_source_is_polled_only_when_there_is_room() {
    for n in 1..4 {
        let ([mut fast, mut slow], remote) = forks(bound::wait(n as usize), (0..99).map(Item));
        for at in 0..n {
            assert_eq!(fast.poll(), item(at));
        }
        for _ in 0..3 {
            assert_eq!(fast.poll(), PENDING);
        }
        assert_eq!((remote.polls(), fast.wakes()), (n as usize, 0));
        for at in 0..9 {
            assert!(fast.fork.is_stalled());
            assert_eq!((slow.poll(), slow.wakes()), (item(at), 0));
            assert!(!slow.fork.is_stalled());
            assert_eq!(fast.wakes(), at as usize + 1, "there is room for one");
            assert_eq!((fast.poll(), fast.poll()), (item(at + n), PENDING));
            assert_eq!(remote.polls(), (at + n) as usize + 1);
            let now = fast.fork.statistics();
            assert_eq!((now.waiting, now.lag), (0, n as usize));
        }
    }
}

#[test]
fn passive_forks_are_waited_for() {
    let ([mut active], remote) = forks(bound::wait(1), [Item(1), Item(2), End]);
    let mut passive = active.fork_passive();
    assert_eq!((active.poll(), active.poll()), (item(1), PENDING));
    assert_eq!((passive.poll(), active.wakes()), (item(1), 1));
    assert_eq!(passive.poll(), PENDING);
    assert_eq!((active.poll(), active.poll()), (item(2), PENDING));
    assert_eq!((passive.wakes(), passive.poll()), (1, item(2)));
    // The end is not asked for without room either.
    assert_eq!((active.wakes(), remote.polls()), (2, 2));
    assert_eq!((active.poll(), passive.poll()), (END, END));
}

#[test]
fn room_is_made_by_the_slowest_alone() {
    let ([mut a, mut b, mut c], remote) = forks(bound::wait(2), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll(), a.poll()), (item(0), item(1), PENDING));
    assert_eq!((b.poll(), b.poll(), b.poll()), (item(0), item(1), PENDING));
    assert_eq!((a.wakes(), b.wakes(), remote.polls()), (0, 0, 2));
    assert_eq!(c.poll(), item(0));
    // Whoever comes first pulls.
    assert_eq!((a.wakes(), b.wakes()), (1, 1));
    assert_eq!((b.poll(), a.poll(), a.poll()), (item(2), item(2), PENDING));
    assert_eq!((c.poll(), c.poll(), c.poll()), (item(1), item(2), item(3)));
}

#[test]
fn a_fork_that_goes_makes_room() {
    let ([mut a, slow, slower], remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll()), (item(0), PENDING));
    let late = Reading::new({
        let mut slow = slow;
        slow.fork.fork_passive()
    });
    assert_eq!((a.wakes(), a.poll()), (1, PENDING), "two more stand there");
    drop(slower);
    assert_eq!((a.wakes(), a.poll()), (2, PENDING));
    drop(late);
    assert_eq!((a.wakes(), remote.polls()), (3, 1));
    assert_eq!((a.poll(), a.poll()), (item(1), item(2)), "it is alone");
}

#[test]
fn a_fork_starts_as_far_behind_as_its_parent() {
    let ([mut a, mut slow], _remote) = forks(bound::wait(2), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll()), (item(0), item(1)));
    let mut child = slow.fork();
    let mut ahead = a.fork();
    assert_eq!((slow.poll(), slow.poll()), (item(0), item(1)));
    assert_eq!(
        (ahead.poll(), slow.poll(), a.poll()),
        (PENDING, PENDING, PENDING)
    );
    assert_eq!(child.poll(), item(0));
    assert_eq!((ahead.wakes(), slow.wakes(), a.wakes()), (1, 1, 1));
    assert_eq!(ahead.poll(), item(2));
}

#[test]
fn without_other_forks_there_is_no_bound() {
    let ([mut a], _remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll(), a.poll()), (item(0), item(1), item(2)));
    let mut b = a.fork();
    assert_eq!((a.poll(), a.poll()), (item(3), PENDING));
    drop(a);
    // What the other left is there.
    assert!((3..9).all(|n| b.poll() == item(n)));
}

#[test]
fn the_source_wakes_in_vain_while_there_is_no_room() {
    let ([mut a, mut slow], remote) = forks(bound::wait(1), [Item(0), Pending]);
    assert_eq!(a.poll(), item(0));
    assert_eq!((slow.poll(), a.poll()), (item(0), PENDING));
    assert_eq!(remote.polls(), 2, "it is idle");
    remote.add_silently([Item(1)]);
    assert_eq!(
        (slow.poll(), slow.poll()),
        (PENDING, item(1)),
        "left pending once"
    );
    assert_eq!((slow.poll(), remote.polls()), (PENDING, 3));
    // The waker it was left with is called, and brings nothing.
    remote.add([Item(2)]);
    let before = slow.wakes();
    assert_eq!((slow.poll(), remote.polls()), (PENDING, 3));
    assert_eq!(a.poll(), item(1));
    assert_eq!((slow.wakes(), slow.poll()), (before + 1, item(2)));
}

#[test]
fn a_slow_fork_may_be_made_active_and_pull_itself() {
    let ([mut a], remote) = forks(bound::wait(1), (0..9).map(Item));
    let mut slow = a.fork_passive();
    assert_eq!((a.poll(), a.poll()), (item(0), PENDING));
    slow.fork.activate();
    assert_eq!((a.poll(), remote.polls()), (PENDING, 1));
    assert_eq!((slow.poll(), slow.poll()), (item(0), item(1)));
    assert_eq!((slow.poll(), a.wakes(), a.poll()), (PENDING, 1, item(1)));
    assert_eq!((slow.wakes(), slow.poll()), (1, item(2)));
}

#[test]
fn without_an_active_fork_the_rest_is_read_and_the_bound_stays() {
    let ([mut a], remote) = forks(bound::wait(2), (0..9).map(Item));
    let mut one = a.fork_passive();
    let mut other = a.fork_passive();
    assert_eq!((a.poll(), a.poll(), a.poll()), (item(0), item(1), PENDING));
    drop(a);
    assert_eq!(
        (one.poll(), one.poll(), one.poll()),
        (item(0), item(1), END)
    );
    one.fork.activate();
    assert_eq!((one.poll(), one.wakes()), (PENDING, 0));
    assert_eq!((other.poll(), one.wakes(), remote.polls()), (item(0), 1, 2));
    assert_eq!(one.poll(), item(2));
}

#[test]
fn the_end_and_a_panic_reach_those_that_waited_for_room() {
    for panics in [false, true] {
        let last = if panics { Panic } else { End };
        let ([mut a, mut b, mut slow], remote) = forks(bound::wait(1), [Item(0), last]);
        assert_eq!((a.poll(), b.poll()), (item(0), item(0)));
        assert_eq!((a.poll(), b.poll(), remote.polls()), (PENDING, PENDING, 1));
        assert_eq!((slow.poll(), a.wakes(), b.wakes()), (item(0), 1, 1));
        if panics {
            assert_eq!(panic_of(|| a.poll()), "source");
            assert_eq!(
                (panic_of(|| b.poll()), panic_of(|| slow.poll())),
                (ANOTHER, ANOTHER)
            );
        }
        assert_eq!((a.poll(), b.poll(), slow.poll()), (END, END, END));
        assert!(remote.is_dropped());
    }
}

#[test]
fn a_wider_bound_lets_those_go_on_that_wait() {
    let ([mut a, mut slow], _remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll()), (item(0), PENDING));
    slow.fork.set_wait(1);
    assert_eq!(a.wakes(), 0, "that is no more than before");
    slow.fork.set_wait(3);
    assert_eq!(a.wakes(), 1);
    assert_eq!((a.poll(), a.poll(), a.poll()), (item(1), item(2), PENDING));
    assert!(a.fork.is_stalled());
    a.fork.set_wait(1);
    assert_eq!((slow.poll(), slow.poll(), a.wakes()), (item(0), item(1), 1));
    assert_eq!((a.poll(), slow.poll(), a.wakes()), (PENDING, item(2), 2));
    assert_eq!(a.poll(), item(3));
}

#[test]
fn a_leaked_fork_stops_the_others_until_the_bound_is_lifted() {
    let ([mut a, leaked], _remote) = forks(bound::wait(1), (0..9).map(Item));
    core::mem::forget(leaked);
    assert_eq!((a.poll(), a.poll()), (item(0), PENDING));
    assert!(a.fork.is_stalled());
    a.fork.set_wait(usize::MAX);
    assert_eq!(a.wakes(), 1);
    assert!((1..9).all(|n| a.poll() == item(n)));
}

#[test]
fn an_item_lost_to_a_clone_that_panics_makes_room() {
    let flag = Arc::new(AtomicBool::new(false));
    let (source, _remote) = source((0..4).map(|n| Item(Fragile(n, flag.clone()))));
    let mut a = aiter_forker_with(bound::wait(1), source);
    let mut slow = a.fork_passive();
    let slower = a.fork();
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut a, &waker).is_ready() && poll(&mut a, &waker).is_pending());
    flag.store(true, Relaxed);
    panic_of(|| poll_noop(&mut slow));
    flag.store(false, Relaxed);
    assert!(
        poll(&mut a, &waker).is_pending(),
        "the other one has it to read"
    );
    let before = wakes.count();
    drop(slower);
    assert_eq!(wakes.count(), before + 1);
    assert!(poll(&mut a, &waker).is_ready() && poll_noop(&mut slow).is_ready());
}

#[test]
fn forks_that_wait_for_room_keep_one_waker_each() {
    let ([mut a, mut slow], _remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!(a.poll(), item(0));
    for _ in 0..100_000 {
        assert_eq!(a.poll(), PENDING);
    }
    assert_eq!(Arc::strong_count(&a.wakes), 3);
    let (old, waker) = (
        a.wakes.clone(),
        core::mem::replace(&mut a.waker, Waker::noop().clone()),
    );
    let (wakes, waker_now) = Wakes::new();
    (a.wakes, a.waker) = (wakes, waker_now);
    drop(waker);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(Arc::strong_count(&old), 1);
    assert_eq!(slow.poll(), item(0));
    assert_eq!((old.count(), a.wakes()), (0, 1));
}

#[test]
fn a_waker_that_panics_when_room_is_made_keeps_no_other_from_its_wake() {
    let ([mut a, mut b, mut slow], _remote) = forks(bound::wait(1), (0..9).map(Item));
    a.waker = panicking_waker();
    assert_eq!((a.poll(), b.poll()), (item(0), item(0)));
    assert_eq!((a.poll(), b.poll()), (PENDING, PENDING));
    assert_eq!(panic_of(|| slow.poll()), "waker");
    assert_eq!((b.wakes(), b.poll()), (1, item(1)));
    // It went with the panic.
    assert_eq!((slow.poll(), a.poll()), (item(1), item(1)));
}

#[test]
fn no_more_is_kept_than_forks_may_be_apart() {
    let (live, items) = counted();
    let mut a = aiter_forker_with(bound::wait(8), crate::iter_to_aiter(items));
    let mut slow = a.fork_passive();
    for _ in 0..1000 {
        while poll_noop(&mut a).is_ready() {}
        assert_eq!(Arc::strong_count(&live), 2 + 8);
        assert!(poll_noop(&mut slow).is_ready());
    }
    drop(slow);
    assert_eq!(Arc::strong_count(&live), 2);
}

#[test]
fn forks_across_threads_are_never_further_apart_than_the_bound() {
    const ITEMS: u32 = 5_000;
    const BOUND: usize = 3;
    let mut first = aiter_forker_with(bound::wait(BOUND), crate::iter_to_aiter(0..ITEMS));
    let read = |mut fork: Fork<_, Wait>| {
        std::thread::spawn(move || {
            let mut seen = Vec::new();
            while let Some(n) =
                futures_lite::future::block_on(futures_lite::StreamExt::next(&mut fork))
            {
                seen.push(n);
                assert!(fork.statistics().lag <= BOUND);
            }
            seen
        })
    };
    let threads: Vec<_> = (0..3).map(|_| read(first.fork())).collect();
    let passive = read(first.fork_passive());
    let all = futures_lite::future::block_on(futures_lite::StreamExt::collect::<Vec<_>>(first));
    assert!(all.into_iter().eq(0..ITEMS));
    for thread in threads {
        assert!(thread.join().unwrap().into_iter().eq(0..ITEMS));
    }
    assert!(passive.join().unwrap().into_iter().eq(0..ITEMS));
}

// ---- skip

const NOTHING: Poll<Option<Seen<u32>>> = Poll::Pending;
const OVER: Poll<Option<Seen<u32>>> = Poll::Ready(None);

fn seen(item: u32) -> Poll<Option<Seen<u32>>> {
    after(0, item)
}

fn after(missed: usize, item: u32) -> Poll<Option<Seen<u32>>> {
    Poll::Ready(Some(Seen { missed, item }))
}

#[test]
fn a_fork_too_far_behind_loses_the_oldest_and_sees_how_many() {
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
fn a_fork_may_lose_items_again_and_again() {
    let ([mut fast, mut slow], _remote) = forks(bound::skip(2), (0..99).map(Item));
    for round in 0..10 {
        for at in 0..5 {
            assert_eq!(fast.poll(), seen(5 * round + at));
        }
        // Of each five one is read, and the one behind it is lost later.
        let missed = if round == 0 { 3 } else { 4 };
        assert_eq!(slow.poll(), after(missed, 5 * round + 3));
    }
}

#[test]
fn what_was_lost_is_told_before_the_end_and_a_panic() {
    for panics in [false, true] {
        let steps = (0..5).map(Item).chain([if panics { Panic } else { End }]);
        let ([mut fast, mut slow], _remote) = forks(bound::skip(1), steps);
        let mut passive = fast.fork_passive();
        assert!((0..5).all(|n| fast.poll() == seen(n)));
        if panics {
            assert_eq!(panic_of(|| fast.poll()), "source");
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
fn a_fork_of_one_that_has_lost_items_has_lost_the_same() {
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
fn a_single_fork_loses_nothing_and_asks_for_no_clone() {
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
fn no_more_than_the_latest_are_kept() {
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
    assert_eq!(Arc::strong_count(&live), 2, "it was for that fork alone");
}

#[test]
fn the_last_to_come_to_an_item_moves_it() {
    let flag = Arc::new(AtomicBool::new(false));
    let (source, _remote) = source((0..4).map(|n| Item(Fragile(n, flag.clone()))));
    let mut a = aiter_forker_with(bound::skip(4), source);
    let mut b = a.fork();
    assert!((0..3).all(|_| poll_noop(&mut a).is_ready()));
    flag.store(true, Relaxed);
    assert!((0..3).all(|_| poll_noop(&mut b).is_ready()));
    panic_of(|| poll_noop(&mut b));
    flag.store(false, Relaxed);
    // Lost to that one only.
    assert!(poll_noop(&mut a).is_ready() && poll_noop(&mut b).is_pending());
    assert_eq!(Arc::strong_count(&flag), 1);
}

#[test]
fn what_a_clone_that_panics_cost_is_not_missed_but_what_was_missed_before_is() {
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
fn passive_forks_wait_at_the_ring() {
    let ([mut a], remote) = forks(bound::skip(2), []);
    let mut passive = a.fork_passive();
    assert_eq!((a.poll(), passive.poll()), (NOTHING, NOTHING));
    remote.add([Item(0), Item(1), Item(2), Item(3), End]);
    assert_eq!(
        (a.wakes(), passive.wakes()),
        (1, 0),
        "the wake of the source is not theirs"
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

/// Does something when it is cloned, or dropped.
struct Acts(u32, fn(u32), fn(u32));

impl Clone for Acts {
    fn clone(&self) -> Self {
        self.1(self.0);
        Self(self.0, |_| {}, |_| {})
    }
}

impl Drop for Acts {
    fn drop(&mut self) {
        self.2(self.0);
    }
}

#[test]
fn the_drop_of_a_lost_item_may_panic() {
    fn bad(n: u32) {
        assert!(n != 1, "drop");
    }
    let (source, _remote) = source((0..5).map(|n| Item(Acts(n, |_| {}, bad))));
    let mut a = aiter_forker_with(bound::skip(1), source);
    let mut slow = a.fork();
    let (wakes, waker) = Wakes::new();
    let mut passive = a.fork_passive();
    for _ in 0..2 {
        assert!(poll_noop(&mut a).is_ready() && poll(&mut passive, &waker).is_ready());
    }
    assert!(poll(&mut passive, &waker).is_pending());
    assert_eq!(panic_of(|| poll_noop(&mut a)), "drop");
    let number = |found: Poll<Option<Seen<Acts>>>| match found {
        Poll::Ready(Some(seen)) => (seen.missed, seen.item.0),
        _ => panic!("an item"),
    };
    assert_eq!(wakes.count(), 1);
    assert_eq!(number(poll(&mut passive, &waker)), (0, 2));
    assert_eq!(
        (number(poll_noop(&mut a)), number(poll_noop(&mut slow))),
        ((0, 2), (2, 2))
    );
    assert_eq!(
        (number(poll_noop(&mut slow)), number(poll_noop(&mut a))),
        ((0, 3), (0, 3))
    );
}

std::thread_local! {
    static INSIDE: core::cell::RefCell<Vec<Inside>> = const { core::cell::RefCell::new(Vec::new()) };
}
struct Inside {
    fork: Fork<Source<Acts>, Skip>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

#[test]
fn forks_polled_while_an_item_is_cloned_are_woken_after() {
    fn poll_inside(_: u32) {
        INSIDE.with_borrow_mut(|all| {
            for one in all {
                assert!(poll(&mut one.fork, &one.waker).is_pending());
            }
        });
    }
    let (source, remote) = source([Item(Acts(0, poll_inside, |_| {}))]);
    let mut a = aiter_forker_with(bound::skip(1), source);
    let mut readings: Vec<_> = (0..2)
        .map(|n| {
            let (wakes, waker) = Wakes::new();
            let fork = if n == 0 { a.fork() } else { a.fork_passive() };
            Inside { fork, wakes, waker }
        })
        .collect();
    // An idle source first: what is there for them is no news to it.
    let mut last = a.fork();
    INSIDE.set(core::mem::take(&mut readings));
    assert!(poll_noop(&mut a).is_ready());
    assert_eq!(remote.polls(), 1);
    for mut one in INSIDE.take() {
        assert_eq!(one.wakes.count(), 1);
        assert!(poll(&mut one.fork, &one.waker).is_ready());
    }
    assert!(poll_noop(&mut last).is_ready());
}

#[test]
fn what_is_there_can_be_taken_while_the_source_is_polled() {
    struct Nested(Arc<Mutex<Option<Fork<Nested, Skip>>>>, u32);
    impl Stream for Nested {
        type Item = u32;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            if let Some(mut fork) = self.0.lock().unwrap().take() {
                assert_eq!(poll_noop(&mut fork), after(1, 1));
                assert_eq!(poll_noop(&mut fork), seen(2));
                assert_eq!(poll_noop(&mut fork), NOTHING);
            }
            self.1 += 1;
            item(self.1 - 1)
        }
    }
    let inside = Arc::new(Mutex::new(None));
    let mut a = aiter_forker_with(bound::skip(2), Nested(inside.clone(), 0));
    let slow = a.fork();
    assert!((0..3).all(|n| poll_noop(&mut a) == seen(n)));
    *inside.lock().unwrap() = Some(slow);
    assert_eq!(poll_noop(&mut a), seen(3));
}

#[test]
fn size_hints_promise_no_item_that_may_be_lost() {
    let ([mut a, slow], _remote) = forks(bound::skip(2), (0..5).map(Item).chain([End]));
    assert_eq!(a.fork.size_hint(), (2, Some(5)));
    assert!((0..4).all(|n| a.poll() == seen(n)));
    assert_eq!(
        (a.fork.size_hint(), slow.fork.size_hint()),
        ((1, Some(1)), (2, Some(3)))
    );
}

#[test]
fn forks_with_a_ring_keep_one_waker_each() {
    for passive in [false, true] {
        let ([mut a], remote) = forks(bound::skip(1), []);
        let mut b = if passive { a.fork_passive() } else { a.fork() };
        let (old, waker) = Wakes::new();
        for _ in 0..100_000 {
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
    const ITEMS: u32 = 20_000;
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
    // It was not polled at all.
    assert_eq!(poll_noop(&mut first), after(ITEMS as usize - 5, ITEMS - 5));
}
