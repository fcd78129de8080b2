//! What is swept: streams, those who drive for them, and what is to come out.

use crate::bench::{ITEMS, Item};
use futures_core::Stream;
use std::{any::type_name, future::Future, pin::Pin};

/// A stream or a driver, with the name of its type.
pub struct Part<T: ?Sized> {
    pub type_name: &'static str,
    pub it: Pin<Box<T>>,
}

pub type Items = Part<dyn Stream<Item = Item>>;
pub type Driving = Part<dyn Future<Output = ()>>;

pub fn items<S: Stream<Item = Item> + 'static>(stream: S) -> Items {
    Part {
        type_name: type_name::<S>(),
        it: Box::pin(stream),
    }
}

pub fn driving<F: Future<Output = ()> + 'static>(future: F) -> Driving {
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
        let all: Vec<u32> = match self {
            Self::Twice => ITEMS.flat_map(|n| [n, n]).collect(),
            Self::Keyed => (ITEMS.start..ITEMS.end + 3).collect(),
            _ => ITEMS.collect(),
        };
        if matches!(self, Self::Shared) {
            let mut union = seen.concat();
            union.sort_unstable();
            assert!(seen.iter().all(|seen| seen.is_sorted()), "{at}: {seen:?}");
            assert_eq!(union, all, "{at}: {seen:?}");
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

pub struct World {
    /// The first is the one that is cancelled.
    pub streams: Vec<Items>,
    pub drivers: Vec<Driving>,
    pub gets: Gets,
    /// Where tasks run: goes on as long as the others do.
    pub executor: Option<Driving>,
}

impl World {
    pub fn one(stream: impl Stream<Item = Item> + 'static) -> Self {
        Self::of(Gets::All, [items(stream)], [])
    }

    pub fn any_order(stream: impl Stream<Item = Item> + 'static) -> Self {
        Self::of(Gets::AnyOrder, [items(stream)], [])
    }

    pub fn of(
        gets: Gets,
        streams: impl IntoIterator<Item = Items>,
        drivers: impl IntoIterator<Item = Driving>,
    ) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            drivers: drivers.into_iter().collect(),
            gets,
            executor: None,
        }
    }
}
