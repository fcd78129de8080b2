//! `sharable_aiter`: several tasks take from one stream.
//!
//! | file | what it knows |
//! |---|---|
//! | [`mod@wait_queue`] | which takers wait, in which order, and which of them have been called |
//! | this one | when a taker polls the source, and what it does otherwise |
//!
//! A [`HandoffLock`] guards the source and the queue. The lock is held during a poll of the source
//! and never while the source is pending, and no taker waits for it: a taker that finds it held
//! registers its waker, pushes its ticket onto a lock-free stack and makes a request. The source is
//! always polled with the same waker, whose wake is a request as well. The only handle keeps the
//! lock after a poll that returned an item.
//!
//! **The invariant**: whenever the lock is free, one of two things holds. Either the source is
//! *idle* (its last poll was pending, and it has not woken since), so that its wake is still to
//! come and will call every taker that waits. Or every taker in the queue has been called, that is
//! woken since it began to wait. So no taker depends on another one being polled again.
//!
//! What a taker does that has acquired the lock:
//!
//! | before it in the queue | source | the taker |
//! |---|---|---|
//! | no taker | | polls the source |
//! | a taker | idle | waits in the queue |
//! | a taker that has been called | not idle | gives way: queues as called, wakes itself, returns |
//! | the same one, without a visit since | not idle | removes that one from the queue, and looks again |
//!
//! | the poll of the source | the taker | the source is then |
//! |---|---|---|
//! | an item, or the end | leaves the queue with it | not idle |
//! | pending | waits in the queue, at its old place if it has one | idle |
//! | a panic | stays as it was | not idle |
//!
//! A taker keeps the number of its ticket until it has an item. So a taker that was removed, and
//! comes late, has its old place again. No taker has to wake the next one: if the source is not
//! idle, all of them have been called already.

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
use scopeguard::defer;
use wait_queue::{ARRIVED, Admission, Taker, TakersShared, new_lock};

/// Lets several tasks take items from one stream: each clone of the returned handle is a *taker*,
/// and each item goes to one of them.
///
/// Use it to spread the items of a stream over a pool of tasks that work at their own pace. The
/// source is polled when a taker is polled, so nothing is read ahead, and a taker that is busy
/// holds no items back from the others.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/share.svg"))]
///
/// **First come, first served.** Takers that have to wait are woken in the order in which they
/// began to wait. A taker that is polled before its turn gives way once to the one before it: it
/// wakes itself and lets the executor run the other first. If the other has not been polled by
/// then, because its `next()` was dropped or its task is busy, it is passed over. It keeps its
/// place in the queue for when it is polled again. So a taker that is not polled any more blocks no
/// other.
///
/// For the same reason the source's wake wakes every taker that waits, not only the first. A taker
/// that was woken may never be polled, and no further wake would follow for the others.
///
/// A source that is known to have nothing is polled only by the first taker in the queue.
///
/// **The end** of the source reaches every taker. The source is dropped at its end, or with the
/// last handle. A clone of a taker that has seen the end has ended as well.
///
/// # Panics
/// A panic of the source reaches the taker that polled it. The others are woken, and the next one
/// to be polled polls the source again. A panic of a waker reaches the poll, wake or drop that
/// calls the waker, after all other takers have been woken.
///
/// # Cancel safety
/// Cancel safe: an item is taken from the source in the poll that returns it. Dropping `next()`
/// leaves the taker its place in the queue; dropping the taker removes it from the queue.
///
/// # Progress
/// No lock is held while the source is pending. A poll never waits for another taker: if another
/// thread is polling the source at that moment the taker is pending, and that thread wakes it. With
/// `std` the taker first tries again, up to four times and for a few microseconds in all, as long
/// as such attempts have succeeded lately. Polls and drops are lock-free, apart from what the
/// source itself does.
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
    Sharable::from_handle(Handle::new(new_lock(), Fused::new(stream), ()), false)
}

/// A taker of a shared stream; see [`sharable_aiter`]. Clone it for each task that takes.
#[must_use = "streams do nothing unless polled"]
pub struct Sharable<S> {
    handle: Handle<TakersShared, Fused<S>>,
    taker: Taker,
    ended: bool,
}

impl<S> Sharable<S> {
    fn from_handle(handle: Handle<TakersShared, Fused<S>>, ended: bool) -> Self {
        Self {
            handle,
            taker: Taker::new(),
            ended,
        }
    }
}

/// The slow path of a taker that found the lock held. Tries again for a moment, then enqueues the
/// taker. Returns the lock if it is released meanwhile.
#[inline(never)]
fn lock_contended<'a>(
    lock: &'a HandoffLock<TakersShared>,
    taker: &mut Taker,
    waker: &Waker,
) -> Option<Guard<'a, TakersShared>> {
    let mut guard = None;
    let is_free = || {
        guard = lock.try_lock();
        guard.is_some()
    };
    if !lock.shared().spin.spin_until(is_free) {
        taker.enqueue_contended(lock.shared(), waker);
        guard = lock.delegate(ARRIVED);
    }
    guard
}

/// The slow path of a taker that finds others in the queue. Returns the lock if the taker may poll
/// the source.
#[inline(never)]
fn admit<'a>(
    mut guard: Guard<'a, TakersShared>,
    taker: &mut Taker,
    waker: &Waker,
) -> Option<Guard<'a, TakersShared>> {
    match guard.with(|shared, queue| queue.admit(shared, taker)) {
        Admission::Poll => return Some(guard),
        Admission::GiveWay => {
            drop(guard);
            waker.wake_by_ref();
        }
        Admission::Wait => guard.with(|shared, queue| queue.enqueue(shared, taker, waker)),
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
        let (handle, taker) = (&mut this.handle, &mut this.taker);
        taker.clear_for(cx.waker());
        // The slow paths are separate functions, and this one avoids needless stores: a
        // read-modify-write has to wait for the store buffer.
        let Ok(mut guard) =
            handle.lock_or(|lock| lock_contended(lock, taker, cx.waker()).ok_or(()))
        else {
            return Poll::Pending;
        };
        if !guard.with(|shared, queue| queue.admits_at_once(shared)) {
            match guard.and_then(|guard| admit(guard, taker, cx.waker())) {
                Some(admitted) => guard = admitted,
                None => return Poll::Pending,
            }
        }
        let waker = waker_ref(guard.as_lock());
        let polled = guard.with_value(|source| source.poll_next(&mut Context::from_waker(&waker)));
        // The release of the lock wakes the takers that were called.
        match &polled {
            Poll::Pending => {
                guard.with(|shared, queue| queue.enqueue_idle(shared, taker, cx.waker()));
            }
            Poll::Ready(item) => {
                if taker.is_queued() {
                    guard.with(|_, queue| queue.dequeue(taker));
                }
                let ends = item.is_none();
                guard.keep_locked();
                if ends {
                    this.ended = true;
                    taker.clear();
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

/// The clone is another taker, which has no place in the queue yet.
impl<S> Clone for Sharable<S> {
    fn clone(&self) -> Self {
        Self::from_handle(self.handle.clone(), self.ended)
    }
}

impl<S> Drop for Sharable<S> {
    fn drop(&mut self) {
        if self.taker.is_enqueued() {
            let lock = self.handle.as_lock();
            // Also if the drop of the waker panics.
            defer! { drop(lock.delegate(ARRIVED)) };
            self.taker.dequeue_contended(lock.shared());
        }
    }
}

impl<S> fmt::Debug for Sharable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharable")
            .field("waiting", &self.taker.is_queued())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
