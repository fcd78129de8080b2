//! The set itself: who is polled when, panics, memory.

extern crate std;

use super::{Budget, ReadySet, Served, Turn, chunk::SLOTS};
use crate::testing::Wakes;
use alloc::{
    boxed::Box, collections::VecDeque, rc::Rc, string::String, sync::Arc, task::Wake, vec, vec::Vec,
};
use core::{
    cell::{Cell, RefCell},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};
use std::panic::catch_unwind;

/// What a child does, seen and steered from outside.
#[derive(Default)]
struct Script {
    /// What the next polls give: `Some` an item, `None` the end. Pending when used up.
    items: RefCell<VecDeque<Option<u32>>>,
    /// An item is always there.
    endless: Cell<bool>,
    wakes_itself: Cell<bool>,
    panics: Cell<bool>,
    polls: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    log: Rc<RefCell<Vec<u32>>>,
}

impl Script {
    fn push(&self, item: Option<u32>) {
        self.items.borrow_mut().push_back(item);
    }

    fn wake(&self) {
        let waker = self.waker.borrow().clone().expect("polled before");
        waker.wake_by_ref();
    }

    fn poll(&self, cx: &mut Context<'_>) -> Turn<u32> {
        self.polls.set(self.polls.get() + 1);
        assert!(!self.panics.get(), "asked to");
        if self.endless.get() {
            return Turn::Item(0);
        }
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        if self.wakes_itself.get() {
            cx.waker().wake_by_ref();
        }
        match self.items.borrow_mut().pop_front() {
            Some(Some(item)) => Turn::Item(item),
            Some(None) => Turn::End,
            None => Turn::Pending,
        }
    }
}

/// A child that logs its drop, and may panic there.
struct Child(Rc<Script>, u32, bool);

impl Drop for Child {
    fn drop(&mut self) {
        self.0.log.borrow_mut().push(self.1);
        assert!(!self.2, "drop of {}", self.1);
    }
}

fn child(script: &Rc<Script>) -> Child {
    Child(script.clone(), 0, false)
}

fn step(child: Pin<&mut Child>, cx: &mut Context<'_>) -> Turn<u32> {
    child.0.poll(cx)
}

/// One poll as an operator does it: serve, and park when idle.
fn poll(set: &mut ReadySet<Child>, waker: &Waker) -> Poll<u32> {
    let mut budget = Budget::new();
    loop {
        match set.serve(&mut budget, step) {
            Served::Out(item) => return Poll::Ready(item),
            Served::Idle if set.park(waker) => return Poll::Pending,
            Served::Idle => {}
            Served::Spent => {
                waker.wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

fn scripts(n: usize) -> Vec<Rc<Script>> {
    (0..n).map(|_| Rc::default()).collect()
}

#[test]
fn only_those_that_woke_are_polled() {
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
fn a_changed_waker_is_the_one_woken() {
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
    // The set keeps one waker, however often it changes.
    assert_eq!(Arc::strong_count(&first), 3);
    assert_eq!(Arc::strong_count(&second), 2);
}

/// A waker that polls the set it is to wake, with another waker, before it returns.
#[test]
fn a_waker_changed_inside_a_wake() {
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
fn a_panicking_parent_waker_leaves_the_set_whole() {
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
    // Its record was free again: the waker went into it.
    assert_eq!(Arc::strong_count(&panics), 1);
}

#[test]
fn a_ready_child_is_left_after_eight_items() {
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

/// With one always-ready child among a thousand, each child that wakes is served within one round.
#[test]
fn an_endless_child_starves_nobody() {
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
        // The rest of the turn it woke in, and at most one turn before its own.
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

#[test]
fn a_panicking_child_is_gone_and_the_others_go_on() {
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
fn a_guest_that_panics_or_is_done_leaves_its_slot() {
    let mut set = ReadySet::new();
    let script = Rc::<Script>::default();
    let done = set.admit(child(&script), |_, _| Poll::Ready(5));
    assert_eq!(done, Poll::Ready(5));
    let admit = || set.admit(child(&script), |_, _| -> Poll<()> { panic!("guest") });
    assert!(catch_unwind(AssertUnwindSafe(admit)).is_err());
    assert_eq!(script.log.borrow().len(), 2);
    assert!(set.is_empty());
    assert!(
        set.admit(child(&script), |child, cx| {
            child.0.poll(cx);
            Poll::<()>::Pending
        })
        .is_pending()
    );
    assert_eq!((set.len(), set.lists.slots), (1, 4.min(SLOTS)));
    script.push(Some(3));
    script.wake();
    assert_eq!(poll(&mut set, Waker::noop()), Poll::Ready(3));
}

#[test]
fn a_child_that_panics_in_drop_stops_no_other_drop() {
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
    // A waker whose child ended wakes at most the one that came after, for nothing.
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
    // The parent's waker is not kept by those of the children.
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
        while set.lists.queue.len > 0 {
            assert!(poll(&mut set, &waker).is_pending());
        }
        assert!(set.lists.slots < 1000 + 2 * SLOTS);
        for script in &scripts {
            script.push(None);
            script.wake();
        }
        while !set.is_empty() {
            assert!(poll(&mut set, &waker).is_pending());
        }
        assert!(poll(&mut set, &waker).is_pending());
        assert!(set.lists.slots <= SLOTS, "{} slots kept", set.lists.slots);
        assert_eq!(set.lists.empty, 1);
    }
    // One in, one out: no chunk is made or freed.
    let slots = set.lists.slots;
    for script in &scripts {
        set.insert(child(script));
        script.push(None);
        assert!(poll(&mut set, &waker).is_pending());
        assert_eq!(set.lists.slots, slots);
    }
}

#[test]
fn vacant_slots_of_every_chunk_are_reused() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(8 * SLOTS);
    scripts.iter().for_each(|script| set.insert(child(script)));
    while set.lists.queue.len > 0 {
        assert!(poll(&mut set, &waker).is_pending());
    }
    let slots = set.lists.slots;
    let leaving = || scripts.iter().step_by(SLOTS);
    for script in leaving() {
        script.push(None);
        script.wake();
    }
    assert!(poll(&mut set, &waker).is_pending());
    assert_eq!(set.len(), scripts.len() - leaving().count());
    leaving().for_each(|script| set.insert(child(script)));
    assert_eq!(set.lists.slots, slots);
}

#[test]
fn chunks_are_served_in_the_order_in_which_they_woke() {
    let (_, waker) = Wakes::new();
    let mut set = ReadySet::new();
    let scripts = scripts(8 * SLOTS);
    scripts.iter().for_each(|script| set.insert(child(script)));
    while set.lists.queue.len > 0 {
        assert!(poll(&mut set, &waker).is_pending());
    }
    let order = [5, 0, 7, 2].map(|chunk| chunk * SLOTS);
    for k in order {
        scripts[k].push(Some(k as u32));
        scripts[k].wake();
    }
    for k in order {
        assert_eq!(poll(&mut set, &waker), Poll::Ready(k as u32));
    }
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
        script.wakes_itself.set(true); // Ends, and wakes its vacant slot.
        script.wake();
    }
    while !set.is_empty() {
        assert!(poll(&mut set, &waker).is_pending());
    }
    assert!(poll(&mut set, &waker).is_pending());
    assert_eq!(set.lists.empty, 1);
    assert!(set.lists.slots <= 4.min(SLOTS) * 2);
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
            Turn::<()>::Pending
        });
        assert!(!matches!(served, Served::Out(())));
        set.insert(Address(
            Cell::new(core::ptr::null()),
            core::marker::PhantomPinned,
        ));
    }
}

#[test]
fn large_alignment_and_no_size() {
    #[repr(align(128))]
    struct Aligned(u8);
    let mut set = ReadySet::new();
    (0..100).for_each(|k| set.insert(Aligned(k)));
    let mut seen = Vec::new();
    let mut budget = Budget::new();
    while let Served::Out(k) = set.serve(&mut budget, |child, _| {
        assert_eq!((&raw const *child).addr() % 128, 0);
        Turn::Last(child.0)
    }) {
        seen.push(k);
    }
    assert_eq!(seen, (0..100).collect::<Vec<_>>());

    let mut set = ReadySet::new();
    (0..100).for_each(|_| set.insert(()));
    let mut budget = Budget::new();
    let mut ended = 0;
    while let Served::Out(()) = set.serve(&mut budget, |_, _| Turn::Last(())) {
        ended += 1;
    }
    assert_eq!(ended, 100);
}

#[test]
fn for_each_shows_every_child() {
    let mut set = ReadySet::new();
    (0..70).for_each(|k| set.insert(String::from_utf8(vec![b'a'; k]).unwrap()));
    let mut sum = 0;
    set.for_each(|child| sum += child.len());
    assert_eq!(sum, 69 * 70 / 2);
}
