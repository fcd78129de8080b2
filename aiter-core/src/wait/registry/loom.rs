//! Rows on the heap: who walks them, who holds one, and who frees them; and what a look at their floors says.

use super::*;
use crate::{sync::Arc, test_support::loom::model};
use ::loom::{cell::UnsafeCell, thread};
use alloc::vec::Vec;
use core::mem::ManuallyDrop;

const FIRST: usize = 0;
const SECOND: usize = 4;

/// Seats of which all but those on the heap are taken.
#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    slots: Registry,
    /// What a reader at the first place reads, and one that knows nobody to be there changes.
    list_slot: UnsafeCell<usize>,
}

// SAFETY: seats go from thread to thread by their states, as in a list; the model checks the slot.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// A seat that goes with its reader to another thread.
struct Reader {
    shared: Shared,
    at: SlotRef,
    follower: Option<Follower>,
}

// SAFETY: the seats are kept.
unsafe impl Send for Reader {}

impl Shared {
    fn new() -> Self {
        let slots = Registry::new(SECOND);
        for _ in 0..NEARBY {
            slots.register(SECOND, 0);
        }
        Self(Arc::new(Inner {
            slots,
            list_slot: UnsafeCell::new(1),
        }))
    }

    fn claim(&self) -> Reader {
        Reader {
            shared: self.clone(),
            at: self.0.slots.register(FIRST, 0),
            follower: None,
        }
    }

    /// The reader in the list.
    fn first(&self) -> Reader {
        Reader {
            shared: self.clone(),
            at: self.0.slots.first(),
            follower: None,
        }
    }

    fn assert_freed(&self) {
        let segments = self.0.slots.segments().expect("there were many readers");
        assert!(segments.lens().is_empty(), "no row is left");
        assert_eq!(segments.waiting(), 0, "nor one that waits to be freed");
    }
}

impl Reader {
    fn on_heap(self) -> Self {
        assert!(self.at.heap.is_some());
        self
    }

    fn slots(&self) -> &Registry {
        &self.shared.0.slots
    }

    fn step(&self) {
        self.slots().publish_position(self.at, SECOND);
    }

    fn read(&self) {
        // SAFETY: `with` reports a writer.
        self.shared
            .0
            .list_slot
            .with(|list_slot| assert_eq!(unsafe { *list_slot }, 1));
    }

    fn arm(&mut self) {
        self.shared
            .0
            .slots
            .arm(&mut self.at, &mut None, Waker::noop(), SleepKind::AtTail);
    }

    fn last_at_first(&mut self) -> IsLast {
        self.shared
            .0
            .slots
            .check_last(self.at, &mut self.follower, FIRST)
    }

    /// Changes the slot if nobody is at the first place.
    fn change_alone(&mut self) -> bool {
        let alone = matches!(self.last_at_first(), IsLast::Yes(_));
        if alone {
            // SAFETY: `with_mut` reports any other access.
            self.shared
                .0
                .list_slot
                .with_mut(|list_slot| unsafe { *list_slot = 2 });
        }
        alone
    }

    /// The reader stays where it is.
    fn stay(self) {
        let _stays = ManuallyDrop::new(self.at);
    }

    fn leave(mut self) {
        self.shared.0.slots.forget_follower(&mut self.follower);
        self.slots().unregister(self.at);
    }
}

/// A fork comes to a row while another reader notes that nobody there is behind, and then its parent moves on. The next look
/// goes by that note.
fn fork_while_another_looks(beside_parent: bool) {
    let shared = Shared::new();
    let parent = shared.claim().on_heap();
    let mut others = Vec::new();
    if !beside_parent {
        // The fork gets a seat in another row than its parent.
        others.extend((0..2).map(|_| shared.claim().on_heap()));
        others.iter().for_each(Reader::step);
        others.pop().unwrap().leave();
    }
    let mut looking = shared.first();
    let forking = thread::spawn({
        let shared = shared.clone();
        move || {
            let fork = shared.claim().on_heap();
            parent.step();
            fork.read();
            fork.stay();
            parent.stay();
        }
    });
    if !looking.change_alone() {
        looking.change_alone();
    }
    forking.join().unwrap();
    looking.leave();
}

#[test]
fn loom_a_look_at_a_row_misses_no_fork() {
    model(|| fork_while_another_looks(true));
}

#[test]
fn loom_a_look_at_two_rows_misses_no_fork() {
    model(|| fork_while_another_looks(false));
}

/// Two look at a row at once, and a reader comes.
#[test]
fn loom_two_look_at_a_row_that_a_reader_comes_to() {
    model(|| {
        let shared = Shared::new();
        let parent = shared.claim().on_heap();
        parent.step();
        let (mut looking, mut other) = (shared.first(), shared.first());
        other.at = shared.0.slots.others().unwrap().seating().at(0);
        let coming = thread::spawn({
            let shared = shared.clone();
            move || shared.claim().on_heap().stay()
        });
        let looks = thread::spawn(move || {
            other.last_at_first();
            other
        });
        looking.last_at_first();
        coming.join().unwrap();
        let mut other = looks.join().unwrap();
        assert!(matches!(looking.last_at_first(), IsLast::No));
        assert!(matches!(other.last_at_first(), IsLast::No));
        other.shared.0.slots.forget_follower(&mut other.follower);
        looking
            .shared
            .0
            .slots
            .forget_follower(&mut looking.follower);
        parent.stay();
    });
}

/// A reader that is further on has read what is before: also where only its row's floor says so.
#[test]
fn loom_a_reader_moves_on_while_two_look() {
    model(|| {
        let shared = Shared::new();
        let reader = shared.claim().on_heap();
        let (mut looking, mut other) = (shared.first(), shared.first());
        other.at = shared.0.slots.others().unwrap().seating().at(0);
        let reads = thread::spawn(move || {
            reader.read();
            reader.step();
            reader.stay();
        });
        let looks = thread::spawn(move || {
            other.last_at_first();
            other.shared.0.slots.forget_follower(&mut other.follower);
        });
        looking.change_alone();
        reads.join().unwrap();
        looks.join().unwrap();
        looking
            .shared
            .0
            .slots
            .forget_follower(&mut looking.follower);
    });
}

#[test]
fn loom_a_row_is_freed_while_two_walk() {
    model(|| {
        let shared = Shared::new();
        let goes = shared.claim().on_heap();
        let going = thread::spawn(move || goes.leave());
        let waking = thread::spawn({
            let shared = shared.clone();
            move || shared.0.slots.wake_all()
        });
        let mut looking = shared.first();
        looking.last_at_first();
        going.join().unwrap();
        waking.join().unwrap();
        looking.leave();
        shared.assert_freed();
    });
}

#[test]
fn loom_a_row_is_freed_when_its_holder_lets_go() {
    model(|| {
        let shared = Shared::new();
        let goes = shared.claim().on_heap();
        let mut looking = shared.first();
        assert!(matches!(looking.last_at_first(), IsLast::No));
        let going = thread::spawn(move || {
            goes.step();
            goes.leave();
        });
        looking
            .slots()
            .is_behind(looking.follower.as_ref().unwrap(), FIRST);
        looking.leave();
        going.join().unwrap();
        shared.assert_freed();
    });
}

/// Two rows of a reader each.
fn two_rows(shared: &Shared) -> [Reader; 2] {
    let [goes, one, other] = [(); 3].map(|()| shared.claim().on_heap());
    goes.leave();
    [one, other]
}

/// Of two threads that would tidy up, one does.
#[test]
fn loom_two_rows_are_emptied_at_once() {
    model(|| {
        let shared = Shared::new();
        let [one, other] = two_rows(&shared);
        let going = thread::spawn(move || one.leave());
        other.leave();
        going.join().unwrap();
        shared.assert_freed();
    });
}

/// What the one could not free yet the other takes over.
#[test]
fn loom_two_rows_are_emptied_while_another_walks() {
    model(|| {
        let shared = Shared::new();
        let [one, other] = two_rows(&shared);
        let walk = shared.0.slots.segments().unwrap().walk();
        let going = thread::spawn(move || one.leave());
        let also_going = thread::spawn(move || other.leave());
        drop(walk);
        going.join().unwrap();
        also_going.join().unwrap();
        shared.assert_freed();
    });
}

/// Two that come second make room for others at once.
#[test]
fn loom_two_come_to_the_first_reader() {
    model(|| {
        let slots = Shared(Arc::new(Inner {
            slots: Registry::new(SECOND),
            list_slot: UnsafeCell::new(1),
        }));
        let coming = thread::spawn({
            let slots = slots.clone();
            move || {
                let mut reader = slots.claim();
                reader.arm();
                reader.leave();
            }
        });
        let mut reader = slots.claim();
        reader.arm();
        reader.leave();
        coming.join().unwrap();
    });
}

/// The exact look misses no fork either.
#[test]
fn loom_the_slowest_is_no_fork_that_was_missed() {
    model(|| {
        let shared = Shared::new();
        let parent = shared.claim().on_heap();
        let looking = shared.first();
        let forking = thread::spawn({
            let shared = shared.clone();
            move || {
                let fork = shared.claim().on_heap();
                parent.step();
                fork.read();
                fork.stay();
                parent.stay();
            }
        });
        if looking.slots().min_position_except(Some(looking.at)) == Some(SECOND) {
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
fn loom_a_reader_comes_while_the_last_one_of_a_row_goes() {
    model(|| {
        let shared = Shared::new();
        let goes = shared.claim().on_heap();
        let coming = thread::spawn({
            let shared = shared.clone();
            move || {
                let comes = shared.claim().on_heap();
                comes.step();
                comes.leave();
            }
        });
        goes.leave();
        coming.join().unwrap();
        shared.assert_freed();
    });
}

#[test]
fn loom_two_readers_link_a_row_each() {
    model(|| {
        let shared = Shared::new();
        let linking = thread::spawn({
            let shared = shared.clone();
            move || shared.claim().on_heap()
        });
        let one = shared.claim().on_heap();
        let other = linking.join().unwrap();
        assert!(one.at.slot != other.at.slot);
        let mut readers = 0;
        shared.0.slots.each(|_, _| readers += 1);
        assert_eq!(readers, 1 + NEARBY + 2);
        one.leave();
        other.leave();
        shared.assert_freed();
    });
}

/// A reader goes while it is woken: the writer vacates its seat, and the row goes.
#[test]
fn loom_a_reader_of_a_row_goes_while_it_is_woken() {
    model(|| {
        let shared = Shared::new();
        let mut goes = shared.claim().on_heap();
        goes.arm();
        let waking = thread::spawn({
            let shared = shared.clone();
            move || shared.0.slots.wake_all()
        });
        goes.leave();
        waking.join().unwrap();
        // A wake that is over by then may have missed that the reader has left. The next one finds
        // the seat.
        shared.0.slots.wake_all();
        shared.assert_freed();
    });
}

/// A row is linked in front of one that is unlinked, and walked.
#[test]
fn loom_a_row_is_linked_while_another_is_unlinked() {
    model(|| {
        let shared = Shared::new();
        let stays = [(); 2].map(|()| shared.claim().on_heap());
        let goes = shared.claim().on_heap();
        let linking = thread::spawn({
            let shared = shared.clone();
            move || [(); 2].map(|()| shared.claim().on_heap())
        });
        goes.leave();
        let came = linking.join().unwrap();
        let mut readers = 0;
        shared.0.slots.each(|_, _| readers += 1);
        assert_eq!(readers, 1 + NEARBY + 4);
        stays.into_iter().chain(came).for_each(Reader::leave);
        shared.assert_freed();
    });
}

/// The thread that tidies up comes to a row that another thread has just linked.
#[test]
fn loom_a_row_is_linked_before_the_others_are_tidied_up() {
    model(|| {
        let shared = Shared::new();
        let stays = [(); 2].map(|()| shared.claim().on_heap());
        let goes = [(); 2].map(|()| shared.claim().on_heap());
        let linking = thread::spawn({
            let shared = shared.clone();
            move || shared.claim().on_heap()
        });
        goes.into_iter().for_each(Reader::leave);
        let came = linking.join().unwrap();
        stays.into_iter().chain([came]).for_each(Reader::leave);
        shared.assert_freed();
    });
}
