//! The only taker keeps the lock from one item to the next, and releases it before there is a
//! second taker.

use super::*;

/// The only taker, which has taken 1 and keeps the lock. `rest` is what the source does next.
fn kept(rest: impl IntoIterator<Item = Step<u32>>) -> (Taker, Remote<u32>) {
    let steps = [Pending, Item(1)].into_iter().chain(rest);
    let (source, remote) = source(steps);
    let mut a = Taker::new(sharable_aiter(source));
    assert_eq!(a.poll(), PENDING);
    assert_eq!(a.poll(), item(1));
    (a, remote)
}

#[test]
fn a_wake_while_the_lock_is_kept_is_served_when_a_second_taker_is_made() {
    let (mut a, remote) = kept([Item(2), Pending, Item(3)]);
    // The source still has the waker of the poll that was pending. No taker waits now.
    remote.add([]);
    assert_eq!(a.wakes(), 0);
    let mut b = Taker::new(a.handle.clone());
    assert_eq!(b.poll(), item(2));
    assert_eq!((a.poll(), b.poll()), (PENDING, PENDING));
    remote.add([]);
    assert_eq!((a.wakes(), b.wakes()), (1, 1));
    assert_eq!(a.poll(), item(3));
}

#[test]
fn the_last_taker_keeps_the_lock_again() {
    let (mut a, _remote) = kept((2..).take(8).map(Item));
    let mut b = Taker::new(a.handle.clone());
    assert_eq!((a.poll(), b.poll()), (item(2), item(3)));
    drop(a);
    assert_eq!((b.poll(), b.poll()), (item(4), item(5)));
    let mut c = Taker::new(b.handle.clone());
    assert_eq!((c.poll(), b.poll()), (item(6), item(7)));
}

#[test]
fn a_taker_that_kept_the_lock_and_is_not_polled_blocks_no_other() {
    let (a, _remote) = kept((2..).take(5).map(Item));
    let mut b = Taker::new(a.handle.clone());
    let _idle = a.handle.clone();
    for n in 2..7 {
        assert_eq!(b.poll(), item(n));
    }
    drop(a);
}

#[test]
fn a_panic_of_the_source_releases_the_lock() {
    let (mut a, _remote) = kept([Panic, Item(2), Item(3)]);
    assert_eq!(panic_of(|| _ = a.poll()), "source");
    let mut b = Taker::new(a.handle.clone());
    assert_eq!(b.poll(), item(2));
    assert_eq!(a.poll(), item(3));
}

#[test]
fn a_taker_that_finds_the_lock_held_is_woken_after_its_release() {
    // A source that polls another taker of its own.
    type Other = Arc<std::sync::Mutex<Option<Sharable<Nested>>>>;
    struct Nested(Other, Waker);
    impl Stream for Nested {
        type Item = u32;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            if let Some(other) = &mut *self.0.lock().unwrap() {
                assert_eq!(poll(other, &self.1), PENDING);
            }
            item(7)
        }
    }
    let other = Other::default();
    let (wakes, waker) = Wakes::new();
    let mut a = sharable_aiter(Nested(other.clone(), waker));
    assert_eq!(poll_noop(&mut a), item(7), "kept");
    *other.lock().unwrap() = Some(a.clone());
    assert_eq!(wakes.count(), 0);
    assert_eq!(poll_noop(&mut a), item(7));
    assert_eq!(wakes.count(), 1);
    let mut b = other.lock().unwrap().take().unwrap();
    assert_eq!(poll_noop(&mut b), item(7));
}
