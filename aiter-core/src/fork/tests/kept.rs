//! Which items and wakers are kept, and for how long.

use super::*;

#[test]
fn the_last_fork_to_take_an_item_moves_it() {
    let flag = Arc::new(AtomicBool::new(true));
    let (source, _remote) = source([
        Item(Fragile(1, flag.clone())),
        Item(Fragile(2, flag.clone())),
    ]);
    let mut a = aiter_forker(source);
    assert!(poll_noop(&mut a).is_ready(), "never forked");
    let mut b = a.fork();
    flag.store(false, Relaxed);
    assert!(poll_noop(&mut a).is_ready());
    flag.store(true, Relaxed);
    assert!(poll_noop(&mut b).is_ready());
    assert_eq!(Arc::strong_count(&flag), 1, "nothing is kept");
}

#[test]
fn the_only_fork_keeps_the_lock_until_there_is_a_second() {
    let (mut a, remote) = forker([Item(1), Item(2)]);
    assert_eq!(a.poll(), item(1));
    assert_eq!(
        a.fork.size_hint(),
        (1, None),
        "the lock is released for the size hint"
    );
    assert_eq!(a.poll(), item(2));
    let mut b = a.fork();
    assert_eq!(b.poll(), PENDING);
    remote.add([Item(3), Item(4)]);
    assert_eq!((a.wakes(), b.wakes()), (0, 1));
    drop(a);
    assert_eq!(b.poll(), item(3));
    // It is the only one again: it keeps the lock, and is still woken when it waits.
    assert_eq!(b.poll(), item(4));
    assert_eq!(b.poll(), PENDING);
    remote.add([Item(5)]);
    assert_eq!(b.wakes(), 2);
    assert_eq!(b.poll(), item(5));
}

#[test]
fn a_wake_and_a_size_hint_while_one_of_several_forks_pulls() {
    let ([mut a, mut b], remote) = forks([Pending].into_iter().chain((1..8).map(Item)));
    let mut passive = b.fork.fork_passive();
    let (wakes, waker) = Wakes::new();
    assert_eq!(a.poll(), PENDING);
    for n in 1..4 {
        assert_eq!(a.poll(), item(n));
    }
    // The source wakes, and another fork is asked for its size hint.
    remote.add([]);
    assert_eq!(a.poll(), item(4));
    assert_eq!(b.fork.size_hint(), (4, None), "four were pulled");
    for n in 1..5 {
        assert_eq!(poll(&mut passive, &waker), item(n));
        assert_eq!(b.poll(), item(n));
    }
    assert_eq!(poll(&mut passive, &waker), PENDING);
    for n in 5..7 {
        assert_eq!(b.poll(), item(n));
        assert_eq!(a.poll(), item(n));
    }
    assert!(wakes.count() > 0);
    assert_eq!(poll(&mut passive, &waker), item(5));
    drop(b);
    assert_eq!(a.poll(), item(7));
    assert_eq!(a.poll(), PENDING);
}

#[test]
fn items_are_dropped_when_the_slowest_fork_has_passed_them_or_is_dropped() {
    let live = Arc::new(());
    let items = live.clone();
    let mut a = aiter_forker(crate::iter_to_aiter(core::iter::repeat_with(move || {
        items.clone()
    })));
    let mut slow = a.fork_passive();
    for _ in 0..1000 {
        drop(poll_noop(&mut a));
    }
    assert_eq!(Arc::strong_count(&live), 1002);
    for _ in 0..900 {
        drop(poll_noop(&mut slow));
    }
    assert!(Arc::strong_count(&live) <= 102);
    let now = a.statistics();
    assert_eq!(
        (now.pushed, now.taken, now.waiting, now.lag),
        (1000, 1000, 0, 100)
    );
    drop(slow);
    assert_eq!(Arc::strong_count(&live), 2);
}

#[test]
fn only_the_last_waker_is_kept() {
    for passive in [false, true] {
        let (mut a, remote) = forker([]);
        let mut b = if passive { a.fork_passive() } else { a.fork() };
        let (old, waker) = Wakes::new();
        for _ in 0..many(100_000) {
            assert_eq!(poll(&mut b.fork, &waker), PENDING);
        }
        assert_eq!(Arc::strong_count(&old), 3);
        assert_eq!(b.poll(), PENDING);
        drop(waker);
        assert_eq!(Arc::strong_count(&old), 1);
        remote.add([Item(1)]);
        assert_eq!(a.poll(), item(1));
        assert_eq!((old.count(), b.wakes()), (0, 1));
        let wakes = Arc::downgrade(&b.wakes);
        drop(b);
        assert!(wakes.upgrade().is_none(), "the waker goes with the fork");
    }
}
