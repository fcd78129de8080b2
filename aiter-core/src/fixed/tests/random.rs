//! Random steps beside a model, on one thread: pushes of every kind, readers that come, take, fork
//! and go, and tasks that wait, go and are woken.

use super::*;
use crate::{Stopped, fixed::PushWhenFree};
use alloc::collections::VecDeque;
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Waker},
};

const N: usize = 3;
const R: usize = 3;
const P: usize = 2;

type List = PushList<u32, N, R, P, true>;

/// What the list should hold.
#[derive(Default)]
struct Model {
    /// The items that are still there, with their numbers.
    items: VecDeque<(usize, u32)>,
    pushed: usize,
    is_stopped: bool,
}

impl Model {
    fn push(&mut self, item: u32) {
        self.items.push_back((self.pushed, item));
        self.pushed += 1;
    }

    /// The number of the oldest item that may still be there.
    fn oldest(&self) -> usize {
        self.pushed.saturating_sub(N)
    }

    /// Forgets what all readers have passed, as far as they keep their places.
    fn free(&mut self, places: impl Iterator<Item = usize>) {
        if let Some(slowest) = places.min() {
            self.items.retain(|(n, _)| *n >= slowest);
        }
    }
}

struct Reader<'a> {
    aiter: PushAiter<'a, u32, N, R, P, true>,
    /// The number of its next item, and how many it has missed.
    at: usize,
    missed: usize,
    wakes: Arc<Wakes>,
    waker: Waker,
    sleeps: bool,
}

impl<'a> Reader<'a> {
    fn new(aiter: PushAiter<'a, u32, N, R, P, true>, at: usize) -> Self {
        let (wakes, waker) = Wakes::new();
        Self {
            aiter,
            at,
            missed: 0,
            wakes,
            waker,
            sleeps: false,
        }
    }

    fn skip(&mut self, model: &Model) {
        let oldest = model.oldest();
        if oldest > self.at {
            self.missed += oldest - self.at;
            self.at = oldest;
        }
        assert_eq!(self.aiter.missed(), self.missed);
    }
}

struct Wait<'a> {
    push: PushWhenFree<'a, u32, N, R, P, true>,
    item: u32,
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Wait<'_> {
    fn poll(&mut self) -> Poll<Result<(), Stopped<u32>>> {
        Pin::new(&mut self.push).poll(&mut Context::from_waker(&self.waker))
    }
}

/// A generator of random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % n
    }
}

fn run(random: &mut Random) {
    let list = List::new();
    let mut model = Model::default();
    let mut readers: Vec<Reader<'_>> = Vec::new();
    let mut waits: Vec<Wait<'_>> = Vec::new();
    // Where the last reader that went stood.
    let mut retained = 0;
    for item in 0..200 {
        let chosen = random.below(readers.len().max(1));
        match random.below(if item < 150 { 16 } else { 17 }) {
            0..3 => {
                let is_full = model.items.len() == N;
                let result = list.push(item);
                match (model.is_stopped, is_full) {
                    (true, _) => assert_eq!(result, Err(PushError::Stopped(item))),
                    (_, true) => assert_eq!(result, Err(PushError::Full(item))),
                    _ => {
                        assert_eq!(result, Ok(()));
                        model.push(item);
                    }
                }
            }
            3..6 => {
                let result = list.push_overwriting(item);
                if model.is_stopped {
                    assert_eq!(result, Err(PushError::Stopped(item)));
                } else {
                    assert_eq!(result, Ok(()));
                    if model.items.len() == N {
                        model.items.pop_front();
                    }
                    model.push(item);
                }
            }
            6 if readers.is_empty() => {
                let at = retained.max(model.oldest());
                readers.push(Reader::new(list.aiter().unwrap(), at));
            }
            6 => {
                let subscriber = list.subscribe();
                assert_eq!(subscriber.is_some(), readers.len() < R);
                readers.extend(subscriber.map(|aiter| Reader::new(aiter, model.pushed)));
            }
            7 if !readers.is_empty() => {
                let reader = &mut readers[chosen];
                reader.skip(&model);
                let at = reader.at;
                let fork = reader.aiter.fork();
                assert_eq!(fork.is_some(), readers.len() < R);
                readers.extend(fork.map(|aiter| Reader::new(aiter, at)));
            }
            8 if !readers.is_empty() => {
                let mut reader = readers.swap_remove(chosen);
                reader.skip(&model);
                retained = reader.at;
                drop(reader);
                if !readers.is_empty() {
                    model.free(readers.iter().map(|reader| reader.at));
                }
            }
            9..14 if !readers.is_empty() => {
                let reader = &mut readers[chosen];
                reader.skip(&model);
                let there = model.items.iter().find(|(n, _)| *n == reader.at);
                let there = there.map(|(_, item)| *item);
                assert_eq!(reader.aiter.len(), model.pushed - reader.at);
                let polled = poll(&mut reader.aiter, &reader.waker);
                reader.sleeps = polled.is_pending();
                match there {
                    Some(item) => {
                        assert_eq!(polled, Poll::Ready(Some(item)));
                        reader.at += 1;
                    }
                    None if model.is_stopped => assert_eq!(polled, Poll::Ready(None)),
                    None => assert_eq!(polled, Poll::Pending),
                }
                reader.wakes.taken();
                model.free(readers.iter().map(|reader| reader.at));
            }
            14 if waits.len() < P => {
                let (wakes, waker) = Wakes::new();
                let mut wait = Wait {
                    push: list.push_when_free(item),
                    item,
                    wakes,
                    waker,
                };
                let has_room = model.items.len() + waits.len() < N;
                match wait.poll() {
                    Poll::Ready(Ok(())) => {
                        assert!(has_room && !model.is_stopped);
                        model.push(item);
                    }
                    Poll::Ready(Err(stopped)) => {
                        assert!(model.is_stopped);
                        assert_eq!(stopped, Stopped(item));
                    }
                    Poll::Pending => {
                        assert!(!has_room && !model.is_stopped);
                        waits.push(wait);
                    }
                }
            }
            15 if !waits.is_empty() => drop(waits.remove(random.below(waits.len()))),
            16 => {
                list.stop();
                model.is_stopped = true;
            }
            _ => {}
        }
        // Readers that sleep and have an item, or have come to the end, were woken.
        for reader in &mut readers {
            let has_item = reader.at < model.pushed || model.is_stopped;
            assert!(!reader.sleeps || reader.wakes.count() > 0 || !has_item);
        }
        // So were the waits that have room, in their order.
        let mut place = 0;
        while place < waits.len() {
            let has_room = model.items.len() + place < N || model.is_stopped;
            let wait = &mut waits[place];
            assert!(!has_room || wait.wakes.count() > 0, "not woken");
            if has_room && random.below(2) == 0 {
                let wait = &mut waits[place];
                let expected = match model.is_stopped {
                    true => Err(Stopped(wait.item)),
                    false => Ok(()),
                };
                assert_eq!(wait.poll(), Poll::Ready(expected));
                if expected.is_ok() {
                    model.push(wait.item);
                }
                waits.remove(place);
            } else {
                if !has_room {
                    wait.wakes.taken();
                    assert!(wait.poll().is_pending());
                }
                place += 1;
            }
        }
        assert_eq!(list.statistics().pushed, model.pushed);
    }
}

#[test]
fn random_steps_agree_with_a_model() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..many(1000) {
        run(&mut random);
    }
}
