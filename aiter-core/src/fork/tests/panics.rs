//! Panics of the source, of a clone, and of a waker.

use super::*;

#[test]
fn a_panic_of_the_source_reaches_every_fork_once() {
    let ([mut a, mut b, mut slow], remote) = forks([Item(1)]);
    let mut passive = a.fork_passive();
    for fork in [&mut a, &mut b, &mut passive] {
        assert_eq!(fork.poll(), item(1));
        assert_eq!(fork.poll(), PENDING);
    }
    remote.add_silently([Panic, Item(2)]);
    assert_eq!(panic_of(|| a.poll()), "source");
    assert!(remote.is_dropped());
    assert_eq!((b.wakes(), passive.wakes()), (1, 1));
    assert!(a.fork.is_terminated() && !b.fork.is_terminated());
    assert_eq!(slow.poll(), item(1));
    let mut late = b.fork();
    for fork in [&mut b, &mut passive, &mut slow, &mut late] {
        assert!(!fork.fork.is_terminated());
        assert_eq!(panic_of(|| fork.poll()), ANOTHER);
        assert!(fork.fork.is_terminated());
    }
    for mut fork in [a.fork(), a, b, passive, slow, late] {
        assert_eq!(fork.poll(), END);
    }
}

#[test]
fn a_panic_of_the_source_ends_the_only_fork() {
    let (mut a, remote) = forker([Panic]);
    assert_eq!(panic_of(|| a.poll()), "source");
    assert_eq!(a.poll(), END);
    assert!(remote.is_dropped());
}

#[test]
fn a_panic_of_the_sources_drop_reaches_every_fork() {
    struct Bad;
    impl Stream for Bad {
        type Item = u32;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            END
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("drop");
        }
    }
    let mut a = Reader::new(aiter_forker(Bad));
    let mut b = a.fork();
    assert_eq!(panic_of(|| a.poll()), "drop");
    assert_eq!(panic_of(|| b.poll()), ANOTHER);
    assert_eq!((a.poll(), b.poll()), (END, END));
}

#[test]
fn a_clone_that_panics_loses_the_item_to_one_fork_only() {
    let flag = Arc::new(AtomicBool::new(false));
    let (source, _remote) = source([1, 2].map(|n| Item(Fragile(n, flag.clone()))));
    let mut a = aiter_forker(source);
    let mut b = a.fork();
    let mut passive = a.fork_passive();
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut passive, &waker).is_pending());
    flag.store(true, Relaxed);
    panic_of(|| poll_noop(&mut a));
    flag.store(false, Relaxed);
    assert_eq!(wakes.count(), 1);
    let number = |found: Poll<Option<Fragile>>| found.map(|found| found.map(|found| found.0));
    assert_eq!(number(poll_noop(&mut a)), item(2));
    for fork in [&mut b, &mut passive] {
        assert_eq!(number(poll_noop(fork)), item(1));
        assert_eq!(number(poll_noop(fork)), item(2));
    }
}

#[test]
fn a_panicking_waker_does_not_keep_the_others_from_being_woken() {
    let (mut all, remote) = forks::<12>([]);
    for (n, fork) in all.iter_mut().enumerate() {
        if n == 3 {
            fork.waker = panicking_waker();
        }
        assert_eq!(fork.poll(), PENDING);
    }
    assert_eq!(panic_of(|| remote.add([Item(1)])), "waker");
    for (n, fork) in all.iter_mut().enumerate() {
        assert_eq!(fork.wakes(), usize::from(n != 3));
        assert_eq!(fork.poll(), item(1));
    }
}

#[test]
fn a_panicking_waker_of_a_passive_fork_loses_no_item() {
    let ([mut a, mut b], _remote) = forks([Item(1), Item(2), Panic]);
    let mut passive = a.fork_passive();
    passive.waker = panicking_waker();
    assert_eq!(passive.poll(), PENDING);
    assert_eq!(panic_of(|| a.poll()), "waker");
    assert_eq!(
        (a.poll(), b.poll(), passive.poll()),
        (item(1), item(1), item(1))
    );
    assert_eq!((b.poll(), a.poll()), (item(2), item(2)));
    assert_eq!(panic_of(|| b.poll()), "source");
    assert_eq!(panic_of(|| a.poll()), ANOTHER, "that was another panic");
}

#[test]
fn a_panicking_waker_at_the_drop_of_the_last_active_fork() {
    let (mut a, _remote) = forker([Item(1)]);
    let mut one = a.fork_passive();
    let mut other = a.fork_passive();
    one.waker = panicking_waker();
    assert_eq!((one.poll(), other.poll()), (PENDING, PENDING));
    assert_eq!(panic_of(|| drop(a)), "waker");
    assert_eq!((other.wakes(), other.poll(), one.poll()), (1, END, END));
}

#[test]
fn a_waker_that_panics_in_its_drop_does_not_block_passive_forks() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("waker dropped");
        }
    }
    let (mut a, _remote) = forker([]);
    let mut passive = a.fork_passive();
    assert_eq!(passive.poll(), PENDING);
    a.waker = Waker::from(Arc::new(Bomb));
    assert_eq!(a.poll(), PENDING);
    // The fork holds the only waker that is left.
    a.waker = Waker::noop().clone();
    assert_eq!(panic_of(|| drop(a)), "waker dropped");
    assert_eq!((passive.wakes(), passive.poll()), (1, END));
}

#[test]
fn an_item_that_bypassed_the_list_is_dropped_in_the_panic_of_a_waker() {
    let count = Arc::new(());
    let (source, remote) = source([Pending]);
    let mut a = crate::aiter_forker(source);
    let mut b = a.fork_passive();
    assert!(poll_noop(&mut a).is_pending());
    // The fork registers a waker as a passive one. As an active one it then pulls, and wakes
    // itself.
    let waker = panicking_waker();
    assert!(poll(&mut b, &waker).is_pending());
    b.activate();
    drop(a);
    remote.add([Item(count.clone())]);
    assert_eq!(panic_of(|| poll(&mut b, &waker)), "waker");
    assert_eq!(Arc::strong_count(&count), 1, "it is leaked");
}

/// A waker that is dropped because another task polls may panic in its drop. No item has been taken
/// by then.
#[test]
fn a_panic_in_the_drop_of_another_tasks_waker_loses_no_item() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {}
        fn wake_by_ref(self: &Arc<Self>) {}
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("waker");
        }
    }
    fn check(mut stream: impl Stream<Item = u32> + Unpin, push: impl Fn(u32)) {
        let waker = Waker::from(Arc::new(Panics));
        assert_eq!(poll(&mut stream, &waker), PENDING);
        drop(waker);
        push(1);
        push(2);
        let (_wakes, waker) = Wakes::new();
        assert_eq!(panic_of(|| poll(&mut stream, &waker)), "waker");
        assert_eq!(poll(&mut stream, &waker), item(1));
        assert_eq!(poll(&mut stream, &waker), item(2));
    }
    for forks in 0..2 {
        let (mut fork, remote) = forker([]);
        let _others: Vec<_> = (0..forks).map(|_| fork.fork()).collect();
        check(fork.fork, |n| remote.push(n));
        let (pusher, mut aiter) = push_aiter();
        let _others: Vec<_> = (0..forks).map(|_| aiter.fork()).collect();
        check(aiter, |n| pusher.push(n).unwrap());
    }
}
