//! What users of tokio have already can be connected: tokio-stream's wrappers as sources, senders
//! and sinks as ends.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::{
    AiterExt, Stopped, aiter_forker, iter_to_aiter, join_aiters_keyed, preload, pump, push_aiter,
};
use futures::{SinkExt, StreamExt, executor::block_on, future::join, stream};
use std::convert::Infallible;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_stream::wrappers::{
    BroadcastStream, ReceiverStream, UnboundedReceiverStream, WatchStream,
    errors::BroadcastStreamRecvError,
};

#[test]
fn an_mpsc_receiver_is_forked() {
    let (sender, receiver) = mpsc::channel(1);
    let mut first = aiter_forker(ReceiverStream::new(receiver));
    let second = first.fork();
    let sending = async move {
        for n in 0..10 {
            sender.send(n).await.unwrap();
        }
    };
    let (first, second): (Vec<_>, Vec<_>) =
        block_on(join(sending, join(first.collect(), second.collect()))).1;
    assert!(first.into_iter().eq(0..10));
    assert!(second.into_iter().eq(0..10));
}

#[test]
fn an_unbounded_receiver_is_gated() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (mut gated, gate) = UnboundedReceiverStream::new(receiver).gated_aiter();
    (0..5).for_each(|n| sender.send(n).unwrap());
    gate.push(2);
    assert_eq!(block_on(gated.next()), Some(0));
    assert_eq!(block_on(gated.next()), Some(1));
    gate.stop();
    assert_eq!(block_on(gated.next()), None);
}

#[test]
fn a_broadcast_receiver_that_lags_says_so_through_a_join() {
    let (sender, receiver) = broadcast::channel(2);
    for n in 0..5 {
        sender.send(n).unwrap();
    }
    drop(sender);
    let streams = stream::iter([("news", BroadcastStream::new(receiver))]);
    let items: Vec<_> = block_on(join_aiters_keyed(streams).collect());
    let lagged = BroadcastStreamRecvError::Lagged(3);
    let expected = [Some(Err(lagged)), Some(Ok(3)), Some(Ok(4)), None];
    assert_eq!(items, expected.map(|item| ("news", item)));
}

#[test]
fn a_watch_receiver_is_one_of_many() {
    let (setting, receiver) = watch::channel(0);
    let (join_it, streams) = push_aiter();
    let mut all = streams.join_aiters();
    assert!(
        join_it
            .push(WatchStream::new(receiver.clone()).boxed())
            .is_ok()
    );
    assert_eq!(block_on(all.next()), Some(0));
    assert!(
        join_it
            .push(WatchStream::from_changes(receiver).boxed())
            .is_ok()
    );
    join_it.stop();
    setting.send(1).unwrap();
    drop(setting);
    assert_eq!(block_on(all.collect::<Vec<_>>()), [1, 1]);
}

#[test]
fn a_pump_waits_for_a_bounded_sender_and_ends_without_a_receiver() {
    let (sender, mut receiver) = mpsc::channel(1);
    let pumping = pump(async |n| sender.send(n).await, iter_to_aiter(0..));
    let receiving = async {
        for n in 0..100 {
            assert_eq!(receiver.recv().await, Some(n));
        }
        drop(receiver);
    };
    let error = block_on(join(pumping, receiving)).0.unwrap_err();
    // One item was in the channel, and the next one is given back.
    assert!((100..=101).contains(&error.0), "{error:?}");
}

#[test]
fn a_pusher_is_a_sink() {
    let (mut pusher, mut aiter) = push_aiter();
    let forwarding = stream::iter(0..5).map(Ok).forward(pusher.clone());
    block_on(forwarding).unwrap();
    block_on(pusher.send_all(&mut stream::iter(5..10).map(Ok))).unwrap();
    assert!(aiter.available_iter().copied().eq(0..10));
    // The other one was closed by `forward`. This one is the last.
    assert!(!aiter.is_stopped());
    block_on(pusher.close()).unwrap();
    assert!(aiter.is_stopped());
    assert_eq!(block_on(pusher.send(10)), Err(Stopped(())));
    let mut ten = Vec::new();
    assert_eq!(block_on(aiter.next_many(&mut ten, 20)), 10);

    let (pusher, aiter) = push_aiter();
    drop(aiter);
    let forwarding = stream::iter(0..5).map(Ok).forward(pusher);
    assert_eq!(block_on(forwarding), Err(Stopped(())));
}

/// The task may run on another thread after each await: borrows of the closure and of the items do
/// not prevent that.
#[test]
fn a_pump_is_spawned_on_several_threads_with_a_sender_that_it_borrows() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    let pumping = runtime.spawn(async move {
        let words = || aiter_tokio::iter_to_aiter(["a", "b"]);
        aiter_tokio::pump(|word| sender.send(word), words()).await?;
        aiter_tokio::pump(async |word| sender.send(word).await, words()).await?;
        words().pump(|word| sender.send(word)).await
    });
    for word in ["a", "b"].repeat(3) {
        assert_eq!(receiver.blocking_recv(), Some(word));
    }
    assert_eq!(receiver.blocking_recv(), None);
    runtime.block_on(pumping).unwrap().unwrap();
}

#[test]
fn a_pump_fills_a_sink_that_it_borrows() {
    let mut sink = Vec::new().sink_map_err(|error: Infallible| error);
    let (items, driver) = preload(3, iter_to_aiter(0..10));
    let pumping = items.pump_lending(async |n| sink.send(n).await);
    block_on(join(driver, pumping)).1.unwrap();
    assert!(sink.into_inner().into_iter().eq(0..10));
}
