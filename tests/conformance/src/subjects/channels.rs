//! Published channels in which each item goes to one of the handles.

use super::rival;
#[allow(unused_imports, reason = "there may be no rivals")]
use aiter_conformance::{Feed, Kind, Next, OfFuture, Parts, Subject, handles};

#[allow(dead_code, reason = "there may be no rivals")]
const OPEN: &str = "a handle is there";

pub(crate) const SUBJECTS: &[Subject] = &[
    rival!("tokio", "tokio mpsc, in a tokio Mutex", Take, tokio_mutex),
    rival!("tokio", "tokio mpsc, in a std Mutex", Take, std_mutex),
    rival!("async-channel", "async-channel", Take, async_channel),
    rival!("flume", "flume", Take, flume),
    rival!("kanal", "kanal", Take, kanal),
    rival!("crossfire", "crossfire", Take, crossfire),
];

/// The only sender of a channel. Dropping it ends the channel.
pub(crate) struct Sends<S> {
    sender: Option<S>,
    send: fn(&S, u64),
}

impl<S: 'static> Sends<S> {
    pub(crate) fn through(sender: S, send: fn(&S, u64)) -> Box<dyn Feed> {
        let sender = Some(sender);
        Box::new(Self { sender, send })
    }
}

impl<S> Feed for Sends<S> {
    fn send(&mut self, item: u64) {
        (self.send)(self.sender.as_ref().expect("it has not ended"), item);
    }

    fn end(&mut self) {
        self.sender = None;
    }
}

/// A channel whose receivers are cloned. `next` makes the future that waits for one item.
#[allow(dead_code, reason = "there may be no rivals")]
fn channel<S: 'static, R: Clone + 'static>(
    count: usize,
    (sender, receiver): (S, R),
    send: fn(&S, u64),
    next: fn(R) -> Next,
) -> Parts {
    let handle = |receiver| OfFuture::new(receiver, next);
    let handles = handles(count, receiver, |one| one.clone(), handle);
    (Sends::through(sender, send), handles)
}

#[cfg(feature = "tokio")]
fn tokio_mutex(count: usize) -> Parts {
    use std::sync::Arc;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    channel(
        count,
        (sender, Arc::new(tokio::sync::Mutex::new(receiver))),
        |sender, item| sender.send(item).expect(OPEN),
        |receiver| Box::pin(async move { receiver.lock().await.recv().await }),
    )
}

#[cfg(feature = "tokio")]
fn std_mutex(count: usize) -> Parts {
    use std::{
        future::poll_fn,
        sync::{Arc, Mutex},
    };
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    channel(
        count,
        (sender, Arc::new(Mutex::new(receiver))),
        |sender, item| sender.send(item).expect(OPEN),
        |receiver| Box::pin(poll_fn(move |cx| receiver.lock().unwrap().poll_recv(cx))),
    )
}

#[cfg(feature = "async-channel")]
fn async_channel(count: usize) -> Parts {
    channel(
        count,
        async_channel::unbounded(),
        |sender, item| sender.try_send(item).expect(OPEN),
        |receiver| Box::pin(async move { receiver.recv().await.ok() }),
    )
}

#[cfg(feature = "flume")]
fn flume(count: usize) -> Parts {
    channel(
        count,
        flume::unbounded(),
        |sender, item| sender.send(item).expect(OPEN),
        |receiver| Box::pin(async move { receiver.recv_async().await.ok() }),
    )
}

#[cfg(feature = "kanal")]
fn kanal(count: usize) -> Parts {
    let (sender, receiver) = kanal::unbounded();
    channel(
        count,
        (sender, receiver.to_async()),
        |sender, item| sender.send(item).expect(OPEN),
        |receiver| Box::pin(async move { receiver.recv().await.ok() }),
    )
}

#[cfg(feature = "crossfire")]
fn crossfire(count: usize) -> Parts {
    channel(
        count,
        crossfire::mpmc::unbounded_async(),
        |sender, item| sender.send(item).expect(OPEN),
        |receiver| Box::pin(async move { receiver.recv().await.ok() }),
    )
}
