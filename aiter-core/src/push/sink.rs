//! [`Pusher`] as a [`Sink`].

use super::Pusher;
use crate::{Stopped, list};
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_sink::Sink;

/// With the feature `sink`. A pusher is a sink that is always ready. Use it to connect a list to
/// code that writes to any [`Sink`], such as `StreamExt::forward` and `SinkExt::send_all` of the
/// crate `futures`.
///
/// After the list was [stopped](Pusher::stop), or its last consumer dropped, the sink fails. An
/// item that it refuses is dropped: to have it back, [`push`](Pusher::push) it.
///
/// *Flushing* does nothing, because an item is in the list as soon as it is sent. *Closing* gives
/// up this pusher, as dropping it does: the list stops if it was the last one, and other pushers go
/// on. What is sent or pushed into a closed pusher is refused, and its other methods tell of a list
/// that is stopped and empty. To stop the list while there are other pushers, call
/// [`stop`](Pusher::stop).
///
/// # Errors
/// [`Stopped`]`(())` from `poll_ready` and `start_send`, if the list is stopped or this pusher was
/// closed.
///
/// # Cancel safety
/// Cancel safe: nothing of it ever waits.
///
/// # Progress
/// As [`push`](Pusher::push). Closing makes an empty list for the closed pusher, which takes less
/// than 256 bytes.
///
/// # Example
/// ```
/// use aiter_core::push_aiter;
/// use futures::{SinkExt, StreamExt, stream};
/// use futures_lite::future::block_on;
///
/// let (mut pusher, aiter) = push_aiter();
/// block_on(async {
///     pusher.send("header").await.unwrap();
///     // `forward` closes the sink at the end, and the list stops with its last pusher.
///     stream::iter(["a", "b"]).map(Ok).forward(pusher).await.unwrap();
///     assert_eq!(aiter.collect::<Vec<_>>().await, ["header", "a", "b"]);
/// });
/// ```
impl<T> Sink<T> for Pusher<T> {
    type Error = Stopped<()>;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Stopped<()>>> {
        Poll::Ready(if self.is_stopped() {
            Err(Stopped(()))
        } else {
            Ok(())
        })
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Stopped<()>> {
        self.push(item).map_err(|_| Stopped(()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Stopped<()>>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Stopped<()>>> {
        let this = self.get_mut();
        if !this.is_stopped() {
            // A list whose only consumer is dropped at once. So `push` need not look whether the
            // pusher is closed.
            let (closed, _) = list::list();
            this.writer = closed;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{PushAiter, push_aiter, test_support::*};
    use alloc::{sync::Arc, vec::Vec};
    use core::task::Waker;

    const READY: Poll<Result<(), Stopped<()>>> = Poll::Ready(Ok(()));
    const FAILED: Poll<Result<(), Stopped<()>>> = Poll::Ready(Err(Stopped(())));

    type Call<T> = fn(Pin<&mut Pusher<T>>, &mut Context<'_>) -> Poll<Result<(), Stopped<()>>>;

    fn call<T>(pusher: &mut Pusher<T>, call: Call<T>) -> Poll<Result<(), Stopped<()>>> {
        call(Pin::new(pusher), &mut Context::from_waker(Waker::noop()))
    }

    fn send<T>(pusher: &mut Pusher<T>, item: T) -> Result<(), Stopped<()>> {
        Pin::new(pusher).start_send(item)
    }

    fn items<T>(aiter: &mut PushAiter<T>) -> Vec<T> {
        core::iter::from_fn(|| aiter.try_next().ok()).collect()
    }

    #[test]
    fn it_is_always_ready_and_needs_no_flush() {
        let (mut pusher, mut aiter) = push_aiter();
        for n in 0..1_000 {
            assert_eq!(call(&mut pusher, Sink::poll_ready), READY);
            send(&mut pusher, n).unwrap();
        }
        assert!(items(&mut aiter).into_iter().eq(0..1_000));
        assert_eq!(call(&mut pusher, Sink::poll_flush), READY);
    }

    #[test]
    fn after_a_stop_it_fails_and_drops_what_it_refuses() {
        let item = Arc::new(());
        let (mut pusher, mut aiter) = push_aiter();
        send(&mut pusher, item.clone()).unwrap();
        pusher.stop();
        assert_eq!(call(&mut pusher, Sink::poll_ready), FAILED);
        assert_eq!(send(&mut pusher, item.clone()), Err(Stopped(())));
        assert_eq!(Arc::strong_count(&item), 2);
        assert_eq!(call(&mut pusher, Sink::poll_flush), READY);
        assert_eq!(call(&mut pusher, Sink::poll_close), READY);
        assert_eq!(items(&mut aiter), [item]);

        let (mut pusher, aiter) = push_aiter::<u8>();
        drop(aiter);
        assert_eq!(call(&mut pusher, Sink::poll_ready), FAILED);
    }

    #[test]
    fn closing_one_handle_stops_no_other() {
        let (mut pusher, mut aiter) = push_aiter();
        let (mut other, weak) = (pusher.clone(), pusher.downgrade());
        let (wakes, waker) = Wakes::new();
        send(&mut pusher, 1).unwrap();
        for _ in 0..2 {
            assert_eq!(call(&mut pusher, Sink::poll_close), READY);
            assert_eq!(call(&mut pusher, Sink::poll_ready), FAILED);
            assert_eq!(call(&mut pusher, Sink::poll_flush), READY);
            assert_eq!(send(&mut pusher, 2), Err(Stopped(())));
            assert!(pusher.is_stopped() && !other.is_stopped());
            pusher.stop();
        }
        send(&mut other, 3).unwrap();
        assert_eq!(items(&mut aiter), [1, 3]);
        assert!(poll(&mut aiter, &waker).is_pending());
        // The last one stops the list, as its drop would.
        assert_eq!(call(&mut other, Sink::poll_close), READY);
        assert_eq!(wakes.count(), 1);
        assert_eq!(poll(&mut aiter, &waker), Poll::Ready(None));
        assert!(weak.upgrade().is_none());
        drop((pusher, other));
    }
}
