//! Models of the registry without a list: the wakers in its slots, slots that change their reader,
//! and what a scan of all slots says.

extern crate std;

use super::*;
use crate::wait::registry::{IsLast, Registry, SleepKind, SlotRef};
use ::loom::cell::UnsafeCell;
use alloc::task::Wake;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// Positions in a list.
const FIRST: usize = 0;
const SECOND: usize = 4;

struct Shared(Registry);
// SAFETY: the states of the slots hand wakers from thread to thread, as in a list.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// A registration that can be sent to another thread.
struct Own(SlotRef);
// SAFETY: the model keeps the registry meanwhile.
unsafe impl Send for Own {}

impl Own {
    /// A method, so that closures capture the whole `Own`.
    fn slot_ref(&self) -> SlotRef {
        self.0
    }
}

fn registry() -> (Arc<Shared>, Own) {
    let registry = Arc::new(Shared(Registry::new(FIRST)));
    let first = Own(registry.0.first());
    (registry, first)
}

impl Shared {
    fn register(&self) -> Own {
        Own(self.0.register(FIRST, 0))
    }

    fn arm(&self, own: &mut Own) {
        self.arm_with(own, || ());
    }

    /// Arms with a waker that is unlike any other.
    fn arm_with(&self, own: &mut Own, wake: fn()) {
        struct Unlike(fn());
        impl Wake for Unlike {
            fn wake(self: alloc::sync::Arc<Self>) {
                (self.0)();
            }
        }
        let waker = Waker::from(alloc::sync::Arc::new(Unlike(wake)));
        self.0.arm(&mut own.0, &mut None, &waker, SleepKind::AtTail);
    }
}

/// Of the reader that leaves and the writer that wakes, the one that takes the waker out comes
/// after the other.
#[test]
fn loom_a_reader_leaves_while_it_is_woken() {
    model(|| {
        let (registry, mut own) = registry();
        registry.arm(&mut own);
        let other = registry.clone();
        let waking = thread::spawn(move || other.0.wake_all());
        let other = registry.clone();
        let leaving = thread::spawn(move || other.0.unregister(own.slot_ref()));
        waking.join().unwrap();
        leaving.join().unwrap();
    });
}

/// The next reader of the slot comes after both.
#[test]
fn loom_a_slot_is_claimed_while_its_reader_leaves_and_is_woken() {
    large_model(|| {
        let (registry, mut own) = registry();
        registry.arm(&mut own);
        let other = registry.clone();
        let waking = thread::spawn(move || other.0.wake_all());
        let other = registry.clone();
        let leaving = thread::spawn(move || other.0.unregister(own.slot_ref()));
        let other = registry.clone();
        let coming = thread::spawn(move || other.arm(&mut other.register()));
        waking.join().unwrap();
        leaving.join().unwrap();
        coming.join().unwrap();
    });
}

/// A slot, with its waker, is another reader's only after the old reader has left it.
#[test]
fn loom_a_slot_is_claimed_while_its_reader_leaves() {
    model(|| {
        let (registry, mut own) = registry();
        registry.arm(&mut own);
        let other = registry.clone();
        let leaving = thread::spawn(move || other.0.unregister(own.slot_ref()));
        registry.arm(&mut registry.register());
        leaving.join().unwrap();
    });
}

/// A reader changes its waker once the writer is done with the old one, or in another slot.
#[test]
fn loom_a_waker_changes_while_it_is_called() {
    model(|| {
        let (registry, mut own) = registry();
        registry.arm(&mut own);
        let other = registry.clone();
        let waking = thread::spawn(move || other.0.wake_all());
        let other = registry.clone();
        let changing = thread::spawn(move || other.arm(&mut own));
        waking.join().unwrap();
        changing.join().unwrap();
    });
}

/// The same when the old one panics.
fn change_while_it_panics(wake: fn(&Registry)) {
    let (registry, mut own) = registry();
    registry.arm_with(&mut own, || panic!("waker"));
    let other = registry.clone();
    let waking = thread::spawn(move || {
        // It panics unless the reader was first.
        let _ = catch_unwind(AssertUnwindSafe(|| wake(&other.0)));
    });
    let other = registry.clone();
    let changing = thread::spawn(move || other.arm(&mut own));
    waking.join().unwrap();
    changing.join().unwrap();
}

#[test]
fn loom_a_waker_changes_while_it_panics() {
    model(|| change_while_it_panics(|registry| registry.wake_all()));
}

#[test]
fn loom_the_waker_of_the_only_reader_changes_while_it_panics() {
    model(|| {
        change_while_it_panics(|registry| {
            registry.wake_sole_reader();
        });
    });
}

/// A waker that unregisters its own reader. The slot keeps the waker meanwhile.
struct Unregisters(Arc<Shared>, Own);
// SAFETY: the slot is one of the registry that it has.
unsafe impl Sync for Unregisters {}

impl Wake for Unregisters {
    fn wake(self: alloc::sync::Arc<Self>) {
        let Self(registry, own) = &*self;
        registry.0.unregister(own.slot_ref());
    }
}

/// The writer that wakes a reader that leaves meanwhile takes the waker out of its slot.
fn leave_while_woken((registry, mut own): (Arc<Shared>, Own), wake: fn(&Registry)) {
    let unregisters = alloc::sync::Arc::new(Unregisters(registry.clone(), Own(own.slot_ref())));
    let waker = Waker::from(unregisters.clone());
    registry
        .0
        .arm(&mut own.0, &mut None, &waker, SleepKind::AtTail);
    drop(waker);
    wake(&registry.0);
    assert_eq!(alloc::sync::Arc::strong_count(&unregisters), 1);
}

#[test]
fn loom_a_reader_leaves_within_its_waker() {
    model(|| {
        leave_while_woken(registry(), |registry| registry.wake_all());
        leave_while_woken(registry(), |registry| assert!(registry.wake_sole_reader()));
        let (registry, _first) = registry();
        let second = registry.register();
        leave_while_woken((registry, second), |registry| registry.wake_all());
    });
}

/// A writer that finds a slot armed sees its waker initialized, also in slots that it has not seen
/// before.
#[test]
fn loom_a_slot_is_armed_while_others_wake() {
    model(|| {
        let (registry, mut own) = registry();
        let other = registry.clone();
        let arming = thread::spawn(move || {
            other.arm(&mut other.register());
            other.arm(&mut own);
        });
        registry.0.wake_all();
        arming.join().unwrap();
    });
}

/// The same for a slot that is armed again with the waker that is in it.
#[test]
fn loom_a_slot_is_armed_again_while_others_wake() {
    model(|| {
        let (registry, mut own) = registry();
        let other = registry.clone();
        let waking = thread::spawn(move || other.0.wake_all());
        registry
            .0
            .arm(&mut own.0, &mut None, Waker::noop(), SleepKind::AtTail);
        registry.0.disarm(own.slot_ref());
        registry.0.rearm(own.slot_ref(), Waker::noop());
        waking.join().unwrap();
    });
}

/// A list slot that a reader at `FIRST` reads. A reader that knows that no other is there changes
/// it.
#[derive(Clone)]
struct ListSlot(Arc<UnsafeCell<usize>>);
// SAFETY: loom checks every access.
unsafe impl Send for ListSlot {}

impl ListSlot {
    fn new() -> Self {
        Self(Arc::new(UnsafeCell::new(1)))
    }

    fn read(&self) {
        // SAFETY: `with` reports a writer.
        self.0.with(|slot| assert_eq!(unsafe { *slot }, 1));
    }

    /// Changes it if no reader but this one is at `FIRST`.
    fn change_if_last(&self, registry: &Shared, own: &Own) {
        let mut follower = None;
        let last = registry.0.check_last(own.slot_ref(), &mut follower, FIRST);
        registry.0.forget_follower(&mut follower);
        if matches!(last, IsLast::Yes(_)) {
            // SAFETY: `with_mut` reports any other access.
            self.0.with_mut(|slot| unsafe { *slot = 2 });
        }
    }
}

/// A reader that is seen further on, or no longer seen, has read what is before.
#[test]
fn loom_a_reader_moves_on_and_leaves_during_a_scan() {
    model(|| {
        let (registry, own) = registry();
        let slot = ListSlot::new();
        let looking = Own(registry.0.register(SECOND, 0));
        let reading = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                slot.read();
                registry.0.publish_position(own.slot_ref(), SECOND);
                registry.0.unregister(own.slot_ref());
            }
        });
        slot.change_if_last(&registry, &looking);
        reading.join().unwrap();
    });
}

/// The same for a reader that leaves from the position where it has read: only the leave publishes
/// it.
#[test]
fn loom_a_reader_leaves_during_a_scan() {
    model(|| {
        let (registry, own) = registry();
        let slot = ListSlot::new();
        let looking = Own(registry.0.register(SECOND, 0));
        let reading = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                slot.read();
                registry.0.unregister(own.slot_ref());
            }
        });
        slot.change_if_last(&registry, &looking);
        reading.join().unwrap();
    });
}

/// A fork gets the slot that a scan looks at first, and its parent moves on before the scan comes
/// to it. The scan sees the fork, or that a reader came.
#[test]
fn loom_a_scan_misses_no_fork() {
    model(|| {
        let (registry, first) = registry();
        let (parent, looking) = (registry.register(), Own(registry.0.register(SECOND, 0)));
        registry.0.unregister(first.slot_ref());
        let slot = ListSlot::new();
        let forking = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                let _fork = registry.register();
                registry.0.publish_position(parent.slot_ref(), SECOND);
                slot.read();
            }
        });
        slot.change_if_last(&registry, &looking);
        forking.join().unwrap();
    });
}

/// A reader that is woken moves to another slot. A scan looks at the new slot before that, and at
/// the old one after it.
#[test]
fn loom_a_scan_misses_no_reader_that_moves_to_another_slot() {
    model(|| {
        let (registry, first) = registry();
        let (mut own, looking) = (registry.register(), Own(registry.0.register(SECOND, 0)));
        registry.0.unregister(first.slot_ref());
        registry.arm(&mut own);
        let slot = ListSlot::new();
        let changing = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                // A second slot for the same reader, and then it leaves the first: this is what
                // `arm` does at a slot that is being woken.
                let _new = registry.register();
                registry.0.unregister(own.slot_ref());
                slot.read();
            }
        });
        slot.change_if_last(&registry, &looking);
        changing.join().unwrap();
    });
}

/// A reader is polled in its own wake, by another task. It drops its old waker by moving to another
/// slot, which may be the slot of its follower when that is dropped. It does not follow itself
/// then, and does not use a follower that it has forgotten while it takes the items of a run.
#[test]
fn loom_a_reader_polled_in_its_wake_takes_the_slot_of_its_follower() {
    /// Polls the reader as soon as it is woken.
    struct Polls(std::sync::Mutex<Option<Reader<usize>>>);
    impl Wake for Polls {
        fn wake(self: std::sync::Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &std::sync::Arc<Self>) {
            if let Some(mut reader) = self.0.lock().unwrap().take() {
                struct Another;
                impl Wake for Another {
                    fn wake(self: std::sync::Arc<Self>) {}
                }
                let waker = Waker::from(std::sync::Arc::new(Another));
                for n in [10, 11] {
                    let polled = reader.poll_next(&mut Context::from_waker(&waker));
                    assert_eq!(polled, Poll::Ready(Some(n)));
                }
            }
        }
    }
    model(|| {
        let (writer, mut reader) = list::<usize>();
        let follower = reader.fork();
        let polls = std::sync::Arc::new(Polls(std::sync::Mutex::new(None)));
        let waker = Waker::from(polls.clone());
        let mut cx = Context::from_waker(&waker);
        for n in [0, 1] {
            writer.push(n).unwrap();
            assert_eq!(reader.poll_next(&mut cx), Poll::Ready(Some(n)));
        }
        assert!(reader.poll_next(&mut cx).is_pending());
        *polls.0.lock().unwrap() = Some(reader);
        let dropping = thread::spawn(move || drop(follower));
        let _ = writer.push_batch(2, &mut (10..12));
        dropping.join().unwrap();
    });
}
