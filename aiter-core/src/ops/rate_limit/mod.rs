//! [`rate_limit`]: as many items per time as a limit allows.
//!
//! | file | contents |
//! |---|---|
//! | [`limit`] | the limit, as its user states it |
//! | [`bucket`] | the token bucket: whether there is a token, and when the next one comes |
//! | this file | the stream: when it polls the source, and when it sets the timer |

mod bucket;
mod limit;

pub use limit::RateLimit;

use crate::{
    Clock,
    util::{fuse::Fused, in_place::InPlace},
};
use bucket::Bucket;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Yields the items of `stream` no faster than `limit` allows, and loses none.
///
/// Use it in front of a server that accepts so many requests a minute, or behind a client that
/// sends too many. An item that comes too early stays in the source, which is not polled while
/// there is no token. If the source is bounded, its producers then have to wait as well.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/rate_limit.svg"))]
///
/// The limit is a token bucket. It holds as many tokens as the limit's [burst](RateLimit::burst)
/// `b`, and is full at the start. Each item that is yielded spends a token. In each `per`, `n` new
/// tokens come, at equal intervals, until the bucket is full. So after a pause of any length `b`
/// items may pass at once, and at most `n + b` items pass in any window of length `per`. The rate
/// is exact: it does not drift, whatever `n` and `per` are and however coarse the timer is.
///
/// The clock decides whether there is a token. The timer only wakes the task when one is due: if it
/// is early, it is set again for the rest of the time, and if it is late, the tokens that came
/// meanwhile are there. A clock that stands still adds no tokens. One that jumps ahead fills the
/// bucket, but not beyond the burst. One that goes back by up to `per` adds no tokens until it has
/// caught up. One that goes back further is taken to have been set, and time counts from there.
///
/// A [`RateLimit`] is a value that can be copied, and each stream has its own bucket. To limit each
/// client on its own, limit the stream of each client and then join them, so that a client that
/// sends too much holds up no other. To limit all clients together, join them first.
///
/// Where something outside decides on the tokens, use a [`Gate`](crate::Gate) with
/// [`push_up_to`](crate::Gate::push_up_to) instead: a server tells how many requests it still
/// accepts, or one timer adds tokens to many streams. A gate can also be opened, closed and
/// stopped. Its tokens come in steps, whenever they are pushed.
///
/// With an adapter, use its `rate_limit`, which takes no clock.
///
/// # Panics
/// Does not panic by itself. A panic of the source reaches the consumer and spends no token, and
/// the next poll polls the source again. A panic of the timer reaches the consumer too, and the
/// next poll sets another timer. If the clock panics when it is asked for the time of an item, that
/// item is lost.
///
/// # Cancel safety
/// Cancel safe: an item that has not been returned is still in the source. Dropping `next()` spends
/// no token, and the stream keeps the timer.
///
/// # Progress
/// Waits for a token, then for the source. The end of the source is also found only when there is a
/// token, but spends none. Each item costs one call of the clock, and two more if it has to wait
/// for its token. There is no division and no allocation. If timers complete again and again
/// although the clock shows that no token is due, the stream wakes its task and yields to the
/// executor.
///
/// # Example
/// A server takes two requests an hour from each client, and one client has sent four:
/// ```
/// use aiter_core::{AiterExt, RateLimit, iter_to_aiter};
/// use futures_lite::{StreamExt, future::{block_on, poll_once}};
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let clock = || (async_io::Timer::after, move || start.elapsed());
/// let limit = RateLimit::new(2, Duration::from_secs(3600));
///
/// let clients = [vec!["a1", "a2", "a3", "a4"], vec!["b1"]];
/// let limited = clients.map(|requests| iter_to_aiter(requests).rate_limit(limit, clock()));
/// let mut requests = iter_to_aiter(limited).join_aiters();
/// let mut served = Vec::new();
/// while let Some(Some(request)) = block_on(poll_once(requests.next())) {
///     served.push(request);
/// }
/// served.sort();
/// assert_eq!(served, ["a1", "a2", "b1"]); // the next token comes in half an hour
/// ```
pub fn rate_limit<S, C>(limit: RateLimit, clock: C, stream: S) -> RateLimited<S, C>
where
    S: Stream,
    C: Clock,
{
    RateLimited {
        source: Fused::new(stream),
        bucket: Bucket::new(limit),
        clock,
        timer: InPlace::empty(),
    }
}

/// The stream that [`rate_limit`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct RateLimited<S, C: Clock> {
    #[pin]
    source: Fused<S>,
    bucket: Bucket,
    clock: C,
    /// Set only while there is no token.
    #[pin]
    timer: InPlace<C::Sleep>,
}

impl<S: Stream, C: Clock> RateLimited<S, C> {
    #[inline(never)]
    fn poll_token(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        // A timer that was set by an earlier poll may be early. Then another one is set.
        for _ in 0..2 {
            let now = this.clock.now();
            this.bucket.advance(now);
            if this.bucket.has_token() {
                this.timer.clear();
                return Poll::Ready(());
            }
            if this.timer.is_empty() {
                let wait = this.bucket.wait(now);
                this.timer.as_mut().set(this.clock.sleep(wait));
            }
            ready!(this.timer.as_mut().poll(cx));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: Stream, C: Clock> Stream for RateLimited<S, C> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if !self.bucket.has_token() {
            ready!(self.as_mut().poll_token(cx));
        }
        let this = self.project();
        let item = ready!(this.source.poll_next(cx));
        if item.is_some() {
            // The source may have been pending for long. The item counts from now on.
            this.bucket.advance(this.clock.now());
            this.bucket.spend();
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.size_hint()
    }
}

impl<S: Stream, C: Clock> FusedStream for RateLimited<S, C> {
    fn is_terminated(&self) -> bool {
        self.source.is_terminated()
    }
}

impl<S: fmt::Debug, C: Clock> fmt::Debug for RateLimited<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimited")
            .field("source", &self.source)
            .field("limit", &self.bucket.limit())
            .field("has_token", &self.bucket.has_token())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests;
