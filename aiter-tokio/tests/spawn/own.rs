//! Tests of what is particular to each function: how many items it pulls ahead, and what runs
//! concurrently.
use super::*;

/// Returns an endless stream, and a counter of the items that were pulled from it.
fn counted() -> (Arc<AtomicUsize>, Items) {
    let pulled = Arc::new(AtomicUsize::new(0));
    let count = pulled.clone();
    let source = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        7
    });
    (pulled, Box::pin(source))
}

#[test]
fn no_more_is_pulled_ahead_than_was_asked_for() {
    let limits: [(Adapter, usize); 6] = [
        (|s| Box::pin(preload_aiter(1, s)), 1),
        (|s| Box::pin(preload_aiter(50, s)), 50),
        (|s| Box::pin(join_aiters(stream::once(s))), 1),
        (|s| Box::pin(join_aiters_buffered(20, stream::once(s))), 20),
        (|s| Box::pin(map_workers(3, |n| async move { n }, s)), 3),
        (
            |s| Box::pin(map_workers_ordered(4, |n| async move { n }, s)),
            4,
        ),
    ];
    for (adapter, limit) in limits {
        // There is one thread, so all tasks are idle after each of them has run often enough.
        current_thread().block_on(within(async {
            let (pulled, source) = counted();
            let mut items = adapter(source);
            for taken in 1..100 {
                items.next().await;
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                assert_eq!(pulled.load(Ordering::SeqCst), taken + limit);
            }
        }));
    }
}

#[test]
fn an_active_list_is_filled_without_being_read() {
    for runtime in both() {
        runtime.block_on(within(async {
            let (held, dropped) = Held::new();
            let mut items = active_aiter(stream::iter(0..10_000).map(move |n| {
                let _ = &held;
                n
            }));
            dropped.await.unwrap();
            assert!(items.is_len_at_least(9_999));
            let mut fork = items.fork();
            assert_eq!((&mut items).count().await, 10_000);
            assert_eq!(fork.try_next(), Ok(0));
            assert_eq!(items.try_next(), Err(TryNextError::Ended));
        }));
    }
}

#[test]
fn every_fork_of_an_active_list_panics_once() {
    for runtime in both() {
        runtime.block_on(within(async {
            let mut first = active_aiter(broken(2));
            let mut second = first.fork();
            let mut third = first.fork();
            for fork in [&mut first, &mut second] {
                assert_eq!((fork.next().await, fork.next().await), (Some(0), Some(1)));
                let panic = AssertUnwindSafe(fork.next())
                    .catch_unwind()
                    .await
                    .unwrap_err();
                assert_eq!(message(&*panic), "broken source");
                assert_eq!(fork.next().await, None);
            }
            assert_eq!((third.try_next(), third.try_next()), (Ok(0), Ok(1)));
            let panic = catch_unwind(AssertUnwindSafe(|| third.try_next())).unwrap_err();
            assert_eq!(message(&*panic), "broken source");
        }));
    }
}

#[test]
fn dropping_one_fork_of_an_active_list_does_not_affect_the_others() {
    for runtime in both() {
        runtime.block_on(within(async {
            let (pusher, source) = push_aiter();
            let mut first = active_aiter(source);
            let fork = first.fork();
            drop(first);
            pusher.push_all(0..10).unwrap();
            drop(pusher);
            assert_eq!(fork.count().await, 10);
        }));
    }
}

#[test]
fn streams_join_while_others_are_pending() {
    for runtime in both() {
        runtime.block_on(within(async {
            let (join, streams) = push_aiter::<Items>();
            let mut items = join_aiters(streams);
            join.push(Box::pin(stream::pending())).unwrap();
            for n in 0..20 {
                join.push(Box::pin(stream::once(n))).unwrap();
                assert_eq!(items.next().await, Some(n));
            }
        }));
    }
}

#[test]
fn each_joined_stream_keeps_its_order() {
    for runtime in both() {
        runtime.block_on(within(async {
            let streams = stream::iter(0..50).map(|s| stream::iter((0..200).map(move |n| (s, n))));
            let mut next = [0; 50];
            let mut items = join_aiters_buffered(10, streams);
            while let Some((s, n)) = items.next().await {
                assert_eq!(next[s], n);
                next[s] += 1;
            }
            assert_eq!(next, [200; 50]);
        }));
    }
}

#[test]
fn after_a_panic_of_one_joined_stream_the_others_go_on() {
    for runtime in both() {
        runtime.block_on(within(async {
            let streams = stream::iter([broken(10), broken(20), Box::pin(stream::iter(0..1000))]);
            let mut items = join_aiters(streams);
            let (mut seen, mut panics) = (0, 0);
            loop {
                match AssertUnwindSafe(items.next()).catch_unwind().await {
                    Ok(Some(_)) => seen += 1,
                    Ok(None) => break,
                    Err(panic) => {
                        assert_eq!(message(&*panic), "broken source");
                        panics += 1;
                    }
                }
            }
            assert_eq!((seen, panics), (1030, 2));
        }));
    }
}

#[test]
fn joined_streams_run_at_the_same_time() {
    in_time(|| {
        multi_thread().block_on(async {
            // Each stream blocks its thread until the other stream is polled.
            let meet = Arc::new(Barrier::new(2));
            let streams = stream::repeat_with(move || meet.clone())
                .take(2)
                .map(|meet| {
                    stream::once_future(async move {
                        meet.wait();
                    })
                });
            assert_eq!(join_aiters(streams).count().await, 2);
        });
    });
}

#[test]
fn workers_run_at_the_same_time_and_each_item_goes_to_one() {
    in_time(|| {
        multi_thread().block_on(async {
            let meet = Arc::new(Barrier::new(2));
            let f = move |n| {
                let meet = meet.clone();
                async move {
                    meet.wait();
                    n
                }
            };
            let results: BTreeSet<u32> = map_workers(2, f, stream::iter(0..100)).collect().await;
            assert!(results.into_iter().eq(0..100));
        });
    });
}

/// Each worker blocks its thread until all threads are busy, so no worker may have to wait for the
/// thread of the worker that started it. This holds for the first item of a worker only. A worker
/// that goes on to a further item may be woken on the thread of another worker that blocks.
#[test]
fn workers_that_block_run_on_every_thread() {
    for n in [4, usize::MAX].repeat(10) {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .build()
            .unwrap();
        in_time(move || {
            threads.block_on(async {
                let meet = Arc::new(Barrier::new(4));
                let f = move |n: u32| {
                    let meet = meet.clone();
                    async move {
                        meet.wait();
                        n
                    }
                };
                assert_eq!(map_workers(n, f, stream::iter(0..4)).count().await, 4);
            });
        });
    }
}

#[test]
fn a_burst_leaves_no_tasks_behind() {
    for runtime in both() {
        let metrics = runtime.metrics();
        runtime.block_on(within(async {
            let burst = Arc::new(tokio::sync::Barrier::new(1000));
            let f = move |n| {
                let burst = burst.clone();
                async move {
                    burst.wait().await;
                    n
                }
            };
            let (pusher, source) = push_aiter();
            let mut results = map_workers(usize::MAX, f, source);
            pusher.push_all(0..1000).unwrap();
            for _ in 0..1000 {
                results.next().await.unwrap();
            }
            // Two workers may wait for an item: the one that gets the next item, and one in
            // reserve.
            while metrics.num_alive_tasks() > 2 {
                tokio::task::yield_now().await;
            }
            drop(pusher);
            assert_eq!(results.next().await, None::<u32>);
        }));
    }
}

#[test]
fn all_workers_but_a_pending_one_go_on() {
    for runtime in both() {
        runtime.block_on(within(async {
            let f = |n| async move {
                if n == 0 {
                    std::future::pending::<()>().await;
                }
                n
            };
            let results = map_workers(2, f, stream::iter(0..1000)).take(999);
            assert_eq!(
                results.collect::<BTreeSet<u32>>().await,
                (1..1000).collect()
            );
        }));
    }
}

#[test]
fn a_panic_of_a_workers_future_loses_one_item() {
    for runtime in both() {
        for workers in [1, 3] {
            runtime.block_on(within(async {
                let f = |n| {
                    assert!(n % 10 != 3, "in the closure at {n}");
                    async move {
                        tokio::task::yield_now().await;
                        assert!(n % 10 != 7, "in the future at {n}");
                        n
                    }
                };
                let mut results: Items = Box::pin(map_workers(workers, f, stream::iter(0..100)));
                let (mut seen, mut panics) = (BTreeSet::new(), BTreeSet::new());
                loop {
                    match AssertUnwindSafe(results.next()).catch_unwind().await {
                        Ok(Some(n)) => assert!(seen.insert(n)),
                        Ok(None) => break,
                        Err(panic) => assert!(panics.insert(message(&*panic).to_owned())),
                    }
                }
                assert_eq!(
                    seen,
                    (0..100).filter(|n| ![3, 7].contains(&(n % 10))).collect()
                );
                assert_eq!(panics.len(), 20);
            }));
        }
    }
}

#[test]
fn a_preload_with_watermarks_refills_in_batches() {
    current_thread().block_on(within(async {
        let pulled = Arc::new(AtomicUsize::new(0));
        let count = pulled.clone();
        let source = stream::repeat_with(move || count.fetch_add(1, Ordering::SeqCst));
        let mut items = preload_aiter_with(Watermarks { low: 2, high: 10 }, source);
        for taken in 1..100 {
            items.next().await.unwrap();
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            // The task sleeps until 8 items of a batch were taken.
            assert_eq!(pulled.load(Ordering::SeqCst), 10 + taken / 8 * 8);
        }
    }));
}
