//! Tests that streams take part in tokio's budget, so that other tasks run while one task takes
//! items from a stream that is always ready.
mod common;
use aiter_tokio::{
    Watermarks, active_aiter, aiter_core, cooperative, iter_to_aiter, join_aiters_buffered,
    map_workers, preload_aiter, preload_aiter_with,
};
use common::{current_thread, within};
use futures_lite::{
    future::{self, poll_once},
    stream::{self, Stream, StreamExt},
};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::task::{coop, spawn, yield_now};

/// The budget that tokio gives a task for each run.
const BUDGET: usize = 128;
const AHEAD: usize = 10_000;

type Items = Pin<Box<dyn Stream<Item = usize> + Send>>;

/// Counts the items that are taken until a task that was just spawned has run.
async fn taken_before_another_runs(mut items: impl Stream + Unpin) -> usize {
    // Start with a full budget.
    yield_now().await;
    let other = spawn(async {});
    let mut taken = 0;
    while !other.is_finished() {
        assert!(items.next().await.is_some());
        taken += 1;
        assert!(taken <= 2 * BUDGET, "the other task has not run");
    }
    taken
}

#[test]
fn another_task_runs_while_ready_items_are_taken() {
    let adapters: [fn(Items) -> Items; 4] = [
        |s| Box::pin(active_aiter(s)),
        |s| Box::pin(preload_aiter(AHEAD, s)),
        |s| {
            let watermarks = Watermarks {
                low: 1,
                high: AHEAD,
            };
            Box::pin(preload_aiter_with(watermarks, s))
        },
        |s| Box::pin(join_aiters_buffered(AHEAD, stream::once(s))),
    ];
    for adapter in adapters {
        current_thread().block_on(within(async {
            let pulled = Arc::new(AtomicUsize::new(0));
            let count = pulled.clone();
            let source = stream::repeat_with(move || count.fetch_add(1, Ordering::Relaxed));
            let mut items = adapter(Box::pin(source));
            // A join starts its task at the first poll.
            assert_eq!(items.next().await, Some(0));
            while pulled.load(Ordering::Relaxed) < AHEAD {
                yield_now().await;
            }
            let taken = taken_before_another_runs(items).await;
            assert_eq!(taken, BUDGET + 1);
        }));
    }
}

#[test]
fn a_join_in_one_task_takes_part_when_it_is_wrapped() {
    current_thread().block_on(within(async {
        let streams = iter_to_aiter((0..10).map(|_| stream::repeat(0)));
        let items = cooperative(aiter_core::join_aiters(streams));
        assert_eq!(taken_before_another_runs(items).await, BUDGET + 1);
    }));
}

#[test]
fn an_unconstrained_task_takes_all_ready_items() {
    current_thread().block_on(within(coop::unconstrained(async {
        let other = spawn(async {});
        let items = cooperative(iter_to_aiter(0..10 * BUDGET));
        assert_eq!(items.count().await, 10 * BUDGET);
        assert!(!other.is_finished());
    })));
}

#[test]
fn polling_a_pending_stream_uses_no_budget() {
    current_thread().block_on(within(async {
        yield_now().await;
        let mut items = cooperative(stream::pending::<u8>());
        for _ in 0..10 * BUDGET {
            assert_eq!(poll_once(items.next()).await, None);
        }
        assert!(coop::has_budget_remaining());
        let mut items = join_aiters_buffered(1, stream::once(stream::pending::<u8>()));
        for _ in 0..10 * BUDGET {
            assert_eq!(poll_once(items.next()).await, None);
        }
        assert!(coop::has_budget_remaining());
    }));
}

#[test]
fn outside_tokio_nothing_is_counted() {
    let items = cooperative(iter_to_aiter(0..10 * BUDGET));
    assert_eq!(future::block_on(items.count()), 10 * BUDGET);
    let runtime = current_thread();
    let entered = runtime.enter();
    let results = map_workers(2, future::ready, stream::iter(0..10 * BUDGET));
    drop(entered);
    assert_eq!(runtime.block_on(results.count()), 10 * BUDGET);
}

#[test]
fn nothing_is_lost_when_the_budget_is_used_up() {
    current_thread().block_on(within(async {
        let streams = iter_to_aiter([iter_to_aiter(0..10 * BUDGET)]);
        let mut items = cooperative(aiter_core::join_aiters(streams));
        let (mut seen, mut waits) = (0, 0);
        loop {
            match poll_once(items.next()).await {
                Some(Some(item)) => {
                    assert_eq!(item, seen);
                    seen += 1;
                }
                Some(None) => break,
                None => {
                    waits += 1;
                    yield_now().await;
                }
            }
        }
        assert_eq!(seen, 10 * BUDGET);
        assert!((9..=11).contains(&waits), "{waits} times");
    }));
}

/// Returns how often each number below `n` is among the items that a task takes from a stream.
async fn shares(
    n: usize,
    mut numbers: impl Stream<Item = usize> + Unpin + Send + 'static,
) -> Vec<usize> {
    let count = async move {
        let mut got = vec![0; n];
        for _ in 0..n * 160 {
            got[numbers.next().await.unwrap()] += 1;
        }
        got
    };
    spawn(count).await.unwrap()
}

/// Returns a stream of one number that takes `units` units of the budget for each item.
fn costing(units: usize, number: usize) -> Items {
    (0..units).fold(Box::pin(stream::repeat(number)), |stream, _| {
        Box::pin(cooperative(stream))
    })
}

#[test]
fn streams_that_obey_the_budget_get_similar_shares() {
    for busy in [false, true] {
        current_thread().block_on(within(async {
            // If another task is always ready, the streams that were refused are woken late.
            let other = busy.then(|| {
                spawn(async {
                    loop {
                        yield_now().await;
                    }
                })
            });
            for n in [36, 64, 100, 144, 300] {
                for units in [|_| 1, |number| [2, 5][number % 2]] {
                    let streams = move || (0..n).map(move |number| costing(units(number), number));
                    let joined = aiter_core::join_aiters(iter_to_aiter(streams()));
                    let keyed = aiter_core::join_aiters_keyed(iter_to_aiter(streams().enumerate()));
                    let keys = keyed.map(|(key, _)| key);
                    for got in [shares(n, joined).await, shares(n, keys).await] {
                        let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
                        assert!(most <= &(2 * least), "{n} streams: {least} to {most}");
                    }
                }
            }
            if let Some(other) = other {
                other.abort();
            }
        }));
    }
}
