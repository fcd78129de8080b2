//! The channels that ours are compared with, unbounded and bounded.

use crate::{Channel, bounded::BoundedChannel};
use std::hint::black_box;

/// A peer: its name, its constructor, and its fastest calls. `$receiver` of `next` is a `&mut`.
macro_rules! peer {
    ($(#[$doc:meta])* $peer:ident, $name:literal, $sender:ty, $receiver:ty, $new:expr,
     take: |$taken:ident| $take:expr, next: |$awaited:ident| $next:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $peer {}

        impl Channel for $peer {
            const NAME: &'static str = $name;
            type Sender = $sender;
            type Receiver = $receiver;

            fn new() -> (Self::Sender, Self::Receiver) {
                $new
            }

            #[inline]
            fn send(sender: &mut Self::Sender, item: u64) {
                assert!(sender.send(item).is_ok(), "the receiver is there");
            }

            #[inline]
            fn take($taken: &mut Self::Receiver) -> Option<u64> {
                $take
            }

            #[inline]
            async fn next($awaited: &mut Self::Receiver) -> u64 {
                $next.expect("a sender is there")
            }
        }
    };
}

peer!(
    /// kanal.
    Kanal, "kanal", kanal::Sender<u64>, kanal::AsyncReceiver<u64>,
    { let (sender, receiver) = kanal::unbounded(); (sender, receiver.to_async()) },
    take: |receiver| receiver.try_recv().ok().flatten(), next: |receiver| receiver.recv().await
);

peer!(
    /// tokio's `mpsc::unbounded_channel`.
    Tokio, "tokio", tokio::sync::mpsc::UnboundedSender<u64>, tokio::sync::mpsc::UnboundedReceiver<u64>,
    tokio::sync::mpsc::unbounded_channel(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv().await
);

peer!(
    /// flume.
    Flume, "flume", flume::Sender<u64>, flume::Receiver<u64>, flume::unbounded(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv_async().await
);

peer!(
    /// crossfire's `mpsc`.
    Crossfire, "crossfire", crossfire::MTx<crossfire::mpsc::List<u64>>, crossfire::AsyncRx<crossfire::mpsc::List<u64>>,
    crossfire::mpsc::unbounded_async(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv().await
);

/// async-channel.
#[derive(Debug)]
pub enum AsyncChannel {}

impl Channel for AsyncChannel {
    const NAME: &'static str = "async-channel";
    type Sender = async_channel::Sender<u64>;
    type Receiver = async_channel::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        async_channel::unbounded()
    }

    #[inline]
    fn send(sender: &mut Self::Sender, item: u64) {
        sender.try_send(item).expect("the receiver is there");
    }

    #[inline]
    fn take(receiver: &mut Self::Receiver) -> Option<u64> {
        receiver.try_recv().ok()
    }

    #[inline]
    async fn next(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

/// The bounded form of a peer: its constructor, and its fastest calls.
macro_rules! bounded {
    ($peer:ident, $sender:ty, $receiver:ty, |$n:ident| $new:expr,
     try_send: |$tried:ident, $tried_item:ident| $try_send:expr,
     send: |$sent:ident, $sent_item:ident| $send:expr,
     take: |$taken:ident| $take:expr, next: |$awaited:ident| $next:expr) => {
        impl BoundedChannel for $peer {
            const NAME: &'static str = <$peer>::LABEL;
            type Sender = $sender;
            type Receiver = $receiver;

            fn new($n: usize) -> (Self::Sender, Self::Receiver) {
                $new
            }

            #[inline]
            fn try_send($tried: &mut Self::Sender, $tried_item: u64) -> bool {
                $try_send
            }

            #[inline]
            async fn send($sent: &mut Self::Sender, $sent_item: u64) {
                assert!($send, "the receiver is there");
            }

            #[inline]
            fn take($taken: &mut Self::Receiver) -> Option<u64> {
                $take
            }

            #[inline]
            async fn next($awaited: &mut Self::Receiver) -> u64 {
                $next.expect("a sender is there")
            }
        }
    };
}

/// thingbuf's `mpsc`, which is always bounded.
#[derive(Debug)]
pub enum Thingbuf {}

/// tachyonix, which is always bounded.
#[derive(Debug)]
pub enum Tachyonix {}

macro_rules! labels {
    ($($peer:ident $label:literal),*) => {
        $(impl $peer {
            const LABEL: &'static str = $label;
        })*
    };
}

labels!(
    Kanal "kanal", Tokio "tokio", Flume "flume", AsyncChannel "async-channel",
    Crossfire "crossfire", Thingbuf "thingbuf", Tachyonix "tachyonix"
);

bounded!(
    Kanal, kanal::AsyncSender<u64>, kanal::AsyncReceiver<u64>, |n| kanal::bounded_async(n),
    try_send: |sender, item| sender.try_send(item).unwrap_or(false),
    send: |sender, item| sender.send(item).await.is_ok(),
    take: |receiver| receiver.try_recv().ok().flatten(), next: |receiver| receiver.recv().await
);

bounded!(
    Tokio, tokio::sync::mpsc::Sender<u64>, tokio::sync::mpsc::Receiver<u64>,
    |n| tokio::sync::mpsc::channel(n),
    try_send: |sender, item| sender.try_send(item).is_ok(),
    send: |sender, item| sender.send(item).await.is_ok(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv().await
);

bounded!(
    Flume, flume::Sender<u64>, flume::Receiver<u64>, |n| flume::bounded(n),
    try_send: |sender, item| sender.try_send(item).is_ok(),
    send: |sender, item| sender.send_async(item).await.is_ok(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv_async().await
);

bounded!(
    AsyncChannel, async_channel::Sender<u64>, async_channel::Receiver<u64>,
    |n| async_channel::bounded(n),
    try_send: |sender, item| sender.try_send(item).is_ok(),
    send: |sender, item| sender.send(item).await.is_ok(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv().await
);

bounded!(
    Crossfire, crossfire::MAsyncTx<crossfire::mpsc::Array<u64>>,
    crossfire::AsyncRx<crossfire::mpsc::Array<u64>>, |n| crossfire::mpsc::bounded_async(n),
    try_send: |sender, item| sender.try_send(item).is_ok(),
    send: |sender, item| sender.send(item).await.is_ok(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv().await
);

bounded!(
    Thingbuf, thingbuf::mpsc::Sender<u64>, thingbuf::mpsc::Receiver<u64>,
    |n| thingbuf::mpsc::channel(n),
    try_send: |sender, item| sender.try_send(item).is_ok(),
    send: |sender, item| sender.send(item).await.is_ok(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv().await
);

bounded!(
    Tachyonix, tachyonix::Sender<u64>, tachyonix::Receiver<u64>, |n| tachyonix::channel(n),
    try_send: |sender, item| sender.try_send(item).is_ok(),
    send: |sender, item| sender.send(item).await.is_ok(),
    take: |receiver| receiver.try_recv().ok(), next: |receiver| receiver.recv().await.ok()
);

/// One thread reserves, sends and takes, `items` times: tokio.
pub fn tokio_reserve_and_take(n: usize, items: u64) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(n);
    for item in 0..items {
        let permit = sender.try_reserve().expect("there is room");
        permit.send(black_box(item));
        assert_eq!(receiver.try_recv().ok(), Some(item));
    }
}
