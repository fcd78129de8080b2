extern crate std;

use super::*;
use crate::{iter_to_aiter, push_aiter, test_support::*};
use alloc::{format, sync::Arc, task::Wake, vec::Vec};
use core::{mem, task::Waker};
use std::sync::Mutex;

#[test]
fn stops_at_once_and_drops_the_source_at_the_next_poll() {
    let (source, remote) = source([Item(1), Item(2), Item(3)]);
    let (mut stream, stopper) = stoppable_aiter(source);
    assert_eq!(stream.size_hint(), (0, None));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    stopper.clone().stop();
    assert!(stopper.is_stopped() && !remote.is_dropped() && !stream.is_terminated());
    assert_eq!(stream.size_hint(), (0, Some(0)));
    for _ in 0..2 {
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(remote.is_dropped() && stream.is_terminated());
    }
    assert_eq!(remote.polls(), 1);
    assert_eq!(stream.size_hint(), (0, Some(0)));
    stopper.stop();
}

#[test]
fn wakes_the_waker_registered_last_once() {
    let (source, _remote) = source::<()>([]);
    let (mut stream, stopper) = stoppable_aiter(source);
    let (first, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    let (second, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    stopper.stop();
    stopper.stop();
    assert_eq!((first.count(), second.count()), (0, 1));
    assert_eq!(poll(&mut stream, &waker), Poll::Ready(None));
}

#[test]
fn sees_a_stop_made_while_the_source_is_polled() {
    struct StopsIt(Option<Stopper>);
    impl Stream for StopsIt {
        type Item = ();
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            self.0.as_ref().unwrap().stop();
            Poll::Pending
        }
    }
    let (mut stream, stopper) = stoppable_aiter(StopsIt(None));
    stream.source = Fused::new(StopsIt(Some(stopper)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
}

#[test]
fn ends_with_its_source_and_works_without_a_stopper() {
    let (mut stream, stopper) = stoppable_aiter(iter_to_aiter([1]));
    assert_eq!(stream.size_hint(), (0, Some(1)));
    drop(stopper);
    assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert!(stream.is_terminated());

    let (mut stream, stopper) = stoppable_aiter(iter_to_aiter(0..0));
    assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    assert!(!stopper.is_stopped());
}

#[test]
fn keeps_no_waker_once_it_has_ended_or_is_dropped() {
    for stop in [false, true] {
        let (source, remote) = source::<()>([]);
        let (mut stream, stopper) = stoppable_aiter(source);
        let (wakes, waker) = Wakes::new();
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        if stop {
            stopper.stop();
        } else {
            remote.add([End]);
        }
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(None));
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1);
    }
    let (source, _remote) = source::<()>([]);
    let (mut stream, stopper) = stoppable_aiter(source);
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut stream, &waker), Poll::Pending);
    drop((stream, waker));
    assert_eq!(Arc::strong_count(&wakes), 1);
    stopper.stop();
    assert_eq!(wakes.count(), 0);
}

#[test]
fn is_as_sendable_as_its_source() {
    fn stopper<T: Send + Sync + Unpin + Clone + Default>() {}
    fn wait<T: Send + Sync + Unpin + FusedFuture>() {}
    fn stream<T: Send + Sync + Unpin>() {}
    stopper::<Stopper>();
    wait::<StopperStopped>();
    stream::<Stoppable<u8>>();
}

fn poll_wait(wait: &mut StopperStopped, waker: &Waker) -> Poll<()> {
    Pin::new(wait).poll(&mut Context::from_waker(waker))
}

#[test]
fn one_stop_ends_all_streams_and_waits_and_those_made_later() {
    let stopper = Stopper::default();
    let sources: Vec<_> = (0..3).map(|_| source([Item(1), Item(2)])).collect();
    let (sources, remotes): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
    let mut streams: Vec<_> = sources
        .into_iter()
        .map(|it| stopper.stoppable(it))
        .collect();
    let mut wait = stopper.clone().stopped();
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut streams[0], &waker), Poll::Ready(Some(1)));
    for _ in 0..3 {
        // It has two items, and then waits.
        let _ = poll(&mut streams[1], &waker);
    }
    assert_eq!(poll_wait(&mut wait, &waker), Poll::Pending);
    assert!(!wait.is_terminated());
    assert_eq!(
        (wakes.count(), format!("{stopper:?}").contains("false")),
        (0, true)
    );
    stopper.stop();
    // One stream and the wait.
    assert_eq!(
        (wakes.count(), format!("{stopper:?}").contains("true")),
        (2, true)
    );
    for stream in &mut streams {
        assert_eq!(stream.size_hint(), (0, Some(0)));
        assert_eq!(poll(stream, &waker), Poll::Ready(None));
        assert!(stream.is_terminated());
    }
    assert!(remotes.iter().all(|remote| remote.is_dropped()));
    assert_eq!(
        remotes.iter().map(|remote| remote.polls()).sum::<usize>(),
        4
    );
    for _ in 0..2 {
        assert_eq!(poll_wait(&mut wait, &waker), Poll::Ready(()));
        assert!(wait.is_terminated());
    }
    let (source, remote) = source([Item(1)]);
    let mut late = stopper.stoppable(source);
    assert_eq!(
        (late.size_hint(), remote.is_dropped()),
        ((0, Some(0)), false)
    );
    assert_eq!(poll(&mut late, &waker), Poll::Ready(None));
    assert_eq!((remote.polls(), remote.is_dropped()), (0, true));
    assert_eq!(poll_wait(&mut stopper.stopped(), &waker), Poll::Ready(()));
    drop((streams, wait, late, waker));
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (2, 1));
}

#[test]
fn a_wait_outlives_the_stoppers_and_is_woken_with_its_last_waker() {
    let stopper = Stopper::new();
    let mut wait = stopper.stopped();
    let (first, waker) = Wakes::new();
    assert_eq!(poll_wait(&mut wait, &waker), Poll::Pending);
    let (second, other) = Wakes::new();
    assert_eq!(poll_wait(&mut wait, &other), Poll::Pending);
    drop(waker);
    assert_eq!(Arc::strong_count(&first), 1);
    stopper.stop();
    assert_eq!((first.count(), second.count()), (0, 1));
    assert_eq!(poll_wait(&mut wait, &other), Poll::Ready(()));

    let stopper = Stopper::new();
    let mut wait = stopper.stopped();
    drop(stopper);
    assert_eq!(poll_wait(&mut wait, &other), Poll::Pending);
    drop((wait, other));
    assert_eq!(Arc::strong_count(&second), 1);
}

#[test]
fn a_stream_whose_source_ends_leaves_the_others_alone() {
    let stopper = Stopper::new();
    let mut short = stopper.stoppable(iter_to_aiter([1]));
    let (pusher, long) = push_aiter();
    let mut long = stopper.stoppable(long);
    assert_eq!(poll_noop(&mut short), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut short), Poll::Ready(None));
    drop(short);
    assert!(!stopper.is_stopped());
    pusher.push(2).unwrap();
    assert_eq!(poll_noop(&mut long), Poll::Ready(Some(2)));
    stopper.stop();
    assert!(pusher.push(3).is_ok());
    assert_eq!(poll_noop(&mut long), Poll::Ready(None));
    assert!(pusher.push(4).is_err(), "the source is dropped");
}

#[test]
fn a_waker_that_panics_keeps_no_other_task_asleep() {
    for bad in [0, 1, 8, 9, 24, 25, 99] {
        let stopper = Stopper::new();
        let (wakes, waker) = Wakes::new();
        let mut waits: Vec<_> = (0..100).map(|_| stopper.stopped()).collect();
        for (n, wait) in waits.iter_mut().enumerate() {
            let panics = panicking_waker();
            let waker = if n == bad { &panics } else { &waker };
            assert_eq!(poll_wait(wait, waker), Poll::Pending);
        }
        assert_eq!(panic_of(|| stopper.stop()), "waker");
        assert_eq!((wakes.count(), stopper.is_stopped()), (99, true));
        stopper.stop();
        for wait in &mut waits {
            assert_eq!(poll_wait(wait, &waker), Poll::Ready(()));
        }
        drop(waker);
        assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (99, 1));
    }
}

#[test]
fn a_waker_may_use_the_stopper_and_drop_what_waits_for_it() {
    /// Drops one wait, polls another one and makes one more.
    struct Uses(Stopper, Mutex<Vec<StopperStopped>>);
    impl Wake for Uses {
        fn wake(self: Arc<Self>) {
            let mut waits = self.1.lock().unwrap();
            drop(waits.pop());
            for wait in waits.iter_mut().take(1) {
                assert_eq!(poll_wait(wait, Waker::noop()), Poll::Ready(()));
            }
            let mut one_more = self.0.stopped();
            assert_eq!(poll_wait(&mut one_more, Waker::noop()), Poll::Ready(()));
            self.0.stop();
        }
    }
    let stopper = Stopper::new();
    let uses = Arc::new(Uses(stopper.clone(), Mutex::default()));
    let waker = Waker::from(uses.clone());
    let mut waits: Vec<_> = (0..100).map(|_| stopper.stopped()).collect();
    for wait in &mut waits {
        assert_eq!(poll_wait(wait, &waker), Poll::Pending);
    }
    *uses.1.lock().unwrap() = waits;
    stopper.stop();
    let mut left = mem::take(&mut *uses.1.lock().unwrap());
    assert!(left.len() < 100);
    for wait in &mut left {
        assert_eq!(poll_wait(wait, &waker), Poll::Ready(()));
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&uses), 1);
}

#[test]
fn a_stop_wakes_ten_thousand_streams_and_their_memory_goes_back() {
    let most = many(10_000) as usize;
    let stopper = Stopper::new();
    let (wakes, waker) = Wakes::new();
    for round in 0..3 {
        let mut streams: Vec<_> = (0..most)
            .map(|_| stopper.stoppable(futures_lite::stream::pending::<()>()))
            .collect();
        for stream in &mut streams {
            assert_eq!(poll(stream, &waker), Poll::Pending);
        }
        assert!(stopper.0.waiters.segments() >= most / 64);
        // In some order: each third first.
        let mut kept = streams.into_iter().enumerate().collect::<Vec<_>>();
        for part in 0..3 {
            kept.retain(|(n, _)| n % 3 != part);
        }
        assert!(
            kept.is_empty() && stopper.0.waiters.segments() <= 1,
            "round {round}"
        );
        assert_eq!(Arc::strong_count(&wakes), 2, "round {round}");
    }
    let mut streams: Vec<_> = (0..most)
        .map(|_| stopper.stoppable(futures_lite::stream::pending::<()>()))
        .collect();
    for stream in &mut streams {
        assert_eq!(poll(stream, &waker), Poll::Pending);
    }
    stopper.stop();
    assert_eq!(wakes.count(), most);
    for stream in &mut streams {
        assert_eq!(poll(stream, &waker), Poll::Ready(None));
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
    drop(streams);
    assert!(stopper.0.waiters.segments() <= 1);
}
