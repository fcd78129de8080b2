//! The bounded push list: a queue of at most `n` items.
//!
//! A push takes a place, reserves a slot and publishes it; these are three steps, as a permit
//! shows. A place belongs to the first of those that wait at the moment at which it becomes free.
//! That one may learn of it a little later, when it is woken. Everything else is one step.

use crate::{
    Wakes,
    checker::{Call, Event, Model, history, linearize},
    race::{Clock, Work, assert_found, assert_none_found, race},
};
use aiter_core::{
    BoundedAiter, BoundedPusher, OwnedPermit, PushError, ReserveOwned, TryNextError,
    push_aiter_bounded,
};
use fastrand::Rng;
use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Acquire},
    task::{Context, Poll, Waker},
    time::Duration,
};

type Id = usize;

#[derive(Clone, Debug)]
pub enum Step {
    /// Takes a place that is free.
    Admit,
    Reserve(u16),
    Publish(u16),
    Full,
    /// Gives a place back.
    Return,
    /// Takes a place, or waits for one. It may be told to wait though it has its place: then
    /// another thread serves the queue at that moment, and wakes it.
    Arrive(Id),
    /// Has waited, and has its place.
    Granted(Id),
    Cancel(Id),
    Next(Id, Result<u16, TryNextError>),
    Fork(Id, Id),
    Dropped(Id),
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Bounded {
    n: usize,
    slots: Vec<(u16, bool)>,
    admitted: usize,
    waiting: VecDeque<Id>,
    granted: Vec<Id>,
    consumers: Vec<(Id, usize)>,
}

impl Bounded {
    fn passed(&self) -> usize {
        self.consumers.iter().map(|(_, at)| *at).min().unwrap()
    }

    fn has_room(&self) -> bool {
        self.admitted < self.passed() + self.n
    }

    /// Gives the places that are free to those that wait.
    fn settle(&mut self) -> bool {
        while self.has_room() {
            let Some(id) = self.waiting.pop_front() else {
                break;
            };
            self.admitted += 1;
            self.granted.push(id);
        }
        true
    }

    fn remove_granted(&mut self, id: Id) -> bool {
        let at = self.granted.iter().position(|granted| *granted == id);
        at.map(|at| self.granted.swap_remove(at)).is_some()
    }
}

impl Model for Bounded {
    type Step = Step;

    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Admit => {
                let has_room = self.has_room();
                self.admitted += 1;
                has_room
            }
            Step::Reserve(n) => {
                self.slots.push((n, false));
                true
            }
            Step::Publish(n) => {
                let slot = self.slots.iter_mut().find(|(item, _)| *item == n).unwrap();
                slot.1 = true;
                true
            }
            Step::Full => !self.has_room(),
            Step::Return => {
                self.admitted -= 1;
                self.settle()
            }
            Step::Arrive(id) => {
                self.waiting.push_back(id);
                self.settle()
            }
            Step::Granted(id) => self.remove_granted(id),
            Step::Cancel(id) => {
                if self.remove_granted(id) {
                    self.admitted -= 1;
                } else {
                    self.waiting.retain(|waiting| *waiting != id);
                }
                self.settle()
            }
            Step::Next(id, result) => {
                let slots = &self.slots;
                let place = &mut self.consumers.iter_mut().find(|(i, _)| *i == id).unwrap().1;
                match slots.get(*place) {
                    Some((n, true)) => {
                        *place += 1;
                        result == Ok(*n) && self.settle()
                    }
                    _ => result == Err(TryNextError::Empty),
                }
            }
            Step::Fork(id, new) => {
                let place = self.consumers.iter().find(|(i, _)| *i == id).unwrap().1;
                self.consumers.push((new, place));
                true
            }
            Step::Dropped(id) => {
                self.consumers.retain(|(i, _)| *i != id);
                self.settle()
            }
        }
    }
}

/// A bug planted between a thread and the list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flaw {
    None,
    /// The list holds one item more than it says.
    TooMany,
    /// A permit that is dropped is lost.
    LosesPermits,
    /// Wakes get lost.
    Deaf,
}

struct Waiting {
    future: Pin<Box<ReserveOwned<u16>>>,
    id: Id,
    wakes: Arc<Wakes>,
    seen: usize,
}

struct Actor {
    flaw: Flaw,
    pusher: BoundedPusher<u16>,
    consumers: Vec<(Id, BoundedAiter<u16>)>,
    permits: Vec<OwnedPermit<u16>>,
    waiting: Vec<Waiting>,
    next_id: Id,
    next_item: u16,
    /// Keeps its first consumer, so that the list stays open.
    keeps_one: bool,
    calls: Vec<Call<Step>>,
}

impl Actor {
    fn item(&mut self) -> u16 {
        self.next_item += 1;
        self.next_item
    }

    fn id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    /// Polls, and returns whether there is a permit now.
    fn poll(&mut self, at: usize) -> bool {
        let waiting = &mut self.waiting[at];
        waiting.seen = waiting.wakes.0.load(Acquire);
        let waker = match self.flaw {
            Flaw::Deaf => Waker::noop().clone(),
            _ => Waker::from(waiting.wakes.clone()),
        };
        let polled = waiting
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        let Poll::Ready(permit) = polled else {
            return false;
        };
        self.waiting.remove(at);
        self.permits.push(permit.expect("it is open"));
        true
    }

    /// Makes one random call, and records its result.
    fn act(&mut self, rng: &mut Rng, clock: &Clock) {
        let n = self.item();
        let chosen = rng.usize(..self.consumers.len().max(1));
        let kind = rng.u8(..20);
        let begin = clock.now();
        let steps = match kind {
            0..4 => match self.pusher.try_push(n) {
                Ok(()) => vec![Step::Admit, Step::Reserve(n), Step::Publish(n)],
                Err(PushError::Full(_)) => vec![Step::Full],
                Err(PushError::Stopped(_)) => panic!("it is open"),
            },
            4 | 5 => match self.pusher.try_reserve_owned() {
                Ok(permit) => {
                    self.permits.push(permit);
                    vec![Step::Admit]
                }
                Err(_) => vec![Step::Full],
            },
            6..8 if !self.permits.is_empty() => {
                self.permits.pop().unwrap().push(n).unwrap();
                vec![Step::Reserve(n), Step::Publish(n)]
            }
            8 if !self.permits.is_empty() => {
                let permit = self.permits.pop().unwrap();
                if self.flaw == Flaw::LosesPermits {
                    std::mem::forget(permit);
                } else {
                    drop(permit);
                }
                vec![Step::Return]
            }
            9 if self.waiting.is_empty() => {
                let id = self.id();
                self.waiting.push(Waiting {
                    future: Box::pin(self.pusher.reserve_owned()),
                    id,
                    wakes: Arc::default(),
                    seen: 0,
                });
                if self.poll(0) {
                    vec![Step::Arrive(id), Step::Granted(id)]
                } else {
                    vec![Step::Arrive(id)]
                }
            }
            10..12 if !self.waiting.is_empty() => {
                let id = self.waiting[0].id;
                if !self.poll(0) {
                    return;
                }
                vec![Step::Granted(id)]
            }
            12 if !self.waiting.is_empty() => {
                let waiting = self.waiting.remove(0);
                drop(waiting.future);
                vec![Step::Cancel(waiting.id)]
            }
            13..18 if !self.consumers.is_empty() => {
                let (id, aiter) = &mut self.consumers[chosen];
                vec![Step::Next(*id, aiter.try_next())]
            }
            18 if !self.consumers.is_empty() => {
                let (parent, aiter) = &mut self.consumers[chosen];
                let (parent, fork) = (*parent, aiter.fork());
                let id = self.id();
                self.consumers.push((id, fork));
                vec![Step::Fork(parent, id)]
            }
            19 if self.consumers.len() > usize::from(self.keeps_one) => {
                let (id, aiter) = self.consumers.pop().unwrap();
                drop(aiter);
                vec![Step::Dropped(id)]
            }
            _ => return,
        };
        self.calls.push((steps, begin, clock.now()));
    }
}

/// The claim of a wait that is cancelled may be given back by another thread, which has the lock of
/// the waiting pushers: at the latest when its call returns.
fn let_others_give_back(events: &mut [Event<Step>]) {
    let calls: Vec<_> = events.iter().map(|event| event.during).collect();
    for event in events {
        if matches!(event.step, Step::Cancel(_)) {
            let (begin, end) = event.during;
            let beside = calls.iter().filter(|call| call.0 < end && call.1 > begin);
            event.during.1 = beside.map(|call| call.1).max().unwrap_or(end);
        }
    }
}

/// Random work for several threads on a list that is about full.
fn actors(rng: &mut Rng, flaw: Flaw, threads: usize) -> (Bounded, Vec<Actor>) {
    let n = rng.usize(1..4);
    let (pusher, mut first) = push_aiter_bounded(n + usize::from(flaw == Flaw::TooMany));
    for item in 0..[0, 30, 31, 62, 63][rng.usize(..5)] {
        pusher.try_push(item).unwrap();
        assert_eq!(first.try_next(), Ok(item));
    }
    let full = rng.usize(..=n) as u16;
    (0..full).for_each(|item| pusher.try_push(item).unwrap());
    let mut actors: Vec<_> = (0..threads)
        .map(|t| Actor {
            flaw,
            pusher: pusher.clone(),
            consumers: Vec::new(),
            permits: Vec::new(),
            waiting: Vec::new(),
            next_id: t * 100,
            next_item: 1000 * (t as u16 + 1),
            keeps_one: t == 0,
            calls: Vec::new(),
        })
        .collect();
    if rng.bool() {
        let id = actors[1].id();
        actors[1].consumers.push((id, first.fork()));
    }
    let id = actors[0].id();
    actors[0].consumers.push((id, first));
    let consumers = actors.iter().flat_map(|actor| &actor.consumers);
    let model = Bounded {
        n,
        slots: (0..full).map(|item| (item, true)).collect(),
        admitted: full.into(),
        waiting: VecDeque::new(),
        granted: Vec::new(),
        consumers: consumers.map(|(id, _)| (*id, 0)).collect(),
    };
    (model, actors)
}

/// Returns how many rounds it took to find a history that the model does not allow, and that
/// history, or `None` if there was none within that time.
fn search(flaw: Flaw, threads: usize, seed: u64, longest: Duration) -> (u64, Option<String>) {
    let mut found = None;
    let initial = RefCell::new(None);
    let mut rng = Rng::with_seed(seed);
    let rounds = race(
        threads,
        longest,
        |_| {
            let (model, actors) = actors(&mut rng, flaw, threads);
            *initial.borrow_mut() = Some(model);
            actors
                .into_iter()
                .map(|mut actor| {
                    let mut rng = rng.fork();
                    Box::new(move |clock: &Clock| {
                        for _ in 0..if threads == 2 { 9 } else { 6 } {
                            actor.act(&mut rng, clock);
                        }
                        actor
                    }) as Work<Actor>
                })
                .collect()
        },
        |round, mut actors| {
            let mut events = history(actors.iter().flat_map(|actor| &actor.calls));
            let_others_give_back(&mut events);
            let initial = initial.borrow_mut().take().unwrap();
            let n = initial.n;
            if linearize(initial, &events).is_none() {
                found = Some(format!(
                    "round {round} of seed {seed}, n = {n}: {events:#?}"
                ));
            }
            for actor in &mut actors {
                while let Some(waiting) = actor.waiting.first() {
                    let (id, sleeps) = (waiting.id, waiting.wakes.0.load(Acquire) == waiting.seen);
                    let is_ready = actor.poll(0);
                    if is_ready && sleeps {
                        found = Some(format!(
                            "round {round} of seed {seed}: {id} was not woken: {events:#?}"
                        ));
                    }
                    if !is_ready {
                        break;
                    }
                }
            }
            found.is_none()
        },
    );
    (rounds, found)
}

#[test]
fn two_threads() {
    assert_none_found("of two threads", |seed, time| {
        search(Flaw::None, 2, seed, time)
    });
}

#[test]
fn three_threads() {
    assert_none_found("of three threads", |seed, time| {
        search(Flaw::None, 3, seed, time)
    });
}

/// Each of these has to be found, or the tests above prove nothing.
#[test]
fn planted_bugs_are_found() {
    for flaw in [Flaw::TooMany, Flaw::LosesPermits, Flaw::Deaf] {
        assert_found(flaw, |time| search(flaw, 2, 1, time));
    }
}
