//! A pusher as a sink.

use super::*;
use core::panic::AssertUnwindSafe;
use futures_sink::Sink;
use std::panic::catch_unwind;

const READY: Poll<Result<(), Stopped<()>>> = Poll::Ready(Ok(()));
const FAILED: Poll<Result<(), Stopped<()>>> = Poll::Ready(Err(Stopped(())));

fn ready<T>(sink: &mut BoundedSink<T>, waker: &Waker) -> Poll<Result<(), Stopped<()>>> {
    Pin::new(sink).poll_ready(&mut Context::from_waker(waker))
}

fn close<T>(sink: &mut BoundedSink<T>) {
    let closed = Pin::new(sink).poll_close(&mut Context::from_waker(Waker::noop()));
    assert_eq!(closed, READY);
}

fn send<T>(sink: &mut BoundedSink<T>, item: T) -> Result<(), Stopped<()>> {
    Pin::new(sink).start_send(item)
}

#[test]
fn it_is_ready_when_there_is_a_place() {
    let (pusher, mut aiter) = push_aiter_bounded(2);
    let mut sink = pusher.into_sink();
    let (wakes, waker) = Wakes::new();
    for n in 0..1_000 {
        if n >= 2 {
            assert!(ready(&mut sink, &waker).is_pending());
            assert_eq!(aiter.try_next(), Ok(n - 2));
            assert_eq!(wakes.taken(), 1);
        }
        assert_eq!(ready(&mut sink, &waker), READY);
        assert_eq!(ready(&mut sink, &waker), READY);
        assert_eq!(aiter.len(), 1.min(n));
        send(&mut sink, n).unwrap();
        let flushed = Pin::new(&mut sink).poll_flush(&mut Context::from_waker(&waker));
        assert_eq!(flushed, READY);
    }
    assert_eq!(wakes.taken(), 0);
    drop(sink);
    assert!(aiter.is_stopped());
    assert_eq!([aiter.try_next(), aiter.try_next()], [Ok(998), Ok(999)]);
    assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
}

#[test]
fn it_waits_in_the_queue_of_all_pushers() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    pusher.try_push(0).unwrap();
    let mut before = polled(pusher.push(1)).waiting();
    let mut sink = pusher.clone().into_sink();
    let (wakes, waker) = Wakes::new();
    assert!(ready(&mut sink, &waker).is_pending());
    let after = polled(pusher.push(3)).waiting();
    assert_eq!(aiter.try_next(), Ok(0));
    before.woken().unwrap();
    assert_eq!(wakes.taken(), 0);
    assert_eq!(aiter.try_next(), Ok(1));
    assert_eq!(wakes.taken(), 1);
    assert_eq!(pusher.try_push(9), Err(PushError::Full(9)));
    assert_eq!(ready(&mut sink, &waker), READY);
    send(&mut sink, 2).unwrap();
    drop(after);
    assert_eq!(aiter.try_next(), Ok(2));
}

#[test]
fn the_task_that_polled_last_is_woken() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    pusher.try_push(0).unwrap();
    let mut sink = pusher.into_sink();
    let [(first, old), (last, new)] = [Wakes::new(), Wakes::new()];
    assert!(ready(&mut sink, &old).is_pending());
    assert!(ready(&mut sink, &new).is_pending());
    aiter.try_next().unwrap();
    assert_eq!((first.taken(), last.taken()), (0, 1));
    assert_eq!(ready(&mut sink, &old), READY);
    for wakes in [first, last] {
        assert_eq!(
            alloc::sync::Arc::strong_count(&wakes),
            2,
            "it keeps no waker"
        );
    }
}

/// At each point: while it waits, when its place is there, and when it has taken that. Closing it
/// does the same.
#[test]
fn its_place_goes_to_the_next() {
    for polls in 0..3 {
        for is_closed in [false, true] {
            let (pusher, mut aiter) = push_aiter_bounded(1);
            pusher.try_push(0).unwrap();
            let mut sink = pusher.clone().into_sink();
            assert!(ready(&mut sink, Waker::noop()).is_pending());
            let mut next = polled(pusher.push(1)).waiting();
            if polls > 0 {
                assert_eq!(aiter.try_next(), Ok(0));
            }
            if polls > 1 {
                assert_eq!(ready(&mut sink, Waker::noop()), READY);
            }
            next.assert_waits();
            if is_closed {
                close(&mut sink);
                close(&mut sink);
                assert_eq!(ready(&mut sink, Waker::noop()), FAILED);
                assert_eq!(send(&mut sink, 9), Err(Stopped(())));
            } else {
                drop(sink);
            }
            if polls == 0 {
                next.assert_waits();
                assert_eq!(aiter.try_next(), Ok(0));
            }
            next.woken().unwrap();
            assert_eq!(aiter.try_next(), Ok(1));
            // Its place is given back once.
            pusher.try_push(2).unwrap();
            assert_eq!(pusher.try_push(3), Err(PushError::Full(3)));
        }
    }
}

#[test]
fn after_a_stop_it_fails_and_drops_what_it_refuses() {
    let item = alloc::sync::Arc::new(());
    let (pusher, _aiter) = push_aiter_bounded(1);
    let mut has_place = pusher.clone().into_sink();
    let mut waits = pusher.clone().into_sink();
    let (wakes, waker) = Wakes::new();
    assert_eq!(ready(&mut has_place, &waker), READY);
    assert!(ready(&mut waits, &waker).is_pending());
    pusher.stop();
    assert_eq!(wakes.taken(), 1);
    assert_eq!(send(&mut has_place, item.clone()), Err(Stopped(())));
    for sink in [&mut has_place, &mut waits] {
        assert_eq!(ready(sink, &waker), FAILED);
        assert_eq!(send(sink, item.clone()), Err(Stopped(())));
        assert_eq!(alloc::sync::Arc::strong_count(&item), 1);
    }

    let (pusher, aiter) = push_aiter_bounded::<u8>(1);
    drop(aiter);
    assert_eq!(ready(&mut pusher.into_sink(), &waker), FAILED);
}

#[test]
fn closing_one_handle_stops_no_other() {
    let (pusher, aiter) = push_aiter_bounded(1);
    let mut sinks = [(); 2].map(|()| pusher.clone().into_sink());
    close(&mut sinks[0]);
    pusher.try_push(1).unwrap();
    drop(pusher);
    assert!(!aiter.is_stopped());
    close(&mut sinks[1]);
    assert!(aiter.is_stopped() && aiter.len() == 1);
}

#[test]
fn sending_without_a_place_panics_and_takes_none() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    let mut sink = pusher.into_sink();
    let sent = catch_unwind(AssertUnwindSafe(|| send(&mut sink, 1)));
    let message = sent.unwrap_err();
    let message = message.downcast_ref::<&str>();
    assert_eq!(message, Some(&"start_send: the sink has to be ready"));
    assert_eq!(ready(&mut sink, Waker::noop()), READY);
    send(&mut sink, 2).unwrap();
    assert_eq!(aiter.try_next(), Ok(2));
}
