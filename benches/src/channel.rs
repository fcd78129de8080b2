//! The unbounded channels of `u64` that are compared. Ours are here, and the peers are behind their
//! feature.

use aiter_core::{Fork, PushAiter, Pusher, aiter_forker, push_aiter};
use futures_core::Stream;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// An unbounded channel, used through its fastest calls for one item at a time.
pub trait Channel {
    /// The heading of its rows.
    const NAME: &'static str;
    /// The end that sends without waiting.
    type Sender: Clone + Send + 'static;
    /// The end that can wait.
    type Receiver: Send + 'static;
    /// Makes a channel.
    fn new() -> (Self::Sender, Self::Receiver);
    /// Sends while a receiver exists.
    fn send(sender: &mut Self::Sender, item: u64);
    /// Takes an item that is available now.
    fn take(receiver: &mut Self::Receiver) -> Option<u64>;
    /// Waits for an item while a sender exists.
    fn next(receiver: &mut Self::Receiver) -> impl Future<Output = u64>;
}

/// Our list through `push`.
#[derive(Debug)]
pub enum Push {}

/// Our list through `push_mut`.
#[derive(Debug)]
pub enum PushMut {}

/// Our list through `push`, read by a fork of the list as any stream.
#[derive(Debug)]
pub enum ForkedPush {}

impl Channel for Push {
    const NAME: &'static str = "push";
    type Sender = Pusher<u64>;
    type Receiver = PushAiter<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        push_aiter()
    }

    #[inline]
    fn send(sender: &mut Self::Sender, item: u64) {
        sender.push(item).expect("the consumer is there");
    }

    #[inline]
    fn take(receiver: &mut Self::Receiver) -> Option<u64> {
        poll_once(receiver)
    }

    #[inline]
    fn next(receiver: &mut Self::Receiver) -> impl Future<Output = u64> {
        next_of(receiver)
    }
}

impl Channel for PushMut {
    const NAME: &'static str = "push_mut";
    type Sender = Pusher<u64>;
    type Receiver = PushAiter<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        push_aiter()
    }

    #[inline]
    fn send(sender: &mut Self::Sender, item: u64) {
        sender.push_mut(item).expect("the consumer is there");
    }

    #[inline]
    fn take(receiver: &mut Self::Receiver) -> Option<u64> {
        Push::take(receiver)
    }

    #[inline]
    fn next(receiver: &mut Self::Receiver) -> impl Future<Output = u64> {
        Push::next(receiver)
    }
}

impl Channel for ForkedPush {
    const NAME: &'static str = "aiter_forker of push";
    type Sender = Pusher<u64>;
    type Receiver = Fork<PushAiter<u64>>;

    fn new() -> (Self::Sender, Self::Receiver) {
        let (pusher, aiter) = push_aiter();
        (pusher, aiter_forker(aiter))
    }

    #[inline]
    fn send(sender: &mut Self::Sender, item: u64) {
        Push::send(sender, item);
    }

    #[inline]
    fn take(receiver: &mut Self::Receiver) -> Option<u64> {
        poll_once(receiver)
    }

    #[inline]
    fn next(receiver: &mut Self::Receiver) -> impl Future<Output = u64> {
        next_of(receiver)
    }
}

/// Takes an item, if one is available.
#[inline]
pub(crate) fn poll_once<S: Stream<Item = u64> + Unpin>(stream: &mut S) -> Option<u64> {
    match Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(item) => item,
        Poll::Pending => None,
    }
}

/// Waits for an item.
#[inline]
pub(crate) async fn next_of<S: Stream<Item = u64> + Unpin>(stream: &mut S) -> u64 {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx))
        .await
        .expect("it has no end")
}
