//! Forks that are polled within the clone or the drop of an item, or within the source's poll.

use super::*;

/// Calls a function when it is cloned, and one when it is dropped.
struct Calls(u32, fn(u32), fn(u32));

impl Clone for Calls {
    fn clone(&self) -> Self {
        self.1(self.0);
        Self(self.0, |_| {}, |_| {})
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.2(self.0);
    }
}

#[test]
fn the_drop_of_a_missed_item_may_panic() {
    fn bad(n: u32) {
        assert!(n != 1, "drop");
    }
    let (source, _remote) = source((0..5).map(|n| Item(Calls(n, |_| {}, bad))));
    let mut a = aiter_forker_with(bound::skip(1), source);
    let mut slow = a.fork();
    let (wakes, waker) = Wakes::new();
    let mut passive = a.fork_passive();
    for _ in 0..2 {
        assert!(poll_noop(&mut a).is_ready() && poll(&mut passive, &waker).is_ready());
    }
    assert!(poll(&mut passive, &waker).is_pending());
    assert_eq!(panic_of(|| poll_noop(&mut a)), "drop");
    let number = |found: Poll<Option<Seen<Calls>>>| match found {
        Poll::Ready(Some(seen)) => (seen.missed, seen.item.0),
        _ => panic!("an item"),
    };
    assert_eq!(wakes.count(), 1);
    assert_eq!(number(poll(&mut passive, &waker)), (0, 2));
    assert_eq!(
        (number(poll_noop(&mut a)), number(poll_noop(&mut slow))),
        ((0, 2), (2, 2))
    );
    assert_eq!(
        (number(poll_noop(&mut slow)), number(poll_noop(&mut a))),
        ((0, 3), (0, 3))
    );
}

std::thread_local! {
    static INSIDE: core::cell::RefCell<Vec<Inside>> = const { core::cell::RefCell::new(Vec::new()) };
}
struct Inside {
    fork: Fork<Source<Calls>, Skip>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

#[test]
fn forks_polled_while_an_item_is_cloned_are_woken_after() {
    fn poll_inside(_: u32) {
        INSIDE.with_borrow_mut(|all| {
            for one in all {
                assert!(poll(&mut one.fork, &one.waker).is_pending());
            }
        });
    }
    let (source, remote) = source([Item(Calls(0, poll_inside, |_| {}))]);
    let mut a = aiter_forker_with(bound::skip(1), source);
    let mut readings: Vec<_> = (0..2)
        .map(|n| {
            let (wakes, waker) = Wakes::new();
            let fork = if n == 0 { a.fork() } else { a.fork_passive() };
            Inside { fork, wakes, waker }
        })
        .collect();
    let mut last = a.fork();
    INSIDE.set(core::mem::take(&mut readings));
    assert!(poll_noop(&mut a).is_ready());
    assert_eq!(remote.polls(), 1);
    for mut one in INSIDE.take() {
        assert_eq!(one.wakes.count(), 1);
        assert!(poll(&mut one.fork, &one.waker).is_ready());
    }
    assert!(poll_noop(&mut last).is_ready());
}

#[test]
fn buffered_items_can_be_taken_while_the_source_is_polled() {
    struct Nested(Arc<Mutex<Option<Fork<Nested, Skip>>>>, u32);
    impl Stream for Nested {
        type Item = u32;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            if let Some(mut fork) = self.0.lock().unwrap().take() {
                assert_eq!(poll_noop(&mut fork), after(1, 1));
                assert_eq!(poll_noop(&mut fork), seen(2));
                assert_eq!(poll_noop(&mut fork), NOTHING);
            }
            self.1 += 1;
            item(self.1 - 1)
        }
    }
    let inside = Arc::new(Mutex::new(None));
    let mut a = aiter_forker_with(bound::skip(2), Nested(inside.clone(), 0));
    let slow = a.fork();
    assert!((0..3).all(|n| poll_noop(&mut a) == seen(n)));
    *inside.lock().unwrap() = Some(slow);
    assert_eq!(poll_noop(&mut a), seen(3));
}

#[test]
fn an_item_that_was_taken_is_dropped_in_the_panic_of_a_waker() {
    struct Counted(Arc<()>);
    std::thread_local! {
        static OTHER: core::cell::RefCell<Option<Fork<Source<Counted>, Skip>>> =
            const { core::cell::RefCell::new(None) };
    }
    impl Clone for Counted {
        fn clone(&self) -> Self {
            OTHER.with_borrow_mut(|other| {
                assert!(poll(other.as_mut().unwrap(), &panicking_waker()).is_pending());
            });
            Self(self.0.clone())
        }
    }
    let count = Arc::new(());
    let (source, _remote) = source([Item(Counted(count.clone()))]);
    let mut a = aiter_forker_with(bound::skip(1), source);
    OTHER.set(Some(a.fork()));
    assert_eq!(panic_of(|| poll_noop(&mut a)), "waker");
    drop((a, OTHER.take()));
    assert_eq!(Arc::strong_count(&count), 1, "it is leaked");
}

#[test]
fn missed_items_are_reported_by_a_fork_that_is_alone_by_now() {
    std::thread_local! {
        static CLONES: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
    }
    fn second_is_bad(_: u32) {
        CLONES.set(CLONES.get() + 1);
        assert!(CLONES.get() != 2, "clone");
    }
    let items = [
        Calls(0, |_| {}, |_| {}),
        Calls(1, second_is_bad, |_| {}),
        Calls(2, |_| {}, |_| {}),
    ];
    let (source, _remote) = source(items.map(Item));
    let mut a = aiter_forker_with(bound::skip(1), source);
    let (mut slow, last) = (a.fork(), a.fork());
    assert!((0..2).all(|_| poll_noop(&mut a).is_ready()));
    assert_eq!(panic_of(|| poll_noop(&mut slow)), "clone");
    drop((a, last));
    let Poll::Ready(Some(seen)) = poll_noop(&mut slow) else {
        panic!("an item");
    };
    assert_eq!((seen.missed, seen.item.0), (1, 2));
}
