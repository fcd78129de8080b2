//! Published crates in which each handle sees every item.

use super::rival;
#[allow(unused_imports, reason = "there may be no rivals")]
use aiter_conformance::{Kind, Next, OfFuture, Parts, Subject, handles, source::source, streams};

pub(crate) const SUBJECTS: &[Subject] = &[
    rival!("fork_stream", "fork_stream", Fork, fork_stream),
    rival!(
        "stream-broadcast",
        "stream-broadcast, lossless",
        Fork,
        stream_broadcast
    ),
    rival!("shared_stream", "shared_stream", Fork, shared_stream),
    rival!("clone-stream", "clone-stream", Fork, clone_stream),
    rival!("async-broadcast", "async-broadcast", Fork, async_broadcast),
    rival!("tokio", "tokio broadcast", Fork, tokio_broadcast),
    rival!("asyncband", "asyncband broadcast", Fork, asyncband),
];

#[cfg(feature = "fork_stream")]
fn fork_stream(count: usize) -> Parts {
    let (source, remote) = source();
    let fork = fork_stream::StreamExt::fork(source);
    (Box::new(remote), streams(count, fork, |one| one.clone()))
}

#[cfg(feature = "stream-broadcast")]
fn stream_broadcast(count: usize) -> Parts {
    let (source, remote) = source();
    let fork = stream_broadcast::StreamBroadcastExt::broadcast_lossless(source, super::ROOM);
    (Box::new(remote), streams(count, fork, |one| one.clone()))
}

#[cfg(feature = "shared_stream")]
fn shared_stream(count: usize) -> Parts {
    let (source, remote) = source();
    let fork = shared_stream::Share::shared(source);
    (Box::new(remote), streams(count, fork, |one| one.clone()))
}

#[cfg(feature = "clone-stream")]
fn clone_stream(count: usize) -> Parts {
    let (source, remote) = source();
    let fork = clone_stream::ForkStream::fork(source);
    (Box::new(remote), streams(count, fork, |one| one.clone()))
}

#[cfg(feature = "async-broadcast")]
fn async_broadcast(count: usize) -> Parts {
    let (sender, receiver) = async_broadcast::broadcast(super::ROOM);
    let feed = super::channels::Sends::through(sender, |sender, item| {
        sender.try_broadcast(item).expect("there is room");
    });
    (feed, streams(count, receiver, |one| one.clone()))
}

/// A receiver that only one future at a time borrows.
#[allow(dead_code, reason = "there may be no rivals")]
type Receives<R> = std::rc::Rc<std::cell::RefCell<R>>;

/// Handles that make a future for each item.
#[allow(dead_code, reason = "there may be no rivals")]
fn futures<R: 'static>(
    count: usize,
    first: R,
    another: impl FnMut(&mut R) -> R,
    next: fn(Receives<R>) -> Next,
) -> Vec<Box<dyn aiter_conformance::Handle>> {
    handles(count, first, another, |receiver| {
        OfFuture::new(Receives::new(receiver.into()), next)
    })
}

#[cfg(feature = "tokio")]
#[allow(
    clippy::await_holding_refcell_ref,
    reason = "the future is the only borrower"
)]
fn tokio_broadcast(count: usize) -> Parts {
    let (sender, receiver) = tokio::sync::broadcast::channel(super::ROOM);
    let feed = super::channels::Sends::through(sender, |sender, item| {
        sender.send(item).expect("a handle is there");
    });
    let handles = futures(
        count,
        receiver,
        |one| one.resubscribe(),
        |receiver| Box::pin(async move { receiver.borrow_mut().recv().await.ok() }),
    );
    (feed, handles)
}

#[cfg(feature = "asyncband")]
#[allow(
    clippy::await_holding_refcell_ref,
    reason = "the future is the only borrower"
)]
fn asyncband(count: usize) -> Parts {
    let (sender, receiver) = asyncband::broadcast::overflow::channel(super::ROOM);
    let feed = super::channels::Sends::through(sender, |sender, item| sender.send(item));
    let handles = futures(
        count,
        receiver,
        |one| one.resubscribe(),
        |receiver| Box::pin(async move { receiver.borrow_mut().recv().await.ok() }),
    );
    (feed, handles)
}
