//! The setups that are swept: streams, their drivers, and the items that have to come out.

use super::harness::{self, Item, next};
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
pub type Driver = Part<dyn Future<Output = ()> + Send>;

pub fn items<S: Stream<Item = Item> + Send + 'static>(stream: S) -> Items {
    Part {
        type_name: type_name::<S>(),
        it: Box::pin(stream),
    }
}

pub fn driver_part<F: Future<Output = ()> + Send + 'static>(future: F) -> Driver {
    Part {
        type_name: type_name::<F>(),
        it: Box::pin(future),
    }
}

/// Calls its function when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A stream that reports the end of each of its polls, and its own end.
pub struct Reporting<S> {
    stream: S,
    report: OnDrop<Box<dyn FnMut() + Send>>,
}

impl<S> Reporting<S> {
    pub fn new(stream: S, pusher: Pusher<()>) -> Self {
        let report = move || {
            // The push is refused if the listener has been dropped.
            let _ = pusher.push(());
        };
        Self {
            stream,
            report: OnDrop(Box::new(report)),
        }
    }
}

impl<S: Stream + Unpin> Stream for Reporting<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let polled = Pin::new(&mut self.stream).poll_next(cx);
        (self.report.0)();
        polled
    }
}

/// The name of a setup, and the function that makes it.
pub type Subject = (&'static str, fn() -> Setup);

/// Which items come out of the streams of a setup.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// Each stream yields all items, in order.
    All,
    /// The same, but no stream runs ahead of one that is kept.
    Together,
    /// Each stream yields all items, in some order.
    AnyOrder,
    /// Each item goes to one stream, in order.
    Shared,
    /// The same, and a number for the end of each of the three streams that were joined.
    Keyed,
    /// Each row has two items; otherwise as `All`. Each item comes twice in a row.
    Twice,
}

/// Which streams may yield only the first part of the items.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Short {
    Nobody,
    /// The first stream, which was dropped.
    First,
    /// The first stream, which is kept and not polled.
    Kept,
    /// All of them, because the source was dropped.
    All,
}

impl Expected {
    pub fn check(self, seen: &[Vec<u32>], short: Short, at: &str) {
        let items = harness::items();
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

/// The streams, their drivers and the items that they yield. The streams are `Send` by default.
pub struct Setup<S: ?Sized = dyn Stream<Item = Item> + Send> {
    /// The first one is cancelled.
    pub streams: Vec<Items<S>>,
    pub drivers: Vec<Driver>,
    pub expected: Expected,
}

impl Setup {
    pub fn one(stream: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self::of(Expected::All, [items(stream)], [])
    }

    pub fn any_order(stream: impl Stream<Item = Item> + Send + 'static) -> Self {
        Self::of(Expected::AnyOrder, [items(stream)], [])
    }

    /// A stream, and a driver that is polled as often and has work to do after the stream was
    /// dropped.
    pub fn outlived_by(
        stream: impl Stream<Item = Item> + Send + Unpin + 'static,
        then: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (pusher, mut polls) = push_aiter();
        let outliving = async move {
            while next(&mut polls).await.is_some() {}
            then();
        };
        let stream = items(Reporting::new(stream, pusher));
        Self::of(Expected::All, [stream], [driver_part(outliving)])
    }
}

impl<S: ?Sized> Setup<S> {
    pub fn of(
        expected: Expected,
        streams: impl IntoIterator<Item = Items<S>>,
        drivers: impl IntoIterator<Item = Driver>,
    ) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            drivers: drivers.into_iter().collect(),
            expected,
        }
    }
}
