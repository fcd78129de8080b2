//! Panics, the reuse of slots and chunks, and what may outlive what.

use super::*;

#[test]
fn a_panicking_child_is_dropped_and_the_others_go_on() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(3);
    scripts.iter().for_each(|script| script.push(Some(1)));
    scripts.iter().for_each(|script| set.insert(child(script)));
    scripts[1].panics.set(true);
    assert_eq!(poll(&mut set, &waker), Poll::Ready(1));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut set, &waker))).is_err());
    assert_eq!(set.len(), 2);
    assert_eq!(scripts[1].log.borrow().len(), 1);
    assert_eq!(poll(&mut set, &waker), Poll::Ready(1));
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    drop(set);
    assert!(scripts.iter().all(|script| script.log.borrow().len() == 1));
    assert!(scripts.iter().all(|script| Rc::strong_count(script) == 1));
}

#[test]
fn a_fresh_child_that_panics_or_is_ready_leaves_its_slot() {
    let mut set = ReadySet::new();
    let script = Rc::<Script>::default();
    let done = set.poll_and_insert(child(&script), |_, _| Poll::Ready(5));
    assert_eq!(done, Poll::Ready(5));
    let panicking =
        || set.poll_and_insert(child(&script), |_, _| -> Poll<()> { panic!("fresh child") });
    assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
    assert_eq!(script.log.borrow().len(), 2);
    assert!(set.is_empty());
    assert!(
        set.poll_and_insert(child(&script), |child, cx| {
            child.0.poll(cx);
            Poll::<()>::Pending
        })
        .is_pending()
    );
    assert_eq!((set.len(), set.state.slots), (1, 4.min(SLOTS)));
    script.push(Some(3));
    script.wake();
    assert_eq!(poll(&mut set, Waker::noop()), Poll::Ready(3));
}

#[test]
fn a_child_that_panics_in_drop_does_not_keep_the_others_from_being_dropped() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let script = Rc::new(Script {
        log: log.clone(),
        ..Script::default()
    });
    let mut set = ReadySet::new();
    for k in 0..100 {
        set.insert(Child(script.clone(), k, k == 40));
    }
    assert!(catch_unwind(AssertUnwindSafe(move || drop(set))).is_err());
    let mut dropped = log.borrow().clone();
    dropped.sort_unstable();
    assert_eq!(dropped, (0..100).collect::<Vec<_>>());

    let mut set = ReadySet::new();
    script.push(None);
    set.insert(Child(script.clone(), 0, true));
    let ended = catch_unwind(AssertUnwindSafe(|| poll(&mut set, Waker::noop())));
    assert!(ended.is_err());
    assert!(set.is_empty());
    assert_eq!(poll(&mut set, Waker::noop()), Poll::Pending);
}

#[test]
fn wakers_outlive_children_and_set() {
    let (count, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(40);
    scripts.iter().for_each(|script| set.insert(child(script)));
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    // A waker whose child has ended wakes at most the next child of the slot, spuriously.
    let stale = scripts[3].waker.take().unwrap();
    scripts[3].push(None);
    stale.wake_by_ref();
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    assert_eq!(set.len(), 39);
    stale.wake_by_ref();
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    let late = Rc::<Script>::default();
    set.insert(child(&late));
    assert_eq!(poll(&mut set, &waker), Poll::Pending);
    count.taken();
    let wakers: Vec<_> = scripts
        .iter()
        .filter_map(|script| script.waker.take())
        .collect();
    drop(set);
    assert!(scripts.iter().all(|script| Rc::strong_count(script) == 1));
    wakers.iter().for_each(Waker::wake_by_ref);
    wakers.iter().cloned().for_each(Waker::wake);
    stale.wake();
    late.wake();
    assert_eq!(count.taken(), 0);
    // The wakers of the children do not keep that of the task.
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn slots_are_reused_and_memory_is_given_back() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(1000);
    for _ in 0..3 {
        scripts.iter().for_each(|script| set.insert(child(script)));
        while set.state.queue.len > 0 {
            assert!(poll(&mut set, &waker).is_pending());
        }
        assert!(set.state.slots < 1000 + 2 * SLOTS);
        for script in &scripts {
            script.push(None);
            script.wake();
        }
        while !set.is_empty() {
            assert!(poll(&mut set, &waker).is_pending());
        }
        assert!(poll(&mut set, &waker).is_pending());
        assert!(set.state.slots <= SLOTS, "{} slots kept", set.state.slots);
        assert_eq!(set.state.empty, 1);
    }
    // While one child replaces the other, no chunk is allocated or freed.
    let slots = set.state.slots;
    for script in &scripts {
        set.insert(child(script));
        script.push(None);
        assert!(poll(&mut set, &waker).is_pending());
        assert_eq!(set.state.slots, slots);
    }
}

#[test]
fn vacant_slots_of_every_chunk_are_reused() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(8 * SLOTS);
    scripts.iter().for_each(|script| set.insert(child(script)));
    while set.state.queue.len > 0 {
        assert!(poll(&mut set, &waker).is_pending());
    }
    let slots = set.state.slots;
    let leaving = || scripts.iter().step_by(SLOTS);
    for script in leaving() {
        script.push(None);
        script.wake();
    }
    assert!(poll(&mut set, &waker).is_pending());
    assert_eq!(set.len(), scripts.len() - leaving().count());
    leaving().for_each(|script| set.insert(child(script)));
    assert_eq!(set.state.slots, slots);
}

#[test]
fn a_chunk_woken_while_it_empties_is_freed_later() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(8);
    scripts.iter().for_each(|script| set.insert(child(script)));
    assert!(poll(&mut set, &waker).is_pending());
    for script in &scripts {
        script.push(None);
        script.wakes_itself.set(true); // It ends, and wakes its vacant slot.
        script.wake();
    }
    while !set.is_empty() {
        assert!(poll(&mut set, &waker).is_pending());
    }
    assert!(poll(&mut set, &waker).is_pending());
    assert_eq!(set.state.empty, 1);
    assert!(set.state.slots <= 4.min(SLOTS) * 2);
}

#[test]
fn children_never_move() {
    struct Address(Cell<*const Address>, core::marker::PhantomPinned);
    let mut set = ReadySet::new();
    for _ in 0..100 {
        set.insert(Address(
            Cell::new(core::ptr::null()),
            core::marker::PhantomPinned,
        ));
    }
    for _ in 0..3 {
        let served = set.serve(&mut Budget::new(), |child, cx| {
            let here = &raw const *child;
            assert!(child.0.replace(here).is_null() || child.0.get() == here);
            cx.waker().wake_by_ref();
            ChildPoll::<()>::Pending
        });
        assert!(!matches!(served, Served::Item(())));
        set.insert(Address(
            Cell::new(core::ptr::null()),
            core::marker::PhantomPinned,
        ));
    }
}

#[test]
fn large_alignment_and_zero_size() {
    #[repr(align(128))]
    struct Aligned(u8);
    let mut set = ReadySet::new();
    (0..100).for_each(|k| set.insert(Aligned(k)));
    let mut seen = Vec::new();
    let mut budget = Budget::new();
    while let Served::Item(k) = set.serve(&mut budget, |child, _| {
        assert_eq!((&raw const *child).addr() % 128, 0);
        ChildPoll::Last(child.0)
    }) {
        seen.push(k);
    }
    assert_eq!(seen, (0..100).collect::<Vec<_>>());

    let mut set = ReadySet::new();
    (0..100).for_each(|_| set.insert(()));
    let mut budget = Budget::new();
    let mut ended = 0;
    while let Served::Item(()) = set.serve(&mut budget, |_, _| ChildPoll::Last(())) {
        ended += 1;
    }
    assert_eq!(ended, 100);
}

#[test]
fn for_each_visits_every_child() {
    let mut set = ReadySet::new();
    (0..70).for_each(|k| set.insert(String::from_utf8(vec![b'a'; k]).unwrap()));
    let mut sum = 0;
    set.for_each(|child| sum += child.len());
    assert_eq!(sum, 69 * 70 / 2);
}
