//! `sharable_aiter` over a source that is always ready: each item goes to one taker, in order. A
//! taker may have to wait, because another one polls the source or is before it in the queue, but
//! then it is woken.

use crate::{
    PollTracker, Source,
    checker::{Event, Model, linearize},
    let_others_run,
    race::{Clock, Work, race, time},
};
use aiter_core::{Sharable, sharable_aiter};
use fastrand::Rng;
use futures_core::Stream;
use std::{
    cell::Cell,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::*},
    },
    task::{Context, Poll},
    time::Duration,
};

/// The result of a poll.
type Taken = Poll<Option<u8>>;

/// How many items are left.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Left(Range<u8>);

impl Model for Left {
    type Step = Taken;

    fn apply(&mut self, taken: &Taken) -> bool {
        match *taken {
            Poll::Pending => true,
            Poll::Ready(item) => self.0.next() == item,
        }
    }
}

enum Taker {
    Real(Sharable<Source>),
    /// A planted bug: it looks at the next item, and takes it a little later.
    Racy(Arc<AtomicU8>, u8),
}

impl Stream for Taker {
    type Item = u8;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Taken {
        match self.get_mut() {
            Self::Real(taker) => Pin::new(taker).poll_next(cx),
            Self::Racy(next, end) => {
                let item = next.load(Acquire);
                let_others_run();
                next.store(item.saturating_add(1).min(*end), Release);
                Poll::Ready((item < *end).then_some(item))
            }
        }
    }
}

struct Actor {
    taker: Taker,
    tracker: PollTracker,
    calls: Vec<Event<Taken>>,
}

/// Returns the first history that does not fit, and how many there were.
fn search(
    threads: usize,
    is_racy: bool,
    is_deaf: bool,
    longest: Duration,
) -> (u64, Option<String>) {
    let mut found = None;
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let source_end = Cell::new(0);
    let rounds = race(
        threads,
        longest,
        |_| {
            let end = rng.u8(1..12);
            source_end.set(end);
            let shared = sharable_aiter(Source {
                items: 0..end,
                is_slow: is_deaf || rng.u8(..8) == 0,
            });
            let next = Arc::new(AtomicU8::new(0));
            (0..threads)
                .map(|_| {
                    let mut actor = Actor {
                        taker: match is_racy {
                            false => Taker::Real(shared.clone()),
                            true => Taker::Racy(next.clone(), end),
                        },
                        tracker: PollTracker {
                            is_deaf,
                            ..PollTracker::default()
                        },
                        calls: Vec::new(),
                    };
                    Box::new(move |clock: &Clock| {
                        for _ in 0..5 {
                            let begin = clock.now();
                            let step = actor.tracker.poll(&mut actor.taker);
                            actor.calls.push(Event {
                                step,
                                during: (begin, clock.now()),
                                after: None,
                            });
                        }
                        actor
                    }) as Work<Actor>
                })
                .collect()
        },
        |round, actors| {
            let waiting = actors.iter().position(|actor| actor.tracker.is_waiting());
            let events: Vec<_> = actors.into_iter().flat_map(|actor| actor.calls).collect();
            if let Some(waiting) = waiting {
                found = Some(format!(
                    "round {round}: taker {waiting} waits on: {events:#?}"
                ));
            }
            if linearize(Left(0..source_end.get()), &events).is_none() {
                found = Some(format!("round {round}: {events:#?}"));
            }
            found.is_none()
        },
    );
    (rounds, found)
}

#[test]
fn takers() {
    for threads in [2, 3] {
        let (rounds, found) = search(threads, false, false, time() / 2);
        assert!(found.is_none(), "{}", found.unwrap());
        println!("{rounds} histories of {threads} takers");
    }
}

#[test]
fn planted_bugs_are_found() {
    for (is_racy, is_deaf) in [(true, false), (false, true)] {
        let (rounds, found) = search(2, is_racy, is_deaf, Duration::from_secs(60));
        assert!(found.is_some(), "nothing noticed in {rounds} rounds");
        println!("found in round {rounds}");
    }
}
