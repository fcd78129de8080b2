//! Several senders and several takers, where each item goes to one of the takers: ours, the peers,
//! and the shape of work.

use aiter_core::{PushAiter, Pusher, Sharable, push_aiter, sharable_aiter};
use futures_core::Stream;
use futures_lite::future::block_on;
use std::{
    future::{Future, poll_fn},
    hint::black_box,
    pin::Pin,
    thread,
};

/// An unbounded channel whose receivers are cloned, used through its fastest calls for one item at
/// a time.
pub trait Takers {
    /// The heading of its rows.
    const NAME: &'static str;
    /// The end that sends without waiting.
    type Sender: Clone + Send;
    /// The end that can wait.
    type Taker: Clone + Send;
    /// Makes a channel.
    fn new() -> (Self::Sender, Self::Taker);
    /// Sends while a taker exists.
    fn send(sender: &Self::Sender, item: u64);
    /// Waits for an item, or the end.
    fn next(taker: &mut Self::Taker) -> impl Future<Output = Option<u64>>;
}

/// `sharable_aiter` of a push list.
#[derive(Debug)]
pub enum SharedList {}

impl Takers for SharedList {
    const NAME: &'static str = "sharable_aiter";
    type Sender = Pusher<u64>;
    type Taker = Sharable<PushAiter<u64>>;

    fn new() -> (Self::Sender, Self::Taker) {
        let (pusher, aiter) = push_aiter();
        (pusher, sharable_aiter(aiter))
    }

    #[inline]
    fn send(sender: &Self::Sender, item: u64) {
        sender.push(item).expect("a taker is there");
    }

    #[inline]
    fn next(taker: &mut Self::Taker) -> impl Future<Output = Option<u64>> {
        poll_fn(|cx| Pin::new(&mut *taker).poll_next(cx))
    }
}

macro_rules! peer {
    ($(#[$doc:meta])* $peer:ident, $name:literal, $sender:ty, $taker:ty, $new:expr, $send:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $peer {}

        impl Takers for $peer {
            const NAME: &'static str = $name;
            type Sender = $sender;
            type Taker = $taker;

            fn new() -> (Self::Sender, Self::Taker) {
                $new
            }

            #[inline]
            fn send(sender: &Self::Sender, item: u64) {
                assert!(sender.$send(item).is_ok(), "a taker is there");
            }

            #[inline]
            async fn next(taker: &mut Self::Taker) -> Option<u64> {
                taker.recv().await.ok()
            }
        }
    };
}
peer!(
    /// kanal.
    Kanal, "kanal", kanal::Sender<u64>, kanal::AsyncReceiver<u64>,
    { let (sender, taker) = kanal::unbounded(); (sender, taker.to_async()) }, send
);
peer!(
    /// async-channel.
    AsyncChannel, "async-channel", async_channel::Sender<u64>, async_channel::Receiver<u64>,
    async_channel::unbounded(), try_send
);
peer!(
    /// crossfire's `mpmc`.
    Crossfire, "crossfire",
    crossfire::MTx<crossfire::mpmc::List<u64>>, crossfire::MAsyncRx<crossfire::mpmc::List<u64>>,
    crossfire::mpmc::unbounded_async(), send
);

/// `senders` threads send `items` between them. `takers` threads wait for them until the end.
pub fn across_threads<C: Takers>(senders: u64, takers: usize, items: u64) {
    let (sender, taker) = C::new();
    let taken: u64 = thread::scope(|scope| {
        let takers: Vec<_> = (0..takers)
            .map(|_| {
                let mut taker = taker.clone();
                scope.spawn(move || {
                    block_on(async {
                        let mut taken = 0;
                        while let Some(item) = C::next(&mut taker).await {
                            black_box(item);
                            taken += 1;
                        }
                        taken
                    })
                })
            })
            .collect();
        for _ in 0..senders {
            let sender = sender.clone();
            scope.spawn(move || {
                for item in 0..items / senders {
                    C::send(&sender, black_box(item));
                }
            });
        }
        drop(sender);
        takers
            .into_iter()
            .map(|taker| taker.join().expect("no taker panics"))
            .sum()
    });
    assert_eq!(taken, items / senders * senders);
}
