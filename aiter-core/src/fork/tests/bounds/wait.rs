//! `wait(n)`: the source is polled only if there is room.

use super::*;

#[test]
fn the_source_is_polled_only_if_there_is_room() {
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
    // Without room the source is not polled for its end either.
    assert_eq!((active.wakes(), remote.polls()), (2, 2));
    assert_eq!((active.poll(), passive.poll()), (END, END));
}

#[test]
fn only_the_slowest_fork_makes_room() {
    let ([mut a, mut b, mut c], remote) = forks(bound::wait(2), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll(), a.poll()), (item(0), item(1), PENDING));
    assert_eq!((b.poll(), b.poll(), b.poll()), (item(0), item(1), PENDING));
    assert_eq!((a.wakes(), b.wakes(), remote.polls()), (0, 0, 2));
    assert_eq!(c.poll(), item(0));
    // The first to be polled pulls.
    assert_eq!((a.wakes(), b.wakes()), (1, 1));
    assert_eq!((b.poll(), a.poll(), a.poll()), (item(2), item(2), PENDING));
    assert_eq!((c.poll(), c.poll(), c.poll()), (item(1), item(2), item(3)));
}

#[test]
fn a_fork_that_is_dropped_makes_room() {
    let ([mut a, slow, slower], remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll()), (item(0), PENDING));
    let late = Reader::new({
        let mut slow = slow;
        slow.fork.fork_passive()
    });
    assert_eq!((a.wakes(), a.poll()), (1, PENDING), "two more are as slow");
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
fn a_single_fork_has_no_bound() {
    let ([mut a], _remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll(), a.poll()), (item(0), item(1), item(2)));
    let mut b = a.fork();
    assert_eq!((a.poll(), a.poll()), (item(3), PENDING));
    drop(a);
    // What the other has pulled is there.
    assert!((3..9).all(|n| b.poll() == item(n)));
}

#[test]
fn a_wake_of_the_source_has_no_effect_without_room() {
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
    // The waker of the last poll is called, and nothing is pulled.
    remote.add([Item(2)]);
    let before = slow.wakes();
    assert_eq!((slow.poll(), remote.polls()), (PENDING, 3));
    assert_eq!(a.poll(), item(1));
    assert_eq!((slow.wakes(), slow.poll()), (before + 1, item(2)));
}

#[test]
fn a_slow_fork_can_be_made_active_and_pull() {
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
fn without_an_active_fork_the_rest_is_read_and_the_bound_holds() {
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
fn the_end_and_a_panic_reach_forks_that_wait_for_room() {
    for panics in [false, true] {
        let last = if panics { Panic } else { End };
        let ([mut a, mut b, mut slow], remote) = forks(bound::wait(1), [Item(0), last]);
        assert_eq!((a.poll(), b.poll()), (item(0), item(0)));
        assert_eq!((a.poll(), b.poll(), remote.polls()), (PENDING, PENDING, 1));
        assert_eq!((slow.poll(), a.wakes(), b.wakes()), (item(0), 1, 1));
        assert!(!a.fork.is_terminated());
        if panics {
            assert_eq!(panic_of(|| a.poll()), "source");
            assert_eq!(
                (panic_of(|| b.poll()), panic_of(|| slow.poll())),
                (ANOTHER, ANOTHER)
            );
        }
        assert_eq!((a.poll(), b.poll(), slow.poll()), (END, END, END));
        assert!(a.fork.is_terminated() && slow.fork.is_terminated());
        assert!(remote.is_dropped());
    }
}

#[test]
fn raising_the_bound_wakes_forks_that_wait() {
    let ([mut a, mut slow], _remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!((a.poll(), a.poll()), (item(0), PENDING));
    slow.fork.set_wait(1);
    assert_eq!(a.wakes(), 0, "the bound is the same");
    slow.fork.set_wait(3);
    assert_eq!(a.wakes(), 1);
    assert_eq!((a.poll(), a.poll(), a.poll()), (item(1), item(2), PENDING));
    assert!(a.fork.is_stalled());
    assert_eq!(slow.fork.size_hint(), (3, None));
    a.fork.set_wait(1);
    assert_eq!(
        a.poll(),
        PENDING,
        "it is further ahead than the bound allows"
    );
    assert_eq!((slow.poll(), slow.poll(), a.wakes()), (item(0), item(1), 1));
    assert_eq!((a.poll(), slow.poll(), a.wakes()), (PENDING, item(2), 2));
    assert_eq!(a.poll(), item(3));
}

#[test]
fn a_leaked_fork_stops_the_others_until_the_bound_is_raised() {
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

/// The other fork, which is as slow, passes the item during the clone and still sees this one
/// there. So the panicking clone is what makes the room.
#[test]
fn a_clone_that_panics_announces_the_room_that_it_makes() {
    type Hook = Mutex<Option<Fork<Source<Hooked>, Wait>>>;
    struct Hooked(Arc<Hook>);
    impl Clone for Hooked {
        fn clone(&self) -> Self {
            let other = self.0.lock().unwrap().take();
            if let Some(mut other) = other {
                assert!(poll_noop(&mut other).is_ready());
                *self.0.lock().unwrap() = Some(other);
                panic!("clone");
            }
            Self(self.0.clone())
        }
    }
    let hook = Arc::new(Mutex::new(None));
    let (source, _remote) = source((0..2).map(|_| Item(Hooked(hook.clone()))));
    let mut a = aiter_forker_with(bound::wait(1), source);
    let mut slow = a.fork_passive();
    let other = a.fork_passive();
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut a, &waker).is_ready() && poll(&mut a, &waker).is_pending());
    *hook.lock().unwrap() = Some(other);
    assert_eq!(panic_of(|| poll_noop(&mut slow)), "clone");
    assert_eq!(wakes.count(), 1);
    let other = hook.lock().unwrap().take();
    assert!(poll(&mut a, &waker).is_ready());
    drop(other);
}

#[test]
fn a_fork_that_waits_for_room_keeps_one_waker() {
    let ([mut a, mut slow], _remote) = forks(bound::wait(1), (0..9).map(Item));
    assert_eq!(a.poll(), item(0));
    for _ in 0..many(100_000) {
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
fn a_waker_that_panics_when_room_is_made_does_not_keep_the_others_from_being_woken() {
    let ([mut a, mut b, mut slow], _remote) = forks(bound::wait(1), (0..9).map(Item));
    a.waker = panicking_waker();
    assert_eq!((a.poll(), b.poll()), (item(0), item(0)));
    assert_eq!((a.poll(), b.poll()), (PENDING, PENDING));
    assert_eq!(panic_of(|| slow.poll()), "waker");
    assert_eq!((b.wakes(), b.poll()), (1, item(1)));
    // The item of that poll was dropped in the panic.
    assert_eq!((slow.poll(), a.poll()), (item(1), item(1)));
}

#[test]
fn at_most_n_items_are_kept() {
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
