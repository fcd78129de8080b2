//! `gated_aiter`: a stream that lets through as many items as there are permits.
//!
//! | file | what it knows |
//! |---|---|
//! | [`mod@word`] | permits, valve and stop in one word: who changes it, and which change wakes the stream |
//! | this one | when the source is polled, and what happens to an item that is not authorized |
//!
//! The stream loads the word twice for each item: before it polls the source, and after the source
//! has yielded.
//!
//! | first load | source | second load | the poll |
//! |---|---|---|---|
//! | may pass | an item | may pass | returns it, spends a permit unless the valve is open |
//! | | | may not pass: closed meanwhile | holds the item back, and starts again |
//! | | pending, with permits | | is pending: permits cannot be withdrawn |
//! | | pending, without permits (open) | is over: closed and stopped | ends |
//! | | | any other | is pending, and is woken if the gate is over |
//! | | the end | | ends |
//! | waits | not polled | still waits | is pending, and is woken by the next permit |
//! | | | any other | starts again |
//! | is over | not polled | | ends: drops the source, and an item that was held back |
//!
//! An item that was held back takes the place of the source at the next first load that lets items
//! pass.

mod word;

use crate::{sync::Arc, util::fuse::Fused};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use word::{GateSide, StreamSide, sides};

/// Lets items of `stream` pass only as far as its [`Gate`] authorizes them.
///
/// Use it to control a stream from outside: to pause and resume it, to release items one at a time,
/// or to limit their rate.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/gate.svg"))]
///
/// The gate starts closed and without permits. [`Gate::push`] adds permits, and each item that
/// passes spends one. [`Gate::push_up_to`] adds them up to a limit, as a token bucket does.
/// [`Gate::open`] opens a valve: until [`Gate::close`] all items pass, and permits are kept for
/// later. Gates may be used from any thread, before the stream is first polled and after.
///
/// The source is polled only while an item may pass. A permit is spent only in a poll that returns
/// an item, so a source that is pending, ends or panics spends none.
///
/// **The end** comes with the end of the source, or after [`Gate::stop`], or after the last gate
/// was dropped, which stops it too. After a stop the stream first yields what was authorized
/// before. At its end the stream drops the source and the permits that are left, and
/// [`Gate::is_stopped`] returns `true` from then on.
///
/// **Closing while an item is under way.** The stream looks at the valve before it polls the
/// source, and again after the source has yielded an item. The second look decides. A close that
/// comes before it holds the item back, whether it comes while the source is pending, from within
/// the source, or from a thread that closes and then feeds the source. The item then waits for a
/// permit and is the first to pass. If the close comes after the second look, the item has passed,
/// although the poll may not have returned yet.
///
/// # Panics
/// Does not panic by itself. A panic of the source reaches the consumer and spends no permit; the
/// next poll polls the source again.
///
/// # Cancel safety
/// Cancel safe: an item that has not been returned is still in the source or in the stream.
/// Dropping `next()` spends no permit.
///
/// # Progress
/// A poll never waits for a gate. With an open valve it adds two loads to the poll of the source;
/// with permits, one more read-modify-write per item. It starts again if a gate has changed the
/// word meanwhile, so it is lock-free.
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
/// A stream of counts can drive a gate. If that stream ticks, on a timer of any runtime, the gate
/// limits the rate; see `examples/rate_limit.rs`.
/// ```
/// use aiter_core::{gated_aiter, iter_to_aiter};
/// use futures_lite::{StreamExt, future::{block_on, zip}};
///
/// let ticks = iter_to_aiter([2, 0, 3]); // how many more at each tick
/// let (numbers, gate) = gated_aiter(iter_to_aiter(1..));
/// // The closure owns the only gate: the stream ends after the last tick.
/// let driver = ticks.for_each(move |n| gate.push(n));
/// let (numbers, ()) = block_on(zip(numbers.collect::<Vec<_>>(), driver));
/// assert_eq!(numbers, [1, 2, 3, 4, 5]);
/// ```
pub fn gated_aiter<S: Stream>(stream: S) -> (Gated<S>, Gate) {
    let (gate, gate_side) = sides();
    let gated = Gated {
        gate,
        held: None,
        source: Fused::new(stream),
    };
    (gated, Gate(Arc::new(gate_side)))
}

/// The stream [`gated_aiter`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct Gated<S: Stream> {
    gate: StreamSide,
    /// An item that the source yielded when it might not pass any more.
    held: Option<S::Item>,
    #[pin]
    source: Fused<S>,
}

impl<S: Stream> Stream for Gated<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        // Before the first load: the drop of a waker may run any code, also a gate's.
        this.gate.clear_for(cx.waker());
        loop {
            let state = this.gate.load();
            if state.may_pass() {
                let item = match this.held.take() {
                    Some(item) => item,
                    None => match this.source.as_mut().poll_next(cx) {
                        Poll::Ready(Some(item)) => item,
                        Poll::Ready(None) => break,
                        Poll::Pending => {
                            if state.permits() == 0 {
                                this.gate.register(cx.waker());
                                if this.gate.load().is_over() {
                                    break;
                                }
                            }
                            return Poll::Pending;
                        }
                    },
                };
                if this.gate.try_pass() {
                    return Poll::Ready(Some(item));
                }
                *this.held = Some(item);
            } else if state.is_over() || this.source.is_terminated() {
                break;
            } else {
                this.gate.register(cx.waker());
                if this.gate.load().must_wait() {
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
        let state = self.gate.load();
        let held = usize::from(self.held.is_some());
        let (least, most) = self.source.size_hint();
        // Permits are never withdrawn. The valve may close, and more permits may come unless the
        // gate is stopped.
        let least = least.saturating_add(held).min(state.permits());
        let most = most.and_then(|most| most.checked_add(held));
        match state.is_stopped() && !state.is_open() {
            true => (
                least,
                Some(most.map_or(state.permits(), |most| most.min(state.permits()))),
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
            .field("gate", &self.gate.load())
            .field("holds_item", &self.held.is_some())
            .field("source", &self.source)
            .finish()
    }
}

/// Controls how many items pass the [`Gated`] stream that [`gated_aiter`] returned with it.
///
/// Clones control the same stream. Dropping the last one [stops](Self::stop) the gate.
///
/// # Progress
/// All calls are lock-free: each is one exchange of a word, repeated if another gate changed the
/// word meanwhile. The call that ends the stream's wait also runs the stream's waker.
#[derive(Clone)]
pub struct Gate(Arc<GateSide>);

impl Gate {
    /// The largest number of permits that a gate can hold: a quarter of `usize::MAX`, because two
    /// bits of the word are used for the valve and the stop.
    pub const MAX_PERMITS: usize = word::MAX_PERMITS;

    /// Adds `n` permits: so many more items may pass. The number of permits saturates at
    /// [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// Does nothing if `n` is 0, or if the gate [is stopped](Self::is_stopped). Wakes the stream if
    /// it waits for a permit.
    ///
    /// # Panics
    /// If the waker of the task that waits panics. The permits have been added all the same.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{gated_aiter, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::{block_on, poll_once}};
    ///
    /// let (mut numbers, gate) = gated_aiter(iter_to_aiter(1..));
    /// gate.push(1);
    /// assert_eq!(block_on(numbers.next()), Some(1));
    /// assert_eq!(block_on(poll_once(numbers.next())), None); // pending
    /// ```
    pub fn push(&self, n: usize) {
        self.0.push_up_to(n, Self::MAX_PERMITS);
    }

    /// Adds up to `n` permits, as many as there is room for below `max` unspent ones, and returns
    /// how many were added. Use it as a token bucket: a timer adds `n` permits at each tick, and a
    /// stream that was idle for a long time can catch up with a burst of at most `max` items. For a
    /// rate that does not change, [`rate_limit`](crate::rate_limit) does the same without ticks.
    ///
    /// ```
    /// use aiter_core::{gated_aiter, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// // A mail server accepts 2 messages a second, and a burst of 5 after a pause.
    /// let (mut messages, gate) = gated_aiter(iter_to_aiter(1..));
    /// let tick = || gate.push_up_to(2, 5);
    /// // Nothing is sent for a while, and the bucket runs full.
    /// assert_eq!([tick(), tick(), tick(), tick()], [2, 2, 1, 0]);
    /// assert_eq!(block_on(messages.next()), Some(1));
    /// assert_eq!(gate.permits(), 4);
    /// assert_eq!(tick(), 1);
    /// ```
    ///
    /// Permits are never taken back: if there are `max` or more already, nothing changes. If
    /// several calls of this method race, they never add up to more than `max` together. A plain
    /// [`push`](Self::push) takes no notice of `max`. A `max` beyond
    /// [`MAX_PERMITS`](Self::MAX_PERMITS) means that number. Returns 0 if the gate
    /// [is stopped](Self::is_stopped). Wakes the stream if it waits for a permit and one was added.
    ///
    /// # Panics
    /// If the waker of the task that waits panics. The permits have been added all the same.
    pub fn push_up_to(&self, n: usize, max: usize) -> usize {
        self.0.push_up_to(n, max)
    }

    /// The number of permits that are not spent yet, whether the valve is open or closed. Use it to
    /// see how far a stream lags behind what it may do.
    ///
    /// While the stream is polled elsewhere the number may have changed when this returns. It is 0
    /// once the stream has ended or was dropped. This is wait-free: one load.
    ///
    /// ```
    /// use aiter_core::{gated_aiter, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let (mut numbers, gate) = gated_aiter(iter_to_aiter(1..));
    /// gate.push(3);
    /// block_on(numbers.next());
    /// assert_eq!(gate.permits(), 2);
    /// gate.open(); // items spend no permit
    /// block_on(numbers.next());
    /// assert_eq!(gate.permits(), 2);
    /// ```
    pub fn permits(&self) -> usize {
        self.0.load().permits()
    }

    /// Opens the valve: all items pass, without permits, until [`close`](Self::close).
    ///
    /// Returns whether that changed anything: `false` if the valve was open, or if the gate
    /// [is stopped](Self::is_stopped).
    ///
    /// # Panics
    /// If the waker of the task that waits panics. The valve is open all the same.
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

    /// Closes the valve: from now on each item needs a permit. Returns whether the valve was open.
    ///
    /// See [`gated_aiter`] for what this means for an item that is under way.
    ///
    /// The valve may also be closed after a [`stop`](Self::stop). Then the stream yields one item
    /// for each permit that is left and ends; without permits it ends at once, and is woken for
    /// that.
    ///
    /// # Panics
    /// If the waker of the task that waits panics. The valve is closed all the same.
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

    /// Ends the stream after the items that are authorized already. Later calls of `push`, `open`
    /// and `stop` do nothing.
    ///
    /// An open valve authorizes every item, so the stream then goes on to the end of its source. To
    /// end such a stream, [`close`](Self::close) the valve as well, before or after the stop. To
    /// end a stream at once, whatever its permits, use
    /// [`stoppable_aiter`](crate::stoppable_aiter()).
    ///
    /// # Panics
    /// If the waker of the task that waits panics. The gate is stopped all the same.
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

    /// Whether the gate can authorize no more items: it was stopped, or the stream has ended or was
    /// dropped.
    pub fn is_stopped(&self) -> bool {
        self.0.load().is_stopped()
    }

    /// Whether the valve is open.
    pub fn is_open(&self) -> bool {
        self.0.load().is_open()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&self.0.load()).finish()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
