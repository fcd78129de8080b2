//! The subjects: each with room for four items where it is bounded.

#![allow(
    clippy::await_holding_refcell_ref,
    reason = "a reader has one future at a time, which is the only borrower"
)]

use crate::task::{Got, Item, OfFuture, OfStream, Reader, Waiting};
use aiter_conformance::{
    Feed,
    source::{Remote, Source, source},
};
use aiter_core::{
    Fork,
    bound::{self, Seen},
    push_aiter_bounded, push_hub,
};
use futures::{FutureExt, StreamExt, future::Shared, stream::Map};
use std::{cell::RefCell, pin::Pin, rc::Rc, sync::Arc};

/// The room of those that are bounded.
const ROOM: usize = 4;

/// What came of an item that was sent without waiting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
    Yes,
    Full,
    Refused,
}

/// A subject, set up. What it does not have is `None`.
pub(crate) struct Channel {
    /// Sends without waiting. For a stream that is shared, the source has one more item.
    pub(crate) send: Box<dyn FnMut(u64) -> Sent>,
    /// Sends when there is room.
    pub(crate) send_when_free: Option<Box<dyn Fn(u64) -> Waiting<bool>>>,
    /// Makes one more reader, if there can be one more.
    pub(crate) subscribe: Box<dyn FnMut() -> Option<Box<dyn Reader>>>,
    /// Makes a reader that gets what is retained first.
    pub(crate) replay: Option<Box<dyn FnMut() -> Box<dyn Reader>>>,
    /// Makes the next poll of the source panic.
    pub(crate) panic: Option<Box<dyn FnMut()>>,
}

/// The package of ours.
pub(crate) const OURS: &str = "aiter-core";

/// An implementation to probe.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The package that it comes from.
    pub(crate) package: &'static str,
    pub(crate) make: fn() -> Channel,
}

const fn subject(name: &'static str, package: &'static str, make: fn() -> Channel) -> Subject {
    Subject {
        name,
        package,
        make,
    }
}

/// Ours, whose readers see each item of a list.
pub(crate) const PUSH_HUB: &str = "`push_hub`, unbounded";
/// Ours, whose readers share a stream.
pub(crate) const FORK_HUB: &str = "`aiter_forker` and its hub";
pub(crate) const TOKIO: &str = "tokio `broadcast`";
pub(crate) const SHARED: &str = "`futures::Shared`, chained by hand";
pub(crate) const ASYNC_BROADCAST: &str = "async-broadcast";
pub(crate) const MUTEX: &str = "`Arc<Mutex<Stream>>`";

pub(crate) const SUBJECTS: &[Subject] = &[
    subject(PUSH_HUB, OURS, || {
        pushed(push_hub(bound::unbounded().retain(2)), Got::Item)
    }),
    subject("`push_hub`, `skip(4)`", OURS, || {
        pushed(push_hub(bound::skip(ROOM).retain(2)), seen)
    }),
    subject("`push_hub`, `latest()`", OURS, || {
        pushed(push_hub(bound::latest()), seen)
    }),
    subject(FORK_HUB, OURS, || {
        forked(bound::unbounded().retain(2), Got::Item)
    }),
    subject("`aiter_forker`, `wait(4)`", OURS, || {
        forked(bound::wait(ROOM).retain(2), Got::Item)
    }),
    subject("`aiter_forker`, `skip(4)`", OURS, || {
        forked(bound::skip(ROOM).retain(2), seen)
    }),
    subject("`push_aiter_bounded(4)`, `reserve`", OURS, bounded),
    subject(TOKIO, "tokio", tokio_broadcast),
    subject("tokio `watch`", "tokio", tokio_watch),
    subject("tokio `mpsc`, `reserve`", "tokio", tokio_mpsc),
    subject(ASYNC_BROADCAST, "async-broadcast", || {
        async_broadcast(false)
    }),
    subject("async-broadcast, overflow", "async-broadcast", || {
        async_broadcast(true)
    }),
    subject("asyncband `broadcast`", "asyncband", asyncband),
    subject("postage `broadcast`", "postage", postage_broadcast),
    subject("postage `watch`", "postage", postage_watch),
    subject("postage `dispatch`", "postage", postage_dispatch),
    subject(SHARED, "futures", shared),
    subject(MUTEX, "tokio", mutex),
];

fn seen(seen: Seen<Item>) -> Got {
    Got::Seen(seen.missed as u64, seen.item)
}

fn of_stream<T: 'static, S>(stream: S, got: fn(T) -> Got) -> Box<dyn Reader>
where
    S: futures_core::Stream<Item = T> + 'static,
{
    Box::new(OfStream(Box::pin(stream), got))
}

fn of_future<R: 'static>(receiver: R, next: fn(Rc<RefCell<R>>) -> Waiting<Got>) -> Box<dyn Reader> {
    Box::new(OfFuture::new(receiver, next))
}

/// Readers of `first`, and then of those that `another` makes.
fn readers<R: 'static>(
    first: R,
    mut another: impl FnMut() -> Option<R> + 'static,
    reader: impl Fn(R) -> Box<dyn Reader> + 'static,
) -> Box<dyn FnMut() -> Option<Box<dyn Reader>>> {
    let mut first = Some(first);
    Box::new(move || first.take().or_else(&mut another).map(&reader))
}

fn pushed<B>(
    hub: aiter_core::PushHub<Item, B>,
    got: fn(<B::Reader<Item> as futures_core::Stream>::Item) -> Got,
) -> Channel
where
    B: aiter_core::HubBound + 'static,
    B::Reader<Item>: futures_core::Stream + 'static,
    <B::Reader<Item> as futures_core::Stream>::Item: 'static,
{
    let (sender, replays) = (hub.clone(), hub.clone());
    Channel {
        send: Box::new(move |item| match sender.push(Item(item)) {
            Ok(()) => Sent::Yes,
            Err(_) => Sent::Refused,
        }),
        send_when_free: None,
        subscribe: Box::new(move || Some(of_stream(hub.subscribe(), got))),
        replay: Some(Box::new(move || of_stream(replays.replay(), got))),
        panic: None,
    }
}

type Items = Map<Source, fn(u64) -> Item>;

fn items() -> (Items, Remote) {
    let (source, remote) = source();
    (source.map(Item as fn(u64) -> Item), remote)
}

/// A channel whose items come from a source that is pulled.
fn pulled(
    remote: Remote,
    subscribe: Box<dyn FnMut() -> Option<Box<dyn Reader>>>,
    replay: Option<Box<dyn FnMut() -> Box<dyn Reader>>>,
) -> Channel {
    let remote = Rc::new(RefCell::new(remote));
    let panics = Rc::clone(&remote);
    Channel {
        send: Box::new(move |item| {
            remote.borrow_mut().send(item);
            Sent::Yes
        }),
        send_when_free: None,
        subscribe,
        replay,
        panic: Some(Box::new(move || {
            panics.borrow_mut().panic();
        })),
    }
}

fn forked<B, C>(bound: C, got: fn(<Fork<Items, B> as futures_core::Stream>::Item) -> Got) -> Channel
where
    B: aiter_core::bound::Bound + 'static,
    C: aiter_core::bound::SourceBound<Item, Bound = B>,
    Fork<Items, B>: futures_core::Stream,
    <Fork<Items, B> as futures_core::Stream>::Item: 'static,
{
    let (items, remote) = items();
    let first = aiter_core::aiter_forker_with(bound, items);
    let hub = first.hub();
    let replays = hub.clone();
    pulled(
        remote,
        readers(
            first,
            move || Some(hub.subscribe()),
            move |fork| of_stream(fork, got),
        ),
        Some(Box::new(move || of_stream(replays.replay(), got))),
    )
}

fn bounded() -> Channel {
    let (pusher, aiter) = push_aiter_bounded(ROOM);
    let (waits, subscribes) = (pusher.clone(), pusher.clone());
    Channel {
        send: Box::new(move |item| match pusher.try_push(Item(item)) {
            Ok(()) => Sent::Yes,
            Err(aiter_core::PushError::Full(_)) => Sent::Full,
            Err(_) => Sent::Refused,
        }),
        send_when_free: Some(Box::new(move |item| {
            let permit = waits.reserve_owned();
            Box::pin(async move {
                let permit = permit.await;
                permit.is_ok_and(|permit| permit.push(Item(item)).is_ok())
            })
        })),
        subscribe: readers(
            aiter,
            move || Some(subscribes.subscribe()),
            |aiter| of_stream(aiter, Got::Item),
        ),
        replay: None,
        panic: None,
    }
}

fn tokio_broadcast() -> Channel {
    use tokio::sync::broadcast::{channel, error::RecvError};
    let (sender, first) = channel(ROOM);
    let subscribes = sender.clone();
    Channel {
        send: Box::new(move |item| match sender.send(Item(item)) {
            Ok(_) => Sent::Yes,
            Err(_) => Sent::Refused,
        }),
        send_when_free: None,
        subscribe: readers(
            first,
            move || Some(subscribes.subscribe()),
            |receiver| {
                of_future(receiver, |receiver| {
                    Box::pin(async move {
                        match receiver.borrow_mut().recv().await {
                            Ok(item) => Got::Item(item),
                            Err(RecvError::Lagged(missed)) => Got::Missed(missed),
                            Err(RecvError::Closed) => Got::End,
                        }
                    })
                })
            },
        ),
        replay: None,
        panic: None,
    }
}

fn tokio_watch() -> Channel {
    let (sender, first) = tokio::sync::watch::channel(Item(0));
    let sender = Arc::new(sender);
    let (subscribes, replays) = (Arc::clone(&sender), Arc::clone(&sender));
    let reader = |receiver| {
        of_future(
            receiver,
            |receiver: Rc<RefCell<tokio::sync::watch::Receiver<Item>>>| {
                Box::pin(async move {
                    let mut receiver = receiver.borrow_mut();
                    match receiver.changed().await {
                        Ok(()) => Got::Item(receiver.borrow_and_update().clone()),
                        Err(_) => Got::End,
                    }
                })
            },
        )
    };
    Channel {
        send: Box::new(move |item| match sender.send(Item(item)) {
            Ok(()) => Sent::Yes,
            Err(_) => Sent::Refused,
        }),
        send_when_free: None,
        subscribe: readers(first, move || Some(subscribes.subscribe()), reader),
        replay: Some(Box::new(move || {
            let mut receiver = replays.subscribe();
            receiver.mark_changed();
            reader(receiver)
        })),
        panic: None,
    }
}

fn tokio_mpsc() -> Channel {
    use tokio::sync::mpsc::{channel, error::TrySendError};
    let (sender, first) = channel(ROOM);
    let waits = sender.clone();
    Channel {
        send: Box::new(move |item| match sender.try_send(Item(item)) {
            Ok(()) => Sent::Yes,
            Err(TrySendError::Full(_)) => Sent::Full,
            Err(TrySendError::Closed(_)) => Sent::Refused,
        }),
        send_when_free: Some(Box::new(move |item| {
            let permit = waits.clone().reserve_owned();
            Box::pin(async move {
                let permit = permit.await;
                permit.is_ok_and(|permit| {
                    permit.send(Item(item));
                    true
                })
            })
        })),
        subscribe: readers(
            first,
            || None,
            |receiver| {
                of_future(receiver, |receiver| {
                    Box::pin(async move {
                        let item = receiver.borrow_mut().recv().await;
                        item.map_or(Got::End, Got::Item)
                    })
                })
            },
        ),
        replay: None,
        panic: None,
    }
}

fn async_broadcast(overflows: bool) -> Channel {
    use async_broadcast::{RecvError, TrySendError, broadcast};
    let (mut sender, first) = broadcast(ROOM);
    sender.set_overflow(overflows);
    let (waits, subscribes) = (sender.clone(), sender.clone());
    Channel {
        send: Box::new(move |item| match sender.try_broadcast(Item(item)) {
            Ok(_) => Sent::Yes,
            Err(TrySendError::Full(_)) => Sent::Full,
            Err(_) => Sent::Refused,
        }),
        send_when_free: (!overflows).then(|| -> Box<dyn Fn(u64) -> Waiting<bool>> {
            Box::new(move |item| {
                let sender = waits.clone();
                Box::pin(async move { sender.broadcast(Item(item)).await.is_ok() })
            })
        }),
        subscribe: readers(
            first,
            move || Some(subscribes.new_receiver()),
            |receiver| {
                of_future(
                    receiver,
                    |receiver: Rc<RefCell<async_broadcast::Receiver<Item>>>| {
                        Box::pin(async move {
                            match receiver.borrow_mut().recv().await {
                                Ok(item) => Got::Item(item),
                                Err(RecvError::Overflowed(missed)) => Got::Missed(missed),
                                Err(RecvError::Closed) => Got::End,
                            }
                        })
                    },
                )
            },
        ),
        replay: None,
        panic: None,
    }
}

fn asyncband() -> Channel {
    use asyncband::broadcast::overflow::{Receiver, RecvError, channel};
    let (sender, first) = channel(ROOM);
    let subscribes = sender.clone();
    Channel {
        send: Box::new(move |item| {
            sender.send(Item(item));
            Sent::Yes
        }),
        send_when_free: None,
        subscribe: readers(
            first,
            move || Some(subscribes.subscribe()),
            |receiver| {
                of_future(receiver, |receiver: Rc<RefCell<Receiver<Item>>>| {
                    Box::pin(async move {
                        match receiver.borrow_mut().recv().await {
                            Ok(item) => Got::Item(item),
                            Err(RecvError::Lagged(missed)) => Got::Missed(missed),
                            Err(RecvError::Disconnected) => Got::End,
                        }
                    })
                })
            },
        ),
        replay: None,
        panic: None,
    }
}

/// What came of a send of postage.
fn postage_sent<T>(sent: Result<(), postage::sink::TrySendError<T>>) -> Sent {
    use postage::sink::TrySendError;
    match sent {
        Ok(()) => Sent::Yes,
        Err(TrySendError::Pending(_)) => Sent::Full,
        Err(TrySendError::Rejected(_)) => Sent::Refused,
    }
}

/// Waits in a future of postage, which borrows its sender.
fn postage_waits<S>(sender: S) -> Box<dyn Fn(u64) -> Waiting<bool>>
where
    S: postage::sink::Sink<Item = Item> + Clone + Unpin + 'static,
{
    Box::new(move |item| {
        let mut sender = sender.clone();
        Box::pin(async move { sender.send(Item(item)).await.is_ok() })
    })
}

fn postage_reader<R>(receiver: R) -> Box<dyn Reader>
where
    R: postage::stream::Stream<Item = Item> + Unpin + 'static,
{
    of_future(receiver, |receiver| {
        Box::pin(async move {
            let item = receiver.borrow_mut().recv().await;
            item.map_or(Got::End, Got::Item)
        })
    })
}

fn postage_broadcast() -> Channel {
    use postage::sink::Sink;
    let (mut sender, first) = postage::broadcast::channel(ROOM);
    let (waits, subscribes) = (sender.clone(), sender.clone());
    Channel {
        send: Box::new(move |item| postage_sent(sender.try_send(Item(item)))),
        send_when_free: Some(postage_waits(waits)),
        subscribe: readers(first, move || Some(subscribes.subscribe()), postage_reader),
        replay: None,
        panic: None,
    }
}

fn postage_watch() -> Channel {
    use postage::sink::Sink;
    let (sender, first) = postage::watch::channel_with(Item(0));
    let sender = Rc::new(RefCell::new(sender));
    let subscribes = Rc::clone(&sender);
    Channel {
        send: Box::new(move |item| postage_sent(sender.borrow_mut().try_send(Item(item)))),
        send_when_free: None,
        subscribe: readers(
            first,
            move || Some(subscribes.borrow_mut().subscribe()),
            postage_reader,
        ),
        replay: None,
        panic: None,
    }
}

fn postage_dispatch() -> Channel {
    use postage::sink::Sink;
    let (mut sender, first) = postage::dispatch::channel(ROOM);
    let (waits, subscribes) = (sender.clone(), sender.clone());
    Channel {
        send: Box::new(move |item| postage_sent(sender.try_send(Item(item)))),
        send_when_free: Some(postage_waits(waits)),
        subscribe: readers(first, move || Some(subscribes.subscribe()), postage_reader),
        replay: None,
        panic: None,
    }
}

/// The next item, and what comes behind it.
#[derive(Clone)]
struct Next(Shared<Waiting<Option<(Item, Next)>>>);

impl Next {
    fn of(mut items: Pin<Box<Items>>) -> Self {
        let next: Waiting<_> = Box::pin(async move {
            let item = items.next().await?;
            Some((item, Self::of(items)))
        });
        Self(next.shared())
    }
}

/// Each reader is a place in a chain of futures, each of which is shared by all readers.
fn shared() -> Channel {
    let (items, remote) = items();
    let newest = Rc::new(RefCell::new(Next::of(Box::pin(items))));
    let subscribe = move || {
        // The place behind the last item that a reader has seen.
        let place = loop {
            let place = newest.borrow().clone();
            let Some(Some((_, behind))) = place.0.peek() else {
                break place;
            };
            *newest.borrow_mut() = behind.clone();
        };
        Some(of_stream(
            futures::stream::unfold(place, |place| place.0),
            Got::Item,
        ))
    };
    pulled(remote, Box::new(subscribe), None)
}

/// Each item goes to the reader that has the lock.
fn mutex() -> Channel {
    let (items, remote) = items();
    let items = Arc::new(tokio::sync::Mutex::new(items));
    let subscribe = move || {
        Some(of_future(Arc::clone(&items), |items| {
            let items = Arc::clone(&items.borrow());
            Box::pin(async move { items.lock().await.next().await.map_or(Got::End, Got::Item) })
        }))
    };
    pulled(remote, Box::new(subscribe), None)
}
