//! One sender and several readers, each of which gets every item: ours, the peers, and the shapes
//! of work.

use crate::{
    Channel, Push, PushMut,
    channel::{next_of, poll_once},
};
use aiter_core::{Fork, PushAiter, Pusher, aiter_forker, push_aiter};
use futures_core::Stream;
use std::{
    cell::{Cell, RefCell},
    future::Future,
    hint::black_box,
    iter,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

#[cfg(feature = "peers")]
mod peers;
#[cfg(feature = "peers")]
pub use peers::{Broadcast, ForkStream, Kanals};

/// Items of a batch.
pub const BATCH: u64 = 250;

/// A way to bring each item to every reader, used through its fastest calls for one item at a time.
/// The items are the numbers from 0 on.
pub trait FanOut {
    /// The heading of its rows.
    const NAME: &'static str;
    /// The end that sends without waiting.
    type Sender;
    /// The end that can wait.
    type Reader;
    /// Makes a sender and this many readers, 1 or more.
    fn new(readers: usize) -> (Self::Sender, Vec<Self::Reader>);
    /// Sends the next number while all readers exist.
    fn send(sender: &mut Self::Sender, item: u64);
    /// Takes an item that is available now.
    fn take(reader: &mut Self::Reader) -> Option<u64>;
    /// Waits for an item while the sender exists.
    fn next(reader: &mut Self::Reader) -> impl Future<Output = u64>;
}

fn forks<S>(first: S, readers: usize, mut fork: impl FnMut(&mut S) -> S) -> Vec<S> {
    let mut first = first;
    let others: Vec<S> = (1..readers).map(|_| fork(&mut first)).collect();
    iter::once(first).chain(others).collect()
}

/// Forks of a push list.
macro_rules! forked_list {
    ($channel:ident) => {
        impl FanOut for $channel {
            const NAME: &'static str = <$channel as Channel>::NAME;
            type Sender = Pusher<u64>;
            type Reader = PushAiter<u64>;

            fn new(readers: usize) -> (Self::Sender, Vec<Self::Reader>) {
                let (pusher, aiter) = push_aiter();
                (pusher, forks(aiter, readers, PushAiter::fork))
            }

            #[inline]
            fn send(sender: &mut Self::Sender, item: u64) {
                <$channel as Channel>::send(sender, item);
            }

            #[inline]
            fn take(reader: &mut Self::Reader) -> Option<u64> {
                poll_once(reader)
            }

            #[inline]
            fn next(reader: &mut Self::Reader) -> impl Future<Output = u64> {
                next_of(reader)
            }
        }
    };
}
forked_list!(Push);
forked_list!(PushMut);

/// The cheapest source that one thread can wait for: it yields as many numbers as have been sent.
#[derive(Debug)]
pub struct Numbers {
    sent: Rc<Sent>,
    next: u64,
}

/// Sends [`Numbers`].
#[derive(Debug, Default)]
pub struct Sent {
    count: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

impl Numbers {
    fn new() -> (Rc<Sent>, Self) {
        let sent = Rc::<Sent>::default();
        (sent.clone(), Self { sent, next: 0 })
    }
}

impl Sent {
    #[inline]
    fn send(&self, item: u64) {
        self.count.set(item + 1);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Stream for Numbers {
    type Item = u64;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.next == self.sent.count.get() {
            self.sent.waker.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let item = self.next;
        self.next += 1;
        Poll::Ready(Some(item))
    }
}

/// Forks of a stream.
macro_rules! forked_stream {
    ($(#[$doc:meta])* $forker:ident, $name:literal, $reader:ty, |$stream:ident| $first:expr, |$one:ident| $fork:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $forker {}

        impl FanOut for $forker {
            const NAME: &'static str = $name;
            type Sender = Rc<Sent>;
            type Reader = $reader;

            fn new(readers: usize) -> (Self::Sender, Vec<Self::Reader>) {
                let (sent, $stream) = Numbers::new();
                (sent, forks($first, readers, |$one| $fork))
            }

            #[inline]
            fn send(sender: &mut Self::Sender, item: u64) {
                sender.send(item);
            }

            #[inline]
            fn take(reader: &mut Self::Reader) -> Option<u64> {
                poll_once(reader)
            }

            #[inline]
            fn next(reader: &mut Self::Reader) -> impl Future<Output = u64> {
                next_of(reader)
            }
        }
    };
}
#[cfg(feature = "peers")]
use forked_stream;
forked_stream!(
    /// `aiter_forker`.
    Forker, "aiter_forker", Fork<Numbers>, |stream| aiter_forker(stream), |one| one.fork()
);

/// Sends a batch, which each reader then takes, and repeats that until there were this many
/// `deliveries`.
pub fn in_batches<F: FanOut>(readers: usize, deliveries: u64) {
    let (mut sender, mut all) = F::new(readers);
    let items = deliveries / readers as u64;
    assert!(items.is_multiple_of(BATCH) && deliveries.is_multiple_of(readers as u64));
    for start in (0..items).step_by(BATCH as usize) {
        for item in start..start + BATCH {
            F::send(&mut sender, black_box(item));
        }
        for reader in &mut all {
            for _ in 0..BATCH {
                black_box(F::take(reader).expect("it was sent"));
            }
        }
    }
}

/// Sends an item, which each reader then takes, in an order that changes from item to item, and
/// repeats that until there were about this many `deliveries`. It includes the setup, a fork or a
/// channel for each reader.
pub fn in_changing_order<F: FanOut>(readers: usize, deliveries: u64) {
    let (mut sender, mut all) = F::new(readers);
    // A walk around a prime number of places, which skips those beyond the last reader.
    let places = (readers..)
        .find(|&n| n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0))
        .expect("there are more primes");
    for item in 0..deliveries.div_ceil(readers as u64) {
        F::send(&mut sender, black_box(item));
        let stride = 1 + (item as usize * 7919 + 104_729) % (places - 1);
        let mut place = item as usize % places;
        for _ in 0..places {
            if let Some(reader) = all.get_mut(place) {
                black_box(F::take(reader).expect("it was sent"));
            }
            place += stride;
            if place >= places {
                place -= places;
            }
        }
    }
}

/// All readers wait, one number is sent and wakes each of them, and each takes it and waits again.
pub fn each_wakes_all<F: FanOut>(readers: usize, deliveries: u64) {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            // Ordering: Relaxed, read by the same thread.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let wakes = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    let cx = &mut Context::from_waker(&waker);
    let taken = &Cell::new(0);
    let (mut sender, all) = F::new(readers);
    let mut tasks: Vec<_> = all
        .into_iter()
        .map(|mut reader| {
            Box::pin(async move {
                loop {
                    black_box(F::next(&mut reader).await);
                    taken.set(taken.get() + 1);
                }
            })
        })
        .collect();
    let mut poll_all = || {
        for task in &mut tasks {
            let polled: Poll<()> = task.as_mut().poll(cx);
            assert!(polled.is_pending());
        }
    };
    poll_all();
    assert!(deliveries.is_multiple_of(readers as u64));
    let items = deliveries / readers as u64;
    for item in 0..items {
        F::send(&mut sender, black_box(item));
        poll_all();
    }
    assert_eq!(taken.get(), deliveries);
    // Ordering: Relaxed, written by the same thread.
    assert!(wakes.0.load(Ordering::Relaxed) as u64 >= deliveries);
}
