//! [`UntilStopped`]: waits until pushes are refused.

use super::Pusher;
use crate::{list::WeakWriter, wait::wait_set::Waiter};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// The future that [`Pusher::stopped`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct UntilStopped<T> {
    writer: WeakWriter<T>,
    /// The place among the tasks that wait, from the first pending poll on.
    waiter: Option<Waiter>,
}

impl<T> UntilStopped<T> {
    pub(crate) fn new(writer: WeakWriter<T>) -> Self {
        let waiter = None;
        Self { writer, waiter }
    }
}

impl<T> Pusher<T> {
    /// Waits until the list refuses pushes: it was [stopped](Self::stop), or nobody reads it any
    /// more. Use it to end the work that produces items as soon as nobody wants them.
    ///
    /// Any number of tasks may wait, and all are woken. The future borrows nothing and does not
    /// keep the list open: if the last pusher is dropped, it completes as well. It keeps the memory
    /// of the list itself, as a [`WeakPusher`](super::WeakPusher) does.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future loses nothing, and a later call waits for the same event.
    /// The future keeps the waker of its last pending poll, and drops it when it completes.
    ///
    /// # Progress
    /// Lock-free; no thread waits for another one. The first task that waits allocates some hundred
    /// bytes for the list, and every few dozen tasks that wait at the same time allocate again. A
    /// list that nobody waits for pays one word. The tasks are woken inside the call that stops the
    /// list or drops the last consumer, after the consumers.
    ///
    /// # Example
    /// A task reads a sensor until the last client is gone:
    /// ```
    /// use aiter_core::push_aiter;
    /// use futures_lite::future::{block_on, or, yield_now};
    ///
    /// let (pusher, client) = push_aiter();
    /// let measuring = async {
    ///     for reading in 0.. {
    ///         pusher.push(reading).ok();
    ///         yield_now().await;
    ///     }
    /// };
    /// let unwanted = pusher.stopped();
    /// std::thread::spawn(move || drop(client));
    /// block_on(or(unwanted, measuring));
    /// assert!(pusher.is_stopped());
    /// ```
    pub fn stopped(&self) -> UntilStopped<T> {
        UntilStopped::new(self.writer.downgrade())
    }
}

impl<T> Future for UntilStopped<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { writer, waiter } = self.get_mut();
        writer.poll_closed(waiter, cx)
    }
}

impl<T> fmt::Debug for UntilStopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilStopped")
            .field("is_stopped", &self.writer.is_closed())
            .finish()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    extern crate std;

    use super::*;
    use crate::{PushAiter, push_aiter, test_support::*};
    use alloc::{sync::Arc, task::Wake, vec::Vec};
    use core::task::Waker;
    use std::sync::Mutex;

    fn poll_until<T>(future: &mut UntilStopped<T>, waker: &Waker) -> Poll<()> {
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }

    /// What stops a list.
    type Stop = fn(Pusher<u8>, PushAiter<u8>);

    /// Each way in which a list is stopped. What is not named in it is kept until the end.
    const STOPS: [Stop; 3] = [
        |pusher, _aiter| pusher.stop(),
        |pusher, _aiter| drop(pusher),
        |_pusher, aiter| drop(aiter),
    ];

    #[test]
    fn every_way_to_stop_a_list_wakes_all_tasks_once() {
        for stop in STOPS {
            for count in [1, 2, 9, 10, 100, many(10_000) as usize] {
                let (pusher, aiter) = push_aiter();
                pusher.push(1).unwrap();
                let (wakes, waker) = Wakes::new();
                let mut futures: Vec<_> = (0..count).map(|_| pusher.stopped()).collect();
                for future in &mut futures {
                    assert!(poll_until(future, &waker).is_pending());
                }
                stop(pusher, aiter);
                assert_eq!(wakes.count(), count);
                for future in &mut futures {
                    assert!(poll_until(future, &waker).is_ready());
                    assert!(poll_until(future, &waker).is_ready(), "also later");
                }
                assert_eq!(Arc::strong_count(&wakes), 2, "no waker is kept");
            }
        }
    }

    #[test]
    fn after_a_stop_it_is_ready_at_once() {
        for stop in STOPS {
            let (pusher, aiter) = push_aiter();
            let mut future = pusher.stopped();
            stop(pusher, aiter);
            assert!(poll_until(&mut future, &panicking_waker()).is_ready());
        }
    }

    #[test]
    fn one_of_several_handles_stops_nothing() {
        let (pusher, mut aiter) = push_aiter::<u8>();
        let (wakes, waker) = Wakes::new();
        let mut future = pusher.stopped();
        assert!(poll_until(&mut future, &waker).is_pending());
        let (other, fork) = (pusher.clone(), aiter.fork());
        drop((pusher, aiter));
        assert_eq!(wakes.count(), 0);
        assert!(poll_until(&mut future, &waker).is_pending());
        drop(fork);
        assert_eq!(wakes.count(), 1);
        assert!(poll_until(&mut future, &waker).is_ready());
        assert!(other.is_stopped());
    }

    #[test]
    fn a_task_that_left_is_not_woken() {
        let (pusher, _aiter) = push_aiter::<u8>();
        let (mut future, mut dropped) = (pusher.stopped(), pusher.stopped());
        let (old, old_waker) = Wakes::new();
        let (new, new_waker) = Wakes::new();
        for future in [&mut future, &mut dropped] {
            assert!(poll_until(future, &old_waker).is_pending());
        }
        drop(old_waker);
        assert!(poll_until(&mut future, &new_waker).is_pending());
        drop(dropped);
        assert_eq!(Arc::strong_count(&old), 1, "no waker is kept");
        pusher.stop();
        assert_eq!((old.count(), new.count()), (0, 1));
    }

    #[test]
    fn tasks_are_woken_whatever_panics() {
        /// Panics when it is dropped, if it is told to.
        struct Panics(bool);
        impl Drop for Panics {
            fn drop(&mut self) {
                assert!(!self.0, "item");
            }
        }
        let waiting = |pusher: &Pusher<Panics>| {
            let (wakes, waker) = Wakes::new();
            let mut futures = [(); 20].map(|()| pusher.stopped());
            for (n, future) in futures.iter_mut().enumerate() {
                let panics = panicking_waker();
                let waker = if n == 7 { &panics } else { &waker };
                assert!(poll_until(future, waker).is_pending());
            }
            (wakes, futures)
        };
        // The waker of another task.
        let (pusher, aiter) = push_aiter();
        let (wakes, futures) = waiting(&pusher);
        assert_eq!(panic_of(|| pusher.stop()), "waker");
        assert_eq!(wakes.count(), 19);
        drop((futures, aiter));
        let (pusher, aiter) = push_aiter();
        let (wakes, futures) = waiting(&pusher);
        assert_eq!(panic_of(|| drop(aiter)), "waker");
        assert_eq!(wakes.count(), 19);
        drop((futures, pusher));

        let waiting = |pusher: &Pusher<Panics>| {
            let (wakes, waker) = Wakes::new();
            let mut future = pusher.stopped();
            assert!(poll_until(&mut future, &waker).is_pending());
            (wakes, future)
        };
        // The waker of a consumer.
        let (pusher, mut aiter) = push_aiter();
        let (wakes, _future) = waiting(&pusher);
        assert!(poll(&mut aiter, &panicking_waker()).is_pending());
        assert_eq!(panic_of(|| pusher.stop()), "waker");
        assert_eq!(wakes.count(), 1);
        // An item that no consumer takes.
        let (pusher, aiter) = push_aiter();
        let (wakes, _future) = waiting(&pusher);
        pusher.push(Panics(true)).unwrap();
        pusher.push(Panics(false)).unwrap();
        assert_eq!(panic_of(|| drop(aiter)), "item");
        assert_eq!(wakes.count(), 1);
    }

    #[test]
    fn a_waker_may_use_and_drop_what_it_wakes() {
        struct Uses(Mutex<Option<(UntilStopped<u8>, Pusher<u8>)>>);
        impl Wake for Uses {
            fn wake(self: Arc<Self>) {
                let (mut future, pusher) = self.0.lock().unwrap().take().unwrap();
                let mut other = pusher.stopped();
                for future in [&mut other, &mut future] {
                    assert!(poll_until(future, Waker::noop()).is_ready());
                }
                assert!(pusher.push(1).is_err());
            }
        }
        // The other pusher keeps the list open if one is dropped.
        for stop in [STOPS[0], STOPS[2]] {
            let (pusher, aiter) = push_aiter();
            let uses = Arc::new(Uses(Mutex::new(None)));
            let mut future = pusher.stopped();
            assert!(poll_until(&mut future, &uses.clone().into()).is_pending());
            *uses.0.lock().unwrap() = Some((future, pusher.clone()));
            stop(pusher, aiter);
            assert!(uses.0.lock().unwrap().is_none(), "it was woken");
        }
    }
}
