//! Loom models of the fixed list: every interleaving of a few threads. An interrupt is a thread
//! that runs to its end at once, so everything that interrupts can do is among these.

use super::{PushAiter, PushError, PushList};
use crate::{
    TryNextError,
    sync::Arc,
    test_support::loom::{Task, large_model, model},
};
use ::loom::{alloc::Track, thread};
use alloc::vec::Vec;
use core::{
    mem,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;

/// A list that any thread may hold.
struct Shared<const N: usize, const R: usize>(Arc<PushList<Item, N, R>>);

impl<const N: usize, const R: usize> Shared<N, R> {
    fn new() -> Self {
        Self(Arc::new(PushList::new()))
    }

    /// A reader that keeps the list alive.
    fn own(&self, aiter: PushAiter<'_, Item, N, R>) -> Reader<N, R> {
        Reader {
            // SAFETY: the list is kept beside the reader, and dropped after it.
            aiter: unsafe {
                mem::transmute::<PushAiter<'_, Item, N, R>, PushAiter<'static, Item, N, R>>(aiter)
            },
            list: Self(self.0.clone()),
        }
    }

    fn aiter(&self) -> Reader<N, R> {
        self.own(self.0.aiter().unwrap())
    }

    /// Pushes as many items as there is room for, and returns those.
    fn push_all(&self, items: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let pushed = |n: &usize| self.push(item(*n)).is_ok();
        items.into_iter().filter(pushed).collect()
    }
}

impl<const N: usize, const R: usize> Clone for Shared<N, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<const N: usize, const R: usize> Deref for Shared<N, R> {
    type Target = PushList<Item, N, R>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

struct Reader<const N: usize, const R: usize> {
    aiter: PushAiter<'static, Item, N, R>,
    list: Shared<N, R>,
}

impl<const N: usize, const R: usize> Reader<N, R> {
    fn fork(&mut self) -> Self {
        let fork = self.aiter.fork().unwrap();
        self.list.own(fork)
    }

    /// Takes the items that are available now.
    fn available(&mut self) -> Vec<usize> {
        core::iter::from_fn(|| self.aiter.try_next().ok())
            .map(|item| number(&item))
            .collect()
    }
}

impl<const N: usize, const R: usize> Deref for Reader<N, R> {
    type Target = PushAiter<'static, Item, N, R>;
    fn deref(&self) -> &Self::Target {
        &self.aiter
    }
}

impl<const N: usize, const R: usize> DerefMut for Reader<N, R> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.aiter
    }
}

impl<const N: usize, const R: usize> Stream for Reader<N, R> {
    type Item = Item;
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(&mut self.get_mut().aiter).poll_next(cx)
    }
}

/// An item that loom reports if it leaks or is dropped twice.
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

fn next<S: Stream<Item = Item> + Unpin>(task: &mut Task<S>) -> Option<usize> {
    task.next().map(|item| number(&item))
}

#[test]
fn loom_two_pushers_and_a_reader() {
    model(|| {
        let list = Shared::<2, 1>::new();
        let mut reader = list.aiter();
        let other = list.clone();
        let pushing = thread::spawn(move || other.push_all([10, 11]));
        let mut pushed = list.push_all([20]);
        let mut taken = reader.available();
        pushed.extend(pushing.join().unwrap());
        taken.extend(reader.available());
        assert!(taken.iter().filter(|n| **n < 20).is_sorted());
        taken.sort_unstable();
        pushed.sort_unstable();
        assert_eq!(taken, pushed);
        assert!(taken.len() >= 2, "there is room for two");
    });
}

#[test]
fn loom_push_races_stop() {
    model(|| {
        let list = Shared::<4, 1>::new();
        let mut reader = Task::new(list.aiter());
        let other = list.clone();
        let pushing = thread::spawn(move || other.push_all([1, 2]));
        list.stop();
        let taken: Vec<_> = core::iter::from_fn(|| next(&mut reader)).collect();
        assert_eq!(taken, pushing.join().unwrap());
        assert!(matches!(
            list.push(item(3)),
            Err(PushError::Stopped(item)) if number(&item) == 3
        ));
    });
}

#[test]
fn loom_reader_waits_while_pushes_publish() {
    fn check<const N: usize>() {
        model(|| {
            let list = Shared::<N, 1>::new();
            let mut reader = Task::new(list.aiter());
            let pushing = thread::spawn(move || {
                let pushed = list.push_all(0..3);
                list.stop();
                pushed
            });
            let taken: Vec<_> = core::iter::from_fn(|| next(&mut reader)).collect();
            assert_eq!(taken, pushing.join().unwrap());
        });
    }
    check::<1>();
    check::<2>();
    check::<3>();
}

#[test]
fn loom_publishing_a_gap_wakes_its_waiter() {
    model(|| {
        let list = Shared::<4, 1>::new();
        let reader = list.aiter();
        let Ok(gap) = list.reserve() else { panic!() };
        let other = list.clone();
        let pushing = thread::spawn(move || assert!(other.push(item(2)).is_ok()));
        let reading = thread::spawn(move || {
            let mut reader = Task::new(reader);
            assert_eq!(next(&mut reader), Some(1));
            assert_eq!(next(&mut reader), Some(2));
        });
        list.publish(gap, item(1));
        pushing.join().unwrap();
        reading.join().unwrap();
    });
}

#[test]
fn loom_waker_changes_while_it_is_called() {
    model(|| {
        let list = Shared::<4, 1>::new();
        let mut reader = list.aiter();
        let pushing = {
            let list = list.clone();
            thread::spawn(move || list.push_all([1]))
        };
        let second = thread::spawn(move || list.push_all([2]));
        let mut taken = 0;
        while taken < 2 {
            // Each item is awaited in a task of its own.
            let mut task = Task::new(&mut *reader);
            assert!(task.poll().is_ready() || task.woken().is_some());
            taken += 1;
        }
        pushing.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn loom_waiter_is_dropped_or_changes_its_waker_while_a_push_takes_it() {
    for is_dropped in [true, false] {
        model(move || {
            let list = Shared::<2, 1>::new();
            let mut reader = Task::new(list.aiter());
            assert!(reader.poll().is_pending());
            let pushing = {
                let list = list.clone();
                thread::spawn(move || list.push_all([1]))
            };
            let reader = reader.into_stream();
            let mut second = if is_dropped {
                drop(reader);
                Task::new(list.aiter())
            } else {
                Task::new(reader)
            };
            assert_eq!(next(&mut second), Some(1));
            pushing.join().unwrap();
        });
    }
}

#[test]
fn loom_two_wait_at_the_tail_and_one_is_dropped_or_changes_its_waker() {
    for is_dropped in [true, false] {
        model(move || {
            let list = Shared::<2, 2>::new();
            let mut first = list.aiter();
            let mut second = Task::new(first.fork());
            let mut first = Task::new(first);
            assert!(first.poll().is_pending());
            assert!(second.poll().is_pending());
            let pushing = thread::spawn(move || list.push_all([1]));
            let second = second.into_stream();
            if is_dropped {
                drop(second);
            } else {
                assert_eq!(next(&mut Task::new(second)), Some(1));
            }
            assert_eq!(next(&mut first), Some(1));
            pushing.join().unwrap();
        });
    }
}

#[test]
fn loom_two_wait_at_a_gap_while_another_push_passes_it() {
    model(|| {
        let list = Shared::<4, 2>::new();
        let mut first = list.aiter();
        let mut second = Task::new(first.fork());
        let mut first = Task::new(first);
        let Ok(gap) = list.reserve() else { panic!() };
        assert!(first.poll().is_pending());
        let other = list.clone();
        let pushing = thread::spawn(move || other.push_all([2]));
        let reading = thread::spawn(move || assert_eq!(next(&mut second), Some(1)));
        list.publish(gap, item(1));
        assert_eq!(next(&mut first), Some(1));
        assert_eq!(pushing.join().unwrap(), [2]);
        reading.join().unwrap();
    });
}

#[test]
fn loom_two_readers_of_one_item_free_its_slot() {
    model(|| {
        let list = Shared::<1, 2>::new();
        let mut first = list.aiter();
        let mut second = first.fork();
        list.push_all([1]);
        let reading = thread::spawn(move || {
            assert_eq!(second.available(), [1]);
            second
        });
        assert_eq!(first.available(), [1]);
        let _second = reading.join().unwrap();
        // The slot is free, whichever reader was the last.
        assert_eq!(list.push_all([2]), [2]);
    });
}

#[test]
fn loom_reader_is_dropped_while_another_passes() {
    model(|| {
        let list = Shared::<2, 2>::new();
        let mut first = list.aiter();
        let second = first.fork();
        list.push_all([1, 2]);
        let leaving = thread::spawn(move || drop(second));
        assert_eq!(first.available(), [1, 2]);
        leaving.join().unwrap();
        assert_eq!(list.push_all([3, 4]), [3, 4]);
    });
}

#[test]
fn loom_fork_while_another_reader_is_last() {
    model(|| {
        let list = Shared::<2, 3>::new();
        let mut first = list.aiter();
        let mut second = first.fork();
        list.push_all([1, 2]);
        let forking = thread::spawn(move || {
            let mut third = second.fork();
            assert_eq!(second.available(), [1, 2]);
            drop(second);
            assert_eq!(third.available(), [1, 2]);
            third
        });
        assert_eq!(first.available(), [1, 2]);
        let _third = forking.join().unwrap();
        assert_eq!(list.push_all([3, 4]), [3, 4]);
    });
}

#[test]
fn loom_subscribe_races_a_push_and_a_reader() {
    large_model(|| {
        let list = Shared::<2, 2>::new();
        let mut first = list.aiter();
        let pushing = {
            let list = list.clone();
            thread::spawn(move || list.push_all([1, 2]))
        };
        let subscribing = {
            let list = list.clone();
            thread::spawn(move || list.own(list.subscribe().unwrap()))
        };
        let mut taken = first.available();
        assert_eq!(pushing.join().unwrap(), [1, 2]);
        let mut subscriber = subscribing.join().unwrap();
        taken.extend(first.available());
        assert_eq!(taken, [1, 2]);
        // The subscriber sees every item from some moment on.
        let seen = subscriber.available();
        assert!([1, 2].ends_with(&seen));
        assert_eq!(list.push_all([3, 4]), [3, 4]);
        assert_eq!(subscriber.available(), [3, 4]);
    });
}

#[test]
fn loom_subscribe_races_the_last_reader() {
    large_model(|| {
        let list = Shared::<2, 2>::new();
        let first = list.aiter();
        list.push_all([1]);
        let leaving = thread::spawn(move || drop(first));
        let pushing = {
            let list = list.clone();
            thread::spawn(move || list.push_all([2]))
        };
        let mut subscriber = list.own(list.subscribe().unwrap());
        let mut seen = subscriber.available();
        leaving.join().unwrap();
        assert_eq!(pushing.join().unwrap(), [2]);
        seen.extend(subscriber.available());
        assert!([1, 2].ends_with(&seen));
        // A slot that was reserved before this reader subscribed, and published after the other one
        // was dropped, is freed by this one.
        assert_eq!(list.push_all([3, 4]), [3, 4]);
        assert_eq!(subscriber.available(), [3, 4]);
    });
}

#[test]
fn loom_stop_wakes_two_waiters() {
    model(|| {
        let list = Shared::<2, 2>::new();
        let mut first = list.aiter();
        let mut second = Task::new(first.fork());
        let reading = thread::spawn(move || {
            assert_eq!(next(&mut second), Some(1));
            assert_eq!(next(&mut second), None);
        });
        list.push_all([1]);
        list.stop();
        let mut first = Task::new(first);
        assert_eq!(next(&mut first), Some(1));
        assert_eq!(next(&mut first), None);
        reading.join().unwrap();
    });
}

#[test]
fn loom_next_reader_takes_over_the_cell() {
    model(|| {
        let list = Shared::<2, 1>::new();
        let mut first = list.aiter();
        list.push_all([1, 2]);
        let leaving = thread::spawn(move || {
            let taken = first.aiter.try_next().map(|item| number(&item));
            assert_eq!(taken, Ok(1));
        });
        let early = list.0.aiter().map(|aiter| list.own(aiter));
        leaving.join().unwrap();
        let mut next = early.unwrap_or_else(|| list.aiter());
        assert_eq!(next.available(), [2]);
        assert!(matches!(next.aiter.try_next(), Err(TryNextError::Empty)));
    });
}

mod overwriting;
mod registering;
mod visibility;
mod when_free;
