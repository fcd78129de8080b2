//! The other ways to bring each item to several readers.

use super::{BATCH, FanOut, Numbers, Sent, forked_stream, forks, next_of, poll_once};
use fork_stream::{Forked, StreamExt as _};
use std::{future::Future, rc::Rc};
use tokio::sync::broadcast;

forked_stream!(
    /// fork_stream.
    ForkStream, "fork_stream", Forked<Numbers>, |stream| stream.fork(), |one| one.clone()
);

/// tokio's `broadcast`, with room for a batch.
#[derive(Debug)]
pub enum Broadcast {}

impl FanOut for Broadcast {
    const NAME: &'static str = "tokio";
    type Sender = broadcast::Sender<u64>;
    type Reader = broadcast::Receiver<u64>;

    fn new(readers: usize) -> (Self::Sender, Vec<Self::Reader>) {
        let (sender, first) = broadcast::channel(BATCH as usize);
        let readers = forks(first, readers, |one| one.resubscribe());
        (sender, readers)
    }

    #[inline]
    fn send(sender: &mut Self::Sender, item: u64) {
        sender.send(item).expect("the readers are there");
    }

    #[inline]
    fn take(reader: &mut Self::Reader) -> Option<u64> {
        reader.try_recv().ok()
    }

    #[inline]
    async fn next(reader: &mut Self::Reader) -> u64 {
        reader.recv().await.expect("it does not lag behind")
    }
}

/// A kanal channel for each reader.
#[derive(Debug)]
pub enum Kanals {}

impl FanOut for Kanals {
    const NAME: &'static str = "K kanals";
    type Sender = Vec<kanal::Sender<u64>>;
    type Reader = kanal::AsyncReceiver<u64>;

    fn new(readers: usize) -> (Self::Sender, Vec<Self::Reader>) {
        (0..readers)
            .map(|_| {
                let (sender, reader) = kanal::unbounded();
                (sender, reader.to_async())
            })
            .unzip()
    }

    #[inline]
    fn send(senders: &mut Self::Sender, item: u64) {
        for sender in senders {
            sender.send(item).expect("the readers are there");
        }
    }

    #[inline]
    fn take(reader: &mut Self::Reader) -> Option<u64> {
        reader.try_recv().ok().flatten()
    }

    #[inline]
    async fn next(reader: &mut Self::Reader) -> u64 {
        reader.recv().await.expect("the sender is there")
    }
}
