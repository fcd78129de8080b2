//! Published crates in which each handle sees every item.

use super::rival;
#[allow(unused_imports, reason = "there may be no rivals")]
use aiter_conformance::{Kind, Parts, Subject, source::source, streams};

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
