//! The fixed list, with pushes that are refused when it is full, that wait and that overwrite.
//!
//! A push reserves its position and publishes the item, in two steps. One that overwrites may keep
//! readers from the oldest item a little before it reserves: it *begins* one step earlier. Taking
//! an item is one step, but the slot may count as in use from the call to the return, and so it may
//! while a reader comes or goes. Such a call is *busy*. A subscriber may keep the slots of its time
//! in use until it has taken its first item.

use crate::{
    PollTracker,
    checker::{Call, Event, Model, history, linearize},
    let_others_run,
    race::{Clock, Work, assert_found, assert_none_found, race},
};
use aiter_core::{
    PushError, Stopped, TryNextError,
    fixed::{PushAiter, PushList, PushWhenFree},
};
use fastrand::Rng;
use std::{cell::RefCell, pin::Pin, task::Poll, time::Duration};

const N: usize = 2;
const R: usize = 4;
const P: usize = 3;

type List<const O: bool> = PushList<u16, N, R, P, O>;
type Aiter<const O: bool> = PushAiter<'static, u16, N, R, P, O>;
type Id = usize;

#[derive(Clone, Debug)]
enum Step {
    Begin,
    /// By a push that began to overwrite, or by another one.
    Reserve(u16, bool),
    Publish(u16),
    Full,
    /// A push that overwrites did not find the oldest item free to go.
    InUse,
    Refused,
    /// A push that waits joins the line, which it may do before it finds a slot.
    Joins(Id),
    /// The push waits, or goes on waiting.
    Waits(Id),
    /// It waits no more.
    Leaves(Id),
    Busy,
    Calm,
    Next(Id, Result<u16, TryNextError>),
    Missed(Id, usize),
    /// All that is left for a reader once every call has returned, and what it has missed then.
    Rest(Id, Vec<u16>, usize),
    Fork(Id, Id),
    Subscribe(Id),
    Dropped(Id),
    Close,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Reader {
    id: Id,
    at: usize,
    missed: usize,
    /// It has subscribed, and has not taken its first item.
    is_new: bool,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Fixed {
    n: usize,
    overwrites: bool,
    slots: Vec<(u16, bool)>,
    closed: bool,
    readers: Vec<Reader>,
    waiting: Vec<Id>,
    /// How many calls are between `Begin` and the reservation, and between `Busy` and `Calm`.
    overwriting: usize,
    busy: usize,
}

impl Fixed {
    fn reader(&mut self, id: Id) -> &mut Reader {
        self.readers.iter_mut().find(|r| r.id == id).unwrap()
    }

    /// The position of the oldest item that may be there.
    fn oldest(&self) -> usize {
        self.slots.len().saturating_sub(self.n)
    }

    fn is_full(&self) -> bool {
        let is_unread = |r: &Reader| r.at <= self.oldest();
        self.slots.len() >= self.n && self.readers.iter().any(is_unread)
    }

    /// Whether the slot of the tail may count as in use for another reason.
    fn may_be_in_use(&self) -> bool {
        let oldest = self.slots.get(self.oldest());
        let is_gap = oldest.is_some_and(|(_, is_published)| !is_published);
        let is_new = |r: &Reader| r.is_new;
        is_gap || self.busy > 0 || self.overwriting > 0 || self.readers.iter().any(is_new)
    }

    /// Brings a reader to its next item.
    fn skip(&mut self, id: Id) -> &mut Reader {
        let oldest = if self.overwrites { self.oldest() } else { 0 };
        let reader = self.reader(id);
        reader.missed += oldest.saturating_sub(reader.at);
        reader.at = reader.at.max(oldest);
        reader
    }
}

impl Model for Fixed {
    type Step = Step;

    fn apply(&mut self, step: &Step) -> bool {
        match *step {
            Step::Begin => {
                self.overwriting += 1;
                true
            }
            Step::Reserve(n, overwrites) => {
                let is_gap = self.slots.len() >= self.n && !self.slots[self.oldest()].1;
                let has_room = !is_gap && (overwrites || !self.is_full());
                self.slots.push((n, false));
                self.overwriting -= usize::from(overwrites);
                has_room && !self.closed
            }
            Step::Publish(n) => {
                self.slots.iter_mut().find(|(m, _)| *m == n).unwrap().1 = true;
                true
            }
            Step::Full => !self.closed && (self.is_full() || self.may_be_in_use()),
            Step::InUse => {
                self.overwriting -= 1;
                !self.closed && self.slots.len() >= self.n && self.may_be_in_use()
            }
            Step::Refused => self.closed,
            Step::Joins(id) => {
                self.waiting.push(id);
                true
            }
            Step::Waits(id) => {
                let others = self.waiting.iter().any(|waiting| *waiting != id);
                let waits = self.is_full() || self.may_be_in_use() || others;
                self.waiting.retain(|waiting| *waiting != id);
                self.waiting.push(id);
                waits && !self.closed
            }
            Step::Leaves(id) => {
                self.waiting.retain(|waiting| *waiting != id);
                true
            }
            Step::Busy => {
                self.busy += 1;
                true
            }
            Step::Calm => {
                self.busy -= 1;
                true
            }
            Step::Next(id, result) => {
                let (oldest, is_closed) = (self.oldest(), self.closed);
                let (may_be_kept, slots) = (self.overwriting > 0, self.slots.clone());
                let reader = self.skip(id);
                match result {
                    Ok(n) => {
                        let is_next = slots.get(reader.at) == Some(&(n, true));
                        (reader.at, reader.is_new) = (reader.at + 1, false);
                        is_next
                    }
                    Err(TryNextError::Ended) => is_closed && reader.at == slots.len(),
                    Err(TryNextError::Empty) => match slots.get(reader.at) {
                        Some((_, is_published)) => {
                            !is_published || may_be_kept && reader.at == oldest
                        }
                        None => !is_closed,
                    },
                }
            }
            Step::Missed(id, missed) => {
                // It looks at what it has missed, and goes on later.
                self.clone().skip(id).missed == missed
            }
            Step::Rest(id, ref rest, missed) => {
                let reader = self.skip(id).clone();
                let items = self.slots[reader.at..].iter().map(|(n, _)| n);
                items.eq(rest) && reader.missed == missed
            }
            Step::Fork(id, new) => {
                let fork = Reader {
                    id: new,
                    missed: 0,
                    ..self.skip(id).clone()
                };
                self.readers.push(fork);
                true
            }
            Step::Subscribe(id) => {
                self.readers.push(Reader {
                    id,
                    at: self.slots.len(),
                    missed: 0,
                    is_new: true,
                });
                true
            }
            Step::Dropped(id) => {
                self.readers.retain(|r| r.id != id);
                true
            }
            Step::Close => {
                self.closed = true;
                true
            }
        }
    }
}

/// A push that overwrites, where the list is of that kind.
trait Overwrite {
    fn push_over(&self, n: u16) -> Result<(), PushError<u16>>;
}

impl Overwrite for List<true> {
    fn push_over(&self, n: u16) -> Result<(), PushError<u16>> {
        self.push_overwriting(n)
    }
}

impl Overwrite for List<false> {
    fn push_over(&self, _: u16) -> Result<(), PushError<u16>> {
        unreachable!("this list is not overwritten")
    }
}

/// A bug planted between a thread and the list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flaw {
    None,
    /// The list holds one item more than it says.
    TooMany,
    /// A push that has seen the list open is accepted, though it may have been stopped since.
    LosesItems,
    /// An item that was overwritten is not counted.
    CountsNothing,
    /// Wakes get lost.
    Deaf,
}

struct Held<const O: bool> {
    aiter: Aiter<O>,
    id: Id,
    tracker: PollTracker,
}

struct Wait<const O: bool> {
    push: PushWhenFree<'static, u16, N, R, P, O>,
    id: Id,
    item: u16,
    tracker: PollTracker,
}

struct Actor<const O: bool> {
    flaw: Flaw,
    list: &'static List<O>,
    readers: Vec<Held<O>>,
    wait: Option<Wait<O>>,
    next_id: Id,
    next_item: u16,
    /// Keeps its first reader.
    keeps_one: bool,
    calls: Vec<Call<Step>>,
}

fn pushed(n: u16, overwrites: bool) -> Vec<Step> {
    vec![Step::Reserve(n, overwrites), Step::Publish(n)]
}

impl<const O: bool> Actor<O>
where
    List<O>: Overwrite,
{
    fn id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    fn tracker(&self) -> PollTracker {
        PollTracker {
            is_deaf: self.flaw == Flaw::Deaf,
            ..PollTracker::default()
        }
    }

    fn adopt(&mut self, aiter: Aiter<O>) -> Id {
        let (id, tracker) = (self.id(), self.tracker());
        self.readers.push(Held { aiter, id, tracker });
        id
    }

    /// Polls the push that waits.
    fn poll_wait(&mut self) -> Vec<Step> {
        let mut wait = self.wait.take().expect("it waits");
        let (id, n) = (wait.id, wait.item);
        let polled = wait
            .tracker
            .poll_with(|cx| Pin::new(&mut wait.push).poll(cx));
        match polled {
            Poll::Pending => {
                self.wait = Some(wait);
                vec![Step::Waits(id)]
            }
            // It has its slot before it leaves the line.
            Poll::Ready(Ok(())) => {
                let (first, last) = (vec![Step::Joins(id)], vec![Step::Leaves(id)]);
                [first, pushed(n, false), last].concat()
            }
            Poll::Ready(Err(Stopped(_))) => vec![Step::Refused, Step::Leaves(id)],
        }
    }

    fn act(&mut self, rng: &mut Rng, clock: &Clock) {
        self.next_item += 1;
        let n = self.next_item;
        let chosen = rng.usize(..self.readers.len().max(1));
        let kind = rng.u8(..24);
        let begin = clock.now();
        let steps = match kind {
            0..3 => match self.list.push(n) {
                Ok(()) => pushed(n, false),
                Err(PushError::Full(_)) => vec![Step::Full],
                Err(PushError::Stopped(_)) => vec![Step::Refused],
            },
            3..8 if O => {
                let loses = self.flaw == Flaw::LosesItems && !self.list.is_stopped();
                let_others_run_if(loses);
                match self.list.push_over(n) {
                    Ok(()) => [vec![Step::Begin], pushed(n, true)].concat(),
                    Err(PushError::Full(_)) => vec![Step::Begin, Step::InUse],
                    Err(PushError::Stopped(_)) if loses => {
                        [vec![Step::Begin], pushed(n, true)].concat()
                    }
                    Err(PushError::Stopped(_)) => vec![Step::Refused],
                }
            }
            3..8 => {
                let loses = self.flaw == Flaw::LosesItems && !self.list.is_stopped();
                let_others_run_if(loses);
                match self.list.push(n) {
                    Ok(()) => pushed(n, false),
                    Err(PushError::Full(_)) => vec![Step::Full],
                    Err(PushError::Stopped(_)) if loses => pushed(n, false),
                    Err(PushError::Stopped(_)) => vec![Step::Refused],
                }
            }
            8..11 => {
                if self.wait.is_none() {
                    let (id, tracker) = (self.id(), self.tracker());
                    let push = self.list.push_when_free(n);
                    self.wait = Some(Wait {
                        push,
                        id,
                        item: n,
                        tracker,
                    });
                }
                self.poll_wait()
            }
            11 => {
                let Some(wait) = self.wait.take() else { return };
                drop(wait.push);
                vec![Step::Leaves(wait.id)]
            }
            12 if rng.u8(..4) == 0 => {
                self.list.stop();
                vec![Step::Close]
            }
            13 => {
                let Some(aiter) = self.list.subscribe() else {
                    return;
                };
                let id = self.adopt(aiter);
                vec![Step::Busy, Step::Subscribe(id), Step::Calm]
            }
            _ if self.readers.is_empty() => return,
            14 => {
                let parent = &mut self.readers[chosen];
                let (parent, fork) = (parent.id, parent.aiter.fork());
                let Some(fork) = fork else { return };
                let id = self.adopt(fork);
                vec![Step::Busy, Step::Fork(parent, id), Step::Calm]
            }
            15 if self.readers.len() > usize::from(self.keeps_one) => {
                let held = self.readers.pop().unwrap();
                drop(held.aiter);
                vec![Step::Busy, Step::Dropped(held.id), Step::Calm]
            }
            16 => {
                let Held { aiter, id, .. } = &self.readers[chosen];
                let missed = match self.flaw {
                    Flaw::CountsNothing => 0,
                    _ => aiter.missed(),
                };
                vec![Step::Missed(*id, missed)]
            }
            _ => {
                let Held { aiter, id, tracker } = &mut self.readers[chosen];
                let result = if kind < 20 {
                    let taken = aiter.try_next();
                    if taken.is_ok() {
                        tracker.is_served();
                    }
                    taken
                } else {
                    match tracker.poll(aiter) {
                        Poll::Ready(Some(n)) => Ok(n),
                        Poll::Ready(None) => Err(TryNextError::Ended),
                        Poll::Pending => Err(TryNextError::Empty),
                    }
                };
                vec![Step::Busy, Step::Next(*id, result), Step::Calm]
            }
        };
        self.calls.push((steps, begin, clock.now()));
    }
}

fn let_others_run_if(condition: bool) {
    if condition {
        let_others_run();
    }
}

fn search<const O: bool>(
    flaw: Flaw,
    threads: usize,
    seed: u64,
    longest: Duration,
) -> (u64, Option<String>)
where
    List<O>: Overwrite,
{
    let mut found = None;
    let mut rng = Rng::with_seed(seed);
    let initial = RefCell::new(None);
    let rounds = race(
        threads,
        longest,
        |_| {
            let owner = Box::into_raw(Box::new(List::<O>::new()));
            // SAFETY: it is freed when nobody borrows it any more.
            let list: &'static List<O> = unsafe { &*owner };
            let mut first = list.aiter().unwrap();
            // It begins at any slot, and it may be full.
            for n in 0..rng.u16(..5) {
                list.push(n).unwrap();
                assert_eq!(first.try_next(), Ok(n));
            }
            let there = rng.u16(..=N as u16);
            (0..there).for_each(|n| list.push(n).unwrap());
            let mut first = Some(first);
            let actors: Vec<_> = (0..threads)
                .map(|t| {
                    let mut actor = Actor {
                        flaw,
                        list,
                        readers: Vec::new(),
                        wait: None,
                        next_id: t * 100,
                        next_item: 1000 * (t as u16 + 1),
                        keeps_one: t == 0,
                        calls: Vec::new(),
                    };
                    if let Some(first) = first.take() {
                        actor.adopt(first);
                    }
                    actor
                })
                .collect();
            let model = Fixed {
                n: N - usize::from(flaw == Flaw::TooMany),
                overwrites: O,
                slots: (0..there).map(|n| (n, true)).collect(),
                closed: false,
                readers: vec![Reader {
                    id: 1,
                    at: 0,
                    missed: 0,
                    is_new: false,
                }],
                waiting: Vec::new(),
                overwriting: 0,
                busy: 0,
            };
            *initial.borrow_mut() = Some((owner, model));
            actors
                .into_iter()
                .map(|mut actor| {
                    let mut rng = rng.fork();
                    Box::new(move |clock: &Clock| {
                        for _ in 0..if threads == 2 { 7 } else { 4 } {
                            actor.act(&mut rng, clock);
                        }
                        actor
                    }) as Work<Actor<O>>
                })
                .collect()
        },
        |round, mut actors| {
            let (owner, initial) = initial.borrow_mut().take().unwrap();
            let mut events = history(actors.iter().flat_map(|actor| &actor.calls));
            let mut wrong = None;
            // First those that sleep, because polling another one may wake them.
            for wait in actors.iter_mut().filter_map(|actor| actor.wait.as_mut()) {
                let Wait { push, tracker, .. } = wait;
                if tracker.is_waiting()
                    && tracker.poll_with(|cx| Pin::new(push).poll(cx)).is_ready()
                {
                    wrong = Some("a push was not woken");
                }
            }
            if wrong.is_none() {
                for held in actors.iter_mut().flat_map(|actor| &mut actor.readers) {
                    let slept = held.tracker.is_waiting();
                    let rest: Vec<_> = std::iter::from_fn(|| held.aiter.try_next().ok()).collect();
                    if slept && !rest.is_empty() {
                        wrong = Some("a reader was not woken");
                    }
                    let missed = match flaw {
                        Flaw::CountsNothing => 0,
                        _ => held.aiter.missed(),
                    };
                    events.push(Event {
                        step: Step::Rest(held.id, rest, missed),
                        during: (u64::MAX - 1, u64::MAX),
                        after: None,
                    });
                }
                if linearize(initial, &events).is_none() {
                    wrong = Some("no order of the model");
                }
            }
            drop(actors);
            // SAFETY: it comes from a box, and the actors had all that borrows the list.
            drop(unsafe { Box::from_raw(owner) });
            found =
                wrong.map(|wrong| format!("{wrong}, round {round} of seed {seed}: {events:#?}"));
            found.is_none()
        },
    );
    (rounds, found)
}

#[test]
fn two_threads() {
    assert_none_found("of two threads", |seed, time| {
        search::<false>(Flaw::None, 2, seed, time)
    });
}

#[test]
fn three_threads() {
    assert_none_found("of three threads", |seed, time| {
        search::<false>(Flaw::None, 3, seed, time)
    });
}

#[test]
fn two_threads_that_overwrite() {
    assert_none_found("of two threads that overwrite", |seed, time| {
        search::<true>(Flaw::None, 2, seed, time)
    });
}

#[test]
fn three_threads_that_overwrite() {
    assert_none_found("of three threads that overwrite", |seed, time| {
        search::<true>(Flaw::None, 3, seed, time)
    });
}

/// Each of these has to be found, or the tests above prove nothing.
#[test]
fn planted_bugs_are_found() {
    for flaw in [Flaw::TooMany, Flaw::LosesItems, Flaw::Deaf] {
        assert_found(flaw, |time| search::<false>(flaw, 2, 1, time));
    }
    for flaw in [Flaw::LosesItems, Flaw::CountsNothing, Flaw::Deaf] {
        assert_found(flaw, |time| search::<true>(flaw, 2, 1, time));
    }
}
