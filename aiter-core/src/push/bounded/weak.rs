//! What keeps a bounded list open in no way: [`WeakBoundedPusher`], and the wait for the stop.

use super::{BoundedPusher, waiters::Shared};
use crate::{UntilStopped, list::WeakWriter, sync::Arc};
use core::fmt;

/// A [`BoundedPusher`] that does not keep its list open, as a [`WeakPusher`](crate::WeakPusher) is
/// for an unbounded list. [`BoundedPusher::downgrade`] makes one.
///
/// # Example
/// A directory of rooms lets visitors in, and does not keep a room open that its owner has left:
/// ```
/// use aiter_core::{WeakBoundedPusher, push_aiter_bounded};
///
/// let (owner, mut room) = push_aiter_bounded(2);
/// let listed: WeakBoundedPusher<&str> = owner.downgrade();
/// listed.upgrade().expect("it is open").try_push("a visitor").unwrap();
/// drop(owner);
/// assert!(listed.upgrade().is_none());
/// assert_eq!(room.try_next(), Ok("a visitor"));
/// ```
pub struct WeakBoundedPusher<T> {
    writer: WeakWriter<T>,
    shared: Arc<Shared<T>>,
}

impl<T> WeakBoundedPusher<T> {
    /// Makes a [`BoundedPusher`], which keeps the list open like any other. Returns `None` once
    /// nothing keeps it open any more: the list has stopped then, or is about to, and stays so.
    ///
    /// A list that was [stopped](BoundedPusher::stop), or that has no consumer left, is upgraded
    /// like any other as long as there is a pusher. Its pushes are refused.
    ///
    /// # Progress
    /// Lock-free: it tries again if another thread made or dropped a pusher at the same time.
    pub fn upgrade(&self) -> Option<BoundedPusher<T>> {
        let writer = self.writer.upgrade()?;
        Some(BoundedPusher::new(writer, self.shared.clone()))
    }
}

impl<T> BoundedPusher<T> {
    /// Makes a [`WeakBoundedPusher`], which does not keep the list open.
    ///
    /// # Progress
    /// Wait-free.
    pub fn downgrade(&self) -> WeakBoundedPusher<T> {
        WeakBoundedPusher {
            writer: self.writer.downgrade(),
            shared: self.shared.clone(),
        }
    }

    /// Waits until the list refuses pushes: it was [stopped](Self::stop), or nobody reads it any
    /// more. See [`Pusher::stopped`](crate::Pusher::stopped), which does the same for an unbounded
    /// list.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future loses nothing. It keeps the waker of its last pending poll
    /// until it completes or is dropped.
    ///
    /// # Progress
    /// Lock-free. The tasks are woken inside the call that stops the list or drops the last
    /// consumer.
    ///
    /// # Example
    /// ```
    /// use futures_lite::future::{block_on, poll_once};
    ///
    /// let (pusher, aiter) = aiter_core::push_aiter_bounded::<u8>(1);
    /// let mut unwanted = pusher.stopped();
    /// assert!(block_on(poll_once(&mut unwanted)).is_none());
    /// drop(aiter);
    /// block_on(unwanted);
    /// ```
    pub fn stopped(&self) -> UntilStopped<T> {
        UntilStopped::new(self.writer.downgrade())
    }
}

impl<T> Clone for WeakBoundedPusher<T> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
            shared: self.shared.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakBoundedPusher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakBoundedPusher")
            .field("is_stopped", &self.writer.is_closed())
            .finish()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{push_aiter_bounded, test_support::*};
    use core::{
        pin::Pin,
        task::{Context, Poll},
    };

    #[test]
    fn it_is_upgraded_while_something_keeps_the_list_open() {
        let (pusher, aiter) = push_aiter_bounded(2);
        let weak = pusher.downgrade();
        let permit = pusher.try_reserve_owned().unwrap();
        drop(pusher);
        let other = weak.clone().upgrade().unwrap();
        // The limit is that of the list.
        other.try_push(1).unwrap();
        assert!(weak.upgrade().unwrap().try_push(2).is_err());
        drop(other);
        assert!(weak.upgrade().is_some(), "the permit keeps it open");
        permit.push(3).unwrap();
        assert!(weak.upgrade().is_none() && aiter.is_stopped());
    }

    #[test]
    fn tasks_learn_of_the_stop() {
        for dropped in [false, true] {
            let (pusher, aiter) = push_aiter_bounded::<u8>(1);
            let (wakes, waker) = Wakes::new();
            let mut cx = Context::from_waker(&waker);
            let mut until = [pusher.stopped(), pusher.stopped()];
            let mut poll = |until: &mut UntilStopped<u8>| Pin::new(until).poll(&mut cx);
            assert!(until.iter_mut().all(|until| poll(until).is_pending()));
            let _kept = if dropped {
                drop(aiter);
                None
            } else {
                pusher.stop();
                Some(aiter)
            };
            assert_eq!(wakes.count(), 2);
            assert!(until.iter_mut().all(|until| poll(until) == Poll::Ready(())));
            assert!(pusher.downgrade().upgrade().unwrap().is_stopped());
        }
    }
}
