//! Models of hubs on several threads. Blocks have two slots here.

use super::*;
use crate::{
    PushAiter,
    bound::{Retain, Seen, Skip, skip, unbounded},
    sync::AtomicUsize,
    test_support::loom::{Task, block_on, large_model, model},
};
use ::loom::{alloc::Track, thread};

/// An item that loom reports if it is leaked, and that fails on its second drop.
struct Item(Track<usize>);

impl Clone for Item {
    fn clone(&self) -> Self {
        item(number(self))
    }
}

fn item(n: usize) -> Item {
    Item(Track::new(n))
}

fn number(item: &Item) -> usize {
    *item.0.get_ref()
}

type Hub = PushHub<Item, Retain<Unbounded>>;

/// A hub with the items 1 and 2, which retains the last.
fn hub() -> Hub {
    let hub = push_hub(unbounded().retain(1));
    push(&hub, 1);
    push(&hub, 2);
    hub
}

fn push(hub: &Hub, n: usize) {
    assert!(hub.push(item(n)).is_ok());
}

/// Everything that a reader sees of a hub that has stopped or stops.
fn rest(aiter: PushAiter<Item>) -> Vec<usize> {
    let mut task = Task::new(aiter);
    core::iter::from_fn(|| task.next())
        .map(|item| number(&item))
        .collect()
}

/// Checks that `seen` is what a reader sees that began before the item `own` was pushed: at least
/// one item before that, and everything from there on. Every push before 3 was over by then.
#[track_caller]
fn check(seen: &[usize], own: usize, others: &[usize]) {
    assert!(seen.contains(&own) && seen[0] != own, "{seen:?}");
    assert!(!seen.contains(&1), "{seen:?} has more than was retained");
    // What is missing came before its first item.
    let missing = others.iter().filter(|n| !seen.contains(n)).count();
    assert!(missing == 0, "{seen:?}");
}

#[test]
fn loom_a_replay_races_a_push() {
    model(|| {
        let hub = hub();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        let reader = hub.replay();
        push(&hub, 4);
        drop(hub);
        pushing.join().unwrap();
        let seen = rest(reader);
        assert!(
            [&[2, 3, 4][..], &[2, 4, 3], &[3, 4]].contains(&&seen[..]),
            "{seen:?}"
        );
    });
}

/// The lock is held by one of two pushers, or by the other replay, when a replay comes.
#[test]
fn loom_two_replays_race_a_push() {
    large_model(|| {
        let hub = hub();
        let other = hub.clone();
        let replaying = thread::spawn(move || {
            let reader = other.replay();
            push(&other, 3);
            drop(other);
            reader
        });
        let reader = hub.replay();
        push(&hub, 4);
        drop(hub);
        let theirs = rest(replaying.join().unwrap());
        let mine = rest(reader);
        check(&mine, 4, &[]);
        check(&theirs, 3, &[]);
        // Both end alike, and the longer one is one item longer at most.
        let common = mine.len().min(theirs.len());
        assert_eq!(mine[mine.len() - common..], theirs[theirs.len() - common..]);
    });
}

#[test]
fn loom_a_subscriber_of_a_hub_that_retains_races_a_push() {
    model(|| {
        let hub = hub();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        let reader = hub.subscribe();
        push(&hub, 4);
        drop(hub);
        pushing.join().unwrap();
        let seen = rest(reader);
        assert!(
            [&[3, 4][..], &[4, 3], &[4]].contains(&&seen[..]),
            "{seen:?}"
        );
    });
}

/// What is available now.
fn available(aiter: &mut PushAiter<Item>) -> Vec<usize> {
    core::iter::from_fn(|| aiter.try_next().ok())
        .map(|item| number(&item))
        .collect()
}

/// A replay is forked at once, whether or not it has its place.
#[test]
fn loom_a_replay_is_forked_before_it_has_its_place() {
    model(|| {
        let hub = hub();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        let mut reader = hub.replay();
        let mut fork = reader.fork();
        pushing.join().unwrap();
        let seen = available(&mut reader);
        assert!(seen == [2, 3] || seen == [3], "{seen:?}");
        assert_eq!(available(&mut fork), seen);
    });
}

#[test]
fn loom_a_replay_is_dropped_before_it_has_its_place() {
    model(|| {
        let hub = hub();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        drop(hub.replay());
        assert_eq!(hub.readers(), 0);
        pushing.join().unwrap();
        assert_eq!(hub.readers(), 0);
        let reader = hub.replay();
        drop(hub);
        assert_eq!(rest(reader), [3]);
    });
}

#[test]
fn loom_a_replay_races_a_stop() {
    large_model(|| {
        let hub = hub();
        let other = hub.clone();
        let stopping = thread::spawn(move || other.stop());
        let refused = hub.push(item(3)).is_err();
        let reader = hub.replay();
        drop(hub);
        let seen = rest(reader);
        assert_eq!(seen, [if refused { 2 } else { 3 }]);
        stopping.join().unwrap();
    });
}

/// A push passes an item while a reader that is behind takes it.
#[test]
fn loom_a_reader_takes_what_a_push_passes() {
    model(|| {
        let hub = hub();
        let mut reader = hub.replay();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        assert_eq!(reader.try_next().ok().as_ref().map(number), Some(2));
        pushing.join().unwrap();
        assert_eq!(available(&mut reader), [3]);
    });
}

/// A reader that may miss items comes while another thread has the trail, and sleeps.
#[test]
fn loom_a_lossy_replay_races_a_push() {
    large_model(|| {
        let hub = hub();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        let mut reader = Task::new(hub.replay_with(skip(9)));
        drop(hub);
        let mut seen = Vec::new();
        while let Some(Seen { missed, item }) = reader.next() {
            assert_eq!(missed, 0);
            seen.push(number(&item));
        }
        assert!(seen == [2, 3] || seen == [3], "{seen:?}");
        pushing.join().unwrap();
    });
}

/// The ring has a feed that is further on than the place which another thread has yet to give.
#[test]
fn loom_a_lossy_replay_waits_for_its_own_reader() {
    large_model(|| {
        let hub = hub();
        let mut early = hub.subscribe_with(skip(9));
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        let mut reader = hub.replay_with(skip(9));
        let first = reader.try_next();
        drop(hub);
        pushing.join().unwrap();
        let first = first.or_else(|_| reader.try_next());
        let first = first.map(|seen| (seen.missed, number(&seen.item)));
        let found = early.try_next().map(|seen| number(&seen.item));
        assert_eq!(found, Ok(3));
        // The early one was there before the item, so a replay may begin with it, or one before.
        assert!(first == Ok((0, 2)) || first == Ok((0, 3)), "{first:?}");
        if first == Ok((0, 2)) {
            assert_eq!(reader.try_next().map(|seen| number(&seen.item)), Ok(3));
        }
    });
}

/// A reader that may miss items sleeps while an item is pushed. The feed of the ring goes with it.
#[test]
fn loom_a_lossy_reader_sleeps_while_an_item_is_pushed() {
    model(|| {
        let hub: PushHub<Item, Skip> = push_hub(skip(1));
        let mut reader = Task::new(hub.subscribe());
        let other = hub.clone();
        let pushing = thread::spawn(move || assert!(other.push(item(1)).is_ok()));
        let seen = reader.next();
        assert_eq!(seen.map(|seen| number(&seen.item)), Some(1));
        pushing.join().unwrap();
        drop(reader);
        assert_eq!(hub.readers(), 0);
        assert!(!hub.inner.core.writer.has_readers());
    });
}

/// A push looks for cursors while the first one comes and goes to sleep.
#[test]
fn loom_a_lossy_reader_comes_and_sleeps_while_an_item_is_pushed() {
    large_model(|| {
        let hub = hub();
        // The first user of a hub executes a fence, and this one is not.
        let _user = hub.subscribe();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        let mut reader = Task::new(hub.replay_with(skip(9)));
        let seen = reader.next().map(|seen| number(&seen.item));
        if seen != Some(3) {
            assert_eq!(seen, Some(2));
            assert_eq!(reader.next().map(|seen| number(&seen.item)), Some(3));
        }
        pushing.join().unwrap();
    });
}

/// The item stands behind the slot of a subscriber that has yet to publish it.
#[test]
fn loom_a_subscriber_holds_back_the_item_of_a_lossy_reader_that_sleeps() {
    model(|| {
        let hub: PushHub<Item, Skip> = push_hub(skip(1));
        let mut reader = Task::new(hub.subscribe());
        let other = hub.clone();
        let subscribing = thread::spawn(move || drop(other.subscribe_with(unbounded())));
        assert!(hub.push(item(1)).is_ok());
        let seen = reader.next();
        assert_eq!(seen.map(|seen| number(&seen.item)), Some(1));
        subscribing.join().unwrap();
    });
}

/// A lossy reader goes while another thread has the trail, and has yet to bring its reader.
#[test]
fn loom_a_lossy_reader_goes_before_it_has_its_place() {
    large_model(|| {
        let hub = hub();
        let other = hub.clone();
        let pushing = thread::spawn(move || push(&other, 3));
        drop(hub.replay_with(skip(9)));
        pushing.join().unwrap();
        assert_eq!(hub.readers(), 0);
        // Only the trail is left.
        assert_eq!(hub.inner.core.writer.readers(), 1);
    });
}

/// A thread that finds no reader sees what the last one did.
#[test]
fn loom_what_a_reader_did_is_seen_when_it_is_gone() {
    model(|| {
        // The trail stays, so the list is not drained, which would order more.
        let hub = hub();
        let did = Arc::new(AtomicUsize::new(0));
        let (reader, does) = (hub.subscribe(), did.clone());
        let leaving = thread::spawn(move || {
            does.store(1, Ordering::Relaxed);
            drop(reader);
        });
        // Spawned too, because then loom lets it come between without a preemption.
        let looking = thread::spawn(move || {
            let is_gone = hub.readers() == 0;
            assert!(!is_gone || did.load(Ordering::Relaxed) == 1);
        });
        leaving.join().unwrap();
        looking.join().unwrap();
    });
}

#[test]
fn loom_idle_and_occupied_miss_no_reader() {
    model(|| {
        let hub = push_hub(unbounded());
        let other: PushHub<Item> = hub.clone();
        let reading = thread::spawn(move || {
            let reader = other.subscribe();
            block_on(other.occupied());
            reader
        });
        block_on(hub.occupied());
        let reader = reading.join().unwrap();
        let leaving = thread::spawn(move || drop(reader));
        block_on(hub.idle());
        leaving.join().unwrap();
        assert_eq!(hub.readers(), 0);
    });
}

/// Pushes an item on another thread, which tells whether it found a reader just before.
fn look_and_push<B>(hub: &PushHub<Item, B>, n: usize) -> thread::JoinHandle<bool>
where
    B: HubBound + Send + Sync + 'static,
{
    let hub = hub.clone();
    thread::spawn(move || {
        let is_counted = hub.readers() == 1;
        assert!(hub.push(item(n)).is_ok());
        is_counted
    })
}

/// A reader that is counted gets the next item. So a pusher that finds one pushes to it.
#[test]
fn loom_a_reader_that_is_counted_gets_the_next_item() {
    model(|| {
        let hub: Hub = push_hub(unbounded().retain(0));
        let pushing = look_and_push(&hub, 1);
        let mut reader = hub.subscribe();
        let is_counted = pushing.join().unwrap();
        let seen = available(&mut reader);
        assert!(!is_counted || seen == [1], "{seen:?}");
    });
}

#[test]
fn loom_a_lossy_reader_that_is_counted_gets_the_next_item() {
    model(|| {
        let hub: PushHub<Item, Skip> = push_hub(skip(1));
        let pushing = look_and_push(&hub, 1);
        let mut reader = hub.subscribe();
        let is_counted = pushing.join().unwrap();
        let seen = reader.try_next().map(|seen| number(&seen.item));
        assert!(!is_counted || seen == Ok(1), "{seen:?}");
    });
}

#[test]
fn loom_a_reader_of_retained_items_that_is_counted_gets_the_next_one() {
    large_model(|| {
        let hub = hub();
        let pushing = look_and_push(&hub, 3);
        let mut reader = hub.subscribe();
        let is_counted = pushing.join().unwrap();
        let seen = available(&mut reader);
        assert!(!is_counted || seen == [3], "{seen:?}");
    });
}

#[test]
fn loom_a_lossy_reader_of_retained_items_that_is_counted_gets_the_next_one() {
    large_model(|| {
        let hub = hub();
        let pushing = look_and_push(&hub, 3);
        let mut reader = hub.subscribe_with(skip(9));
        let is_counted = pushing.join().unwrap();
        let seen = reader.try_next().map(|seen| number(&seen.item));
        assert!(!is_counted || seen == Ok(3), "{seen:?}");
    });
}

/// The thread that looks may hold the lock before that, when the reader comes.
#[test]
fn loom_a_reader_that_asks_for_its_place_is_counted_after_that() {
    large_model(|| {
        let hub = hub();
        let other = hub.clone();
        let pushing = thread::spawn(move || {
            push(&other, 3);
            let is_counted = other.readers() == 1;
            push(&other, 4);
            is_counted
        });
        let mut reader = hub.subscribe();
        let is_counted = pushing.join().unwrap();
        let seen = available(&mut reader);
        assert!(!is_counted || seen.contains(&4), "{seen:?}");
    });
}
