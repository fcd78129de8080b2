//! Seats by themselves, apart from the list: their wakers, how they are taken over, and what a look at all of them says.

extern crate std;

use super::*;
use crate::wait::registry::{IsLast, Registry, SleepKind, SlotRef};
use ::loom::cell::UnsafeCell;
use alloc::task::Wake;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// A place in a list: four times the number of a slot.
const FIRST: usize = 0;
const SECOND: usize = 4;

struct Shared(Registry);
// SAFETY: wakers go from thread to thread by the states of their seats, as in a list.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// A seat that goes with its reader to another thread.
struct Own(SlotRef);
// SAFETY: its seats are kept by the model for as long.
unsafe impl Send for Own {}

impl Own {
    /// As a method, so that closures take all of it.
    fn at(&self) -> SlotRef {
        self.0
    }
}

fn registry() -> (Arc<Shared>, Own) {
    let registry = Arc::new(Shared(Registry::new(FIRST)));
    let first = Own(registry.0.first());
    (registry, first)
}

impl Shared {
    fn claim(&self) -> Own {
        Own(self.0.register(FIRST, 0))
    }

    fn arm(&self, own: &mut Own) {
        self.arm_with(own, || ());
    }

    /// With a waker unlike any other.
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

/// Of the reader that leaves and the writer that wakes, the one that takes the waker out comes after the other.
#[test]
fn loom_a_seat_is_left_while_it_is_woken() {
    model(|| {
        let (registry, mut own) = registry();
        registry.arm(&mut own);
        let other = registry.clone();
        let waking = thread::spawn(move || other.0.wake_all());
        let other = registry.clone();
        let leaving = thread::spawn(move || other.0.unregister(own.at()));
        waking.join().unwrap();
        leaving.join().unwrap();
    });
}

/// The next reader comes after both.
#[test]
fn loom_a_seat_is_taken_while_it_is_left_and_woken() {
    large_model(|| {
        let (registry, mut own) = registry();
        registry.arm(&mut own);
        let other = registry.clone();
        let waking = thread::spawn(move || other.0.wake_all());
        let other = registry.clone();
        let leaving = thread::spawn(move || other.0.unregister(own.at()));
        let other = registry.clone();
        let coming = thread::spawn(move || other.arm(&mut other.claim()));
        waking.join().unwrap();
        leaving.join().unwrap();
        coming.join().unwrap();
    });
}

/// A seat that is left, with its waker, is another reader's after that.
#[test]
fn loom_a_seat_is_taken_while_it_is_left() {
    model(|| {
        let (registry, mut own) = registry();
        registry.arm(&mut own);
        let other = registry.clone();
        let leaving = thread::spawn(move || other.0.unregister(own.at()));
        registry.arm(&mut registry.claim());
        leaving.join().unwrap();
    });
}

/// A reader changes its waker when the writer is done with the old one, or at another seat.
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
            registry.wake_only();
        });
    });
}

/// A reader that goes out of its own waker, the waker being kept by its seat for as long.
struct Goes(Arc<Shared>, Own);
// SAFETY: the seat is one of those that it goes with.
unsafe impl Sync for Goes {}

impl Wake for Goes {
    fn wake(self: alloc::sync::Arc<Self>) {
        let Self(registry, own) = &*self;
        registry.0.unregister(own.at());
    }
}

/// Who has woken a reader that went meanwhile takes the waker out of its seat.
fn go_while_woken((registry, mut own): (Arc<Shared>, Own), wake: fn(&Registry)) {
    let goes = alloc::sync::Arc::new(Goes(registry.clone(), Own(own.at())));
    let waker = Waker::from(goes.clone());
    registry
        .0
        .arm(&mut own.0, &mut None, &waker, SleepKind::AtTail);
    drop(waker);
    wake(&registry.0);
    assert_eq!(alloc::sync::Arc::strong_count(&goes), 1);
}

#[test]
fn loom_a_reader_goes_out_of_its_waker() {
    model(|| {
        go_while_woken(registry(), |registry| registry.wake_all());
        go_while_woken(registry(), |registry| assert!(registry.wake_only()));
        let (registry, _first) = registry();
        let second = registry.claim();
        go_while_woken((registry, second), |registry| registry.wake_all());
    });
}

/// A writer sees the whole waker of a seat that it finds armed, also in a row that is new to it.
#[test]
fn loom_a_seat_is_armed_while_others_wake() {
    model(|| {
        let (registry, mut own) = registry();
        let other = registry.clone();
        let arming = thread::spawn(move || {
            other.arm(&mut other.claim());
            other.arm(&mut own);
        });
        registry.0.wake_all();
        arming.join().unwrap();
    });
}

/// The same of one that is armed again with the waker that is in it.
#[test]
fn loom_a_seat_is_armed_again_while_others_wake() {
    model(|| {
        let (registry, mut own) = registry();
        let other = registry.clone();
        let waking = thread::spawn(move || other.0.wake_all());
        registry
            .0
            .arm(&mut own.0, &mut None, Waker::noop(), SleepKind::AtTail);
        registry.0.disarm(own.at());
        registry.0.rearm(own.at(), Waker::noop());
        waking.join().unwrap();
    });
}

/// What a reader at the first place reads, and one that knows nobody to be there changes.
#[derive(Clone)]
struct Slot(Arc<UnsafeCell<usize>>);
// SAFETY: for the model; what it accesses, it checks.
unsafe impl Send for Slot {}

impl Slot {
    fn new() -> Self {
        Self(Arc::new(UnsafeCell::new(1)))
    }

    fn read(&self) {
        // SAFETY: `with` reports a writer.
        self.0.with(|slot| assert_eq!(unsafe { *slot }, 1));
    }

    /// Changes it if nobody but the reader of a seat is at the first place.
    fn change_alone(&self, registry: &Shared, own: &Own) {
        let mut follower = None;
        let last = registry.0.check_last(own.at(), &mut follower, FIRST);
        registry.0.forget_follower(&mut follower);
        if matches!(last, IsLast::Yes(_)) {
            // SAFETY: `with_mut` reports any other access.
            self.0.with_mut(|slot| unsafe { *slot = 2 });
        }
    }
}

/// A reader that is seen further on, or not at all any more, has read what is before.
#[test]
fn loom_a_reader_moves_on_and_goes_while_another_looks() {
    model(|| {
        let (registry, own) = registry();
        let slot = Slot::new();
        let looking = Own(registry.0.register(SECOND, 0));
        let reading = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                slot.read();
                registry.0.publish_position(own.at(), SECOND);
                registry.0.unregister(own.at());
            }
        });
        slot.change_alone(&registry, &looking);
        reading.join().unwrap();
    });
}

/// The same for one that leaves from where it has read: nothing but its leave tells of it.
#[test]
fn loom_a_reader_goes_while_another_looks() {
    model(|| {
        let (registry, own) = registry();
        let slot = Slot::new();
        let looking = Own(registry.0.register(SECOND, 0));
        let reading = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                slot.read();
                registry.0.unregister(own.at());
            }
        });
        slot.change_alone(&registry, &looking);
        reading.join().unwrap();
    });
}

/// A fork gets the seat that a look comes to first, and its parent moves on before the look comes there. The look either
/// sees the fork, or that somebody came.
#[test]
fn loom_a_look_misses_no_fork() {
    model(|| {
        let (registry, first) = registry();
        let (parent, looking) = (registry.claim(), Own(registry.0.register(SECOND, 0)));
        registry.0.unregister(first.at());
        let slot = Slot::new();
        let forking = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                let _fork = registry.claim();
                registry.0.publish_position(parent.at(), SECOND);
                slot.read();
            }
        });
        slot.change_alone(&registry, &looking);
        forking.join().unwrap();
    });
}

/// A reader that is woken changes its seat, and a look comes to the new one before and to the old one after that.
#[test]
fn loom_a_look_misses_no_reader_that_changes_its_seat() {
    model(|| {
        let (registry, first) = registry();
        let (mut own, looking) = (registry.claim(), Own(registry.0.register(SECOND, 0)));
        registry.0.unregister(first.at());
        registry.arm(&mut own);
        let slot = Slot::new();
        let changing = thread::spawn({
            let (registry, slot) = (registry.clone(), slot.clone());
            move || {
                // A seat for the same reader, and then no more at the old one: what `arm` does at one that is woken.
                let _new = registry.claim();
                registry.0.unregister(own.at());
                slot.read();
            }
        });
        slot.change_alone(&registry, &looking);
        changing.join().unwrap();
    });
}

/// A reader is polled in its own wake, by another task: it drops its waker by taking another seat,
/// which is that of the reader behind when this one goes. It does not take itself for the one
/// behind, nor does it rely on anybody while items are known.
#[test]
fn loom_a_reader_polled_in_its_wake_takes_the_seat_of_the_one_behind() {
    /// Polls the reader at once when it is woken.
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
        let going = thread::spawn(move || drop(follower));
        let _ = writer.push_batch(2, &mut (10..12));
        going.join().unwrap();
    });
}
