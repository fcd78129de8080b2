//! Models of forks with a bound.

use super::super::bound::{Seen, Skip, skip, wait};
use super::*;

/// An active fork that has taken the first of the items given, and a passive one behind it.
fn apart<B: Bound>(
    bound: B,
    remote: &Arc<Remote>,
    given: usize,
) -> (Task<Fork<Source, B>>, Fork<Source, B>) {
    let mut one = bounded(bound, remote);
    let slow = one.fork_passive();
    remote.give(given);
    let mut mine = Task::new(one);
    assert!(mine.next().is_some());
    (mine, slow)
}

// ---- wait

#[test]
fn room_is_made_while_a_fork_registers_its_waker() {
    model(|| {
        let (mut mine, slow) = apart(wait(1), &Remote::endless(), 2);
        let theirs = thread::spawn(move || {
            let mut slow = Task::new(slow);
            assert_eq!(slow.next(), Some(1));
            slow
        });
        assert_eq!(mine.next(), Some(2));
        drop(theirs.join().unwrap());
    });
}

#[test]
fn the_slowest_is_dropped_while_a_fork_registers_its_waker() {
    model(|| {
        let remote = Remote::endless();
        let mut one = bounded(wait(1), &remote);
        let slow = one.fork_passive();
        let third = one.fork_passive();
        remote.give(2);
        let mut mine = Task::new(one);
        let mut third = Task::new(third);
        assert_eq!((mine.next(), third.next()), (Some(1), Some(1)));
        let theirs = thread::spawn(move || drop(slow));
        assert_eq!(mine.next(), Some(2));
        theirs.join().unwrap();
    });
}

#[test]
fn two_equally_slow_forks_make_room_together() {
    large_model(|| {
        let remote = Remote::endless();
        let mut one = bounded(wait(1), &remote);
        let [slow, other] = [one.fork_passive(), one.fork_passive()];
        remote.give(2);
        let mut mine = Task::new(one);
        assert_eq!(mine.next(), Some(1));
        let threads = [slow, other].map(|slow| {
            thread::spawn(move || {
                let mut slow = Task::new(slow);
                assert_eq!(slow.next(), Some(1));
                slow
            })
        });
        assert_eq!(mine.next(), Some(2));
        for thread in threads {
            drop(thread.join().unwrap());
        }
    });
}

#[test]
fn two_forks_that_wait_for_room_both_go_on() {
    model(|| {
        let remote = Remote::endless();
        let mut one = bounded(wait(1), &remote);
        let mut slow = Task::new(one.fork_passive());
        let mut other = Task::new(one.fork());
        let mut mine = Task::new(one);
        remote.give(2);
        assert_eq!((mine.next(), other.next()), (Some(1), Some(1)));
        assert!(mine.poll().is_pending());
        let theirs = thread::spawn(move || {
            assert_eq!(other.next(), Some(2));
            other
        });
        assert_eq!(slow.next(), Some(1));
        assert_eq!(mine.woken(), Some(2));
        drop(theirs.join().unwrap());
    });
}

#[test]
fn a_slow_fork_is_made_active_and_pulls_for_one_that_waits_for_room() {
    large_model(|| {
        let (mut mine, mut slow) = apart(wait(1), &Remote::endless(), 2);
        let theirs = thread::spawn(move || {
            slow.activate();
            let mut slow = Task::new(slow);
            [slow.next(), slow.next()]
        });
        assert_eq!(mine.next(), Some(2));
        assert_eq!(theirs.join().unwrap(), [Some(1), Some(2)]);
    });
}

#[test]
fn a_fork_made_during_the_search_for_room_is_waited_for() {
    model(|| {
        let (mut mine, mut slow) = apart(wait(1), &Remote::endless(), 2);
        let theirs = thread::spawn(move || {
            let late = slow.fork_passive();
            assert_eq!(Task::new(slow).next(), Some(1));
            late
        });
        let ahead = matches!(mine.poll(), Poll::Ready(Some(2)));
        let late = theirs.join().unwrap();
        assert!(!ahead && late.statistics().lag == 1);
    });
}

#[test]
fn the_bound_is_raised_while_a_fork_finds_no_room() {
    model(|| {
        let (mut mine, slow) = apart(wait(1), &Remote::endless(), 2);
        let theirs = thread::spawn(move || {
            slow.set_wait(2);
            slow
        });
        assert_eq!(mine.next(), Some(2));
        drop(theirs.join().unwrap());
    });
}

#[test]
fn room_is_made_while_the_source_wakes() {
    model(|| {
        let remote = Remote::endless();
        let (mut mine, slow) = apart(wait(1), &remote, 1);
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        let theirs = thread::spawn(move || {
            let mut slow = Task::new(slow);
            assert_eq!(slow.next(), Some(1));
            slow
        });
        assert_eq!(mine.next(), Some(2));
        given.join().unwrap();
        drop(theirs.join().unwrap());
    });
}

// ---- skip

fn seen(item: usize) -> Option<Seen<usize>> {
    after(0, item)
}

fn after(missed: usize, item: usize) -> Option<Seen<usize>> {
    Some(Seen { missed, item })
}

/// Takes items up to `last`. Returns how many the fork saw or missed.
fn up_to(last: usize, fork: Fork<Source, Skip>) -> usize {
    let mut task = Task::new(fork);
    let mut count = 0;
    loop {
        let Some(Seen { missed, item }) = task.next() else {
            return count;
        };
        count += missed + 1;
        assert_eq!(item, count);
        if item == last {
            return count;
        }
    }
}

#[test]
fn an_item_is_missed_while_it_is_read() {
    model(|| {
        let (mut mine, slow) = apart(skip(1), &Remote::endless(), 2);
        let theirs = thread::spawn(move || {
            let mut slow = Task::new(slow);
            match slow.next() {
                Some(Seen { missed: 0, item: 1 }) => assert_eq!(slow.next(), seen(2)),
                found => assert_eq!(found, after(1, 2)),
            }
        });
        assert_eq!(mine.next(), seen(2));
        theirs.join().unwrap();
    });
}

#[test]
fn at_most_n_items_are_kept_whichever_fork_had_the_buffer_last() {
    model(|| {
        let remote = Remote::endless();
        let mut one = bounded(skip(1), &remote);
        let mut slow = one.fork_passive();
        let never = one.fork_passive();
        remote.give(2);
        let mut mine = Task::new(one);
        assert_eq!(mine.next(), seen(1));
        let theirs = thread::spawn(move || {
            let cx = &mut Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut slow).poll_next(cx);
        });
        // It is not polled again, whatever it finds.
        let _ = mine.poll();
        theirs.join().unwrap();
        assert_eq!(never.place.kept(), 1);
    });
}

#[test]
fn two_forks_see_or_miss_every_item() {
    model(|| {
        let remote = Remote::endless();
        let mut one = bounded(skip(1), &remote);
        let other = one.fork();
        remote.give(2);
        let theirs = thread::spawn(move || up_to(2, other));
        assert_eq!(up_to(2, one), 2);
        assert_eq!(theirs.join().unwrap(), 2);
    });
}

#[test]
fn a_fork_that_finds_the_source_locked_sees_what_came_into_the_buffer() {
    model(|| {
        let remote = Remote::endless();
        let mut one = bounded(skip(1), &remote);
        let other = one.fork();
        remote.give(1);
        let theirs = thread::spawn(move || next(other));
        let mut mine = Task::new(one);
        assert_eq!(mine.next(), seen(1));
        assert!(mine.poll().is_pending());
        assert_eq!(theirs.join().unwrap(), seen(1));
    });
}

#[test]
fn the_wake_of_the_source_reaches_active_and_passive_forks() {
    large_model(|| {
        let remote = Remote::endless();
        let mut one = bounded(skip(1), &remote);
        let passive = one.fork_passive();
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        let theirs = thread::spawn(move || next(passive));
        let mut mine = Task::new(one);
        assert_eq!(mine.next(), seen(1));
        assert_eq!(theirs.join().unwrap(), seen(1));
        given.join().unwrap();
    });
}

#[test]
fn a_passive_fork_with_a_buffer_ends_with_the_last_active_one() {
    model(|| {
        let remote = Remote::endless();
        let mut one = bounded(skip(1), &remote);
        let passive = one.fork_passive();
        remote.give(1);
        let theirs = thread::spawn(move || {
            let mut task = Task::new(passive);
            [task.next(), task.next()]
        });
        assert_eq!(next(one), seen(1));
        assert_eq!(theirs.join().unwrap(), [seen(1), None]);
    });
}

#[test]
fn a_slow_fork_is_dropped_while_it_misses_items() {
    model(|| {
        let remote = Remote::endless();
        let mut one = bounded(skip(2), &remote);
        let slow = one.fork_passive();
        remote.give(3);
        let mut mine = Task::new(one);
        assert_eq!((mine.next(), mine.next()), (seen(1), seen(2)));
        let theirs = thread::spawn(move || drop(slow));
        assert_eq!(mine.next(), seen(3));
        theirs.join().unwrap();
        // Nothing is left in the buffer, whichever fork had it last.
        let late = mine.stream().fork_passive();
        assert_eq!((late.statistics().lag, mine.stream().place.kept()), (0, 0));
    });
}

#[test]
fn the_end_reaches_forks_with_a_buffer() {
    model(|| {
        let remote = Remote::new(2, End);
        let mut one = bounded(skip(1), &remote);
        let other = one.fork_passive();
        remote.give(2);
        let theirs = thread::spawn(move || up_to(usize::MAX, other));
        assert_eq!(up_to(usize::MAX, one), 1);
        assert_eq!(theirs.join().unwrap(), 1);
    });
}
