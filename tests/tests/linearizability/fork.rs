//! `aiter_forker` over a source that is always ready. An active fork may have to wait while another
//! call is in progress, a passive one while nothing new was pulled. A fork that waited is woken
//! when an item has come.

use crate::{
    PollTracker, Source,
    checker::{Event, Model, linearize},
    race::{Clock, Work, race, time},
};
use aiter_core::{Fork, aiter_forker};
use fastrand::Rng;
use std::{cell::RefCell, task::Poll, time::Duration};

type Id = usize;

/// The result of a poll.
type Taken = Poll<Option<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Poll(Id, Taken),
    Fork(Id, Id, bool),
    Activate(Id),
    Gone(Id),
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Place {
    at: u8,
    is_active: bool,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Pulled {
    end: u8,
    pulled: u8,
    end_is_known: bool,
    forks: Vec<(Id, Place)>,
}

impl Pulled {
    fn fork(&mut self, id: Id) -> &mut Place {
        &mut self.forks.iter_mut().find(|(i, _)| *i == id).unwrap().1
    }
}

impl Model for Pulled {
    type Step = Step;

    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Poll(id, polled) => {
                let Place { at, is_active } = *self.fork(id);
                if is_active && polled.is_ready() && at == self.pulled {
                    // It pulls the source.
                    if self.pulled < self.end {
                        self.pulled += 1;
                    } else {
                        self.end_is_known = true;
                    }
                }
                let is_led = self.forks.iter().any(|(_, fork)| fork.is_active);
                let is_over = self.end_is_known || !is_led;
                match polled {
                    Poll::Ready(Some(item)) => {
                        self.fork(id).at += 1;
                        item == at && item < self.pulled
                    }
                    Poll::Ready(None) => at == self.pulled && is_over,
                    Poll::Pending => is_active || at == self.pulled && !is_over,
                }
            }
            Step::Fork(id, new, is_active) => {
                let at = self.fork(id).at;
                self.forks.push((new, Place { at, is_active }));
                true
            }
            Step::Activate(id) => {
                self.fork(id).is_active = true;
                true
            }
            Step::Gone(id) => {
                self.forks.retain(|(i, _)| *i != id);
                true
            }
        }
    }
}

/// Bugs planted between a thread and its forks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flaw {
    None,
    /// Wakes get lost.
    Deaf,
    /// A passive fork that would wait takes it for the end.
    EndsEarly,
}

struct Held {
    fork: Fork<Source>,
    id: Id,
    tracker: PollTracker,
}

struct Actor {
    flaw: Flaw,
    forks: Vec<Held>,
    next_id: Id,
    calls: Vec<Event<Step>>,
    /// The calls in which an active fork had to wait.
    waits: Vec<(u64, u64)>,
}

impl Actor {
    fn act(&mut self, rng: &mut Rng, clock: &Clock) {
        if self.forks.is_empty() {
            return;
        }
        let chosen = rng.usize(..self.forks.len());
        let (kind, new) = (rng.u8(..16), self.next_id);
        let held = &mut self.forks[chosen];
        let id = held.id;
        let mut waits = false;
        let begin = clock.now();
        let step = match kind {
            0..10 => {
                let mut polled = held.tracker.poll(&mut held.fork);
                waits = held.fork.is_active() && polled.is_pending();
                if self.flaw == Flaw::EndsEarly && polled.is_pending() && !held.fork.is_active() {
                    polled = Poll::Ready(None);
                }
                Step::Poll(id, polled)
            }
            10..13 => {
                let is_active = kind < 11;
                let fork = match is_active {
                    true => held.fork.fork(),
                    false => held.fork.fork_passive(),
                };
                self.adopt(fork);
                Step::Fork(id, new, is_active)
            }
            13 => {
                held.fork.activate();
                // Until it is polled it waits as before, but for less.
                held.tracker.is_served();
                Step::Activate(id)
            }
            _ => {
                drop(self.forks.swap_remove(chosen).fork);
                Step::Gone(id)
            }
        };
        let during = (begin, clock.now());
        if waits {
            self.waits.push(during);
        }
        self.calls.push(Event {
            step,
            during,
            after: None,
        });
    }

    fn adopt(&mut self, fork: Fork<Source>) {
        self.forks.push(Held {
            fork,
            id: self.next_id,
            tracker: PollTracker {
                is_deaf: self.flaw == Flaw::Deaf,
                ..PollTracker::default()
            },
        });
        self.next_id += 1;
    }
}

/// Returns whether any other call was in progress during that time.
fn has_company((begin, end): (u64, u64), events: &[Event<Step>]) -> bool {
    let overlaps = |event: &&Event<Step>| event.during.0 < end && begin < event.during.1;
    events.iter().filter(overlaps).count() > 1
}

fn search(flaw: Flaw, threads: usize, longest: Duration) -> (u64, Option<String>) {
    let mut found = None;
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let initial = RefCell::new(None);
    let rounds = race(
        threads,
        longest,
        |_| {
            let end = rng.u8(1..12);
            let mut model = Pulled {
                end,
                pulled: 0,
                end_is_known: false,
                forks: Vec::new(),
            };
            let mut first = Some(aiter_forker(Source {
                items: 0..end,
                is_slow: rng.u8(..8) == 0,
            }));
            let mut work = Vec::new();
            for t in (0..threads).rev() {
                let is_active = t == 0 || rng.bool();
                let fork = match (t, is_active) {
                    (0, _) => first.take().unwrap(),
                    (_, true) => first.as_mut().unwrap().fork(),
                    (_, false) => first.as_mut().unwrap().fork_passive(),
                };
                model.forks.push((t * 10, Place { at: 0, is_active }));
                let mut actor = Actor {
                    flaw,
                    forks: Vec::new(),
                    next_id: t * 10,
                    calls: Vec::new(),
                    waits: Vec::new(),
                };
                actor.adopt(fork);
                let mut rng = rng.fork();
                work.push(Box::new(move |clock: &Clock| {
                    for _ in 0..5 {
                        actor.act(&mut rng, clock);
                    }
                    actor
                }) as Work<Actor>);
            }
            *initial.borrow_mut() = Some(model);
            work
        },
        |round, mut actors| {
            let initial = initial.borrow_mut().take().unwrap();
            let events: Vec<_> = actors
                .iter_mut()
                .flat_map(|actor| std::mem::take(&mut actor.calls))
                .collect();
            let mut wrong = None;
            if linearize(initial, &events).is_none() {
                wrong = Some("no order of the model".to_owned());
            }
            let mut waited = actors.iter().flat_map(|actor| &actor.waits);
            if let Some(wait) = waited.find(|wait| !has_company(**wait, &events)) {
                wrong = Some(format!("pending at {wait:?} without a reason"));
            }
            // All at once, because polling one may wake another.
            let slept: Vec<Id> = actors
                .iter()
                .flat_map(|actor| &actor.forks)
                .filter(|held| held.tracker.is_waiting())
                .map(|held| held.id)
                .collect();
            for held in actors.iter_mut().flat_map(|actor| &mut actor.forks) {
                if slept.contains(&held.id)
                    && (held.fork.is_active() || held.tracker.poll(&mut held.fork).is_ready())
                {
                    wrong = Some(format!("fork {} waits on", held.id));
                }
            }
            found =
                wrong.map(|wrong| format!("{wrong}, round {round} of seed {seed}: {events:#?}"));
            found.is_none()
        },
    );
    (rounds, found)
}

#[test]
fn forks() {
    for threads in [2, 3] {
        let (rounds, found) = search(Flaw::None, threads, time() / 2);
        assert!(found.is_none(), "{}", found.unwrap());
        println!("{rounds} histories of {threads} threads with forks");
    }
}

#[test]
fn planted_bugs_are_found() {
    for flaw in [Flaw::Deaf, Flaw::EndsEarly] {
        let (rounds, found) = search(flaw, 2, Duration::from_secs(60));
        assert!(
            found.is_some(),
            "{flaw:?} went unnoticed in {rounds} rounds"
        );
        println!("{flaw:?}: found in round {rounds}");
    }
}
