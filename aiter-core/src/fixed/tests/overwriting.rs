//! Pushes that drop the oldest item where the list is full.

extern crate std;

use super::*;
use crate::fixed::position::is_after;
use core::cell::Cell;
use futures_core::Stream;
use std::thread_local;

/// A list that may be overwritten.
type List<T, const N: usize, const R: usize> = PushList<T, N, R, 0, true>;

#[test]
fn the_newest_items_stay_and_the_others_are_missed() {
    fn check<const N: usize, const R: usize>() {
        let laps = Word::MAX / Laps::<N, R>::LAP + 1;
        for start in [0, laps - 1, laps / 2 - 1, laps / 4 - 1] {
            let list = List::<usize, N, R>::after_laps(start);
            let mut aiter = list.subscribe().unwrap();
            let mut missed = 0;
            for count in 0..3 * N {
                for n in 0..count {
                    list.push_overwriting(n).unwrap();
                    assert_eq!(aiter.len(), N.min(n + 1));
                    assert_eq!(aiter.missed(), missed + (n + 1).saturating_sub(N));
                }
                missed += count.saturating_sub(N);
                let first = count.saturating_sub(N);
                assert_eq!(rest(&mut aiter), Vec::from_iter(first..count));
                assert_eq!(aiter.missed(), missed);
            }
            let now = list.statistics();
            assert_eq!((now.waiting, now.lag), (0, 0));
        }
    }
    check::<1, 1>();
    check::<2, 1>();
    check::<3, 1>();
    check::<8, 1>();
    check::<1, 2>();
    check::<3, 2>();
    check::<4, 9>();
}

#[test]
fn a_plain_push_is_refused_and_its_items_are_overwritten_like_others() {
    let list = List::<_, 2, 1>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(0).unwrap();
    list.push(1).unwrap();
    assert_eq!(list.push(2), Err(PushError::Full(2)));
    list.push_overwriting(3).unwrap();
    assert_eq!(list.push(4), Err(PushError::Full(4)));
    assert_eq!(aiter.missed(), 1);
    assert_eq!(rest(&mut aiter), [1, 3]);
    list.push(5).unwrap();
    list.stop();
    assert_eq!(list.push_overwriting(6), Err(PushError::Stopped(6)));
    assert_eq!(rest(&mut aiter), [5]);
    assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
}

#[test]
fn each_reader_counts_what_it_missed_since_it_came() {
    let list = List::<_, 2, 4>::new();
    (0..5).for_each(|n| list.push_overwriting(n).unwrap());
    let mut slow = list.aiter().unwrap();
    assert_eq!(slow.missed(), 0, "it came after that");
    let mut fast = slow.fork().unwrap();
    assert_eq!(rest(&mut fast), [3, 4]);
    (5..8).for_each(|n| list.push_overwriting(n).unwrap());
    let mut fork = slow.fork().unwrap();
    let mut late = list.subscribe().unwrap();
    let missed = |aiters: [&PushAiter<'_, _, 2, 4, 0, true>; 4]| aiters.map(PushAiter::missed);
    assert_eq!(missed([&slow, &fast, &fork, &late]), [3, 1, 0, 0]);
    assert_eq!(fast.try_next(), Ok(6));
    (8..10).for_each(|n| list.push_overwriting(n).unwrap());
    assert_eq!(missed([&slow, &fast, &fork, &late]), [5, 2, 2, 0]);
    for aiter in [&mut slow, &mut fast, &mut fork, &mut late] {
        assert_eq!(aiter.size_hint(), (2, None));
        assert_eq!(rest(aiter), [8, 9]);
    }
    assert_eq!(missed([&slow, &fast, &fork, &late]), [5, 2, 2, 0]);
    // All slots are free again.
    list.push(10).unwrap();
    list.push(11).unwrap();
    list.push(12).unwrap_err();
    list.stop();
    assert_eq!(slow.size_hint(), (2, Some(2)));
}

#[test]
fn each_item_is_dropped_once() {
    let item = Arc::new(());
    let list = List::<_, 3, 2>::new();
    let mut first = list.aiter().unwrap();
    let second = first.fork().unwrap();
    for n in 1..10 {
        list.push_overwriting(item.clone()).unwrap();
        assert_eq!(Arc::strong_count(&item), 1 + n.min(3));
    }
    first.try_next().unwrap();
    assert_eq!(Arc::strong_count(&item), 4);
    drop(second);
    assert_eq!(Arc::strong_count(&item), 3);
    list.push_overwriting(item.clone()).unwrap();
    drop(first);
    assert_eq!(Arc::strong_count(&item), 4);
    drop(list);
    assert_eq!(Arc::strong_count(&item), 1);
}

#[test]
fn a_panic_of_the_dropped_item_comes_after_the_push() {
    struct Item(u32);
    impl Drop for Item {
        fn drop(&mut self) {
            assert_ne!(self.0, 0, "drop");
        }
    }
    let list = List::<_, 1, 1>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(Item(0)).unwrap_or_else(|_| panic!());
    panic_of(|| list.push_overwriting(Item(1)));
    assert_eq!(aiter.missed(), 1);
    assert!(aiter.try_next().is_ok_and(|item| item.0 == 1));
}

/// An interrupt comes while a reader clones, and while another reader has still to move out.
#[test]
fn an_item_that_is_being_cloned_is_not_overwritten() {
    thread_local! {
        static LIST: Cell<Option<&'static List<Item, 2, 2>>> = const { Cell::new(None) };
    }
    #[derive(Debug, PartialEq)]
    struct Item(u32);
    impl Clone for Item {
        fn clone(&self) -> Self {
            if let Some(list) = LIST.take() {
                assert_eq!(
                    list.push_overwriting(Item(9)),
                    Err(PushError::Full(Item(9)))
                );
            }
            Self(self.0)
        }
    }
    static CLONED: List<Item, 2, 2> = List::new();
    let mut first = CLONED.aiter().unwrap();
    let mut second = first.fork().unwrap();
    (0..2).for_each(|n| CLONED.push_overwriting(Item(n)).unwrap());
    LIST.set(Some(&CLONED));
    assert_eq!(first.try_next(), Ok(Item(0)));
    assert_eq!(LIST.take().map(|_| ()), None, "it was cloned");
    CLONED.push_overwriting(Item(2)).unwrap();
    assert_eq!((first.missed(), second.missed()), (0, 1));
    assert_eq!(second.try_next(), Ok(Item(1)));
    assert_eq!(rest(&mut first), [Item(1), Item(2)]);
}

#[test]
fn an_item_that_is_being_written_is_not_overwritten() {
    let list = List::<_, 2, 1>::new();
    let mut aiter = list.aiter().unwrap();
    let Ok(at) = list.reserve() else { panic!() };
    list.push_overwriting(1).unwrap();
    assert_eq!(list.push_overwriting(2), Err(PushError::Full(2)));
    assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
    list.publish(at, 0);
    list.push_overwriting(2).unwrap();
    assert_eq!(aiter.missed(), 1);
    assert_eq!(rest(&mut aiter), [1, 2]);
}

/// A push that overwrites is interrupted before it has reserved its position: the readers of the
/// oldest item wait, and another push does it.
#[test]
fn an_interrupted_overwriting_push_leaves_a_gap() {
    let list = List::<_, 2, 2>::new();
    let mut waiting = list.aiter().unwrap();
    let mut fast = waiting.fork().unwrap();
    list.push(0).unwrap();
    list.push(1).unwrap();
    assert_eq!(fast.try_next(), Ok(0));
    while !list.slot(0).try_overwrite(Word::MAX) {}
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut waiting, &waker).is_pending());
    assert_eq!((waiting.len(), waiting.missed()), (0, 0));
    assert_eq!(fast.try_next(), Ok(1));
    assert_eq!(list.push(2), Err(PushError::Full(2)));
    assert_eq!(wakes.count(), 0);
    list.push_overwriting(2).unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(waiting.missed(), 1);
    assert_eq!(rest(&mut waiting), [1, 2]);
    assert_eq!(rest(&mut fast), [2]);
}

/// It has reserved its position, and has still to write. A push that comes to the slot again must
/// not wait for it.
#[test]
fn an_interrupted_overwriting_push_keeps_its_slot() {
    fn check<const N: usize>() {
        let list = List::<_, N, 1>::new();
        let mut aiter = list.aiter().unwrap();
        (0..N).for_each(|n| list.push(n).unwrap());
        let Ok((reserved, true)) = list.reserve_overwriting() else {
            panic!()
        };
        assert_eq!(aiter.missed(), 1);
        (1..N).for_each(|n| list.push_overwriting(n).unwrap());
        assert_eq!(list.push_overwriting(9), Err(PushError::Full(9)));
        assert_eq!(list.push(9), Err(PushError::Full(9)));
        assert_eq!((aiter.missed(), aiter.len()), (N, 0));
        assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
        list.publish_over(reserved, true, 0);
        assert_eq!(rest(&mut aiter), Vec::from_iter(0..N));
        assert_eq!(aiter.missed(), N);
    }
    check::<1>();
    check::<2>();
    check::<3>();
}

#[test]
fn a_stop_gives_an_item_back_that_was_about_to_be_overwritten() {
    let list = List::<_, 2, 2>::new();
    let mut waiting = list.aiter().unwrap();
    let mut fast = waiting.fork().unwrap();
    list.push(0).unwrap();
    list.push(1).unwrap();
    assert_eq!(fast.try_next(), Ok(0));
    while !list.slot(0).try_overwrite(Word::MAX) {}
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut waiting, &waker).is_pending());
    list.stop();
    assert!(poll(&mut waiting, &waker).is_pending());
    assert_eq!(list.push_overwriting(2), Err(PushError::Stopped(2)));
    assert_eq!(wakes.count(), 1);
    assert_eq!(
        (rest(&mut waiting), rest(&mut fast)),
        (alloc::vec![0, 1], alloc::vec![1])
    );
    assert_eq!((waiting.missed(), fast.missed()), (0, 0));
}

#[test]
fn a_waiting_reader_is_woken_by_each_kind_of_push() {
    let list = List::<_, 1, 1>::new();
    let mut aiter = list.aiter().unwrap();
    let (wakes, waker) = Wakes::new();
    for n in 0..10 {
        assert!(poll(&mut aiter, &waker).is_pending());
        if n % 2 == 0 {
            list.push(n).unwrap();
        } else {
            list.push_overwriting(n).unwrap();
        }
        assert_eq!(wakes.taken(), 1);
        list.push_overwriting(n + 1).unwrap();
        assert_eq!(wakes.taken(), 0);
        assert_eq!(poll(&mut aiter, &waker), Poll::Ready(Some(n + 1)));
        assert_eq!(aiter.missed(), n + 1);
    }
}

#[test]
fn a_reader_far_behind_goes_on_at_once() {
    let list = List::<u32, 4, 2>::new();
    let mut slow = list.aiter().unwrap();
    let mut fast = slow.fork().unwrap();
    for n in 0..many(100_000) {
        list.push_overwriting(n).unwrap();
        assert_eq!(fast.try_next(), Ok(n));
    }
    let last = many(100_000) - 1;
    assert!(is_after(fast.at, slow.at));
    assert_eq!(slow.missed() as u32, last - 3);
    assert_eq!(list.statistics().lag, 4);
    assert_eq!(rest(&mut slow), [last - 3, last - 2, last - 1, last]);
}
