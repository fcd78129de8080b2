//! Push lists and bounded push lists.

use super::ThenPause;
use crate::cancellation::{
    harness::{Item, Source, next, pause},
    setup::{Expected, Setup, Subject, driver_part, items},
};
use aiter_core::{BoundedAiter, PushAiter, push_aiter, push_aiter_bounded, push_aiter_with};
use futures_core::Stream;
use futures_sink::Sink;
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Mutex,
    task::{Context, Poll, ready},
};

/// A list whose items are taken many at a time.
trait NextMany: Unpin {
    fn poll_many(&mut self, items: &mut Vec<Item>, cx: &mut Context<'_>) -> Poll<usize>;
}

impl NextMany for PushAiter<Item> {
    fn poll_many(&mut self, items: &mut Vec<Item>, cx: &mut Context<'_>) -> Poll<usize> {
        pin!(self.next_many(items, 3)).poll(cx)
    }
}

impl NextMany for BoundedAiter<Item> {
    fn poll_many(&mut self, items: &mut Vec<Item>, cx: &mut Context<'_>) -> Poll<usize> {
        pin!(self.next_many(items, 3)).poll(cx)
    }
}

/// Takes items many at a time. Each poll makes a future and drops it.
struct ByMany<A> {
    aiter: A,
    items: Vec<Item>,
}

impl<A: NextMany> Stream for ByMany<A> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let Self { aiter, items } = &mut *self;
        if items.is_empty() {
            let taken = ready!(aiter.poll_many(items, cx));
            assert_eq!(items.len(), taken);
            items.reverse();
        }
        Poll::Ready(items.pop())
    }
}

pub(super) const SUBJECTS: &[Subject] = &[
    ("push_aiter", || {
        let (pusher, mut aiter) = push_aiter();
        let streams = [items(aiter.fork()), items(pusher.subscribe()), items(aiter)];
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::All, streams, [driver_part(pushing)])
    }),
    ("push_aiter_bounded, BoundedPush", || {
        let (pusher, mut aiter) = push_aiter_bounded(2);
        let streams = [items(aiter.fork()), items(pusher.subscribe()), items(aiter)];
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).await.is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::Together, streams, [driver_part(pushing)])
    }),
    ("push_aiter_bounded, reserve, Reserve", || {
        let (pusher, aiter) = push_aiter_bounded(1);
        let mut source = Source::new();
        let pushing = async move {
            while let Ok(permit) = pusher.reserve().await {
                let Some(item) = next(&mut source).await else {
                    return;
                };
                if permit.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::All, [items(aiter)], [driver_part(pushing)])
    }),
    ("push_aiter_bounded, reserve_owned, ReserveOwned", || {
        let (pusher, mut aiter) = push_aiter_bounded(1);
        let streams = [items(aiter.fork_passive()), items(aiter)];
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                let Ok(permit) = pusher.reserve_owned().await else {
                    return;
                };
                pause().await;
                if permit.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::Together, streams, [driver_part(pushing)])
    }),
    ("push_aiter_bounded, into_sink", || {
        let (pusher, mut aiter) = push_aiter_bounded(1);
        let streams = [items(aiter.fork()), items(aiter)];
        let (mut sink, mut source) = (pusher.into_sink(), Source::new());
        let pushing = async move {
            while let Ok(()) = poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await {
                let Some(item) = next(&mut source).await else {
                    return;
                };
                if Pin::new(&mut sink).start_send(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::Together, streams, [driver_part(pushing)])
    }),
    ("push_aiter_bounded, BoundedNextMany", || {
        let (pusher, mut aiter) = push_aiter_bounded(2);
        let streams = [aiter.fork(), aiter].map(|aiter| {
            let items = Vec::new();
            self::items(ByMany { aiter, items })
        });
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).await.is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::Together, streams, [driver_part(pushing)])
    }),
    ("push_aiter_with", || {
        let source = Mutex::new(Source::new());
        let (pusher, aiter) = push_aiter_with(move |pusher| match source.lock().unwrap().now() {
            Some(item) => drop(pusher.push(item)),
            None => pusher.stop(),
        });
        // The pusher keeps the list open beyond its end.
        Setup::outlived_by(Box::pin(aiter.then_pause()), move || drop(pusher))
    }),
    ("next_many, NextMany", || {
        let (pusher, mut aiter) = push_aiter();
        let readers = [aiter.fork(), pusher.subscribe(), aiter];
        let streams = readers.map(|aiter| {
            let items = Vec::new();
            self::items(ByMany { aiter, items })
        });
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).is_err() {
                    return;
                }
            }
        };
        Setup::of(Expected::All, streams, [driver_part(pushing)])
    }),
    ("stopped, UntilStopped", || {
        let (pusher, aiter) = push_aiter();
        let waiting = [(); 2].map(|()| {
            let (until, weak) = (pusher.stopped(), pusher.downgrade());
            driver_part(async move {
                until.await;
                assert!(weak.upgrade().is_none_or(|pusher| pusher.is_stopped()));
            })
        });
        let mut source = Source::new();
        let pushing = async move {
            while let Some(item) = next(&mut source).await {
                if pusher.push(item).is_err() {
                    return;
                }
            }
            pusher.stop();
            // It is not the drop of the last pusher that tells the others.
            pusher.stopped().await;
        };
        let drivers = waiting.into_iter().chain([driver_part(pushing)]);
        Setup::of(Expected::All, [items(aiter)], drivers)
    }),
];
