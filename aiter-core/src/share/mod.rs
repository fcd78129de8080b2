//! `sharable_aiter`: several tasks take from one stream.
//!
//! | file | what it knows |
//! |---|---|
//! | [`mod@queue`] | who waits, in which order, and who has been called |
//! | this one | when a taker may poll the source, and what it does otherwise |
//!
//! The source and the line belong to whoever holds a [baton](crate::handoff::lock). It is held for a poll of the source,
//! never while the source is pending, and nobody waits for it: a taker that finds it held registers its waker, drops
//! its alarm in the inbox of the line and leaves a note. The source is always polled with one waker, whose wake is a
//! note as well. A handle that is the only one keeps the baton when it has got an item.
//!
//! **The invariant**: whenever the baton lies on the table, either the source is *idle* (its last poll was pending, and
//! it has not woken since), so that its wake is still to come and will call all who wait; or everybody in the line
//! has been called, that is woken since it began to wait. So nobody depends on another taker's ever being polled
//! again.
//!
//! What a taker does when it has the baton:
//!
//! | before it in the line | source | it |
//! |---|---|---|
//! | nobody | | polls the source |
//! | somebody | idle | joins the line |
//! | somebody, who has been called | not idle | gives way: joins the line as called, wakes itself |
//! | the same one, who has not come since | not idle | strikes that one off the line, and looks again |
//!
//! | the poll of the source | the taker | the source is |
//! |---|---|---|
//! | an item, or the end | leaves the line with it | not idle |
//! | pending | joins the line, or keeps its place | idle |
//! | a panic | as it was before | not idle |
//!
//! A place in the line is a ticket, kept until the taker has an item: who was struck off and comes late has its old
//! place again. Nobody has to pass a turn on: if the source is not idle, the others have been called already.

mod wait_queue;

use crate::{
    handoff::{Guard, Handle, HandoffLock},
    util::fuse::Fused,
    wait::waker_ref::waker_ref,
};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use wait_queue::{ARRIVED, Admission, Taker, TakersShared, lock};

/// A stream from which several tasks take: each clone of the handle is a taker, and each item goes to one of them.
///
/// **First come, first served.** Takers that have to wait are woken in the order in which they came. One that is
/// polled before its turn gives way, once, to the one before it: it wakes itself and lets the executor go round. If
/// the other has not come by then (its `next()` was dropped, or its task does something else) it is passed over, and
/// has its old place in the line when it does come. So a taker that is not polled any more holds nobody up.
///
/// For the same reason everybody who waits is woken when the source may have an item, not the first only: whether a
/// task that was woken will come is not to be known, and no wake would follow for the others.
///
/// Nothing is read ahead: the source is polled when a taker is, and not while it is known to have nothing, except by
/// the first in the line. It is dropped at its end, which reaches every taker, or with the last handle. A clone of a
/// taker that has seen the end has ended as well.
///
/// # Panics
/// A panic of the source reaches the taker that polled it; the others are called, and the next to come polls the
/// source again. A waker that panics does so in the poll, wake or drop that calls it; all others are woken before.
///
/// # Cancel safety
/// Cancel safe: an item is taken from the source in the poll that returns it. A `next()` that is dropped leaves the
/// taker its place in the line, a taker that is dropped leaves the line.
///
/// # Progress
/// No lock is held while the source is pending. A poll never waits for another taker: if another
/// thread is polling the source at that moment the taker goes to sleep, and that thread wakes it. With `std` it looks again
/// before that, up to four times and some microseconds in all, while that has paid lately. Polls and drops are lock-free, but for
/// what the source itself does.
///
/// # Example
/// ```
/// use aiter_core::{iter_to_aiter, sharable_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let mut one = sharable_aiter(iter_to_aiter(1..4));
/// let mut other = one.clone();
/// block_on(async {
///     assert_eq!(one.next().await, Some(1));
///     assert_eq!(other.next().await, Some(2));
///     assert_eq!(one.next().await, Some(3));
///     assert_eq!(other.next().await, None);
///     assert_eq!(one.next().await, None);
/// });
/// ```
pub fn sharable_aiter<S: Stream>(stream: S) -> Sharable<S> {
    Sharable::taker(Handle::new(lock(), Fused::new(stream)), false)
}

/// A taker of a shared stream; see [`sharable_aiter`].
#[must_use = "streams do nothing unless polled"]
pub struct Sharable<S> {
    shared: Handle<TakersShared, Fused<S>>,
    place: Taker,
    ended: bool,
}

impl<S> Sharable<S> {
    fn taker(shared: Handle<TakersShared, Fused<S>>, ended: bool) -> Self {
        Self {
            shared,
            place: Taker::new(),
            ended,
        }
    }
}

/// The baton is held: has its holder know who waits. Unless it is put down meanwhile, which may be worth another look.
#[inline(never)]
fn come_by_letter<'a>(
    lock: &'a HandoffLock<TakersShared>,
    place: &mut Taker,
    waker: &Waker,
) -> Option<Guard<'a, TakersShared>> {
    let mut guard = None;
    let is_free = || {
        guard = lock.try_take();
        guard.is_some()
    };
    if !lock.public().spin.spin_until(is_free) {
        place.enqueue_contended(lock.public(), waker);
        guard = lock.leave(ARRIVED);
    }
    guard
}

/// The baton, if it is the taker's turn; else puts it down.
#[inline(never)]
fn come_in_turn<'a>(
    mut guard: Guard<'a, TakersShared>,
    place: &mut Taker,
    waker: &Waker,
) -> Option<Guard<'a, TakersShared>> {
    match guard.with(|shared, queue| queue.turn(shared, place)) {
        Admission::Poll => return Some(guard),
        Admission::GiveWay => {
            drop(guard);
            waker.wake_by_ref();
        }
        Admission::Wait => guard.with(|shared, queue| queue.join(shared, place, waker)),
    }
    None
}

impl<S: Stream> Stream for Sharable<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let (shared, place) = (&mut this.shared, &mut this.place);
        place.clear_for(cx.waker());
        // What there is to do beside the poll of the source stands apart, and nothing is written here that need not be: an
        // exchange waits for all that was.
        let Some(mut guard) = shared.lock_or(|lock| come_by_letter(lock, place, cx.waker())) else {
            return Poll::Pending;
        };
        if !guard.with(|shared, queue| queue.begins_empty(shared)) {
            match guard.and_then(|guard| come_in_turn(guard, place, cx.waker())) {
                Some(in_turn) => guard = in_turn,
                None => return Poll::Pending,
            }
        }
        let waker = waker_ref(guard.lock());
        let polled = guard.with_value(|source| source.poll_next(&mut Context::from_waker(&waker)));
        // When the baton is put down, those who were called are woken.
        match &polled {
            Poll::Pending => guard.with(|shared, queue| queue.rest(shared, place, cx.waker())),
            Poll::Ready(item) => {
                if place.is_taken() {
                    guard.with(|_, queue| queue.leave(place));
                }
                let ends = item.is_none();
                guard.keep_locked();
                if ends {
                    this.ended = true;
                    place.clear();
                }
            }
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.ended.then_some(0))
    }
}

impl<S: Stream> FusedStream for Sharable<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// Another taker, with no place in the line.
impl<S> Clone for Sharable<S> {
    fn clone(&self) -> Self {
        Self::taker(self.shared.clone(), self.ended)
    }
}

impl<S> Drop for Sharable<S> {
    fn drop(&mut self) {
        if self.place.give_up(self.shared.lock().public()) {
            drop(self.shared.lock().leave(ARRIVED));
        }
    }
}

impl<S> fmt::Debug for Sharable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharable")
            .field("waiting", &self.place.is_taken())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
