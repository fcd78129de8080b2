//! A taker that always comes keeps the baton, and gives it up when another wants it. In tests it is kept from the second
//! item on.

use super::*;

/// Two takers, of which the first has had 1 and 2, and keeps the baton. Then 3, 4, and so on.
fn kept(rest: impl IntoIterator<Item = Step<u32>>) -> ([Taker; 2], Remote<u32>) {
    let steps = [Pending, Item(1), Item(2)].into_iter().chain(rest);
    let ([mut a, b], remote) = takers(steps);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(a.poll(), item(1));
    assert!(!a.handle.shared.is_keeper());
    assert_eq!(a.poll(), item(2));
    assert!(a.handle.shared.is_keeper());
    ([a, b], remote)
}

#[test]
fn another_takes_it_and_keeps_it_in_turn() {
    let ([mut a, mut b], _remote) = kept((3..).take(9).map(Item));
    assert_eq!(a.poll(), item(3));
    assert!(a.handle.shared.is_keeper());
    // One that goes, and is no keeper, changes nothing.
    drop(b.handle.clone());
    for n in 4..7 {
        assert_eq!(b.poll(), item(n));
    }
    assert!(
        !b.handle.shared.is_keeper(),
        "the other has yet to learn of it"
    );
    assert_eq!(a.poll(), item(7));
    assert!(!a.handle.shared.is_keeper());
    for n in 8..10 {
        assert_eq!(b.poll(), item(n));
    }
    assert!(b.handle.shared.is_keeper());
    let _third = a.handle.clone();
    drop(b);
    assert_eq!(a.poll(), item(10));
    assert_eq!(a.poll(), item(11));
    assert!(a.handle.shared.is_keeper());
}

#[test]
fn a_keeper_that_waits_has_put_it_down() {
    let ([mut a, mut b], remote) = kept([]);
    assert_eq!(a.poll(), PENDING);
    assert_eq!(b.poll(), PENDING);
    remote.add([Item(3), Item(4), Item(5), Item(6)]);
    assert_eq!((a.wakes(), b.wakes()), (1, 1));
    assert_eq!(a.poll(), item(3));
    assert_eq!(b.poll(), item(4));
    assert_eq!(a.poll(), item(5));
    assert_eq!(b.poll(), item(6));
}

#[test]
fn a_wake_of_the_source_is_heard_of() {
    let ([mut a, mut b], remote) = kept([Item(3), Pending, Item(4)]);
    // From the poll that was pending there is a waker still. Nobody waits for it.
    remote.add([]);
    assert_eq!((a.wakes(), b.wakes()), (0, 0));
    assert_eq!(a.poll(), item(3));
    assert_eq!(b.poll(), PENDING);
    remote.add([]);
    assert_eq!(b.wakes(), 1);
    assert_eq!(b.poll(), item(4));
}

#[test]
fn a_keeper_that_comes_no_more_holds_nobody_up() {
    let ([_a, mut b], _remote) = kept((3..).take(5).map(Item));
    for n in 3..8 {
        assert_eq!(b.poll(), item(n));
    }
    assert!(!b.handle.shared.is_keeper());
}

#[test]
fn a_panic_of_the_source_leaves_it_to_the_next() {
    let ([mut a, mut b], _remote) = kept([Panic, Item(3), Item(4)]);
    assert_eq!(panic_of(|| _ = a.poll()), "source");
    assert_eq!(b.poll(), item(3));
    assert_eq!(a.poll(), item(4));
}

#[test]
fn whoever_meets_it_in_use_is_called_when_that_is_over() {
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
    let b = a.clone();
    assert_eq!(poll_noop(&mut a), item(7));
    assert_eq!(poll_noop(&mut a), item(7));
    assert!(a.shared.is_keeper());
    *other.lock().unwrap() = Some(b);
    assert_eq!(wakes.count(), 0);
    assert_eq!(poll_noop(&mut a), item(7));
    assert_eq!(wakes.count(), 1);
    let mut b = other.lock().unwrap().take().unwrap();
    assert_eq!(poll_noop(&mut b), item(7));
}
