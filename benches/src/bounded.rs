//! Bounded channels of `u64`, and the shapes of work through them, the same for every channel.
//! Each shape checks that nothing was lost.

use crate::channel::{next_of, poll_once};
use aiter_core::{BoundedAiter, BoundedPusher, push_aiter_bounded};
use std::{future::Future, hint::black_box};

/// A bounded channel, used through its fastest calls for one item at a time.
pub trait BoundedChannel {
    /// The heading of its rows.
    const NAME: &'static str;
    /// The sending end.
    type Sender: Clone + Send + 'static;
    /// The receiving end.
    type Receiver: Send + 'static;
    /// Makes a channel for `n` items.
    fn new(n: usize) -> (Self::Sender, Self::Receiver);
    /// Sends if there is room, and returns whether there was.
    fn try_send(sender: &mut Self::Sender, item: u64) -> bool;
    /// Waits for room, and sends.
    fn send(sender: &mut Self::Sender, item: u64) -> impl Future<Output = ()>;
    /// Takes an item that is available now.
    fn take(receiver: &mut Self::Receiver) -> Option<u64>;
    /// Waits for an item while a sender exists.
    fn next(receiver: &mut Self::Receiver) -> impl Future<Output = u64>;
}

/// Our bounded list.
#[derive(Debug)]
pub enum Bounded {}

impl BoundedChannel for Bounded {
    const NAME: &'static str = "bounded push";
    type Sender = BoundedPusher<u64>;
    type Receiver = BoundedAiter<u64>;

    fn new(n: usize) -> (Self::Sender, Self::Receiver) {
        push_aiter_bounded(n)
    }

    #[inline]
    fn try_send(sender: &mut Self::Sender, item: u64) -> bool {
        sender.try_push(item).is_ok()
    }

    #[inline]
    async fn send(sender: &mut Self::Sender, item: u64) {
        assert!(sender.push(item).await.is_ok(), "the consumer is there");
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

/// One thread fills the channel and empties it, until `items` have passed.
pub fn fill_and_empty<C: BoundedChannel>(n: usize, items: u64) {
    let (mut sender, mut receiver) = C::new(n);
    let mut taken = 0;
    let mut sent = 0;
    while sent < items {
        for _ in 0..n {
            assert!(C::try_send(&mut sender, black_box(sent)));
            sent += 1;
        }
        while let Some(item) = C::take(&mut receiver) {
            black_box(item);
            taken += 1;
        }
    }
    assert_eq!(taken, sent);
}

/// One thread sends an item and takes it, `items` times.
pub fn send_and_take<C: BoundedChannel>(n: usize, items: u64) {
    let (mut sender, mut receiver) = C::new(n);
    for item in 0..items {
        assert!(C::try_send(&mut sender, black_box(item)));
        assert_eq!(C::take(&mut receiver), Some(item));
    }
}

/// `senders` threads send `items` between them, and wait for room. This thread waits for each item
/// and takes it.
#[cfg(feature = "peers")]
pub fn bounded_across_threads<C: BoundedChannel>(n: usize, senders: u64, items: u64) {
    use futures_lite::future::block_on;
    use std::thread;

    let (sender, mut receiver) = C::new(n);
    thread::scope(|scope| {
        for _ in 0..senders {
            let mut sender = sender.clone();
            scope.spawn(move || {
                block_on(async {
                    for item in 0..items / senders {
                        C::send(&mut sender, black_box(item)).await;
                    }
                });
            });
        }
        block_on(async {
            for _ in 0..items / senders * senders {
                black_box(C::next(&mut receiver).await);
            }
        });
    });
}

/// One thread reserves, sends and takes, `items` times: our list.
pub fn reserve_and_take(n: usize, items: u64) {
    let (pusher, mut aiter) = push_aiter_bounded(n);
    for item in 0..items {
        let permit = pusher.try_reserve().expect("there is room");
        assert!(permit.push(black_box(item)).is_ok());
        assert_eq!(poll_once(&mut aiter), Some(item));
    }
}
