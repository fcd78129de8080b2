//! [`WeakPusher`]: a pusher that does not keep its list open.

use super::Pusher;
use crate::list::WeakWriter;
use core::fmt;

/// A [`Pusher`] that does not keep its list open. Use it where something that may push now and
/// then must not keep the stream from ending: a registry of connections, a cache, a callback that
/// outlives its source.
///
/// [`Pusher::downgrade`] makes one. To push, [upgrade](Self::upgrade) it. It keeps the memory of
/// the list itself, some 256 bytes and the blocks that an idle list keeps, and none of its items
/// beyond the last consumer.
///
/// # Example
/// A registry hands out pushers of a session while somebody else keeps it open:
/// ```
/// use aiter_core::{WeakPusher, push_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (session, messages) = push_aiter();
/// let registered: WeakPusher<&str> = session.downgrade();
///
/// // A broadcast reaches the session while it is open.
/// registered.upgrade().expect("it is open").push("maintenance at ten").unwrap();
/// // The registry does not keep it open.
/// drop(session);
/// assert!(registered.upgrade().is_none());
/// assert_eq!(block_on(messages.collect::<Vec<_>>()), ["maintenance at ten"]);
/// ```
pub struct WeakPusher<T> {
    writer: WeakWriter<T>,
}

impl<T> WeakPusher<T> {
    /// Makes a [`Pusher`], which keeps the list open like any other. Returns `None` once the last
    /// pusher was dropped: the list has stopped then, or is about to, and stays so.
    ///
    /// A list that was [stopped](Pusher::stop), or that has no consumer left, is upgraded like any
    /// other as long as there is a pusher. Its pushes are refused, and
    /// [`is_stopped`](Pusher::is_stopped) says so.
    ///
    /// # Progress
    /// Lock-free: it tries again if another thread made or dropped a pusher at the same time.
    pub fn upgrade(&self) -> Option<Pusher<T>> {
        self.writer.upgrade().map(Pusher::new)
    }
}

impl<T> Pusher<T> {
    /// Makes a [`WeakPusher`], which does not keep the list open.
    ///
    /// # Progress
    /// Wait-free.
    pub fn downgrade(&self) -> WeakPusher<T> {
        WeakPusher {
            writer: self.writer.downgrade(),
        }
    }
}

impl<T> Clone for WeakPusher<T> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakPusher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakPusher")
            .field("is_stopped", &self.writer.is_closed())
            .finish()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{push_aiter, push_aiter_with, test_support::*};
    use alloc::sync::Arc;
    use core::task::Poll;

    #[test]
    fn it_is_upgraded_while_there_is_a_pusher() {
        let (pusher, mut aiter) = push_aiter();
        let weak = pusher.downgrade();
        let other = weak.clone().upgrade().unwrap();
        drop(pusher);
        other.push(1).unwrap();
        weak.upgrade().unwrap().push(2).unwrap();
        assert!(!aiter.is_stopped());
        drop(other);
        assert!(aiter.is_stopped() && weak.upgrade().is_none());
        let items = [
            Poll::Ready(Some(1)),
            Poll::Ready(Some(2)),
            Poll::Ready(None),
        ];
        assert_eq!([(); 3].map(|()| poll_noop(&mut aiter)), items);
    }

    #[test]
    fn a_stopped_list_is_upgraded_like_any_other() {
        let (pusher, aiter) = push_aiter();
        let weak = pusher.downgrade();
        pusher.stop();
        assert!(weak.upgrade().unwrap().push(1).is_err());
        drop(aiter);
        assert!(weak.upgrade().unwrap().is_stopped());
        drop(pusher);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn it_keeps_no_item() {
        let item = Arc::new(());
        let (pusher, mut aiter) = push_aiter();
        let (weak, waits) = (pusher.downgrade(), pusher.stopped());
        pusher.push_all([(); 100].map(|()| item.clone())).unwrap();
        aiter.try_next().unwrap();
        drop(aiter);
        drop(pusher);
        assert_eq!(Arc::strong_count(&item), 1);
        drop((weak, waits));
    }

    /// The pusher that a preflight borrows is one as long as the preflight runs.
    #[test]
    fn a_preflight_keeps_the_list_open_no_longer_than_it_runs() {
        let (pusher, mut aiter) = push_aiter_with(|pusher: &Pusher<u8>| {
            let weak = pusher.downgrade();
            assert!(weak.upgrade().unwrap().push(1).is_ok());
        });
        let weak = pusher.downgrade();
        assert_eq!(aiter.try_next(), Ok(1));
        drop(pusher);
        assert!(weak.upgrade().is_none() && aiter.is_stopped());
    }
}
