//! Push hubs: readers come at any time, and go, and there may be none.
//!
//! As with the push list a push has two steps, reserve and publish, and a stop has two. A reader
//! takes its place in one step, at the last items as they are reserved then, and is counted in a
//! second one. So a reader that is counted gets what is pushed from then on. A reader that another
//! thread has yet to give its place may find nothing before its first item; it has everything in
//! the end.

use crate::{
    PollTracker,
    checker::{Call, Event, Model, history, linearize},
    race::{Clock, Work, assert_found, assert_none_found, race},
};
use aiter_core::{PushAiter, PushHub, TryNextError, bound, push_hub};
use fastrand::Rng;
use std::{task::Poll, time::Duration};

type Hub = PushHub<u16, bound::Retain<bound::Unbounded>>;
type Id = usize;

#[derive(Clone, Debug)]
enum Step {
    Reserve(Vec<u16>),
    Publish(u16),
    Refused,
    Close,
    End,
    /// A reader of the last items, at most so many.
    Join(Id, usize),
    /// It is one of `Readers` from here on.
    Counted(Id),
    Next(Id, Result<u16, TryNextError>),
    /// All that is left for a reader once every call has returned.
    Rest(Id, Vec<u16>),
    Fork(Id, Id),
    Dropped(Id),
    Readers(usize),
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Hubs {
    items: Vec<(u16, bool)>,
    closed: bool,
    ended: bool,
    retains: bool,
    readers: Vec<Place>,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Place {
    id: Id,
    at: usize,
    has_taken: bool,
    /// It came after the stop, and nothing is retained: it is never counted.
    is_late: bool,
    is_counted: bool,
}

impl Hubs {
    fn reader(&mut self, id: Id) -> &mut Place {
        self.readers.iter_mut().find(|r| r.id == id).unwrap()
    }

    /// How many items there are up to the first that is not published.
    fn published(&self) -> usize {
        self.items.iter().take_while(|(_, is)| *is).count()
    }
}

impl Model for Hubs {
    type Step = Step;

    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Reserve(ref items) => {
                self.items.extend(items.iter().map(|n| (*n, false)));
                !self.closed
            }
            Step::Publish(n) => {
                self.items.iter_mut().find(|(m, _)| *m == n).unwrap().1 = true;
                true
            }
            Step::Refused => self.closed,
            Step::Close => {
                self.closed = true;
                true
            }
            Step::End => {
                self.ended = true;
                true
            }
            Step::Join(id, last) => {
                let at = self.items.len().saturating_sub(last);
                self.readers.push(Place {
                    id,
                    at,
                    has_taken: false,
                    is_late: self.closed && !self.retains,
                    is_counted: false,
                });
                true
            }
            Step::Counted(id) => {
                let reader = self.reader(id);
                reader.is_counted = !reader.is_late;
                true
            }
            Step::Next(id, result) => {
                let (published, ended) = (self.published(), self.closed);
                let len = self.items.len();
                let items = self.items.clone();
                let Place { at, has_taken, .. } = self.reader(id);
                match result {
                    Ok(n) => {
                        let is_next = *at < published && items[*at].0 == n;
                        (*at, *has_taken) = (*at + 1, true);
                        is_next
                    }
                    Err(TryNextError::Ended) => ended && *at == len,
                    Err(TryNextError::Empty) => *at >= published || !*has_taken,
                }
            }
            Step::Rest(id, ref rest) => {
                let items = self.items.clone();
                let at = self.reader(id).at;
                items[at..].iter().map(|(n, _)| n).eq(rest)
            }
            Step::Fork(id, new) => {
                let fork = Place {
                    id: new,
                    ..self.reader(id).clone()
                };
                self.readers.push(fork);
                true
            }
            Step::Dropped(id) => {
                self.readers.retain(|r| r.id != id);
                true
            }
            Step::Readers(n) => self.readers.iter().filter(|r| r.is_counted).count() == n,
        }
    }
}

/// A bug planted between a thread and the hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flaw {
    None,
    /// A replay gets nothing that was pushed before.
    ForgetsItems,
    /// A push is dropped if there is a reader.
    LosesItems,
    /// A replay gets more than is retained.
    KeepsItems,
    /// A reader is counted before it has its place.
    CountsEarly,
    /// Wakes get lost.
    Deaf,
}

struct Reader {
    aiter: PushAiter<u16>,
    id: Id,
    tracker: PollTracker,
}

struct Actor {
    flaw: Flaw,
    retain: usize,
    hub: Hub,
    readers: Vec<Reader>,
    next_id: Id,
    next_item: u16,
    calls: Vec<Call<Step>>,
}

impl Actor {
    fn item(&mut self) -> u16 {
        self.next_item += 1;
        self.next_item
    }

    fn adopt(&mut self, aiter: PushAiter<u16>) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        self.readers.push(Reader {
            aiter,
            id,
            tracker: PollTracker {
                is_deaf: self.flaw == Flaw::Deaf,
                ..PollTracker::default()
            },
        });
        id
    }

    fn act(&mut self, rng: &mut Rng, clock: &Clock) {
        let kind = rng.u8(..20);
        let chosen = rng.usize(..self.readers.len().max(1));
        let begin = clock.now();
        let steps = match kind {
            0..6 => {
                let n = self.item();
                let loses = self.flaw == Flaw::LosesItems && self.hub.readers() > 1;
                if loses || self.hub.push(n).is_ok() {
                    vec![Step::Reserve(vec![n]), Step::Publish(n)]
                } else {
                    vec![Step::Refused]
                }
            }
            6 => {
                let items = vec![self.item(), self.item()];
                if self.hub.push_all(items.iter().copied()).is_ok() {
                    let published = items.iter().map(|n| Step::Publish(*n)).collect();
                    [vec![Step::Reserve(items)], published].concat()
                } else {
                    vec![Step::Refused]
                }
            }
            7 if rng.u8(..4) == 0 => {
                self.hub.stop();
                vec![Step::Close, Step::End]
            }
            8 => vec![Step::Readers(self.hub.readers())],
            9..12 => {
                let (aiter, last) = match self.flaw {
                    Flaw::ForgetsItems => (self.hub.subscribe(), self.retain),
                    Flaw::KeepsItems => (self.hub.replay(), 1),
                    _ => (self.hub.replay(), self.retain),
                };
                let id = self.adopt(aiter);
                vec![Step::Join(id, last), Step::Counted(id)]
            }
            12 => {
                let early = (self.flaw == Flaw::CountsEarly).then(|| self.hub.subscribe());
                if early.is_some() {
                    // Others may find it meanwhile, on a machine that is busy as well.
                    std::thread::yield_now();
                }
                let aiter = self.hub.subscribe();
                drop(early);
                let id = self.adopt(aiter);
                vec![Step::Join(id, 0), Step::Counted(id)]
            }
            _ if self.readers.is_empty() => return,
            13 => {
                let parent = &mut self.readers[chosen];
                let (aiter, parent) = (parent.aiter.fork(), parent.id);
                vec![Step::Fork(parent, self.adopt(aiter))]
            }
            14 => {
                let Reader { aiter, id, .. } = self.readers.swap_remove(chosen);
                drop(aiter);
                vec![Step::Dropped(id)]
            }
            15..17 => {
                let reader = &mut self.readers[chosen];
                let taken = reader.aiter.try_next();
                if taken.is_ok() {
                    reader.tracker.is_served();
                }
                vec![Step::Next(reader.id, taken)]
            }
            _ => {
                let reader = &mut self.readers[chosen];
                let result = match reader.tracker.poll(&mut reader.aiter) {
                    Poll::Ready(Some(n)) => Ok(n),
                    Poll::Ready(None) => Err(TryNextError::Ended),
                    Poll::Pending => Err(TryNextError::Empty),
                };
                vec![Step::Next(reader.id, result)]
            }
        };
        self.calls.push((steps, begin, clock.now()));
    }
}

/// Work on a hub that has had `pushed` items, so that it begins near the end of a block.
fn search(flaw: Flaw, threads: usize, seed: u64, longest: Duration) -> (u64, Option<String>) {
    let mut found = None;
    let mut rng = Rng::with_seed(seed);
    let pushed = std::cell::Cell::new(0);
    let rounds = race(
        threads,
        longest,
        |_| {
            let retain = match flaw {
                Flaw::ForgetsItems | Flaw::KeepsItems => 2,
                _ => rng.usize(..4),
            };
            let hub: Hub = push_hub(bound::unbounded().retain(retain));
            pushed.set([3, 28, 30, 31, 59, 61, 62][rng.usize(..7)]);
            hub.push_all(0..pushed.get()).unwrap();
            (0..threads)
                .map(|t| {
                    let mut rng = rng.fork();
                    let mut actor = Actor {
                        flaw,
                        retain,
                        hub: hub.clone(),
                        readers: Vec::new(),
                        next_id: t * 10,
                        next_item: 1000 * (t as u16 + 1),
                        calls: Vec::new(),
                    };
                    Box::new(move |clock: &Clock| {
                        for _ in 0..if threads == 2 { 6 } else { 4 } {
                            actor.act(&mut rng, clock);
                        }
                        actor
                    }) as Work<Actor>
                })
                .collect()
        },
        |round, mut actors| {
            let initial = Hubs {
                items: (0..pushed.get()).map(|n| (n, true)).collect(),
                closed: false,
                ended: false,
                retains: actors[0].retain > 0,
                readers: Vec::new(),
            };
            let mut all = history(actors.iter().flat_map(|actor| &actor.calls));
            for reader in actors.iter_mut().flat_map(|actor| &mut actor.readers) {
                let slept = reader.tracker.is_waiting();
                let rest: Vec<_> = std::iter::from_fn(|| reader.aiter.try_next().ok()).collect();
                if slept && !rest.is_empty() {
                    found = Some(format!("round {round} of seed {seed}: not woken: {all:#?}"));
                }
                all.push(Event {
                    step: Step::Rest(reader.id, rest),
                    during: (u64::MAX - 1, u64::MAX),
                    after: None,
                });
            }
            if linearize(initial, &all).is_none() {
                found = Some(format!("round {round} of seed {seed}: {all:#?}"));
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
    for flaw in [
        Flaw::ForgetsItems,
        Flaw::LosesItems,
        Flaw::KeepsItems,
        Flaw::CountsEarly,
        Flaw::Deaf,
    ] {
        assert_found(flaw, |time| search(flaw, 2, 1, time));
    }
}
