//! The only taker keeps the baton from one item to the next, and gives it up before there is a second one.

use super::*;

/// The only taker, which has had 1 and keeps the baton; then 2, 3, and so on.
fn kept(rest: impl IntoIterator<Item = Step<u32>>) -> (Taker, Remote<u32>) {
    let steps = [Pending, Item(1)].into_iter().chain(rest);
    let (source, remote) = source(steps);
    let mut a = Taker::new(sharable_aiter(source));
    assert_eq!(a.poll(), PENDING);
    assert_eq!(a.poll(), item(1));
    (a, remote)
}

#[test]
fn a_wake_that_comes_meanwhile_is_heard_of_when_there_is_a_second_taker() {
    let (mut a, remote) = kept([Item(2), Pending, Item(3)]);
    // From the poll that was pending there is a waker still. Nobody waits for it.
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
fn a_taker_that_is_the_last_one_keeps_it_again() {
    let (mut a, _remote) = kept((2..).take(8).map(Item));
    let mut b = Taker::new(a.handle.clone());
    assert_eq!((a.poll(), b.poll()), (item(2), item(3)));
    drop(a);
    assert_eq!((b.poll(), b.poll()), (item(4), item(5)));
    let mut c = Taker::new(b.handle.clone());
    assert_eq!((c.poll(), b.poll()), (item(6), item(7)));
}

#[test]
fn a_taker_that_comes_no_more_holds_nobody_up() {
    let (a, _remote) = kept((2..).take(5).map(Item));
    let mut b = Taker::new(a.handle.clone());
    let _idle = a.handle.clone();
    for n in 2..7 {
        assert_eq!(b.poll(), item(n));
    }
    drop(a);
}

#[test]
fn a_panic_of_the_source_leaves_it_to_the_next() {
    let (mut a, _remote) = kept([Panic, Item(2), Item(3)]);
    assert_eq!(panic_of(|| _ = a.poll()), "source");
    let mut b = Taker::new(a.handle.clone());
    assert_eq!(b.poll(), item(2));
    assert_eq!(a.poll(), item(3));
}

#[test]
fn whoever_meets_it_held_is_called_when_that_is_over() {
    // A source that polls another taker of its own line.
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
