//! Hubs and readers with each bound.

use super::{super::environment::Item, op::Own};
use aiter_core::{
    HubBound, HubReader, PushAiter, SkipAiter, TryNextError,
    bound::{self, Retain, Skip, Unbounded},
};
use futures_core::{FusedStream, Stream};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// The bound of a hub.
pub(in super::super) trait Kind: 'static {
    type Bound: HubBound;
    const RETAINS: usize;
    const OWN: Own;
    fn bound() -> Self::Bound;
    fn reader(reader: <Self::Bound as HubReader>::Reader<Item>) -> Any;
}

/// A hub that retains `M` items for readers that lose none.
pub(in super::super) enum Lossless<const M: usize> {}

/// A hub that has the current value for readers that see the newest one.
pub(in super::super) enum Latest {}

impl<const M: usize> Kind for Lossless<M> {
    type Bound = Retain<Unbounded>;
    const RETAINS: usize = M;
    const OWN: Own = Own::Unbounded;
    fn bound() -> Self::Bound {
        bound::unbounded().retain(M)
    }
    fn reader(reader: PushAiter<Item>) -> Any {
        Any::Lossless(reader)
    }
}

impl Kind for Latest {
    type Bound = Retain<Skip>;
    const RETAINS: usize = 1;
    const OWN: Own = Own::Skip(1);
    fn bound() -> Self::Bound {
        bound::latest()
    }
    fn reader(reader: SkipAiter<Item>) -> Any {
        Any::Lossy(reader)
    }
}

pub(in super::super) enum Any {
    Lossless(PushAiter<Item>),
    Lossy(SkipAiter<Item>),
}

impl Any {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Item)>> {
        match self {
            Any::Lossless(aiter) => Pin::new(aiter).poll_next(cx).map(|item| Some((0, item?))),
            Any::Lossy(aiter) => Pin::new(aiter).poll_next(cx).map(|seen| {
                let seen = seen?;
                Some((seen.missed, seen.item))
            }),
        }
    }

    pub(super) fn try_next(&mut self) -> Result<(usize, Item), TryNextError> {
        match self {
            Any::Lossless(aiter) => aiter.try_next().map(|item| (0, item)),
            Any::Lossy(aiter) => aiter.try_next().map(|seen| (seen.missed, seen.item)),
        }
    }

    pub(super) fn fork(&mut self) -> Self {
        match self {
            Any::Lossless(aiter) => Any::Lossless(aiter.fork()),
            Any::Lossy(aiter) => Any::Lossy(aiter.fork()),
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        match self {
            Any::Lossless(aiter) => aiter.is_stopped(),
            Any::Lossy(aiter) => aiter.is_stopped(),
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        match self {
            Any::Lossless(aiter) => aiter.is_terminated(),
            Any::Lossy(aiter) => aiter.is_terminated(),
        }
    }
}
