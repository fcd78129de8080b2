//! Models of the segments: how they are walked, held and freed, and what a look at their floors
//! says.

use super::*;
use crate::{sync::Arc, test_support::loom::model};
use ::loom::{cell::UnsafeCell, thread};
use alloc::vec::Vec;
use core::{mem::ManuallyDrop, task::Waker};

const FIRST: usize = 0;
const SECOND: usize = 4;

/// A registry in which all slots but those in segments are in use.
#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    registry: Registry,
    /// The item that a reader at `FIRST` reads. A reader that knows that no other is there changes
    /// it.
    list_slot: UnsafeCell<usize>,
}

// SAFETY: the states of the slots hand wakers from thread to thread, as in a list; the model checks
// the list slot.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// A reader that can be sent to another thread.
struct Reader {
    shared: Shared,
    slot_ref: SlotRef,
    follower: Option<Follower>,
}

// SAFETY: `shared` keeps the slots.
unsafe impl Send for Reader {}

impl Shared {
    fn new() -> Self {
        let registry = Registry::new(SECOND);
        for _ in 0..NEARBY {
            registry.register(SECOND, 0);
        }
        Self(Arc::new(Inner {
            registry,
            list_slot: UnsafeCell::new(1),
        }))
    }

    fn register(&self) -> Reader {
        Reader {
            shared: self.clone(),
            slot_ref: self.0.registry.register(FIRST, 0),
            follower: None,
        }
    }

    /// The reader in the first slot.
    fn first(&self) -> Reader {
        Reader {
            shared: self.clone(),
            slot_ref: self.0.registry.first(),
            follower: None,
        }
    }

    fn assert_freed(&self) {
        let segments = self.0.registry.segments().expect("there were many readers");
        assert!(segments.lens().is_empty(), "a segment is left");
        assert_eq!(segments.retired_len(), 0, "a retired segment is left");
    }
}

impl Reader {
    fn in_segment(self) -> Self {
        assert!(self.slot_ref.segment.is_some());
        self
    }

    fn registry(&self) -> &Registry {
        &self.shared.0.registry
    }

    fn pass(&self) {
        self.registry().publish_position(self.slot_ref, SECOND);
    }

    fn read(&self) {
        // SAFETY: `with` reports a writer.
        self.shared
            .0
            .list_slot
            .with(|list_slot| assert_eq!(unsafe { *list_slot }, 1));
    }

    fn arm(&mut self) {
        self.shared.0.registry.arm(
            &mut self.slot_ref,
            &mut None,
            Waker::noop(),
            SleepKind::AtTail,
        );
    }

    fn check_last(&mut self) -> IsLast {
        self.shared
            .0
            .registry
            .check_last(self.slot_ref, &mut self.follower, FIRST)
    }

    /// Changes the list slot if no other reader is at `FIRST`. Returns whether it did.
    fn change_if_last(&mut self) -> bool {
        let is_last = matches!(self.check_last(), IsLast::Yes(_));
        if is_last {
            // SAFETY: `with_mut` reports any other access.
            self.shared
                .0
                .list_slot
                .with_mut(|list_slot| unsafe { *list_slot = 2 });
        }
        is_last
    }

    /// Forgets the reader, which stays registered.
    fn stay(self) {
        let _stays = ManuallyDrop::new(self.slot_ref);
    }

    fn leave(mut self) {
        self.shared.0.registry.forget_follower(&mut self.follower);
        self.registry().unregister(self.slot_ref);
    }
}

/// A fork registers in a segment while another reader stores the segment's floor, and then the
/// parent of the fork moves on. The next scan relies on that floor.
fn fork_during_a_scan(beside_parent: bool) {
    let shared = Shared::new();
    let parent = shared.register().in_segment();
    let mut others = Vec::new();
    if !beside_parent {
        // The fork gets a slot in another segment than its parent.
        others.extend((0..2).map(|_| shared.register().in_segment()));
        others.iter().for_each(Reader::pass);
        others.pop().unwrap().leave();
    }
    let mut looking = shared.first();
    let forking = thread::spawn({
        let shared = shared.clone();
        move || {
            let fork = shared.register().in_segment();
            parent.pass();
            fork.read();
            fork.stay();
            parent.stay();
        }
    });
    if !looking.change_if_last() {
        looking.change_if_last();
    }
    forking.join().unwrap();
    looking.leave();
}

#[test]
fn loom_a_scan_of_a_segment_misses_no_fork() {
    model(|| fork_during_a_scan(true));
}

#[test]
fn loom_a_scan_of_two_segments_misses_no_fork() {
    model(|| fork_during_a_scan(false));
}

/// Two readers scan a segment at the same time, and a reader registers in it.
#[test]
fn loom_a_reader_registers_in_a_segment_while_two_scan_it() {
    model(|| {
        let shared = Shared::new();
        let parent = shared.register().in_segment();
        parent.pass();
        let (mut looking, mut other) = (shared.first(), shared.first());
        other.slot_ref = shared.0.registry.nearby().unwrap().slots().get(0);
        let coming = thread::spawn({
            let shared = shared.clone();
            move || shared.register().in_segment().stay()
        });
        let looks = thread::spawn(move || {
            other.check_last();
            other
        });
        looking.check_last();
        coming.join().unwrap();
        let mut other = looks.join().unwrap();
        assert!(matches!(looking.check_last(), IsLast::No));
        assert!(matches!(other.check_last(), IsLast::No));
        other.shared.0.registry.forget_follower(&mut other.follower);
        looking
            .shared
            .0
            .registry
            .forget_follower(&mut looking.follower);
        parent.stay();
    });
}

/// A reader that is further on has read what is before, also if only the floor of its segment says
/// that it is further on.
#[test]
fn loom_a_reader_moves_on_while_two_scan() {
    model(|| {
        let shared = Shared::new();
        let reader = shared.register().in_segment();
        let (mut looking, mut other) = (shared.first(), shared.first());
        other.slot_ref = shared.0.registry.nearby().unwrap().slots().get(0);
        let reads = thread::spawn(move || {
            reader.read();
            reader.pass();
            reader.stay();
        });
        let looks = thread::spawn(move || {
            other.check_last();
            other.shared.0.registry.forget_follower(&mut other.follower);
        });
        looking.change_if_last();
        reads.join().unwrap();
        looks.join().unwrap();
        looking
            .shared
            .0
            .registry
            .forget_follower(&mut looking.follower);
    });
}

#[test]
fn loom_a_segment_is_freed_while_two_walk() {
    model(|| {
        let shared = Shared::new();
        let leaving = shared.register().in_segment();
        let leaves = thread::spawn(move || leaving.leave());
        let waking = thread::spawn({
            let shared = shared.clone();
            move || shared.0.registry.wake_all()
        });
        let mut looking = shared.first();
        looking.check_last();
        leaves.join().unwrap();
        waking.join().unwrap();
        looking.leave();
        shared.assert_freed();
    });
}

#[test]
fn loom_a_segment_is_freed_when_its_holder_releases_it() {
    model(|| {
        let shared = Shared::new();
        let leaving = shared.register().in_segment();
        let mut looking = shared.first();
        assert!(matches!(looking.check_last(), IsLast::No));
        let leaves = thread::spawn(move || {
            leaving.pass();
            leaving.leave();
        });
        looking
            .registry()
            .is_behind(looking.follower.as_ref().unwrap(), FIRST);
        looking.leave();
        leaves.join().unwrap();
        shared.assert_freed();
    });
}

/// Two segments with one reader each.
fn two_segments(shared: &Shared) -> [Reader; 2] {
    let [leaving, one, other] = [(); 3].map(|()| shared.register().in_segment());
    leaving.leave();
    [one, other]
}

/// Of two threads that would reclaim, one does.
#[test]
fn loom_two_segments_become_empty_at_once() {
    model(|| {
        let shared = Shared::new();
        let [one, other] = two_segments(&shared);
        let leaves = thread::spawn(move || one.leave());
        other.leave();
        leaves.join().unwrap();
        shared.assert_freed();
    });
}

/// The segment that one thread could not free yet is freed by the other.
#[test]
fn loom_two_segments_become_empty_while_another_thread_walks() {
    model(|| {
        let shared = Shared::new();
        let [one, other] = two_segments(&shared);
        let walk = shared.0.registry.segments().unwrap().walk();
        let leaves = thread::spawn(move || one.leave());
        let also_leaves = thread::spawn(move || other.leave());
        drop(walk);
        leaves.join().unwrap();
        also_leaves.join().unwrap();
        shared.assert_freed();
    });
}

/// Two readers register second, at the same time: both allocate the slots beside the registry.
#[test]
fn loom_two_readers_register_beside_the_first() {
    model(|| {
        let shared = Shared(Arc::new(Inner {
            registry: Registry::new(SECOND),
            list_slot: UnsafeCell::new(1),
        }));
        let coming = thread::spawn({
            let shared = shared.clone();
            move || {
                let mut reader = shared.register();
                reader.arm();
                reader.leave();
            }
        });
        let mut reader = shared.register();
        reader.arm();
        reader.leave();
        coming.join().unwrap();
    });
}

/// The position of the slowest reader.
fn min_position(registry: &Registry) -> Option<usize> {
    loop {
        let mut min = None;
        let look = |position: usize, _| min = Some(min.map_or(position, |min| position.min(min)));
        if registry.each_unless_one_comes(look) {
            return min;
        }
    }
}

/// The search for the slowest reader misses no fork either.
#[test]
fn loom_min_position_misses_no_fork() {
    model(|| {
        let shared = Shared::new();
        let parent = shared.register().in_segment();
        let looking = shared.first();
        let forking = thread::spawn({
            let shared = shared.clone();
            move || {
                let fork = shared.register().in_segment();
                parent.pass();
                fork.read();
                fork.stay();
                parent.stay();
            }
        });
        if min_position(looking.registry()) == Some(SECOND) {
            // SAFETY: `with_mut` reports any other access.
            looking
                .shared
                .0
                .list_slot
                .with_mut(|list_slot| unsafe { *list_slot = 2 });
        }
        forking.join().unwrap();
        looking.leave();
    });
}

#[test]
fn loom_a_reader_registers_while_the_last_one_of_a_segment_leaves() {
    model(|| {
        let shared = Shared::new();
        let leaving = shared.register().in_segment();
        let coming = thread::spawn({
            let shared = shared.clone();
            move || {
                let coming = shared.register().in_segment();
                coming.pass();
                coming.leave();
            }
        });
        leaving.leave();
        coming.join().unwrap();
        shared.assert_freed();
    });
}

#[test]
fn loom_two_readers_link_a_segment_each() {
    model(|| {
        let shared = Shared::new();
        let linking = thread::spawn({
            let shared = shared.clone();
            move || shared.register().in_segment()
        });
        let one = shared.register().in_segment();
        let other = linking.join().unwrap();
        assert!(one.slot_ref.slot != other.slot_ref.slot);
        let mut readers = 0;
        shared.0.registry.each(|_, _| readers += 1);
        assert_eq!(readers, 1 + NEARBY + 2);
        one.leave();
        other.leave();
        shared.assert_freed();
    });
}

/// A reader leaves while it is woken: the writer vacates its slot, and the segment is freed.
#[test]
fn loom_a_reader_in_a_segment_leaves_while_it_is_woken() {
    model(|| {
        let shared = Shared::new();
        let mut leaving = shared.register().in_segment();
        leaving.arm();
        let waking = thread::spawn({
            let shared = shared.clone();
            move || shared.0.registry.wake_all()
        });
        leaving.leave();
        waking.join().unwrap();
        // A wake that ended before may have missed that the reader has left. The next one finds the
        // slot.
        shared.0.registry.wake_all();
        shared.assert_freed();
    });
}

/// A segment is linked in front of one that is unlinked, and walked.
#[test]
fn loom_a_segment_is_linked_while_another_is_unlinked() {
    model(|| {
        let shared = Shared::new();
        let stays = [(); 2].map(|()| shared.register().in_segment());
        let leaving = shared.register().in_segment();
        let linking = thread::spawn({
            let shared = shared.clone();
            move || [(); 2].map(|()| shared.register().in_segment())
        });
        leaving.leave();
        let came = linking.join().unwrap();
        let mut readers = 0;
        shared.0.registry.each(|_, _| readers += 1);
        assert_eq!(readers, 1 + NEARBY + 4);
        stays.into_iter().chain(came).for_each(Reader::leave);
        shared.assert_freed();
    });
}

/// The reclaiming thread comes to a segment that another thread has just linked.
#[test]
fn loom_a_segment_is_linked_before_the_others_are_reclaimed() {
    model(|| {
        let shared = Shared::new();
        let stays = [(); 2].map(|()| shared.register().in_segment());
        let leaving = [(); 2].map(|()| shared.register().in_segment());
        let linking = thread::spawn({
            let shared = shared.clone();
            move || shared.register().in_segment()
        });
        leaving.into_iter().for_each(Reader::leave);
        let came = linking.join().unwrap();
        stays.into_iter().chain([came]).for_each(Reader::leave);
        shared.assert_freed();
    });
}
