//! `gated_aiter`: a stream that lets through as many items as there are permits.
//!
//! | file | what it knows |
//! |---|---|
//! | [`mod@word`] | permits, valve and stop in one word: who may change it, and who wakes whom |
//! | this one | when the source is polled, and what becomes of an item that nobody has authorised |
//!
//! The stream looks at the word twice for each item: before it polls the source, and when the source has yielded.
//!
//! | first look | source | second look | the poll |
//! |---|---|---|---|
//! | may pass | an item | may pass | returns it, spends a permit unless the valve is open |
//! | | | may not: closed meanwhile | keeps the item back, and goes on as one that may not pass |
//! | | pending, permits | | is pending: permits cannot be withdrawn |
//! | | pending, none (open) | is over: closed and stopped | ends |
//! | | | any other | is pending, and told when it is over |
//! | | the end | | ends |
//! | waits | not polled | waits still | is pending, and told of the next permit |
//! | | | any other | begins again |
//! | is over | not polled | | ends: drops the source, and an item that was kept back |
//!
//! An item kept back takes the place of the source at the next first look that may pass.

mod word;

use crate::{sync::Arc, util::fuse::Fused};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use word::{Inside, Outside, sides};

/// Lets through as many items of `stream` as its [`Gate`] authorises.
///
/// The gate begins closed and without permits. [`Gate::push`] adds permits: so many more items may pass, each spends
/// one. [`Gate::open`] opens a valve: until [`Gate::close`] items pass freely, and permits are kept for later. Gates
/// may be used from any thread, before the stream is first polled and after.
///
/// The source is polled only while an item may pass. A permit is spent in the poll that returns an item and nowhere
/// else: not by a source that is pending, ends or panics.
///
/// **The end** comes with that of the source, or after [`Gate::stop`], or after the last gate was dropped, which is a
/// stop: what was authorised until then still comes. The source is dropped there. With it go the permits that are
/// left, and [`Gate::is_stopped`] is true from then on.
///
/// **Closing while an item is under way**: the stream looks at the valve before it polls the source, and again when
/// the source has yielded an item. That second look decides. A close that comes before it, be it while the source is
/// pending, from within the source, or from a thread that closes and then feeds the source, holds the item back: it
/// waits for a permit, and is the first to pass. A close that comes after it finds that the item has passed, though
/// the poll may not have returned yet.
///
/// # Panics
/// Never by itself. A panic of the source reaches whoever polls, spends no permit, and the next poll asks the source
/// again.
///
/// # Cancel safety
/// Cancel safe: an item that has not been returned is still in the source, or kept back in the stream. A `next()` that
/// is dropped spends no permit.
///
/// # Progress
/// Open, a poll adds two loads to that of the source; with permits, a read-modify-write more for each item. It never
/// waits for a gate. It begins again where a gate has changed the word meanwhile: lock-free.
///
/// # Example
/// ```
/// use aiter_core::{gated_aiter, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (numbers, gate) = gated_aiter(iter_to_aiter(1..));
/// gate.push(2);
/// gate.push(1);
/// gate.stop();
/// assert_eq!(block_on(numbers.collect::<Vec<_>>()), [1, 2, 3]);
/// ```
///
/// A stream of counts drives a gate as well as a program does. With a stream that ticks, whosever timer that is, it is
/// a limit on the rate; `examples/rate_limit.rs` runs one.
/// ```
/// use aiter_core::{gated_aiter, iter_to_aiter};
/// use futures_lite::{StreamExt, future::{block_on, zip}};
///
/// let ticks = iter_to_aiter([2, 0, 3]); // how many more at each tick
/// let (numbers, gate) = gated_aiter(iter_to_aiter(1..));
/// // The last gate goes with the ticks, which ends the stream.
/// let driver = ticks.for_each(move |n| gate.push(n));
/// let (numbers, ()) = block_on(zip(numbers.collect::<Vec<_>>(), driver));
/// assert_eq!(numbers, [1, 2, 3, 4, 5]);
/// ```
pub fn gated_aiter<S: Stream>(stream: S) -> (Gated<S>, Gate) {
    let (inside, outside) = sides();
    let gated = Gated {
        gate: inside,
        held: None,
        source: Fused::new(stream),
    };
    (gated, Gate(Arc::new(outside)))
}

/// The stream [`gated_aiter`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct Gated<S: Stream> {
    gate: Inside,
    /// An item that the source yielded when none might pass any more.
    held: Option<S::Item>,
    #[pin]
    source: Fused<S>,
}

impl<S: Stream> Stream for Gated<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        // Before it looks: the drop of a waker may do anything.
        this.gate.clear_for(cx.waker());
        loop {
            let seen = this.gate.look();
            if seen.may_pass() {
                let item = match this.held.take() {
                    Some(item) => item,
                    None => match this.source.as_mut().poll_next(cx) {
                        Poll::Ready(Some(item)) => item,
                        Poll::Ready(None) => break,
                        Poll::Pending => {
                            if seen.permits() == 0 {
                                this.gate.register(cx.waker());
                                if this.gate.look().is_over() {
                                    break;
                                }
                            }
                            return Poll::Pending;
                        }
                    },
                };
                if this.gate.pass() {
                    return Poll::Ready(Some(item));
                }
                *this.held = Some(item);
            } else if seen.is_over() || this.source.is_terminated() {
                break;
            } else {
                this.gate.register(cx.waker());
                if this.gate.look().must_wait() {
                    return Poll::Pending;
                }
            }
        }
        this.gate.give_up();
        *this.held = None;
        this.source.end();
        Poll::Ready(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let seen = self.gate.look();
        let held = usize::from(self.held.is_some());
        let (least, most) = self.source.size_hint();
        // Permits are not withdrawn; the valve may close, and unless it is stopped more permits may come.
        let least = least.saturating_add(held).min(seen.permits());
        let most = most.and_then(|most| most.checked_add(held));
        match seen.is_stopped() && !seen.is_open() {
            true => (
                least,
                Some(most.map_or(seen.permits(), |most| most.min(seen.permits()))),
            ),
            false => (least, most),
        }
    }
}

impl<S: Stream> FusedStream for Gated<S> {
    fn is_terminated(&self) -> bool {
        self.source.is_terminated()
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for Gated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated")
            .field("gate", &self.gate.look())
            .field("holds_item", &self.held.is_some())
            .field("source", &self.source)
            .finish()
    }
}

/// Says how many items may pass the [`Gated`] stream it came with. Clones are for the same one; when the last is
/// dropped the gate is [stopped](Self::stop).
///
/// # Progress
/// All calls are lock-free: one exchange of a word, made again if another gate was faster. Whoever ends the stream's
/// wait wakes it, and its waker runs in that call.
#[derive(Clone)]
pub struct Gate(Arc<Outside>);

impl Gate {
    /// The most permits there can be at a time: a quarter of `usize`, as the rest of the word is needed for the valve.
    pub const MAX_PERMITS: usize = word::MAX_PERMITS;

    /// Lets `n` more items pass. Permits add up, and saturate at [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// Does nothing for an `n` of 0, nor once the gate [is stopped](Self::is_stopped). Wakes the stream if it waits for
    /// a permit.
    ///
    /// # Panics
    /// If the waker of the task that waits panics; the permits are there all the same.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{gated_aiter, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::{block_on, poll_once}};
    ///
    /// let (mut numbers, gate) = gated_aiter(iter_to_aiter(1..));
    /// gate.push(1);
    /// assert_eq!(block_on(numbers.next()), Some(1));
    /// assert_eq!(block_on(poll_once(numbers.next())), None); // it waits
    /// ```
    pub fn push(&self, n: usize) {
        self.0.push(n);
    }

    /// Lets items pass without permits until [`close`](Self::close). Says whether that is a change: not if it was open,
    /// nor once the gate [is stopped](Self::is_stopped).
    ///
    /// # Panics
    /// If the waker of the task that waits panics; the valve is open all the same.
    ///
    /// # Example
    /// ```
    /// let (_numbers, gate) = aiter_core::gated_aiter(aiter_core::iter_to_aiter(1..));
    /// assert!(gate.open() && !gate.open());
    /// assert!(gate.close() && !gate.close());
    /// ```
    pub fn open(&self) -> bool {
        self.0.open()
    }

    /// Lets items pass for permits only, from now on. Says whether that is a change. What it means for an item that is
    /// under way see [`gated_aiter`].
    ///
    /// It may be closed after a [`stop`](Self::stop) too: then only the permits that are left count, without any the
    /// stream ends, and it is woken for that.
    ///
    /// # Panics
    /// If the waker of the task that waits panics; the valve is closed all the same.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{gated_aiter, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let (numbers, gate) = gated_aiter(iter_to_aiter(1..));
    /// gate.open();
    /// gate.push(2);
    /// gate.close();
    /// gate.stop();
    /// assert_eq!(block_on(numbers.collect::<Vec<_>>()), [1, 2]);
    /// ```
    pub fn close(&self) -> bool {
        self.0.close()
    }

    /// Authorises nothing more: what was authorised still comes, then the end. Every further call does nothing.
    ///
    /// Through an open valve everything is authorised, so it comes up to the end of the source. To end such a stream,
    /// [`close`](Self::close) it as well, before or after; to end one at once whatever its permits,
    /// [`stoppable_aiter`](crate::stoppable_aiter()) does.
    ///
    /// # Panics
    /// If the waker of the task that waits panics; the gate is stopped all the same.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{gated_aiter, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let (numbers, gate) = gated_aiter(iter_to_aiter(1..4));
    /// gate.open();
    /// drop(gate); // stops too
    /// assert_eq!(block_on(numbers.collect::<Vec<_>>()), [1, 2, 3]);
    /// ```
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it is of no use to authorise anything: it was stopped, or the stream has ended or was dropped.
    pub fn is_stopped(&self) -> bool {
        self.0.look().is_stopped()
    }

    /// Whether the valve is open.
    pub fn is_open(&self) -> bool {
        self.0.look().is_open()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&self.0.look()).finish()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
