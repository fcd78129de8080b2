//! What is particular to the fixed list, on one thread, stepped by hand. One suite in the package
//! `tests` covers what it has in common with the push list.

extern crate std;

use super::{PushAiter, PushError, PushList, position::Laps};
use crate::{
    TryNextError,
    sync::{Ordering::Relaxed, Word},
    test_support::*,
};
use alloc::{sync::Arc, task::Wake, vec::Vec};
use core::task::Poll;
use std::sync::Mutex;

fn rest<T, const N: usize, const R: usize, const P: usize, const O: bool>(
    aiter: &mut PushAiter<'_, T, N, R, P, O>,
) -> Vec<T> {
    core::iter::from_fn(|| aiter.try_next().ok()).collect()
}

#[test]
fn a_full_list_gives_items_back_at_every_slot() {
    fn check<const N: usize>() {
        let list = PushList::<_, N>::new();
        let mut aiter = list.aiter().unwrap();
        for lap in 0..5 {
            (0..N).for_each(|n| list.push((lap, n)).unwrap());
            assert_eq!(list.push((lap, N)), Err(PushError::Full((lap, N))));
            assert_eq!(aiter.len(), N);
            for n in 0..N {
                assert_eq!(aiter.try_next(), Ok((lap, n)));
                // There is room for as many as were taken.
                list.push((lap, n)).unwrap();
                list.push((lap, n)).unwrap_err();
            }
            assert!(rest(&mut aiter).into_iter().eq((0..N).map(|n| (lap, n))));
            // Starts the next lap at another slot.
            list.push((lap, 0)).unwrap();
            assert_eq!(aiter.try_next(), Ok((lap, 0)));
        }
    }
    check::<1>();
    check::<2>();
    check::<3>();
    check::<8>();
    check::<13>();
}

#[test]
fn an_interrupted_push_holds_back_later_items_only() {
    let list = PushList::<_, 3, 2>::new();
    let mut high = list.aiter().unwrap();
    let mut low = high.fork().unwrap();
    let (wakes, waker) = Wakes::new();
    let Ok(at) = list.reserve() else { panic!() };
    // The interrupt pushes, polls, waits at the gap, registers another waker, and finds the list
    // full in the end.
    list.push(2).unwrap();
    assert!(poll(&mut high, &waker).is_pending());
    assert!(poll(&mut low, &waker).is_pending());
    assert_eq!((high.len(), low.len()), (0, 0));
    list.push(3).unwrap();
    assert_eq!(wakes.count(), 0, "items behind a gap wake no reader");
    assert_eq!(list.push(4), Err(PushError::Full(4)));
    assert_eq!(high.try_next(), Err(TryNextError::Empty));
    list.publish(at, 1);
    assert_eq!(wakes.count(), 2);
    assert_eq!(rest(&mut high), [1, 2, 3]);
    assert_eq!(rest(&mut low), [1, 2, 3]);
}

#[test]
fn a_stop_beside_a_gap_ends_after_it() {
    let list = PushList::<_, 2>::new();
    let mut aiter = list.aiter().unwrap();
    let Ok(at) = list.reserve() else { panic!() };
    list.stop();
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut aiter, &waker).is_pending());
    list.publish(at, 1);
    assert_eq!(wakes.count(), 1);
    assert_eq!(rest(&mut aiter), [1]);
    assert_eq!(poll(&mut aiter, &waker), Poll::Ready(None));
}

#[test]
fn a_subscriber_passes_what_was_reserved_before_it() {
    let list = PushList::<_, 4, 2>::new();
    let first = list.aiter().unwrap();
    list.push(0).unwrap();
    let Ok(at) = list.reserve() else { panic!() };
    list.push(2).unwrap();
    let mut subscriber = list.subscribe().unwrap();
    drop(first);
    list.push(3).unwrap();
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut subscriber, &waker).is_pending());
    assert_eq!(subscriber.available_iter().next(), None);
    list.publish(at, 1);
    assert_eq!(wakes.count(), 1);
    assert!(subscriber.available_iter().eq(&[3]));
    assert_eq!(poll(&mut subscriber, &waker), Poll::Ready(Some(3)));
    // No slot stays in use: the item that was reserved before the subscription and published after
    // the other reader was dropped is dropped.
    (0..4).for_each(|n| list.push(n).unwrap());
    assert_eq!(rest(&mut subscriber), [0, 1, 2, 3]);
}

#[test]
fn readers_are_bounded_and_their_cells_reused() {
    let list = PushList::<_, 4, 3>::new();
    for _ in 0..5 {
        let mut first = list.aiter().unwrap();
        assert!(list.aiter().is_none());
        let second = first.fork().unwrap();
        let third = list.subscribe().unwrap();
        assert!(first.fork().is_none());
        assert!(list.subscribe().is_none());
        drop(second);
        drop(first);
        assert!(list.aiter().is_none());
        list.push(1).unwrap();
        drop(third);
        assert_eq!(rest(&mut list.aiter().unwrap()), [1]);
    }
}

#[test]
fn items_wait_for_the_next_reader_or_for_the_end_of_the_list() {
    let item = Arc::new(());
    let list = PushList::<_, 4, 2>::new();
    (0..3).for_each(|_| list.push(item.clone()).unwrap());
    let mut first = list.subscribe().unwrap();
    let mut second = list.subscribe().unwrap();
    assert!(second.try_next().is_err());
    assert!(first.try_next().is_ok());
    assert_eq!(Arc::strong_count(&item), 3);
    // Only the first reader had still to read them.
    drop(first);
    assert_eq!(Arc::strong_count(&item), 1);
    list.push(item.clone()).unwrap();
    drop(second);
    assert_eq!(Arc::strong_count(&item), 2);
    drop(list);
    assert_eq!(Arc::strong_count(&item), 1);
}

#[test]
fn a_push_that_interrupts_a_wake_wakes_by_itself() {
    static LIST: PushList<u8, 4, 2> = PushList::new();
    /// Runs its reader at once, as an executor of a higher priority does. Then a push of a still
    /// higher priority comes.
    #[derive(Default)]
    struct Nested {
        reader: Mutex<Option<PushAiter<'static, u8, 4, 2>>>,
        taken: Mutex<Vec<u8>>,
    }
    impl Wake for Nested {
        fn wake(self: Arc<Self>) {
            let mut reader = self.reader.lock().unwrap().take().unwrap();
            let waker = self.clone().into();
            while let Poll::Ready(Some(item)) = poll(&mut reader, &waker) {
                self.taken.lock().unwrap().push(item);
            }
            *self.reader.lock().unwrap() = Some(reader);
            if self.taken.lock().unwrap().len() < 3 {
                let before = self.taken.lock().unwrap().len();
                LIST.push(9).unwrap();
                let after = self.taken.lock().unwrap().len();
                assert!(
                    after > before,
                    "the push left its wake to the one that it interrupted"
                );
            }
        }
    }
    let nested = Arc::new(Nested::default());
    let mut reader = LIST.aiter().unwrap();
    assert!(poll(&mut reader, &nested.clone().into()).is_pending());
    *nested.reader.lock().unwrap() = Some(reader);
    LIST.push(1).unwrap();
    assert_eq!(*nested.taken.lock().unwrap(), [1, 9, 9]);
    nested.reader.lock().unwrap().take();
}

/// Pushes, takes, waits and ends where positions, and halves of words, wrap.
#[test]
fn a_list_works_where_its_positions_wrap() {
    fn check<const N: usize, const R: usize>() {
        let all = Word::MAX / Laps::<N, R>::LAP + 1;
        let first_half = u32::MAX as Word / Laps::<N, R>::LAP + 1;
        for wraps_after in [all, all / 2, all / 4, first_half] {
            for stops_after in 1..5 {
                let list = PushList::<_, N, R>::after_laps(wraps_after - 2);
                let mut aiter = list.subscribe().unwrap();
                let mut fork = aiter.fork();
                let (wakes, waker) = Wakes::new();
                for lap in 0..stops_after {
                    assert!(poll(&mut aiter, &waker).is_pending());
                    let woken = wakes.taken();
                    assert_eq!(woken, 0);
                    (0..N).for_each(|n| list.push((lap, n)).unwrap());
                    assert_eq!(wakes.taken(), 1);
                    assert_eq!(list.push((lap, N)), Err(PushError::Full((lap, N))));
                    let now = list.statistics();
                    assert_eq!((now.waiting, now.lag), (N, N));
                    assert_eq!(now.pushed.wrapping_sub(now.taken), N);
                    for reader in [Some(&mut aiter), fork.as_mut()].into_iter().flatten() {
                        assert_eq!(reader.len(), N);
                        assert!(rest(reader).into_iter().eq((0..N).map(|n| (lap, n))));
                    }
                    // A reader that subscribes in the middle.
                    list.push((lap, N)).unwrap();
                    let subscriber = list.subscribe();
                    for reader in [Some(&mut aiter), fork.as_mut()].into_iter().flatten() {
                        assert_eq!(rest(reader), [(lap, N)]);
                    }
                    assert!(
                        subscriber.is_none_or(|mut subscriber| rest(&mut subscriber).is_empty())
                    );
                    for n in 1..N {
                        list.push((lap, n)).unwrap();
                        rest(&mut aiter);
                        fork.as_mut().map(rest);
                    }
                }
                list.push((9, 9)).unwrap();
                list.stop();
                assert_eq!(list.push((9, 9)), Err(PushError::Stopped((9, 9))));
                for reader in [Some(&mut aiter), fork.as_mut()].into_iter().flatten() {
                    assert_eq!(poll(reader, &waker), Poll::Ready(Some((9, 9))));
                    assert_eq!(poll(reader, &waker), Poll::Ready(None));
                }
            }
        }
    }
    check::<1, 1>();
    check::<2, 2>();
    check::<3, 3>();
    check::<4, 8>();
    check::<5, 9>();
}

/// A push that was overtaken between its load of the tail and its exchange notices it, however many
/// pushes overtook it. With eight readers a word of 32 bits has 2²³ positions.
#[test]
#[cfg(target_has_atomic = "64")]
#[cfg_attr(miri, ignore = "it takes millions of pushes")]
fn a_position_does_not_repeat_during_an_interruption() {
    let list = PushList::<_, 4, 8>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(()).unwrap();
    let seen = list.state.tail.load(Relaxed);
    for _ in 0..1 << 23 {
        aiter.try_next().unwrap();
        list.push(()).unwrap();
    }
    assert_ne!(list.state.tail.load(Relaxed), seen);
}

mod overwriting;
mod when_free;
