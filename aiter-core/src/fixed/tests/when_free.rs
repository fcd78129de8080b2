//! Pushes that wait for a free slot.

use super::*;
use crate::{Stopped, fixed::PushWhenFree};
use core::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Waker},
};

type List<const N: usize, const P: usize> = PushList<u32, N, 1, P>;

/// A wait with a waker that counts.
struct Waiting<'a, const N: usize, const R: usize, const P: usize> {
    push: PushWhenFree<'a, u32, N, R, P>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl<'a, const N: usize, const R: usize, const P: usize> Waiting<'a, N, R, P> {
    fn new(list: &'a PushList<u32, N, R, P>, item: u32) -> Self {
        let (wakes, waker) = Wakes::new();
        Self {
            push: list.push_when_free(item),
            wakes,
            waker,
        }
    }

    fn poll(&mut self) -> Poll<Result<(), Stopped<u32>>> {
        Pin::new(&mut self.push).poll(&mut Context::from_waker(&self.waker))
    }

    fn is_pending(&mut self) -> bool {
        self.poll().is_pending()
    }

    fn is_pushed(&mut self) -> bool {
        self.poll() == Poll::Ready(Ok(()))
    }

    fn woken(&self) -> usize {
        self.wakes.taken()
    }
}

#[test]
fn it_pushes_at_once_where_a_slot_is_free() {
    let list = List::<2, 1>::new();
    let mut aiter = list.aiter().unwrap();
    for n in 0..10 {
        assert!(Waiting::new(&list, n).is_pushed());
        assert_eq!(aiter.try_next(), Ok(n));
    }
}

#[test]
fn waits_are_served_in_turn_one_for_each_slot() {
    let list = List::<2, 3>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(0).unwrap();
    list.push(1).unwrap();
    let mut waits = [2, 3, 4].map(|n| Waiting::new(&list, n));
    assert!(waits.iter_mut().all(Waiting::is_pending));
    assert_eq!(aiter.try_next(), Ok(0));
    assert_eq!(waits.each_ref().map(Waiting::woken), [1, 0, 0]);
    assert_eq!(aiter.try_next(), Ok(1));
    assert_eq!(waits.each_ref().map(Waiting::woken), [0, 1, 0]);
    // The third one has no slot, whichever task polls it.
    assert!(waits[2].is_pending());
    // The second one needs not wait for the first one to be polled.
    assert!(waits[1].is_pushed());
    assert!(waits[2].is_pending());
    assert!(waits[0].is_pushed());
    assert_eq!(rest(&mut aiter), [3, 2]);
    assert_eq!(waits[2].woken(), 1);
    assert!(waits[2].is_pushed());
    assert_eq!(rest(&mut aiter), [4]);
}

#[test]
fn a_newcomer_does_not_overtake_and_a_push_does() {
    let list = List::<2, 2>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(0).unwrap();
    list.push(1).unwrap();
    let mut first = Waiting::new(&list, 2);
    assert!(first.is_pending());
    aiter.try_next().unwrap();
    let mut newcomer = Waiting::new(&list, 3);
    assert!(newcomer.is_pending(), "the slot is for the first");
    // As an interrupt does before the woken task runs.
    list.push(9).unwrap();
    assert_eq!(first.woken(), 1);
    assert!(first.is_pending());
    aiter.try_next().unwrap();
    assert_eq!((first.woken(), newcomer.woken()), (1, 0));
    assert!(first.is_pushed());
    assert!(newcomer.is_pending());
    assert_eq!(rest(&mut aiter), [9, 2]);
    assert_eq!(newcomer.woken(), 1);
    assert!(newcomer.is_pushed());
    // With two free slots a newcomer may take the second.
    assert_eq!(rest(&mut aiter), [3]);
    list.push(0).unwrap();
    list.push(1).unwrap();
    assert!({
        first = Waiting::new(&list, 4);
        first.is_pending()
    });
    rest(&mut aiter);
    assert!(Waiting::new(&list, 5).is_pushed());
    assert!(first.is_pushed());
}

#[test]
fn a_wait_that_goes_strands_nobody() {
    for is_woken in [false, true] {
        for goes in 0..3 {
            let list = List::<1, 3>::new();
            let mut aiter = list.aiter().unwrap();
            list.push(0).unwrap();
            let mut waits = [1, 2, 3].map(|n| Some(Waiting::new(&list, n)));
            assert!(waits.iter_mut().flatten().all(Waiting::is_pending));
            if is_woken {
                aiter.try_next().unwrap();
            }
            waits[goes] = None;
            if !is_woken {
                aiter.try_next().unwrap();
            }
            let mut left = waits.iter_mut().flatten();
            let first = left.next().unwrap();
            assert_eq!(first.woken(), 1, "{is_woken} {goes}");
            assert!(first.is_pushed());
            aiter.try_next().unwrap();
            let second = left.next().unwrap();
            assert_eq!(second.woken(), 1);
            assert!(second.is_pushed());
        }
    }
}

#[test]
fn a_forgotten_wait_keeps_one_slot_from_the_others() {
    let list = List::<2, 3>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(0).unwrap();
    list.push(1).unwrap();
    let mut forgotten = Waiting::new(&list, 9);
    assert!(forgotten.is_pending());
    mem::forget(forgotten.push);
    let mut waits = [2, 3].map(|n| Waiting::new(&list, n));
    assert!(waits.iter_mut().all(Waiting::is_pending));
    for n in [2, 3] {
        rest(&mut aiter);
        let wait = &mut waits[n as usize - 2];
        assert_eq!(wait.woken(), 1);
        assert!(wait.is_pushed());
    }
    assert_eq!(rest(&mut aiter), [3]);
}

#[test]
fn a_stop_wakes_all_and_gives_the_items_back() {
    let list = List::<1, 2>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(0).unwrap();
    let mut waits = [1, 2].map(|n| Waiting::new(&list, n));
    assert!(waits.iter_mut().all(Waiting::is_pending));
    list.stop();
    assert_eq!(waits.each_ref().map(Waiting::woken), [1, 1]);
    assert_eq!(waits[1].poll(), Poll::Ready(Err(Stopped(2))));
    assert_eq!(waits[0].poll(), Poll::Ready(Err(Stopped(1))));
    assert_eq!(Waiting::new(&list, 3).poll(), Poll::Ready(Err(Stopped(3))));
    assert_eq!(rest(&mut aiter), [0]);
}

#[test]
fn the_waker_of_the_last_poll_is_called_and_kept_no_longer() {
    let list = List::<1, 1>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(0).unwrap();
    let mut wait = Waiting::new(&list, 1);
    assert!(wait.is_pending());
    let first = mem::replace(&mut wait.wakes, Wakes::new().0);
    (wait.wakes, wait.waker) = Wakes::new();
    assert!(wait.is_pending());
    assert_eq!(Arc::strong_count(&first), 1);
    aiter.try_next().unwrap();
    assert_eq!((first.count(), wait.woken()), (0, 1));
    assert!(wait.is_pushed());
    assert_eq!(Arc::strong_count(&wait.wakes), 2);
}

#[test]
fn one_wait_too_many_panics_and_strands_nobody() {
    let list = List::<1, 2>::new();
    let mut aiter = list.aiter().unwrap();
    list.push(0).unwrap();
    let mut waits = [1, 2].map(|n| Waiting::new(&list, n));
    assert!(waits.iter_mut().all(Waiting::is_pending));
    let mut third = Waiting::new(&list, 3);
    assert_ne!(panic_of(|| third.poll()), "waker");
    drop(third);
    for (wait, n) in waits.iter_mut().zip(1..) {
        aiter.try_next().unwrap();
        assert_eq!(wait.woken(), 1);
        assert!(wait.is_pushed());
        assert_eq!(list.statistics().pushed, n + 1);
    }
}

#[test]
fn the_last_of_several_readers_and_a_dropped_one_free_a_slot() {
    let list = PushList::<u32, 1, 2, 1>::new();
    let mut first = list.aiter().unwrap();
    let mut second = list.subscribe().unwrap();
    list.push(0).unwrap();
    let mut wait = Waiting::new(&list, 1);
    assert!(wait.is_pending());
    first.try_next().unwrap();
    assert_eq!(wait.woken(), 0);
    second.try_next().unwrap();
    assert_eq!(wait.woken(), 1);
    assert!(wait.is_pushed());
    first.try_next().unwrap();
    let mut wait = Waiting::new(&list, 2);
    assert!(wait.is_pending());
    drop(second);
    assert_eq!(wait.woken(), 1);
    assert!(wait.is_pushed());
    assert_eq!(rest(&mut first), [2]);
}

/// The waker of the first task panics: the second one is woken all the same.
#[test]
fn a_waker_that_panics_strands_nobody() {
    for stops in [false, true] {
        let list = List::<2, 2>::new();
        list.push(0).unwrap();
        list.push(1).unwrap();
        let mut aiter = list.aiter().unwrap();
        let mut waits = [2, 3].map(|n| Waiting::new(&list, n));
        waits[0].waker = panicking_waker();
        assert!(waits.iter_mut().all(Waiting::is_pending));
        if stops {
            assert_eq!(panic_of(|| list.stop()), "waker");
        } else {
            assert_eq!(panic_of(|| aiter.try_next()), "waker");
            aiter.try_next().unwrap();
        }
        assert_eq!(waits[1].woken(), 1);
        assert!(waits.iter_mut().all(|wait| wait.poll().is_ready()));
    }
}
