//! Loom models of the set: `RUSTFLAGS="--cfg aiter_loom" cargo test --release -p aiter-core --lib
//! ready_set::loom`.
//!
//! Each child waits for a flag that is only ever accessed `Relaxed`, so that nothing but the set
//! itself makes it visible: a child that is polled because it woke must see its flag. And a task
//! that got `Pending` must be woken.
use super::{Budget, ChildPoll, ReadySet, Served};
use crate::test_support::loom::model;
use ::loom::{
    sync::{Arc as Tracked, atomic::AtomicUsize},
    thread,
};
use alloc::{sync::Arc, task::Wake, vec::Vec};
use core::{
    pin::{Pin, pin},
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;
use std::sync::Mutex;

/// A waker of the task that counts its wakes.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), Waker::from(count))
}

/// Ends once its flag is set. Loom reports a child that is leaked.
struct Child {
    flag: Tracked<AtomicUsize>,
    /// Not loom's mutex: only the thread that owns the set uses it.
    waker: Arc<Mutex<Option<Waker>>>,
    /// The child was polled before, and must have woken since.
    polled: bool,
    /// There are stale wakers, so it may be polled spuriously.
    any_polls: bool,
}

fn child() -> (Child, Tracked<AtomicUsize>, Arc<Mutex<Option<Waker>>>) {
    let flag = Tracked::new(AtomicUsize::new(0));
    let waker = Arc::default();
    let child = Child {
        flag: flag.clone(),
        waker: Arc::clone(&waker),
        polled: false,
        any_polls: false,
    };
    (child, flag, waker)
}

fn step(mut child: Pin<&mut Child>, cx: &mut Context<'_>) -> ChildPoll<()> {
    if child.flag.load(Relaxed) == 1 {
        return ChildPoll::Last(());
    }
    assert!(
        child.any_polls || !child.polled,
        "polled, but what it woke for is not visible"
    );
    child.polled = true;
    *child.waker.lock().unwrap() = Some(cx.waker().clone());
    ChildPoll::Pending
}

fn poll(set: &mut ReadySet<Child>, waker: &Waker) -> Poll<()> {
    let mut budget = Budget::new();
    loop {
        match set.serve(&mut budget, step) {
            Served::Item(()) => return Poll::Ready(()),
            Served::Idle if set.park(waker) => return Poll::Pending,
            Served::Idle => {}
            Served::Spent => {
                waker.wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

/// Adds a child and polls it once. Returns its flag and its waker.
fn waiting(set: &mut ReadySet<Child>, parent: &Waker) -> (Tracked<AtomicUsize>, Waker) {
    let (child, flag, waker) = child();
    set.insert(child);
    assert!(poll(set, parent).is_pending());
    let waker = waker.lock().unwrap().take().unwrap();
    (flag, waker)
}

fn wake(flag: Tracked<AtomicUsize>, waker: Waker) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        flag.store(1, Relaxed);
        waker.wake();
    })
}

#[test]
fn a_wake_racing_a_poll() {
    model(|| {
        let (count, parent) = counting();
        let mut set = ReadySet::new();
        let (flag, waker) = waiting(&mut set, &parent);
        let thread = wake(flag, waker);
        let early = poll(&mut set, &parent);
        thread.join().unwrap();
        if early.is_pending() {
            assert!(count.0.load(Relaxed) > 0, "a lost wake");
            assert!(poll(&mut set, &parent).is_ready());
        }
    });
}

/// The wake comes while the child is being polled. If the child did not see its flag, it must be
/// polled again.
#[test]
fn a_wake_during_a_poll() {
    model(|| {
        let (count, parent) = counting();
        let mut set = ReadySet::new();
        let (child, flag, _) = child();
        set.insert(child);
        let mut thread = None;
        let served = set.serve(&mut Budget::new(), |child, cx| {
            let second = thread.is_some();
            thread.get_or_insert_with(|| wake(flag.clone(), cx.waker().clone()));
            let seen = child.flag.load(Relaxed) == 1;
            assert!(
                seen || !second,
                "polled, but what it woke for is not visible"
            );
            if seen {
                ChildPoll::Last(())
            } else {
                ChildPoll::Pending
            }
        });
        let thread = thread.unwrap();
        match served {
            Served::Item(()) => thread.join().unwrap(),
            _ => {
                let parked = set.park(&parent);
                thread.join().unwrap();
                assert!(!parked || count.0.load(Relaxed) > 0, "a lost wake");
                assert!(poll(&mut set, &parent).is_ready());
            }
        }
    });
}

#[test]
fn a_wake_racing_the_drop_of_the_set() {
    model(|| {
        let (_, parent) = counting();
        let mut set = ReadySet::new();
        let (flag, waker) = waiting(&mut set, &parent);
        let thread = wake(flag, waker);
        drop(set);
        thread.join().unwrap();
    });
    model(|| {
        let (_, parent) = counting();
        let mut set = ReadySet::new();
        let (flag, waker) = waiting(&mut set, &parent);
        let late = waker.clone();
        let thread = wake(flag, waker);
        drop(set);
        late.wake();
        thread.join().unwrap();
    });
}

/// Children are woken by a thread each while the set is polled with one waker after the other. The
/// last one must be woken, and no park slot may be written while it is read.
fn the_waker_changes(children: usize, changes: usize) {
    let (_, first) = counting();
    let mut set = ReadySet::new();
    let waiting: Vec<_> = (0..children).map(|_| waiting(&mut set, &first)).collect();
    let threads: Vec<_> = waiting
        .into_iter()
        .map(|(flag, waker)| wake(flag, waker))
        .collect();
    let mut done = 0;
    let mut last = None;
    for _ in 0..changes {
        let (count, waker) = counting();
        let polled = poll(&mut set, &waker);
        done += usize::from(polled.is_ready());
        last = polled.is_pending().then_some(count);
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    if let (Some(count), true) = (last, done < children) {
        assert!(
            count.0.load(Relaxed) > 0,
            "the waker of the last poll was not woken"
        );
    }
    while done < children {
        assert!(poll(&mut set, &first).is_ready());
        done += 1;
    }
}

#[test]
fn the_waker_changes_while_a_wake_is_under_way() {
    model(|| the_waker_changes(1, 1));
    model(|| the_waker_changes(1, 2));
}

#[test]
fn the_waker_changes_while_two_wakes_are_under_way() {
    model(|| the_waker_changes(2, 2));
}

#[test]
fn two_children_of_one_chunk_woken_by_two_threads() {
    model(|| {
        let (count, parent) = counting();
        let mut set = ReadySet::new();
        let one = waiting(&mut set, &parent);
        let two = waiting(&mut set, &parent);
        let threads = [wake(one.0, one.1), wake(two.0, two.1)];
        let mut done = usize::from(poll(&mut set, &parent).is_ready());
        let pending = done == 0;
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        if pending {
            assert!(count.0.load(Relaxed) > 0, "a lost wake");
        }
        while done < 2 {
            assert!(poll(&mut set, &parent).is_ready());
            done += 1;
        }
        assert!(set.is_empty());
    });
}

#[test]
fn two_children_of_two_chunks_woken_by_two_threads() {
    model(|| {
        let (count, parent) = counting();
        let mut set = ReadySet::new();
        let one = waiting(&mut set, &parent);
        let _between = waiting(&mut set, &parent);
        let two = waiting(&mut set, &parent);
        assert_eq!(set.state.slots, 4);
        let threads = [wake(one.0, one.1), wake(two.0, two.1)];
        let mut done = usize::from(poll(&mut set, &parent).is_ready());
        let pending = done == 0;
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        if pending {
            assert!(count.0.load(Relaxed) > 0, "a lost wake");
        }
        while done < 2 {
            assert!(poll(&mut set, &parent).is_ready());
            done += 1;
        }
    });
}

/// A second waker of the first child wakes while that child ends, and while its slot is given to
/// another child, which waits as well.
#[test]
fn a_wake_racing_the_reuse_of_its_slot() {
    model(|| {
        let (_, parent) = counting();
        let mut set = ReadySet::new();
        let (flag, waker) = waiting(&mut set, &parent);
        let stale = waker.clone();
        flag.store(1, Relaxed);
        waker.wake();
        let stale = thread::spawn(move || stale.wake());
        assert!(poll(&mut set, &parent).is_ready());

        let (mut second, flag, waker) = child();
        second.any_polls = true;
        set.insert(second);
        let (count, parent) = counting();
        assert!(poll(&mut set, &parent).is_pending());
        let waker = waker.lock().unwrap().take().unwrap();
        let thread = wake(flag, waker);
        let early = poll(&mut set, &parent);
        stale.join().unwrap();
        thread.join().unwrap();
        if early.is_pending() {
            assert!(count.0.load(Relaxed) > 0, "a lost wake");
            assert!(poll(&mut set, &parent).is_ready());
        }
    });
}

/// A chunk is freed while a waker of a child that was in it is waking.
#[test]
fn a_wake_racing_the_release_of_its_chunk() {
    model(|| {
        let (_, parent) = counting();
        let mut set = ReadySet::new();
        let (children, mut wakers): (Vec<_>, Vec<_>) =
            (0..3).map(|_| waiting(&mut set, &parent)).unzip();
        assert_eq!(set.state.slots, 4);
        // The chunk that is empty last is freed.
        let stale = wakers[2].clone();
        children.iter().for_each(|flag| flag.store(1, Relaxed));
        wakers.drain(..).for_each(Waker::wake);
        let thread = thread::spawn(move || stale.wake());
        while !set.is_empty() {
            assert!(poll(&mut set, &parent).is_ready());
        }
        assert!(poll(&mut set, &parent).is_pending());
        thread.join().unwrap();
        // If the chunk was on the stack, it is freed after it was taken from there.
        assert!(poll(&mut set, &parent).is_pending());
        assert_eq!((set.state.slots, set.state.empty), (2, 1));
    });
}

/// A stream that ends once its flag is set.
struct Source {
    flag: Tracked<AtomicUsize>,
    waker: Arc<Mutex<Option<Waker>>>,
    polled: bool,
}

impl Stream for Source {
    type Item = Child;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Child>> {
        if self.flag.load(Relaxed) == 1 {
            return Poll::Ready(None);
        }
        assert!(!self.polled, "polled, but what it woke for is not visible");
        self.polled = true;
        *self.waker.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The source wakes like a child, and is polled only when it has woken.
#[test]
fn a_wake_of_the_source_racing_a_poll() {
    model(|| {
        let (count, parent) = counting();
        let mut set = ReadySet::<Child>::new();
        let flag = Tracked::new(AtomicUsize::new(0));
        let waker = Arc::<Mutex<Option<Waker>>>::default();
        let mut source = pin!(Some(Source {
            flag: flag.clone(),
            waker: Arc::clone(&waker),
            polled: false,
        }));
        let mut poll = || {
            loop {
                if set.is_source_ready() && set.poll_source(source.as_mut()).is_ready() {
                    return Poll::Ready(());
                }
                if matches!(set.serve(&mut Budget::new(), step), Served::Idle)
                    && !set.is_source_ready()
                    && set.park(&parent)
                {
                    return Poll::Pending;
                }
            }
        };
        assert!(poll().is_pending());
        let waker = waker.lock().unwrap().take().unwrap();
        let thread = wake(flag, waker);
        let early = poll();
        thread.join().unwrap();
        if early.is_pending() {
            assert!(count.0.load(Relaxed) > 0, "a lost wake");
            assert!(poll().is_ready());
        }
    });
}
