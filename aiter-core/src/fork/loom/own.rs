//! Models of forks with bounds of their own, and of hubs.

use super::super::bound::{Seen, skip, wait};
use super::*;
use crate::{
    Hub, aiter_forker,
    sync::{Ordering, fence},
};

fn seen(missed: usize, item: usize) -> Option<Seen<usize>> {
    Some(Seen { missed, item })
}

/// A lossless fork and a lossy one, each on its own thread, while items are pulled.
#[test]
fn a_lossless_and_a_lossy_fork_take_while_one_of_them_pulls() {
    large_model(|| {
        let remote = Remote::endless();
        let mut main = forker(&remote);
        let lossy = main.fork_with(skip(1));
        remote.give(2);
        let theirs = thread::spawn(move || {
            let mut lossy = Task::new(lossy);
            match lossy.next() {
                Some(Seen { missed: 0, item: 1 }) => assert_eq!(lossy.next(), seen(0, 2)),
                found => assert_eq!(found, seen(1, 2)),
            }
        });
        let mut mine = Task::new(main);
        assert_eq!([mine.next(), mine.next()], [Some(1), Some(2)]);
        theirs.join().unwrap();
    });
}

/// The new fork is lossless from its place on, whatever the ring drops meanwhile.
#[test]
fn a_lossless_fork_is_made_from_a_lossy_one_while_items_are_displaced() {
    large_model(|| {
        let remote = Remote::endless();
        let mut one = bounded(skip(1), &remote);
        let mut lossy = one.fork_passive();
        remote.give(2);
        let mut mine = Task::new(one);
        assert_eq!(mine.next(), seen(0, 1));
        let theirs = thread::spawn(move || {
            let mut fork = Task::new(lossy.fork_with(unbounded()));
            match fork.next() {
                Some(1) => assert_eq!(fork.next(), Some(2)),
                found => assert_eq!(found, Some(2)),
            }
        });
        assert_eq!(mine.next(), seen(0, 2));
        theirs.join().unwrap();
    });
}

/// A lossy fork is made from a lossless one while the only other lossy fork leaves.
#[test]
fn a_lossy_fork_is_made_while_the_last_one_leaves() {
    large_model(|| {
        let remote = Remote::endless();
        let mut main = forker(&remote);
        let leaves = main.fork_passive_with(skip(1));
        remote.give(1);
        let leaving = thread::spawn(move || drop(leaves));
        let mut late = Task::new(main.fork_passive_with(skip(1)));
        assert_eq!(next(main), Some(1));
        leaving.join().unwrap();
        assert_eq!(late.next(), seen(0, 1));
    });
}

/// Forks that wait, each with its own bound: the one that holds the others up is dropped, or takes.
#[test]
fn room_is_made_by_the_fork_with_the_smallest_bound() {
    for drops in [false, true] {
        model(move || {
            let remote = Remote::endless();
            let mut main = forker(&remote);
            let narrow = main.fork_passive_with(wait(1));
            let wide = main.fork_passive_with(wait(2));
            remote.give(2);
            let mut mine = Task::new(main);
            assert_eq!(mine.next(), Some(1));
            let theirs = thread::spawn(move || {
                if !drops {
                    let mut narrow = Task::new(narrow);
                    assert_eq!(narrow.next(), Some(1));
                    return Some(narrow);
                }
                drop(narrow);
                None
            });
            assert_eq!(mine.next(), Some(2));
            drop((theirs.join().unwrap(), wide));
        });
    }
}

/// The bound is set while a fork is made that has it from its parent.
#[test]
fn the_bound_that_is_set_reaches_a_fork_made_meanwhile() {
    model(|| {
        let remote = Remote::endless();
        let mut main = bounded(wait(1), &remote);
        let mut slow = main.fork_passive();
        remote.give(2);
        let mut mine = Task::new(main);
        assert_eq!(mine.next(), Some(1));
        let theirs = thread::spawn(move || {
            let child = slow.fork_passive();
            (slow, child)
        });
        mine.stream().set_wait(2);
        let others = theirs.join().unwrap();
        assert_eq!(mine.next(), Some(2));
        drop(others);
    });
}

// ---- hubs

/// A source whose items come after what its giver did before.
struct Ordered(Source);

impl Stream for Ordered {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let polled = Pin::new(&mut self.0).poll_next(cx);
        fence(Ordering::Acquire);
        polled
    }
}

/// A fork subscribes, and then the source gives an item. The subscriber sees that item, also if
/// another fork polls the source at that time and takes itself for the only one.
fn subscriber_sees_the_item<B: Bound + Send + Sync + 'static>(
    bound: B,
    check: fn(Option<B::Item<usize>>),
) where
    Fork<Ordered, B>: Send,
    Hub<Ordered>: Send,
{
    large_model(move || {
        let remote = Remote::endless();
        let mine = aiter_forker(Ordered(Source::new(&remote)));
        let hub = mine.hub();
        let theirs = thread::spawn(move || Task::new(mine).next());
        let late = hub.subscribe_with(bound);
        fence(Ordering::Release);
        remote.give(1);
        check(Task::new(late).next());
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn a_subscriber_that_comes_during_a_poll_sees_its_item() {
    subscriber_sees_the_item(unbounded(), |item| assert_eq!(item, Some(1)));
}

#[test]
fn a_lossy_subscriber_that_comes_during_a_poll_sees_its_item() {
    subscriber_sees_the_item(skip(1), |item| assert_eq!(item, seen(0, 1)));
}

/// A subscriber came while the source was polled, so the ring has still to be fed for it. That one
/// leaves, and another one comes in the same way: the ring is fed for the second one.
#[test]
fn a_lossy_subscriber_comes_while_the_last_one_leaves() {
    large_model(|| {
        let remote = Remote::endless();
        let mine = forker(&remote);
        let hub = mine.hub();
        let polling = mine.handle.try_lock();
        let leaves = hub.subscribe_with(skip(1));
        drop(polling);
        remote.give(1);
        let theirs = thread::spawn(move || {
            drop(leaves);
            hub.subscribe_with(skip(1))
        });
        let mut mine = Task::new(mine);
        assert_eq!(mine.next(), Some(1));
        let mut late = Task::new(theirs.join().unwrap());
        remote.give(1);
        assert_eq!(mine.next(), Some(2));
        let found = late.poll();
        assert!(
            matches!(found, Poll::Ready(Some(Seen { item: 2, .. }))),
            "{found:?}"
        );
    });
}

/// Two subscribers come while items are pulled: each sees a contiguous tail.
#[test]
fn subscribers_come_while_items_are_pulled() {
    large_model(|| {
        let remote = Remote::endless();
        let mine = forker(&remote);
        let hub = mine.hub();
        remote.give(2);
        let mut mine = Task::new(mine);
        let theirs = thread::spawn(move || {
            let mut late = Task::new(hub.subscribe_with(skip(2)));
            let (_, first) = late.poll().map_or_pending();
            first
        });
        assert_eq!([mine.next(), mine.next()], [Some(1), Some(2)]);
        let _ = theirs.join().unwrap();
    });
}

trait MapOrPending {
    fn map_or_pending(self) -> (usize, usize);
}

impl MapOrPending for Poll<Option<Seen<usize>>> {
    fn map_or_pending(self) -> (usize, usize) {
        match self {
            Poll::Ready(Some(Seen { missed, item })) => {
                assert_eq!(missed, 0, "it has just come");
                (missed, item)
            }
            _ => (0, 0),
        }
    }
}

/// A fork that replays while items are pulled sees the last one at some moment, and the next.
#[test]
fn what_is_retained_is_replayed_while_items_are_pulled() {
    large_model(|| {
        let remote = Remote::endless();
        let mine = aiter_forker_with(unbounded().retain(1), Source::new(&remote));
        let hub = mine.hub();
        remote.give(2);
        let mut mine = Task::new(mine);
        assert_eq!(mine.next(), Some(1));
        let theirs = thread::spawn(move || {
            let mut late = Task::new(hub.replay());
            match late.next() {
                Some(1) => assert_eq!(late.next(), Some(2)),
                found => assert_eq!(found, Some(2)),
            }
        });
        assert_eq!(mine.next(), Some(2));
        theirs.join().unwrap();
    });
}

/// The last active fork is dropped while a task waits for that.
#[test]
fn a_hub_becomes_idle_while_a_task_begins_to_wait() {
    model(|| {
        let remote = Remote::endless();
        let mine = forker(&remote);
        let hub = mine.hub();
        let leaving = thread::spawn(move || drop(mine));
        crate::test_support::loom::block_on(hub.idle());
        leaving.join().unwrap();
        let other = hub.clone();
        let coming = thread::spawn(move || other.subscribe());
        crate::test_support::loom::block_on(hub.occupied());
        drop(coming.join().unwrap());
    });
}
