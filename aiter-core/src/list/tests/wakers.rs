//! Tests of which readers are woken, and of what a waker may do.

use super::super::shared::{ASLEEP, List};
use super::*;
use crate::test_support::panicking_waker;

#[test]
fn a_sleeping_reader_is_woken_once_at_every_slot() {
    let (writer, mut reader) = list();
    let (wakes, waker) = Wakes::new();
    for n in 0..3 * SLOTS {
        assert!(poll(&mut reader, &waker).is_pending());
        assert!(poll(&mut reader, &waker).is_pending());
        writer.push(n).unwrap();
        writer.push(n).unwrap();
        assert_eq!(wakes.count(), n + 1);
        assert_eq!(poll(&mut reader, &waker), Poll::Ready(Some(n)));
        assert_eq!(poll(&mut reader, &waker), Poll::Ready(Some(n)));
    }
}

/// While a reader sleeps after each item, the writer leaves the flag set; the first push that finds
/// no sleeping reader clears it.
#[test]
fn the_asleep_flag_stays_while_a_reader_sleeps_after_each_item() {
    let list = List::new(None);
    let (writer, mut reader) = (Writer::new(list.clone()), Reader::first(list.clone()));
    let is_set = || list.tail.load(Relaxed) & ASLEEP != 0;
    for _ in 0..2 * SLOTS {
        assert!(poll(&mut reader, Waker::noop()).is_pending());
        assert!(is_set() && !list.registry.has_gap_waiters());
        writer.push(0).unwrap();
        assert!(is_set());
        assert_eq!(take_all(&mut reader), [0]);
    }
    writer.push(1).unwrap();
    assert!(!is_set());
    assert_eq!(take_all(&mut reader), [1]);
}

/// A publication behind a gap, also over several blocks, does not wake a reader that sleeps at the
/// gap.
#[test]
fn a_reader_that_sleeps_at_a_gap_is_woken_once_when_it_is_published() {
    for before in 0..SLOTS + 3 {
        let (writer, mut reader) = list();
        let (wakes, waker) = Wakes::new();
        (0..before).for_each(|n| writer.push(n).unwrap());
        assert_eq!(take_all(&mut reader).len(), before);
        let mut items = core::iter::once_with(|| {
            // The slot is reserved, and not published.
            for _ in 0..2 {
                assert!(poll(&mut reader, &waker).is_pending());
            }
            writer.push_batch(SLOTS + 1, &mut (1..SLOTS + 2)).unwrap();
            assert_eq!(wakes.count(), 0);
            0
        });
        assert_eq!(writer.push_batch(1, &mut items), Ok(true));
        assert_eq!(wakes.count(), 1);
        assert!(take_all(&mut reader).into_iter().eq(0..SLOTS + 2));
    }
}

#[test]
fn the_end_wakes_every_sleeping_reader() {
    for len in [0, 1, SLOTS - 1, SLOTS, SLOTS + 1] {
        let (writer, mut reader) = list();
        (0..len).for_each(|n| writer.push(n).unwrap());
        let mut forks: Vec<_> = (0..70).map(|_| reader.fork()).collect();
        forks.push(reader);
        let wakers: Vec<_> = forks.iter().map(|_| Wakes::new()).collect();
        for (fork, (_, waker)) in forks.iter_mut().zip(&wakers) {
            assert_eq!(take_all(fork).len(), len);
            assert!(poll(fork, waker).is_pending());
        }
        drop(writer);
        assert!(wakers.iter().all(|(wakes, _)| wakes.count() == 1));
        for (fork, (_, waker)) in forks.iter_mut().zip(&wakers) {
            assert_eq!(poll(fork, waker), Poll::Ready(None));
        }
    }
}

#[test]
fn the_last_waker_is_the_one_woken_and_the_only_one_kept() {
    let (writer, mut reader) = list();
    let mut other = reader.fork();
    let (old, old_waker) = Wakes::new();
    let (new, new_waker) = Wakes::new();
    for reader in [&mut reader, &mut other] {
        for _ in 0..1000 {
            assert!(poll(reader, &old_waker).is_pending());
        }
        assert!(poll(reader, &new_waker).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 2);
    assert_eq!(Arc::strong_count(&new), 2 + 2);
    writer.push(0).unwrap();
    assert_eq!((old.count(), new.count()), (0, 2));
    drop((reader, other));
    assert_eq!(Arc::strong_count(&new), 2);
}

#[test]
fn a_waker_that_panics_within_a_batch_leaves_no_gap() {
    for (said, yielded) in [(SLOTS, 0), (SLOTS, SLOTS), (3 * SLOTS, 1)] {
        let (writer, mut reader) = list();
        assert!(poll(&mut reader, &panicking_waker()).is_pending());
        let batch = || writer.push_batch(said, &mut (0..yielded));
        assert!(catch_unwind(AssertUnwindSafe(batch)).is_err());
        writer.push(99).unwrap();
        assert_eq!(take_all(&mut reader).last(), Some(&99));
    }
}

#[test]
fn a_reader_in_the_slot_of_another_does_not_follow_itself() {
    struct Poller<T>(std::sync::Mutex<Option<Reader<T>>>);
    impl<T: Send> Wake for Poller<T> {
        fn wake(self: Arc<Self>) {
            let mut reader = self.0.lock().unwrap();
            // The writer that wakes uses its slot, so it sleeps in another one.
            while poll(reader.as_mut().unwrap(), Waker::noop()).is_ready() {}
        }
    }
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    let item = |n| {
        LIVE.fetch_add(1, Relaxed);
        Counted {
            n,
            live: &LIVE,
            clones: &CLONES,
        }
    };
    let (writer, mut reader) = list();
    let mut fork = reader.fork();
    assert!(writer.push(item(0)).is_ok());
    drop(take_all(&mut reader));
    drop(take_all(&mut fork));
    drop(fork);
    let poller = Arc::new(Poller(None.into()));
    assert!(poll(&mut reader, &poller.clone().into()).is_pending());
    *poller.0.lock().unwrap() = Some(reader);
    assert!(writer.push(item(1)).is_ok());
    let mut reader = poller.0.lock().unwrap().take().unwrap();
    let mut fork = reader.fork();
    assert!(writer.push(item(2)).is_ok());
    drop(take_all(&mut fork));
    drop(take_all(&mut reader));
    assert_eq!((LIVE.load(Relaxed), CLONES.load(Relaxed)), (0, 2));
}

#[test]
fn a_waker_that_panics_when_dropped_keeps_no_item() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!()
        }
    }
    let counts = Counts::default();
    let (writer, mut reader) = list();
    assert!(poll(&mut reader, &Arc::new(Bomb).into()).is_pending());
    counts.push(&writer, 0..3);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(reader))).is_err());
    assert_eq!(counts.live(), 0);
    assert!(writer.push(counts.item(3)).is_err());
}

#[test]
fn a_panicking_waker_strands_no_other_reader() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!()
        }
    }
    let (writer, mut first) = list();
    let mut rest: Vec<_> = (0..6).map(|_| first.fork()).collect();
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut first, &Arc::new(Bomb).into()).is_pending());
    rest.iter_mut()
        .for_each(|fork| assert!(poll(fork, &waker).is_pending()));
    assert!(catch_unwind(AssertUnwindSafe(|| writer.push(1))).is_err());
    assert_eq!(wakes.count(), 6);
    assert_eq!(poll(&mut first, &waker), Poll::Ready(Some(1)));
    assert!(poll(&mut first, &waker).is_pending());
    writer.push(2).unwrap();
    assert_eq!(wakes.count(), 7);
}

#[test]
fn a_waker_may_drop_the_reader_it_wakes() {
    struct Owner(std::sync::Mutex<Option<Reader<u8>>>);
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let (writer, reader) = list();
    for mut reader in [writer.subscribe(), writer.subscribe(), reader] {
        let owner = Arc::new(Owner(None.into()));
        while poll(&mut reader, &owner.clone().into()).is_ready() {}
        *owner.0.lock().unwrap() = Some(reader);
        assert!(writer.push(1).is_ok());
        assert!(owner.0.lock().unwrap().is_none());
        assert_eq!(Arc::strong_count(&owner), 1);
    }
    assert!(writer.push(1).is_err());
}

#[test]
fn a_waker_that_panics_when_cloned_leaves_no_slot_to_two_readers() {
    use core::{cell::RefCell, task::RawWakerVTable};
    const BOMB: RawWakerVTable = RawWakerVTable::new(|_| panic!("cloned"), |_| {}, |_| {}, |_| {});
    /// Polls its reader while that is being woken, when a writer uses its slot, with a waker that
    /// cannot be cloned.
    struct Again(RefCell<Option<Reader<u8>>>);
    // SAFETY: the test has only one thread.
    unsafe impl Send for Again {}
    // SAFETY: as above.
    unsafe impl Sync for Again {}
    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            // SAFETY: the table's functions take any pointer.
            let bomb = unsafe { Waker::new(core::ptr::null(), &BOMB) };
            let mut reader = self.0.borrow_mut();
            let Some(reader) = reader.as_mut() else {
                return;
            };
            assert_eq!(poll(reader, &bomb), Poll::Ready(Some(1)));
            assert!(catch_unwind(AssertUnwindSafe(|| poll(reader, &bomb))).is_err());
        }
    }
    let (writer, mut reader) = list();
    let again = Arc::new(Again(RefCell::new(None)));
    assert!(poll(&mut reader, &again.clone().into()).is_pending());
    *again.0.borrow_mut() = Some(reader);
    writer.push(1).unwrap();
    let mut reader = again.0.borrow_mut().take().unwrap();
    // Both sleep, each in a slot of its own, so both are woken.
    let mut fork = reader.fork();
    let wakers = [Wakes::new(), Wakes::new()];
    assert!(poll(&mut reader, &wakers[0].1).is_pending());
    assert!(poll(&mut fork, &wakers[1].1).is_pending());
    writer.push(2).unwrap();
    assert_eq!(wakers.map(|(wakes, _)| wakes.count()), [1, 1]);
}

#[test]
fn a_reader_that_takes_the_slot_of_its_follower_does_not_follow_itself() {
    type Readers = (Reader<Arc<()>>, Option<Reader<Arc<()>>>);
    /// While the first reader is woken it takes the item, and then the other one does and is
    /// dropped. Then the first one waits again.
    struct Polls(std::sync::Mutex<Readers>);
    impl Wake for Polls {
        fn wake(self: Arc<Self>) {
            let (reader, other) = &mut *self.0.lock().unwrap();
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(reader.poll_next(cx).is_ready());
            let mut other = other.take().unwrap();
            assert!(other.poll_next(cx).is_ready());
            drop(other);
            assert!(reader.poll_next(cx).is_pending());
        }
    }
    let live = Arc::new(());
    let (writer, mut reader) = list();
    let other = reader.fork();
    let polls = Arc::new(Polls(std::sync::Mutex::new((reader, Some(other)))));
    let waker = Waker::from(polls.clone());
    let pending = polls
        .0
        .lock()
        .unwrap()
        .0
        .poll_next(&mut Context::from_waker(&waker));
    assert!(pending.is_pending());
    // The writer uses its slot, so it waits in the one of the other reader.
    writer.push(live.clone()).unwrap();
    let (reader, _) = &mut *polls.0.lock().unwrap();
    let mut ahead = reader.fork();
    writer.push(live.clone()).unwrap();
    assert!(matches!(ahead.next(), Poll::Ready(Some(_))));
    assert!(matches!(reader.next(), Poll::Ready(Some(_))));
    assert_eq!(Arc::strong_count(&live), 1, "the last reader moved it out");
}

/// `try_next` is not a poll: the stop wakes a task that waits, although `try_next` has seen the end
/// before.
#[test]
fn a_try_next_that_sees_the_end_takes_no_wake_away() {
    for forks in 0..2 {
        let list = List::new(None);
        let (writer, mut reader) = (Writer::new(list.clone()), Reader::first(list.clone()));
        let _others: Vec<_> = (0..forks).map(|_| reader.fork()).collect();
        let (wakes, waker) = Wakes::new();
        assert!(poll(&mut reader, &waker).is_pending());
        // The stop is half done.
        let tail = list.close_tail().unwrap();
        // SAFETY: the slot at the tail is the closing thread's.
        unsafe { list.publish_end(tail) };
        assert_eq!(reader.next(), Poll::<Option<u8>>::Ready(None));
        assert_eq!(wakes.count(), 0);
        list.wake_after(tail);
        assert_eq!(wakes.count(), 1);
        // Now the waker is dropped.
        assert_eq!(reader.next(), Poll::Ready(None));
        drop((waker, writer));
        assert_eq!(Arc::strong_count(&wakes), 1);
    }
}
