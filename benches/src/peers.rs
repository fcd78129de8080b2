//! The unbounded channels that ours are compared with.

use crate::Channel;

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
