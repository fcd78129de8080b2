//! The push list.
//!
//! Push and stop have one order, and each item has one place in it. Consumers *see* an item a
//! little later, once it and all items before it are published, so a pusher that is in progress
//! holds back the items behind its own. Therefore a push has two steps, reserve and publish. A
//! batch is one reservation and a publication for each item. A stop has two steps too. A
//! subscription takes a place that never holds an item, and then becomes a reader if any reader is
//! left. The last pusher to be dropped can no longer be upgraded to a little before it closes the
//! list. A take of many items is a step for each of them, and one that finds no more. Everything
//! else is one step.

use crate::{
    PollTracker,
    checker::{Call, Model, history, linearize},
    let_others_run,
    race::{Clock, Work, assert_found, assert_none_found, race},
};
use aiter_core::{PushAiter, Pusher, TryNextError, UntilStopped, WeakPusher, push_aiter};
use fastrand::Rng;
use std::{
    cell::RefCell,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Consumers are numbered, and so are calls.
type Id = usize;

#[derive(Clone, Debug)]
pub enum Step {
    Reserve(Vec<u16>),
    Publish(u16),
    Refused,
    Close(Id),
    End(Id),
    PusherGone(Id),
    CloseIfLast(Id),
    Upgrade(bool),
    Next(Id, Result<u16, TryNextError>),
    NoMore(Id),
    Len(Id, usize),
    IsStopped(bool),
    Fork(Id, Id),
    Subscribe(Id),
    Join(Id),
    Subscribed(Id),
    Dropped(Id),
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Slot {
    Item(u16),
    Subscriber(Id),
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Place {
    At(usize),
    /// It has its place, but is no reader yet.
    Joining(usize),
    Ended,
    Dropped,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct List {
    slots: Vec<(Slot, bool)>,
    closed_by: Option<Id>,
    ended: bool,
    pushers: usize,
    /// The call that dropped the last pusher.
    last_pusher: Option<Id>,
    consumers: Vec<(Id, Place)>,
}

/// Stands for a call that closes the list by dropping its last consumer, and has no second step.
const NOBODY: Id = Id::MAX;

impl List {
    fn new(pushers: usize, consumers: impl Iterator<Item = Id>) -> Self {
        Self {
            slots: Vec::new(),
            closed_by: None,
            ended: false,
            pushers,
            last_pusher: None,
            consumers: consumers.map(|id| (id, Place::At(0))).collect(),
        }
    }

    fn place(&mut self, id: Id) -> &mut Place {
        &mut self.consumers.iter_mut().find(|(i, _)| *i == id).unwrap().1
    }

    fn publish(&mut self, slot: Slot) -> bool {
        let slot = self.slots.iter_mut().find(|(s, _)| *s == slot).unwrap();
        slot.1 = true;
        true
    }

    fn close(&mut self, by: Id) -> bool {
        self.closed_by.get_or_insert(by);
        true
    }

    /// Returns the place of the next item of a consumer, if it is published, and the item.
    fn next(&self, place: Place) -> Option<(usize, u16)> {
        self.seen(place).find_map(|(i, slot)| match slot {
            Slot::Item(n) => Some((i, n)),
            Slot::Subscriber(_) => None,
        })
    }

    /// Returns the published slots from here on, up to the first that is not published.
    fn seen(&self, place: Place) -> impl Iterator<Item = (usize, Slot)> {
        let at = match place {
            Place::At(at) => at,
            _ => self.slots.len(),
        };
        let published = self.slots.iter().enumerate().skip(at);
        published
            .take_while(|(_, (_, published))| *published)
            .map(|(i, (slot, _))| (i, *slot))
    }
}

impl Model for List {
    type Step = Step;

    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Reserve(ref items) => {
                self.slots
                    .extend(items.iter().map(|n| (Slot::Item(*n), false)));
                self.closed_by.is_none()
            }
            Step::Publish(n) => self.publish(Slot::Item(n)),
            Step::Refused => self.closed_by.is_some(),
            Step::Close(call) => self.close(call),
            Step::End(call) => {
                self.ended |= self.closed_by == Some(call);
                true
            }
            Step::PusherGone(call) => {
                self.pushers -= 1;
                if self.pushers == 0 {
                    self.last_pusher = Some(call);
                }
                true
            }
            Step::CloseIfLast(call) => self.last_pusher != Some(call) || self.close(call),
            Step::Upgrade(is_upgraded) => {
                let upgrades = self.pushers > 0;
                self.pushers += usize::from(upgrades);
                is_upgraded == upgrades
            }
            Step::Next(id, result) => {
                let place = *self.place(id);
                let next = self.next(place);
                let all_seen = match place {
                    Place::At(at) => at + self.seen(place).count() == self.slots.len(),
                    _ => true,
                };
                match next {
                    Some((i, n)) => {
                        *self.place(id) = Place::At(i + 1);
                        result == Ok(n)
                    }
                    None if place == Place::Ended || self.ended && all_seen => {
                        result == Err(TryNextError::Ended)
                    }
                    None => result == Err(TryNextError::Empty),
                }
            }
            Step::NoMore(id) => {
                let place = *self.place(id);
                self.next(place).is_none()
            }
            Step::Len(id, len) => {
                let place = *self.place(id);
                let items = |slot| matches!(slot, Slot::Item(_));
                self.seen(place).filter(|(_, slot)| items(*slot)).count() == len
            }
            Step::IsStopped(is) => self.closed_by.is_some() == is,
            Step::Fork(id, new) => {
                let place = *self.place(id);
                self.consumers.push((new, place));
                true
            }
            Step::Subscribe(id) => {
                let place = if self.closed_by.is_some() {
                    Place::Ended
                } else {
                    self.slots.push((Slot::Subscriber(id), false));
                    Place::Joining(self.slots.len())
                };
                self.consumers.push((id, place));
                true
            }
            Step::Join(id) => {
                // A list whose last reader has been dropped meanwhile stays closed.
                let stays = self
                    .consumers
                    .iter()
                    .any(|(_, place)| matches!(place, Place::At(_)));
                if let Place::Joining(at) = *self.place(id) {
                    *self.place(id) = if stays { Place::At(at) } else { Place::Ended };
                }
                true
            }
            Step::Subscribed(id) => {
                let slot = Slot::Subscriber(id);
                !self.slots.iter().any(|(s, _)| *s == slot) || self.publish(slot)
            }
            Step::Dropped(id) => {
                *self.place(id) = Place::Dropped;
                // A late subscriber is no reader of the list.
                let stays = |place| matches!(place, Place::At(_));
                self.consumers.iter().any(|(_, place)| stays(*place)) || self.close(NOBODY)
            }
        }
    }
}

/// A bug planted between a thread and the list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flaw {
    None,
    /// Every other item is kept back, and pushed after the next one.
    SwapsItems,
    /// A push that has seen the list open is accepted, though the list may have been stopped since.
    LosesItems,
    /// A batch is pushed item by item.
    SplitsBatches,
    /// Wakes get lost.
    Deaf,
}

/// The state that the planted bugs keep between calls.
#[derive(Default)]
struct Plant {
    kept: Mutex<Option<u16>>,
}

struct Consumer {
    aiter: PushAiter<u16>,
    id: Id,
    tracker: PollTracker,
}

/// The handles of one thread, and its recorded calls.
struct Actor {
    flaw: Flaw,
    plant: Arc<Plant>,
    pusher: Option<Pusher<u16>>,
    weak: WeakPusher<u16>,
    /// Waits until the list is stopped.
    until: (UntilStopped<u16>, PollTracker),
    consumers: Vec<Consumer>,
    next_id: Id,
    next_item: u16,
    calls: Vec<Call<Step>>,
}

impl Actor {
    fn push(&self, n: u16) -> bool {
        let pusher = self.pusher.as_ref().unwrap();
        match self.flaw {
            Flaw::SwapsItems => {
                let mut kept = self.plant.kept.lock().unwrap();
                match kept.take() {
                    None => {
                        *kept = Some(n);
                        true
                    }
                    Some(kept) => pusher.push_all([n, kept]).is_ok(),
                }
            }
            Flaw::LosesItems => {
                let is_stopped = pusher.is_stopped();
                let_others_run();
                if !is_stopped {
                    let _lost = pusher.push(n);
                }
                !is_stopped
            }
            _ => pusher.push(n).is_ok(),
        }
    }

    fn push_late(&self, n: u16) -> bool {
        let_others_run();
        self.push(n)
    }

    /// Makes one random call, and records its result.
    fn act(&mut self, rng: &mut Rng, clock: &Clock) {
        let id = self.next_id;
        let call = id * 100 + self.calls.len();
        let chosen = rng.usize(..self.consumers.len().max(1));
        let has_consumer = !self.consumers.is_empty();
        let has_pusher = self.pusher.is_some();
        // Some calls are cheap and some are rare.
        let kind = loop {
            let kind = rng.u8(..28);
            if matches!(kind, 0..9 | 20 | 21) && has_pusher
                || matches!(kind, 9..20 | 22..25) && has_consumer
                || kind == 25 && !has_pusher
                || kind >= 26
            {
                break kind;
            }
            if !has_consumer && !has_pusher {
                return;
            }
        };
        let begin = clock.now();
        let steps = match kind {
            0..4 => {
                let n = self.item();
                if self.push(n) {
                    vec![Step::Reserve(vec![n]), Step::Publish(n)]
                } else {
                    vec![Step::Refused]
                }
            }
            4..6 => {
                let items: Vec<_> = (0..rng.u16(2..4)).map(|_| self.item()).collect();
                let pusher = self.pusher.as_ref().unwrap();
                let accepted = if self.flaw == Flaw::SplitsBatches {
                    items.iter().filter(|n| self.push_late(**n)).count() > 0
                } else {
                    pusher.push_all(items.iter().copied()).is_ok()
                };
                if accepted {
                    let published = items.iter().map(|n| Step::Publish(*n)).collect::<Vec<_>>();
                    [vec![Step::Reserve(items)], published].concat()
                } else {
                    vec![Step::Refused]
                }
            }
            6 => {
                let pusher = self.pusher.as_ref().unwrap();
                pusher.stop();
                vec![Step::Close(call), Step::End(call)]
            }
            7 => vec![Step::IsStopped(self.pusher.as_ref().unwrap().is_stopped())],
            8 => {
                drop(self.pusher.take());
                vec![
                    Step::PusherGone(call),
                    Step::CloseIfLast(call),
                    Step::End(call),
                ]
            }
            9..13 => {
                let consumer = &mut self.consumers[chosen];
                let taken = consumer.aiter.try_next();
                if taken.is_ok() {
                    consumer.tracker.is_served();
                }
                vec![Step::Next(consumer.id, taken)]
            }
            13..16 => {
                let consumer = &mut self.consumers[chosen];
                let polled = consumer.tracker.poll(&mut consumer.aiter);
                let result = match polled {
                    Poll::Ready(Some(n)) => Ok(n),
                    Poll::Ready(None) => Err(TryNextError::Ended),
                    Poll::Pending => Err(TryNextError::Empty),
                };
                vec![Step::Next(consumer.id, result)]
            }
            16 => {
                let consumer = &self.consumers[chosen];
                vec![Step::Len(consumer.id, consumer.aiter.len())]
            }
            17 => {
                let consumer = &self.consumers[chosen];
                vec![Step::IsStopped(consumer.aiter.is_stopped())]
            }
            18 | 19 => {
                let parent = &mut self.consumers[chosen];
                let (aiter, parent) = (parent.aiter.fork(), parent.id);
                self.adopt(aiter);
                vec![Step::Fork(parent, id)]
            }
            23 | 24 => {
                let Consumer { aiter, id, tracker } = &mut self.consumers[chosen];
                let (mut items, limit) = (Vec::new(), rng.usize(1..4));
                let polled =
                    tracker.poll_with(|cx| pin!(aiter.next_many(&mut items, limit)).poll(cx));
                let error = match polled {
                    Poll::Ready(0) => Some(Step::Next(*id, Err(TryNextError::Ended))),
                    Poll::Ready(taken) => (taken < limit).then_some(Step::NoMore(*id)),
                    Poll::Pending => Some(Step::Next(*id, Err(TryNextError::Empty))),
                };
                let taken = items.into_iter().map(|n| Step::Next(*id, Ok(n)));
                taken.chain(error).collect()
            }
            25 => {
                self.pusher = self.weak.upgrade();
                vec![Step::Upgrade(self.pusher.is_some())]
            }
            26 | 27 => {
                let (until, tracker) = &mut self.until;
                let polled = tracker.poll_with(|cx| Pin::new(until).poll(cx));
                vec![Step::IsStopped(polled.is_ready())]
            }
            20 | 21 => {
                let aiter = self.pusher.as_ref().unwrap().subscribe();
                self.adopt(aiter);
                vec![Step::Subscribe(id), Step::Join(id), Step::Subscribed(id)]
            }
            _ => {
                let dropped = self.consumers.swap_remove(chosen);
                drop(dropped.aiter);
                vec![Step::Dropped(dropped.id)]
            }
        };
        self.calls.push((steps, begin, clock.now()));
    }

    fn item(&mut self) -> u16 {
        self.next_item += 1;
        self.next_item
    }

    fn adopt(&mut self, aiter: PushAiter<u16>) {
        self.consumers.push(Consumer {
            aiter,
            id: self.next_id,
            tracker: PollTracker {
                is_deaf: self.flaw == Flaw::Deaf,
                ..PollTracker::default()
            },
        });
        self.next_id += 1;
    }
}

/// Random work for several threads on a list that has had `offset` items, so that it begins near
/// the end of a state word and of a block.
fn actors(rng: &mut Rng, flaw: Flaw, threads: usize) -> Vec<Actor> {
    let offset = [0, 28, 30, 31, 59, 61, 62][rng.usize(..7)];
    let (pusher, mut first) = push_aiter();
    pusher.push_all(0..offset).unwrap();
    for n in 0..offset {
        assert_eq!(first.try_next(), Ok(n));
    }
    let plant = Arc::<Plant>::default();
    let mut actors: Vec<_> = (0..threads)
        .map(|t| Actor {
            flaw,
            plant: plant.clone(),
            pusher: Some(pusher.clone()),
            weak: pusher.downgrade(),
            until: (
                pusher.stopped(),
                PollTracker {
                    is_deaf: flaw == Flaw::Deaf,
                    ..PollTracker::default()
                },
            ),
            consumers: Vec::new(),
            next_id: t * 10,
            next_item: 1000 * (t as u16 + 1),
            calls: Vec::new(),
        })
        .collect();
    let forks = rng.usize(..threads);
    for actor in &mut actors[..forks] {
        actor.adopt(first.fork());
    }
    actors[threads - 1].adopt(first);
    actors
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
            let actors = actors(&mut rng, flaw, threads);
            let ids = actors.iter().flat_map(|a| a.consumers.iter().map(|c| c.id));
            *initial.borrow_mut() = Some(List::new(threads, ids));
            let calls = if threads == 2 { 5 } else { 4 };
            actors
                .into_iter()
                .map(|mut actor| {
                    let mut rng = rng.fork();
                    Box::new(move |clock: &Clock| {
                        for _ in 0..calls {
                            actor.act(&mut rng, clock);
                        }
                        actor
                    }) as Work<Actor>
                })
                .collect()
        },
        |round, mut actors| {
            let events = history(actors.iter().flat_map(|actor| &actor.calls));
            let initial = initial.borrow_mut().take().unwrap();
            if linearize(initial, &events).is_none() {
                found = Some(format!("round {round} of seed {seed}: {events:#?}"));
            }
            for (until, tracker) in actors.iter_mut().map(|actor| &mut actor.until) {
                let mut cx = Context::from_waker(Waker::noop());
                if tracker.is_waiting() && Pin::new(until).poll(&mut cx).is_ready() {
                    found = Some(format!(
                        "round {round} of seed {seed}: a wait for the stop was not woken: {events:#?}",
                    ));
                }
            }
            for consumer in actors.iter_mut().flat_map(|actor| &mut actor.consumers) {
                if consumer.tracker.is_waiting()
                    && consumer.aiter.try_next() != Err(TryNextError::Empty)
                {
                    found = Some(format!(
                        "round {round} of seed {seed}: consumer {} was not woken: {events:#?}",
                        consumer.id
                    ));
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

/// Each of these has to be found, or the test above proves nothing.
#[test]
fn planted_bugs_are_found() {
    for flaw in [
        Flaw::SwapsItems,
        Flaw::LosesItems,
        Flaw::SplitsBatches,
        Flaw::Deaf,
    ] {
        assert_found(flaw, |time| search(flaw, 2, 1, time));
    }
}
