//! [`BoundedSink`]: a pusher of a bounded list as a [`Sink`].

use super::{BoundedPusher, push::PlaceWait};
use crate::Stopped;
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_sink::Sink;

/// A [`Sink`] that pushes into a [bounded list](super::push_aiter_bounded), and is ready when it
/// has a place there. [`BoundedPusher::into_sink`] makes one. It needs the feature `sink`.
///
/// Use it to connect a bounded list to code that writes to any [`Sink`], such as
/// `StreamExt::forward` and `SinkExt::send_all` of the crate `futures`. That code then waits for
/// the slowest consumer of the list.
///
/// `poll_ready` waits for a place in the same queue as [`reserve`](BoundedPusher::reserve), and
/// `start_send` fills the place. A sink that is ready holds its place until it sends or is dropped,
/// so it counts like a [`Permit`](super::Permit) while it is idle. A sink that is dropped or closed
/// while it waits leaves the queue. If it has a place, that goes to the next pusher.
///
/// *Flushing* does nothing, because an item is in the list as soon as it is sent. *Closing* gives
/// up this pusher, as dropping it does: if it was the last one, the list stops, and otherwise the
/// other pushers go on.
///
/// # Errors
/// [`Stopped`]`(())` from `poll_ready` and `start_send`, if the list is
/// [stopped](BoundedPusher::stop), has no consumer left, or this sink was closed. An item that the
/// sink refuses is dropped.
///
/// # Panics
/// `start_send` panics if the sink has no place, because `poll_ready` was not ready before it. If
/// it fails, it does not panic.
///
/// # Cancel safety
/// Cancel safe: the turn in the queue and the place belong to the sink, and not to a future that
/// polls it. So a sink that waits keeps its turn while nothing polls it, and the pushers behind it
/// wait. The last task that polled it is woken.
///
/// # Progress
/// `poll_ready` and `start_send` together do what [`push`](BoundedPusher::push) does.
///
/// # Example
/// A file is read at most two lines ahead of the consumer that parses them:
/// ```
/// use aiter_core::push_aiter_bounded;
/// use futures::{StreamExt, stream};
/// use futures_lite::future::{block_on, zip};
///
/// let (pusher, lines) = push_aiter_bounded(2);
/// let file = stream::iter(["[package]", "name = \"demo\"", "", "# end"]);
/// // `forward` closes the sink at the end of the file, and `lines` ends.
/// let reading = file.map(Ok).forward(pusher.into_sink());
/// let parsing = lines.filter(|line| std::future::ready(!line.is_empty())).count();
/// let (read, parsed) = block_on(zip(reading, parsing));
/// read.unwrap();
/// assert_eq!(parsed, 3);
/// ```
#[must_use = "sinks do nothing unless polled"]
pub struct BoundedSink<T> {
    /// `None` once the sink is closed.
    place: Option<PlaceWait<T, BoundedPusher<T>>>,
    /// Whether the sink has a place that no item has filled.
    is_ready: bool,
}

impl<T> BoundedPusher<T> {
    /// Turns this pusher into a [`Sink`], which waits for a place before each item. To be able to
    /// push or [stop](Self::stop) as well, clone the pusher first. It needs the feature `sink`.
    pub fn into_sink(self) -> BoundedSink<T> {
        BoundedSink {
            place: Some(PlaceWait::new(self)),
            is_ready: false,
        }
    }
}

impl<T> BoundedSink<T> {
    /// Returns the list if the sink is open and the list accepts items.
    fn open(&mut self) -> Result<&mut PlaceWait<T, BoundedPusher<T>>, Stopped<()>> {
        let open = self.place.as_mut();
        open.filter(|place| !place.pusher.is_stopped())
            .ok_or(Stopped(()))
    }

    fn close(&mut self) {
        if let Some(place) = self.place.take() {
            if mem::take(&mut self.is_ready) {
                place.pusher.shared().give_back();
            }
        }
    }
}

impl<T> Sink<T> for BoundedSink<T> {
    type Error = Stopped<()>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Stopped<()>>> {
        let this = self.get_mut();
        if !this.is_ready {
            let place = this.place.as_mut().ok_or(Stopped(()))?;
            ready!(place.poll(cx.waker()))?;
            this.is_ready = true;
        }
        Poll::Ready(this.open().map(drop))
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Stopped<()>> {
        let this = self.get_mut();
        let is_ready = mem::take(&mut this.is_ready);
        let place = this.open()?;
        assert!(is_ready, "start_send: the sink has to be ready");
        place.pusher.push_admitted(item).map_err(|_| Stopped(()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Stopped<()>>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Stopped<()>>> {
        self.get_mut().close();
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for BoundedSink<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> fmt::Debug for BoundedSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSink")
            .field("is_closed", &self.place.is_none())
            .field("is_ready", &self.is_ready)
            .finish_non_exhaustive()
    }
}
