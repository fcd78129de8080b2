//! `aiter_forker` over a source that is always ready, with forks that lose nothing, and with bounds
//! of their own beside each other. An active fork may have to wait while another call is in
//! progress, or while a fork with `wait(n)` holds the source up; a passive one while nothing new
//! was pulled; one that may miss items also while another call is in progress. A fork that waited
//! is woken when it can go on.
//!
//! A poll that pulls an item has two steps: others may pull more before it takes the item, of which
//! a fork with `skip(n)` may miss some, and such a fork may have to wait after it has pulled.

use crate::{
    PollTracker, Source,
    checker::{Call, Event, Model, history, linearize},
    pulls,
    race::{Clock, Work, assert_found, race, time},
};
use aiter_core::{
    Fork, aiter_forker,
    bound::{self, Skip, Wait},
};
use fastrand::Rng;
use futures_core::Stream;
use std::{
    cell::RefCell,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

type Id = usize;

/// The result of a poll: how many items were missed, and the next one.
type Taken = Poll<Option<(u8, u8)>>;

/// The bound of a fork.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Own {
    Unbounded,
    Wait(u8),
    Skip(u8),
}

#[derive(Clone, Debug)]
enum Step {
    /// A fork polls the source.
    Pull(Id),
    /// The result, and whether no other call was in progress.
    Poll(Id, Taken, bool),
    Fork(Id, Id, bool),
    Activate(Id),
    Gone(Id),
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Place {
    at: u8,
    is_active: bool,
    own: Own,
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

    /// The number of the next item of a fork.
    fn next(&self, place: Place) -> u8 {
        match place.own {
            Own::Skip(n) => place.at.max(self.pulled.saturating_sub(n)),
            _ => place.at,
        }
    }

    /// Whether a fork holds the source up.
    fn is_held_up(&self) -> bool {
        let is_full =
            |place: &Place| matches!(place.own, Own::Wait(n) if self.pulled - place.at >= n);
        self.forks.iter().any(|(_, place)| is_full(place))
    }
}

impl Model for Pulled {
    type Step = Step;

    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Pull(id) => {
                let place = *self.fork(id);
                let may_pull = place.is_active
                    && self.next(place) == self.pulled
                    && !self.is_held_up()
                    && !self.end_is_known;
                if self.pulled < self.end {
                    self.pulled += 1;
                } else {
                    self.end_is_known = true;
                }
                may_pull
            }
            Step::Poll(id, polled, is_alone) => {
                let place = *self.fork(id);
                let next = self.next(place);
                let is_led = self.forks.iter().any(|(_, fork)| fork.is_active);
                let is_over = self.end_is_known || !is_led;
                match polled {
                    Poll::Ready(Some((missed, item))) => {
                        self.fork(id).at = item + 1;
                        item == next && item < self.pulled && missed == next - place.at
                    }
                    Poll::Ready(None) => next == self.pulled && is_over,
                    Poll::Pending => {
                        let may_collide = place.is_active || matches!(place.own, Own::Skip(_));
                        let has_nothing = next == self.pulled && !is_over;
                        !is_alone && may_collide
                            || has_nothing && (!place.is_active || self.is_held_up())
                    }
                }
            }
            Step::Fork(id, new, is_active) => {
                let place = *self.fork(id);
                self.forks.push((new, Place { is_active, ..place }));
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
    /// Items that were missed are not counted.
    CountsNothing,
    /// Forks get one item further ahead of those with `wait(n)` than they may.
    TooFar,
}

enum Any {
    Unbounded(Fork<Source>),
    Wait(Fork<Source, Wait>),
    Skip(Fork<Source, Skip>),
}

macro_rules! with_fork {
    ($any:expr, $fork:ident => $body:expr) => {
        match $any {
            Any::Unbounded($fork) => $body,
            Any::Wait($fork) => $body,
            Any::Skip($fork) => $body,
        }
    };
}

impl Any {
    fn new(first: &mut Fork<Source>, own: Own) -> Self {
        match own {
            Own::Unbounded => Any::Unbounded(first.fork_passive()),
            Own::Wait(n) => Any::Wait(first.fork_passive_with(bound::wait(n.into()))),
            Own::Skip(n) => Any::Skip(first.fork_passive_with(bound::skip(n.into()))),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Taken {
        match self {
            Any::Unbounded(fork) => Pin::new(fork).poll_next(cx).map(|item| Some((0, item?))),
            Any::Wait(fork) => Pin::new(fork).poll_next(cx).map(|item| Some((0, item?))),
            Any::Skip(fork) => Pin::new(fork).poll_next(cx).map(|seen| {
                let seen = seen?;
                Some((seen.missed as u8, seen.item))
            }),
        }
    }

    fn fork(&mut self, is_active: bool) -> Self {
        match (self, is_active) {
            (Any::Unbounded(fork), true) => Any::Unbounded(fork.fork()),
            (Any::Unbounded(fork), false) => Any::Unbounded(fork.fork_passive()),
            (Any::Wait(fork), true) => Any::Wait(fork.fork()),
            (Any::Wait(fork), false) => Any::Wait(fork.fork_passive()),
            (Any::Skip(fork), true) => Any::Skip(fork.fork()),
            (Any::Skip(fork), false) => Any::Skip(fork.fork_passive()),
        }
    }

    fn activate(&mut self) {
        with_fork!(self, fork => fork.activate());
    }

    fn is_active(&self) -> bool {
        with_fork!(self, fork => fork.is_active())
    }
}

struct Held {
    fork: Any,
    id: Id,
    tracker: PollTracker,
}

struct Actor {
    flaw: Flaw,
    forks: Vec<Held>,
    next_id: Id,
    calls: Vec<Call<Step>>,
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
        let begin = clock.now();
        let steps = match kind {
            0..10 => {
                let (fork, pulls_before) = (&mut held.fork, pulls());
                let mut polled = held.tracker.poll_with(|cx| fork.poll(cx));
                if self.flaw == Flaw::EndsEarly && polled.is_pending() && !held.fork.is_active() {
                    polled = Poll::Ready(None);
                }
                if self.flaw == Flaw::CountsNothing {
                    polled = polled.map(|taken| taken.map(|(_, item)| (0, item)));
                }
                let mut steps = vec![Step::Pull(id); pulls() - pulls_before];
                steps.push(Step::Poll(id, polled, false));
                steps
            }
            10..13 => {
                let is_active = kind < 11;
                let fork = held.fork.fork(is_active);
                self.adopt(fork);
                vec![Step::Fork(id, new, is_active)]
            }
            13 => {
                held.fork.activate();
                // Until it is polled it waits as before, but for less.
                held.tracker.is_served();
                vec![Step::Activate(id)]
            }
            _ => {
                drop(self.forks.swap_remove(chosen).fork);
                vec![Step::Gone(id)]
            }
        };
        self.calls.push((steps, begin, clock.now()));
    }

    fn adopt(&mut self, fork: Any) {
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

/// Notes which polls no other call overlapped.
fn note_alone(events: &mut [Event<Step>], calls: &[(u64, u64)]) {
    for event in events {
        let (begin, end) = event.during;
        if let Step::Poll(_, _, is_alone) = &mut event.step {
            let overlaps = |call: &&(u64, u64)| call.0 < end && begin < call.1;
            *is_alone = calls.iter().filter(overlaps).count() == 1;
        }
    }
}

/// A bound for one of several forks.
fn own(rng: &mut Rng) -> Own {
    match rng.u8(..4) {
        0 => Own::Unbounded,
        1 => Own::Wait(rng.u8(1..3)),
        _ => Own::Skip(rng.u8(1..3)),
    }
}

fn search(flaw: Flaw, threads: usize, is_mixed: bool, longest: Duration) -> (u64, Option<String>) {
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
            let mut first = aiter_forker(Source {
                items: 0..end,
                is_slow: rng.u8(..8) == 0,
            });
            let mut work = Vec::new();
            for t in 0..threads {
                let is_active = t == 0 || rng.bool();
                let own = if is_mixed {
                    own(&mut rng)
                } else {
                    Own::Unbounded
                };
                let mut fork = Any::new(&mut first, own);
                if is_active {
                    fork.activate();
                }
                let own = match own {
                    Own::Wait(n) if flaw == Flaw::TooFar => Own::Wait(n - 1),
                    own => own,
                };
                let at = 0;
                model.forks.push((t * 10, Place { at, is_active, own }));
                let mut actor = Actor {
                    flaw,
                    forks: Vec::new(),
                    next_id: t * 10,
                    calls: Vec::new(),
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
            let calls = || actors.iter().flat_map(|actor| &actor.calls);
            let mut events = history(calls());
            let times: Vec<_> = calls().map(|(_, begin, end)| (*begin, *end)).collect();
            note_alone(&mut events, &times);
            let mut wrong = None;
            if linearize(initial, &events).is_none() {
                wrong = Some("no order of the model".to_owned());
            }
            // All at once, because polling one may wake another.
            let slept: Vec<Id> = actors
                .iter()
                .flat_map(|actor| &actor.forks)
                .filter(|held| held.tracker.is_waiting())
                .map(|held| held.id)
                .collect();
            for held in actors.iter_mut().flat_map(|actor| &mut actor.forks) {
                let Held { fork, id, tracker } = held;
                if slept.contains(id) && tracker.poll_with(|cx| fork.poll(cx)).is_ready() {
                    wrong = Some(format!("fork {id} waits on"));
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
        let (rounds, found) = search(Flaw::None, threads, false, time() / 2);
        assert!(found.is_none(), "{}", found.unwrap());
        println!("{rounds} histories of {threads} threads with forks");
    }
}

#[test]
fn forks_with_bounds_of_their_own() {
    for threads in [2, 3] {
        let (rounds, found) = search(Flaw::None, threads, true, time() / 2);
        assert!(found.is_none(), "{}", found.unwrap());
        println!("{rounds} histories of {threads} threads with forks of several bounds");
    }
}

#[test]
fn planted_bugs_are_found() {
    for flaw in [Flaw::Deaf, Flaw::EndsEarly] {
        assert_found(flaw, |time| search(flaw, 2, false, time));
    }
    for flaw in [Flaw::CountsNothing, Flaw::TooFar, Flaw::Deaf] {
        assert_found(flaw, |time| search(flaw, 2, true, time));
    }
}
