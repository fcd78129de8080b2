extern crate std;

mod kept;

use super::*;
use crate::test_support::*;
use alloc::{sync::Arc, vec::Vec};
use core::task::Waker;
use futures_core::Stream;

/// A taker and its waker.
struct Taker {
    handle: Sharable<Source<u32>>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Taker {
    fn new(handle: Sharable<Source<u32>>) -> Self {
        let (wakes, waker) = Wakes::new();
        Self {
            handle,
            wakes,
            waker,
        }
    }

    fn poll(&mut self) -> Poll<Option<u32>> {
        poll(&mut self.handle, &self.waker)
    }

    fn wakes(&self) -> usize {
        self.wakes.count()
    }
}

fn takers<const N: usize>(steps: impl IntoIterator<Item = Step<u32>>) -> ([Taker; N], Remote<u32>) {
    let (source, remote) = source(steps);
    let shared = sharable_aiter(source);
    (core::array::from_fn(|_| Taker::new(shared.clone())), remote)
}

const PENDING: Poll<Option<u32>> = Poll::Pending;
const END: Poll<Option<u32>> = Poll::Ready(None);
fn item(n: u32) -> Poll<Option<u32>> {
    Poll::Ready(Some(n))
}

#[test]
fn a_single_taker_behaves_like_the_source() {
    let ([mut a], remote) = takers([Item(1), Pending, Item(2), End]);
    assert_eq!(a.poll(), item(1));
    assert_eq!(a.poll(), PENDING);
    // It polls again also without having been woken.
    assert_eq!(a.poll(), item(2));
    assert!(!a.handle.is_terminated());
    assert_eq!(a.handle.size_hint(), (0, None));
    assert_eq!(a.poll(), END);
    assert!(remote.is_dropped() && a.handle.is_terminated());
    assert_eq!(a.poll(), END);
    assert_eq!(a.handle.size_hint(), (0, Some(0)));
    assert_eq!(poll_noop(&mut a.handle.clone()), END);
    assert_eq!(remote.polls(), 4);
}

#[test]
fn the_only_taker_keeps_the_lock_until_there_is_a_second() {
    let ([mut a], remote) = takers([Item(1), Item(2)]);
    assert_eq!(a.poll(), item(1));
    let mut b = a.handle.clone();
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut b, &waker), item(2));
    assert_eq!(poll(&mut b, &waker), PENDING);
    remote.add([Item(3)]);
    assert_eq!(wakes.count(), 1);
    drop(a);
    assert_eq!(poll(&mut b, &waker), item(3));
    // It is the only one now, and is still woken when it waits.
    assert_eq!(poll(&mut b, &waker), PENDING);
    remote.add([Item(4)]);
    assert_eq!(wakes.count(), 2);
    assert_eq!(poll(&mut b, &waker), item(4));
}

#[test]
fn a_wake_of_the_source_while_the_lock_is_kept_is_served_at_its_release() {
    let ([mut a], remote) = takers([Pending, Item(1), Item(2)]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(a.poll(), item(1));
    // A spurious wake. No taker waits for it yet.
    remote.add([]);
    assert_eq!(a.poll(), item(2));
    assert_eq!(a.wakes(), 0);
    // The poll comes after the wake. The queue cannot know that, and calls the taker.
    assert_eq!(a.poll(), PENDING);
    assert_eq!((a.wakes(), remote.polls()), (1, 4));
    // So a new taker gives way once, and then polls the source, although it is not the first.
    let mut b = a.handle.clone();
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut b, &waker), PENDING);
    assert_eq!((wakes.count(), remote.polls()), (1, 4));
    assert_eq!(poll(&mut b, &waker), PENDING);
    assert_eq!((wakes.count(), remote.polls()), (1, 5));
    // The other taker has its place again when it is polled.
    assert_eq!(a.poll(), PENDING);
    remote.add([Item(3), Item(4)]);
    assert_eq!(poll(&mut b, &waker), PENDING);
    assert_eq!(a.poll(), item(3));
    assert_eq!(poll(&mut b, &waker), item(4));
}

#[test]
fn takers_are_served_in_fifo_order() {
    let ([mut a, mut b, mut c], remote) = takers([]);
    for taker in [&mut a, &mut b, &mut c] {
        assert_eq!(taker.poll(), PENDING);
    }
    // Only the first polls a source that has nothing.
    assert_eq!(remote.polls(), 1);
    remote.add([Item(1), Item(2), Item(3)]);
    assert_eq!((a.wakes(), b.wakes(), c.wakes()), (1, 1, 1));
    // The others are polled too early, and give way.
    assert_eq!(c.poll(), PENDING);
    assert_eq!(b.poll(), PENDING);
    assert_eq!((b.wakes(), c.wakes()), (2, 2));
    assert_eq!(a.poll(), item(1));
    assert_eq!(b.poll(), item(2));
    assert_eq!(c.poll(), item(3));
    // A taker that has had an item queues at the back.
    assert_eq!(c.poll(), PENDING);
    assert_eq!(a.poll(), PENDING);
    remote.add([Item(4), Item(5)]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(c.poll(), item(4));
    assert_eq!(a.poll(), item(5));
}

#[test]
fn dropping_a_taker_of_an_idle_source_wakes_no_other() {
    let ([mut a, mut b, mut c], remote) = takers([]);
    for taker in [&mut a, &mut b, &mut c] {
        assert_eq!(taker.poll(), PENDING);
    }
    drop(c);
    drop(a.handle);
    assert_eq!((b.wakes(), remote.polls()), (0, 1));
    remote.add([Item(1)]);
    assert_eq!((b.wakes(), b.poll()), (1, item(1)));
}

#[test]
fn a_new_taker_gives_way_to_one_that_was_called() {
    let ([mut a, mut b], remote) = takers([]);
    assert_eq!(a.poll(), PENDING);
    remote.add([Item(1), Item(2)]);
    assert_eq!(b.poll(), PENDING);
    assert_eq!(b.wakes(), 1);
    assert_eq!(a.poll(), item(1));
    assert_eq!(b.poll(), item(2));
}

#[test]
fn a_taker_that_is_not_polled_blocks_no_other_and_keeps_its_place() {
    let ([mut a, mut b, mut c], remote) = takers([]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(b.poll(), PENDING);
    // `a` is not polled when it is called, and `b` gives way to it once, not at each item.
    for n in 0..3 {
        remote.add([Item(n)]);
        if n == 0 {
            assert_eq!(b.poll(), PENDING);
        }
        assert_eq!(b.poll(), item(n));
        assert_eq!(b.poll(), PENDING);
    }
    assert_eq!(a.wakes(), 1);
    // When it is polled it is before those that came after it.
    assert_eq!(a.poll(), PENDING);
    assert_eq!(c.poll(), PENDING);
    remote.add([Item(10), Item(11), Item(12)]);
    assert_eq!(a.wakes(), 2);
    assert_eq!(c.poll(), PENDING);
    assert_eq!(a.poll(), item(10));
    assert_eq!(b.poll(), item(11));
    assert_eq!(c.poll(), item(12));
}

#[test]
fn a_taker_that_found_nothing_is_given_way_to_again() {
    let ([mut a, mut b], remote) = takers([]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(b.poll(), PENDING);
    // A spurious wake.
    remote.add([Pending]);
    assert_eq!(b.poll(), PENDING);
    assert_eq!(a.poll(), PENDING);
    remote.add([Item(1), Item(2)]);
    assert_eq!(a.wakes(), 2);
    assert_eq!(b.poll(), PENDING);
    assert_eq!(a.poll(), item(1));
    assert_eq!(b.poll(), item(2));
}

#[test]
fn a_taker_passes_over_every_one_that_is_not_polled() {
    let (mut takers, remote) = takers::<5>([]);
    for taker in &mut takers {
        assert_eq!(taker.poll(), PENDING);
    }
    remote.add([Item(1)]);
    let last = &mut takers[4];
    assert_eq!(last.wakes(), 1);
    // It gives way once to each of them, and wakes itself each time.
    for gave_way in 1..5 {
        assert_eq!(last.poll(), PENDING);
        assert_eq!(last.wakes(), 1 + gave_way);
    }
    assert_eq!(last.poll(), item(1));
}

#[test]
fn a_taker_that_is_dropped_leaves_the_queue() {
    // Dropped before and after it is called, at the front, in the middle and at the back.
    for dropped in 0..3 {
        for called in [false, true] {
            let (takers, remote) = takers::<3>([]);
            let mut takers = Vec::from(takers);
            for taker in &mut takers {
                assert_eq!(taker.poll(), PENDING);
            }
            if called {
                remote.add([Item(0), Item(1)]);
            }
            let taker = takers.remove(dropped);
            let waker = Arc::downgrade(&taker.wakes);
            drop(taker);
            assert!(waker.upgrade().is_none(), "the waker went with it");
            if !called {
                remote.add([Item(0), Item(1)]);
            }
            for (n, taker) in (0..).zip(&mut takers) {
                assert_eq!(taker.wakes(), 1);
                assert_eq!(taker.poll(), item(n), "{dropped} {called}");
            }
        }
    }
}

#[test]
fn a_taker_dropped_after_it_gave_way_leaves_the_queue() {
    let ([mut a, mut b, mut c], remote) = takers([]);
    assert_eq!(a.poll(), PENDING);
    remote.add([Item(1), Item(2)]);
    assert_eq!(b.poll(), PENDING);
    drop(b);
    assert_eq!(a.poll(), item(1));
    assert_eq!(c.poll(), item(2));
}

#[test]
fn the_end_reaches_every_taker() {
    let (mut takers, remote) = takers::<3>([]);
    for taker in &mut takers {
        assert_eq!(taker.poll(), PENDING);
    }
    remote.add([End]);
    assert!(!remote.is_dropped());
    for taker in &mut takers {
        assert_eq!(taker.wakes(), 1);
        assert_eq!(taker.poll(), END);
        assert!(remote.is_dropped());
    }
}

#[test]
fn an_item_found_without_a_wake_wakes_the_others() {
    // The first taker may poll an idle source. If that has an item, the others are woken too.
    let ([mut a, mut b], remote) = takers([Pending, Item(1), Item(2)]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(b.poll(), PENDING);
    assert_eq!(a.poll(), item(1));
    assert_eq!(b.wakes(), 1);
    assert_eq!(b.poll(), item(2));
    assert_eq!(remote.polls(), 3);
}

#[test]
fn a_panic_of_the_source_reaches_its_poller_and_the_others_go_on() {
    let ([mut a, mut b], remote) = takers([]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(b.poll(), PENDING);
    assert_eq!(panic_of(|| poll_panicking(&mut a, &remote)), "source");
    assert_eq!(b.wakes(), 1);
    drop(a);
    assert_eq!(b.poll(), item(1));

    fn poll_panicking(taker: &mut Taker, remote: &Remote<u32>) {
        // Not by `add`, whose wake would wake the takers.
        remote.add_silently([Panic, Item(1)]);
        assert_eq!(taker.poll(), PENDING);
    }
}

#[test]
fn only_the_last_waker_is_kept() {
    let ([mut a], remote) = takers([]);
    let (old, waker) = Wakes::new();
    for _ in 0..many(100_000) {
        assert_eq!(poll(&mut a.handle, &waker), PENDING);
    }
    assert_eq!(Arc::strong_count(&old), 3);
    assert_eq!(a.poll(), PENDING);
    drop(waker);
    assert_eq!(Arc::strong_count(&old), 1);
    remote.add([Item(1)]);
    assert_eq!((old.count(), a.wakes()), (0, 1));
}

#[test]
fn more_takers_than_a_wake_list_holds_inline() {
    let (mut takers, remote) = takers::<40>([]);
    for taker in &mut takers {
        assert_eq!(taker.poll(), PENDING);
    }
    remote.add((0..40).map(Item));
    for (n, taker) in (0..).zip(&mut takers) {
        assert_eq!(taker.wakes(), 1);
        assert_eq!(taker.poll(), item(n));
    }
}

#[test]
fn a_panicking_waker_does_not_keep_the_others_from_being_woken() {
    let (mut takers, remote) = takers::<12>([]);
    for (n, taker) in takers.iter_mut().enumerate() {
        if n == 3 {
            taker.waker = panicking_waker();
        }
        assert_eq!(taker.poll(), PENDING);
    }
    assert_eq!(panic_of(|| remote.add((0..12).map(Item))), "waker");
    for (n, taker) in (0..).zip(&mut takers) {
        assert_eq!(taker.wakes(), usize::from(n != 3));
        assert_eq!(taker.poll(), item(n));
    }
}

#[test]
fn takers_polled_inside_a_poll_of_the_source_are_pending() {
    // A source that polls another taker of its own, and drops a third.
    type Takers = Arc<std::sync::Mutex<Vec<Sharable<Nested>>>>;
    struct Nested(Takers, Waker);
    impl Stream for Nested {
        type Item = u32;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            let mut takers = self.0.lock().unwrap();
            let mut dropped = takers.pop().unwrap();
            assert_eq!(poll(&mut dropped, &self.1), PENDING);
            drop(dropped);
            if let Some(other) = takers.last_mut() {
                assert_eq!(poll(other, &self.1), PENDING);
            }
            item(7)
        }
    }
    let takers = Takers::default();
    let (wakes, waker) = Wakes::new();
    let mut a = sharable_aiter(Nested(takers.clone(), waker.clone()));
    takers.lock().unwrap().extend([a.clone(), a.clone()]);
    assert_eq!(poll_noop(&mut a), item(7));
    // Only the one that still exists was woken, and it is before `a` now.
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_noop(&mut a), PENDING);
    let mut other = takers.lock().unwrap().pop().unwrap();
    takers.lock().unwrap().push(a.clone());
    assert_eq!(poll_noop(&mut other), item(7));
}

#[test]
fn a_wake_during_the_poll_of_the_source_is_not_lost() {
    struct Eager(bool);
    impl Stream for Eager {
        type Item = u32;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
            cx.waker().wake_by_ref();
            self.0 = !self.0;
            if self.0 { PENDING } else { item(1) }
        }
    }
    let mut a = sharable_aiter(Eager(false));
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut a, &waker), PENDING);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll(&mut a, &waker), item(1));
}

#[test]
fn every_item_goes_to_one_taker_across_threads() {
    const TAKERS: u32 = 4;
    const ITEMS: u32 = many(20_000);
    let mut turn = 0;
    let numbers = futures_lite::stream::poll_fn(move |cx: &mut Context<'_>| {
        turn += 1;
        if turn % 3 == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let n = turn - turn / 3;
        Poll::Ready((n <= ITEMS).then_some(n))
    });
    let shared = sharable_aiter(numbers);
    let threads: Vec<_> = (0..TAKERS)
        .map(|_| {
            let mine = shared.clone();
            std::thread::spawn(move || {
                let taken = futures_lite::StreamExt::collect::<Vec<_>>(mine);
                futures_lite::future::block_on(taken)
            })
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        let taken = thread.join().unwrap();
        assert!(taken.is_sorted());
        all.extend(taken);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=ITEMS));
}

#[test]
fn auto_traits_follow_the_source() {
    fn check<T: Send + Sync + Unpin + Clone>() {}
    check::<Sharable<futures_lite::stream::Pending<core::marker::PhantomPinned>>>();
    check::<Sharable<core::cell::Cell<u8>>>();
}
