//! [`BoundedSink`]: a pusher of a bounded list as a [`Sink`].

use super::{BoundedPusher, push::PlaceWait};
use crate::Stopped;
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_sink::Sink;

/// With the feature `sink`. A [`Sink`] that pushes into a [bounded list](super::push_aiter_bounded)
/// and is ready when it has a place there. [`BoundedPusher::into_sink`] makes one.
///
/// Use it to connect a bounded list to code that writes to any [`Sink`], such as
/// `StreamExt::forward` and `SinkExt::send_all` of the crate `futures`: that code then waits for
/// the slowest consumer of the list.
///
/// `poll_ready` waits for a place like [`reserve`](BoundedPusher::reserve), in the same queue, and
/// `start_send` fills it. A sink that is ready keeps its place free until it sends or is dropped,
/// so an idle sink that is ready counts like a [`Permit`](super::Permit). A sink that is dropped or
/// closed while it waits leaves the queue, and the place of one that is ready goes to the next
/// pusher.
///
/// *Flushing* does nothing, because an item is in the list as soon as it is sent. *Closing* gives
/// up this pusher, as dropping it does: the list stops if it was the last one, and other pushers go
/// on.
///
/// # Errors
/// [`Stopped`]`(())` from `poll_ready` and `start_send`, if the list is
/// [stopped](BoundedPusher::stop), has no consumer left, or this sink was closed. An item that the
/// sink refuses is dropped.
///
/// # Panics
/// `start_send` panics without an earlier `poll_ready` that was ready, unless it fails.
///
/// # Cancel safety
/// Cancel safe: a place for which `poll_ready` waits, or which it has got, belongs to the sink and
/// not to the future that polls it. So it also keeps its turn in the queue while nobody polls it,
/// and those behind it wait. The last task that polled it is woken.
///
/// # Progress
/// `poll_ready` and `start_send` together as [`push`](BoundedPusher::push).
///
/// # Example
/// A file is read no faster than the consumer parses its lines, two lines ahead:
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
    /// The sink has a place that no item has filled.
    is_ready: bool,
}

impl<T> BoundedPusher<T> {
    /// With the feature `sink`. Turns this pusher into a [`Sink`] that waits for a place before each
    /// item. To push or [stop](Self::stop) beside it, clone the pusher first.
    pub fn into_sink(self) -> BoundedSink<T> {
        BoundedSink {
            place: Some(PlaceWait::new(self)),
            is_ready: false,
        }
    }
}

impl<T> BoundedSink<T> {
    /// The open list, if it accepts items.
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
