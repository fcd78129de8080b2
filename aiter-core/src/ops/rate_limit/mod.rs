//! [`rate_limit`]: as many items per time as a limit allows.
//!
//! | file | what it knows |
//! |---|---|
//! | [`limit`] | the limit, as its user states it |
//! | [`bucket`] | when there is a token, and how long it takes to the next one |
//! | this one | when the source is polled, and for what the timer is set |

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
/// sends too many. An item that comes too early waits in its source, which is not polled without a
/// token; a source with a bound then holds back those who feed it.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/rate_limit.svg"))]
///
/// The limit is a token bucket. It is full at the start and holds as many tokens as the limit's
/// [burst](RateLimit::burst). An item that comes out spends a token, and `n` new ones come per
/// `per`, at equal intervals, until the bucket is full. So after a pause of any length a burst of
/// `b` items may pass, and any window of length `per` has at most `n + b`. The rate is exact: it
/// does not drift, whatever `n` and `per` are and however coarse the timer is.
///
/// The clock decides, and the timer only wakes the task when a token is due. If the timer is early,
/// it is set again for the time that is left; if it is late, the tokens that came meanwhile are
/// there. A clock that stands still adds no tokens, and one that jumps ahead fills the bucket, but
/// not beyond the burst. A clock that goes back adds no tokens until it has caught up; if it has
/// gone back by more than `per`, it is taken to have been set, and time counts from there.
///
/// With an adapter, use its `rate_limit`, which takes no clock.
///
/// # One limit for each client
///
/// A [`RateLimit`] is a value that can be copied, and each stream has a bucket of its own. Limit
/// the stream of each client before you join them: then a client that sends too much holds up
/// nobody else.
///
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
/// assert_eq!(served, ["a1", "a2", "b1"]); // the others wait for half an hour
/// ```
///
/// To limit all clients together, join them first. A [`Gate`](crate::Gate) as a token bucket, with
/// [`push_up_to`](crate::Gate::push_up_to), is for a limit that is set from outside: its tokens
/// come from whoever pushes them, such as a server that says how many requests it still accepts, or
/// from one timer for many streams. It can be opened, closed and stopped, and its tokens come in
/// steps, as its timer ticks.
///
/// # Panics
/// Does not panic by itself. A panic of the source reaches the consumer and spends no token; the
/// next poll polls the source again. A panic of the timer reaches the consumer too, and the next
/// poll sets another one. If the clock panics when it is asked for the time of an item, that item
/// is lost.
///
/// # Cancel safety
/// Cancel safe: an item that has not been returned is still in the source. Dropping `next()` spends
/// no token, and the stream keeps the timer.
///
/// # Progress
/// Waits for a token, then for the source. The end of the source is found as an item is, with a
/// token, but spends none. An item asks the clock for the time once, and one that waits for its
/// token twice more; there is no division and no allocation. If a timer is ready again and again
/// although the clock says that there is no token, the stream wakes its task and yields to the
/// executor.
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
        // The timer that was set before may be early, and then another one is set.
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
            // The token is spent now, and not when the source was polled first.
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
