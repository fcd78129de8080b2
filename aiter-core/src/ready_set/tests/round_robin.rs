//! Which child is polled when, and which task a wake wakes.

use super::*;

#[test]
fn only_children_that_woke_are_polled() {
    let (count, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(1000);
    scripts.iter().for_each(|script| set.insert(child(script)));
    while poll(&mut set, &waker).is_pending() && count.taken() > 0 {}
    assert!(scripts.iter().all(|script| script.polls.get() == 1));

    for k in [0, 31, 32, 500, 999, 500] {
        scripts.iter().for_each(|script| script.polls.set(0));
        scripts[k].push(Some(k as u32));
        scripts[k].wake();
        assert_eq!(count.taken(), 1);
        assert_eq!(poll(&mut set, &waker), Poll::Ready(k as u32));
        assert_eq!(poll(&mut set, &waker), Poll::Pending);
        assert_eq!(scripts[k].polls.get(), 2);
        assert_eq!(
            scripts
                .iter()
                .map(|script| script.polls.get())
                .sum::<usize>(),
            2
        );
        assert_eq!(count.taken(), 0);
    }
}

#[test]
fn many_wakes_wake_the_parent_once() {
    let (count, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(100);
    scripts.iter().for_each(|script| set.insert(child(script)));
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    scripts.iter().for_each(|script| script.wake());
    scripts.iter().for_each(|script| script.wake());
    assert_eq!(count.taken(), 1);
    scripts.iter().for_each(|script| script.polls.set(0));
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    assert!(scripts.iter().all(|script| script.polls.get() == 1));
}

#[test]
fn the_last_waker_is_woken() {
    let (first, one) = Wakes::new();
    let (second, two) = Wakes::new();
    let mut set = ReadySet::new();
    let script = Rc::<Script>::default();
    set.insert(child(&script));
    assert_eq!(poll(&mut set, &one), Poll::Pending);
    assert_eq!(poll(&mut set, &two), Poll::Pending);
    script.wake();
    assert_eq!((first.taken(), second.taken()), (0, 1));
    assert_eq!(poll(&mut set, &one), Poll::Pending);
    script.wake();
    assert_eq!((first.taken(), second.taken()), (1, 0));
    assert_eq!(poll(&mut set, &one), Poll::Pending);
    // The set keeps one waker, however often that changes.
    assert_eq!(Arc::strong_count(&first), 3);
    assert_eq!(Arc::strong_count(&second), 2);
}

/// A waker that polls its own set with another waker before it returns.
#[test]
fn the_waker_changes_inside_a_wake() {
    struct Reenter {
        set: std::sync::Mutex<Option<Box<dyn FnMut() + Send>>>,
    }
    impl Wake for Reenter {
        fn wake(self: Arc<Self>) {
            if let Some(f) = self.set.lock().unwrap().as_mut() {
                f();
            }
        }
    }
    struct Sendable<T>(T);
    // SAFETY: everything here stays on one thread.
    #[allow(unsafe_code)]
    unsafe impl<T> Send for Sendable<T> {}

    let script = Rc::<Script>::default();
    let set = Rc::new(RefCell::new(ReadySet::new()));
    set.borrow_mut().insert(child(&script));
    let reenter = Arc::new(Reenter {
        set: std::sync::Mutex::new(None),
    });
    let (count, other) = Wakes::new();
    let parts = Sendable((set.clone(), other.clone()));
    *reenter.set.lock().unwrap() = Some(Box::new(move || {
        let parts = &parts;
        // The claim on the old waker is open while this runs.
        assert_eq!(poll(&mut parts.0.0.borrow_mut(), &parts.0.1), Poll::Pending);
    }));
    let waker = Waker::from(reenter.clone());
    assert_eq!(poll(&mut set.borrow_mut(), &waker), Poll::Pending);
    script.wake();
    assert_eq!(script.polls.get(), 2);
    assert_eq!(count.taken(), 0);
    script.wake();
    assert_eq!(count.taken(), 1);
    *reenter.set.lock().unwrap() = None;
}

#[test]
fn a_panicking_waker_of_the_task_leaves_the_set_intact() {
    struct Panics(AtomicUsize);
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("waker");
        }
    }
    let panics = Arc::new(Panics(AtomicUsize::new(0)));
    let script = Rc::<Script>::default();
    let mut set = ReadySet::new();
    set.insert(child(&script));
    assert_eq!(poll(&mut set, &Waker::from(panics.clone())), Poll::Pending);
    script.push(Some(7));
    let waker = script.waker.take().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err());
    let (count, waker) = Wakes::new();
    assert_eq!(poll(&mut set, &waker), Poll::Ready(7));
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    script.wake();
    assert_eq!(count.taken(), 1);
    // Its park slot was unclaimed again, and holds the new waker.
    assert_eq!(Arc::strong_count(&panics), 1);
}

#[test]
fn a_turn_ends_after_eight_items() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(3);
    for (k, script) in scripts.iter().enumerate() {
        (0..20).for_each(|_| script.push(Some(k as u32)));
        set.insert(child(script));
    }
    let order: Vec<_> = (0..60).map(|_| poll(&mut set, &waker)).collect();
    let expected: Vec<_> = [
        (0, 8),
        (1, 8),
        (2, 8),
        (0, 8),
        (1, 8),
        (2, 8),
        (0, 4),
        (1, 4),
        (2, 4),
    ]
    .into_iter()
    .flat_map(|(k, n)| vec![Poll::Ready(k); n])
    .collect();
    assert_eq!(order, expected);
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
}

/// With one child of a thousand always ready, each child that wakes is served within one round.
#[test]
fn an_endless_child_does_not_starve_the_others() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(1000);
    scripts.iter().for_each(|script| set.insert(child(script)));
    while poll(&mut set, &waker).is_pending() && scripts[999].polls.get() == 0 {}
    scripts[0].endless.set(true);
    scripts[0].wake();
    assert_eq!(poll(&mut set, &waker), Poll::Ready(0));
    for (k, script) in scripts.iter().enumerate().skip(1) {
        script.push(Some(k as u32));
        script.wake();
        let wait = (0..)
            .find(|_| poll(&mut set, &waker) == Poll::Ready(k as u32))
            .unwrap();
        // The rest of the turn in which it woke, and at most one turn before its own.
        assert!(wait < 16, "child {k} waited for {wait} items");
    }
    for (k, script) in scripts.iter().enumerate().skip(1) {
        script.push(Some(k as u32));
        script.wake();
    }
    let mut seen = Vec::new();
    let mut items = 0;
    while seen.len() < 999 {
        items += 1;
        match poll(&mut set, &waker) {
            Poll::Ready(0) => {}
            Poll::Ready(k) => seen.push(k),
            Poll::Pending => {}
        }
    }
    assert!(items <= 999 + 16, "{items} items for 999 children");
}

#[test]
fn a_child_that_wakes_itself_yields_to_the_executor() {
    let (count, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let script = Rc::<Script>::default();
    script.wakes_itself.set(true);
    set.insert(child(&script));
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    assert_eq!(count.taken(), 1);
    assert!(script.polls.get() <= 3, "{} polls", script.polls.get());
    let before = script.polls.get();
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    assert_eq!(script.polls.get() - before, 2);
}

#[test]
fn a_poll_without_an_item_is_bounded() {
    let (count, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(1000);
    scripts.iter().for_each(|script| set.insert(child(script)));
    let polls = || {
        scripts
            .iter()
            .map(|script| script.polls.get())
            .sum::<usize>()
    };
    let mut calls = 0;
    loop {
        let before = polls();
        assert_eq!(poll(&mut set, &waker), Poll::Pending);
        assert!(polls() - before <= 128);
        calls += 1;
        if count.taken() == 0 {
            break;
        }
    }
    assert_eq!(calls, 8);
    assert_eq!(polls(), 1000);
}

/// In each pass a child that woke has an item. The idle ones are not polled repeatedly because of
/// that, and those that were not polled yet have their turn.
#[test]
fn items_of_a_few_children_do_not_keep_fresh_ones_waiting() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(1000);
    scripts[0].push(Some(0));
    scripts.iter().for_each(|script| set.insert(child(script)));
    for (k, script) in scripts[..40].iter().enumerate() {
        if k > 0 {
            script.push(Some(k as u32));
            script.wake();
        }
        let mut items = 0;
        while poll(&mut set, &waker).is_ready() {
            items += 1;
        }
        assert_eq!(items, 1);
    }
    let polls = || scripts.iter().map(|script| script.polls.get());
    assert!(polls().all(|polls| polls > 0));
    assert!(polls().sum::<usize>() < 2000);
}

#[test]
fn chunks_are_served_in_the_order_of_their_wakes() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(8 * SLOTS);
    scripts.iter().for_each(|script| set.insert(child(script)));
    while set.state.queue.len > 0 {
        assert!(poll(&mut set, &waker).is_pending());
    }
    let order = [5, 0, 7, 2].map(|chunk| chunk * SLOTS);
    // Children that have not had an item yet are served in the order in which they were refused.
    for k in order {
        scripts[k].push(Some(0));
        scripts[k].wake();
        assert_eq!(poll(&mut set, &waker), Poll::Ready(0));
        assert_eq!(poll(&mut set, &waker), Poll::Pending);
    }
    for k in order {
        scripts[k].push(Some(k as u32));
        scripts[k].wake();
    }
    for k in order {
        assert_eq!(poll(&mut set, &waker), Poll::Ready(k as u32));
    }
}
