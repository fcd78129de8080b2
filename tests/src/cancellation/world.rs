//! What is swept: streams, those who drive for them, and what is to come out.

use super::bench::{self, Item, next};
use aiter_core::{Pusher, push_aiter};
use futures_core::Stream;
use std::{
    any::type_name,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// A stream or a driver, with the name of its type.
pub struct Part<T: ?Sized> {
    pub type_name: &'static str,
    pub it: Pin<Box<T>>,
}

pub type Items<S = dyn Stream<Item = Item> + Send> = Part<S>;
pub type Driving = Part<dyn Future<Output = ()> + Send>;

pub fn items<S: Stream<Item = Item> + Send + 'static>(stream: S) -> Items {
    Part {
        type_name: type_name::<S>(),
        it: Box::pin(stream),
    }
}

pub fn driving<F: Future<Output = ()> + Send + 'static>(future: F) -> Driving {
    Part {
        type_name: type_name::<F>(),
        it: Box::pin(future),
    }
}

/// Runs when it is dropped.
pub struct AtTheEnd<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for AtTheEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A stream that tells of each poll, when that is over, and of its end.
pub struct Telling<S> {
    stream: S,
    told: AtTheEnd<Box<dyn FnMut() + Send>>,
}

impl<S> Telling<S> {
    pub fn new(stream: S, pusher: Pusher<()>) -> Self {
        let tell = move || {
            // Refused by who does not listen any more.
            let _ = pusher.push(());
        };
        Self {
            stream,
            told: AtTheEnd(Box::new(tell)),
        }
    }
}

impl<S: Stream + Unpin> Stream for Telling<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let polled = Pin::new(&mut self.stream).poll_next(cx);
        (self.told.0)();
        polled
    }
}

/// The name of a world, and how it is made.
pub type Subject = (&'static str, fn() -> World);

/// Which items come out of the streams of a world.
#[derive(Clone, Copy, Debug)]
pub enum Gets {
    /// Each stream has all, in order.
    All,
    /// The same, but nobody runs ahead of one that is kept.
    Together,
    /// Each has all, in some order.
    AnyOrder,
    /// Each item goes to one, in order.
    Shared,
    /// The same, and for each of three streams that were joined a number that says its end.
    Keyed,
    /// Each row has two items, then as `All`: each comes twice in a row.
    Twice,
}

/// Who may have a part of the items only, from the first on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Short {
    Nobody,
    /// The first stream, which went.
    First,
    /// The first stream, which is kept and not polled.
    Kept,
    /// Everybody: the source went.
    All,
}

impl Gets {
    pub fn check(self, seen: &[Vec<u32>], short: Short, at: &str) {
        let items = bench::items();
        let all: Vec<u32> = match self {
            Self::Twice => items.flat_map(|n| [n, n]).collect(),
            Self::Keyed => (items.start..items.end + 3).collect(),
            _ => items.collect(),
        };
        if matches!(self, Self::Shared) {
            let mut union = seen.concat();
            union.sort_unstable();
            assert!(seen.iter().all(|seen| seen.is_sorted()), "{at}: {seen:?}");
            let is_whole = union == all || short == Short::All && all.starts_with(&union);
            assert!(is_whole, "{at}: {seen:?}");
            return;
        }
        for (i, seen) in seen.iter().enumerate() {
            let mut sorted = seen.clone();
            let is_part = if matches!(self, Self::AnyOrder | Self::Keyed) {
                sorted.sort_unstable();
                sorted.windows(2).all(|two| two[0] < two[1])
            } else {
                all.starts_with(seen)
            };
            let may_be_short = match short {
                Short::Nobody => false,
                Short::Kept if matches!(self, Self::Together) => true,
                Short::First | Short::Kept => i == 0,
                Short::All => true,
            };
            assert!(
                sorted == all || may_be_short && is_part,
                "{at}: stream {i} has {seen:?}"
            );
        }
    }
}

/// Streams that can go to another thread, unless said otherwise.
pub struct World<S: ?Sized = dyn Stream<Item = Item> + Send> {
    /// The first is the one that is cancelled.
    pub streams: Vec<Items<S>>,
    pub drivers: Vec<Driving>,
    pub gets: Gets,
}

impl World {
    pub fn one(stream: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self::of(Gets::All, [items(stream)], [])
    }

    pub fn any_order(stream: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self::of(Gets::AnyOrder, [items(stream)], [])
    }

    /// A stream, and a driver that is polled as often, and has something to do when the stream is gone.
    pub fn outlived_by(
        stream: impl Stream<Item = Item> + Send + Unpin + 'static,
        then: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (pusher, mut polls) = push_aiter();
        let outliving = async move {
            while next(&mut polls).await.is_some() {}
            then();
        };
        let stream = items(Telling::new(stream, pusher));
        Self::of(Gets::All, [stream], [driving(outliving)])
    }
}

impl<S: ?Sized> World<S> {
    pub fn of(
        gets: Gets,
        streams: impl IntoIterator<Item = Items<S>>,
        drivers: impl IntoIterator<Item = Driving>,
    ) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            drivers: drivers.into_iter().collect(),
            gets,
        }
    }
}
