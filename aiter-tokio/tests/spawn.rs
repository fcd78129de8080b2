//! Streams whose items are made in tasks.
mod common;
use aiter_tokio::{
    TryNextError, Watermarks, active_aiter, join_aiters, join_aiters_buffered, map_workers,
    preload_aiter, preload_aiter_with, push_aiter,
};
use common::{both, current_thread, in_time, message, multi_thread, within};
use futures_lite::{
    FutureExt,
    stream::{self, Stream, StreamExt},
};
use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};

type Items = Pin<Box<dyn Stream<Item = u32> + Send>>;
/// One of the adapters, over streams of numbers.
type Adapter = fn(Items) -> Items;

/// All that take a stream and yield its items in tasks.
fn adapters() -> Vec<(&'static str, Adapter)> {
    vec![
        ("active_aiter", |s| Box::pin(active_aiter(s))),
        ("preload_aiter 1", |s| Box::pin(preload_aiter(1, s))),
        ("preload_aiter 100", |s| Box::pin(preload_aiter(100, s))),
        ("join_aiters", |s| Box::pin(join_aiters(stream::once(s)))),
        ("join_aiters_buffered", |s| {
            Box::pin(join_aiters_buffered(7, stream::once(s)))
        }),
        ("map_workers", |s| {
            Box::pin(map_workers(1, |item| async move { item }, s))
        }),
    ]
}

/// Runs a case for each adapter on each kind of runtime.
fn each(case: impl AsyncFn(Adapter)) {
    for (name, adapter) in adapters() {
        for runtime in both() {
            eprintln!("{name} on {:?}", runtime.handle().runtime_flavor());
            runtime.block_on(within(case(adapter)));
        }
    }
}

/// Tells when it is dropped.
struct Held(Option<oneshot::Sender<()>>);
impl Held {
    fn new() -> (Self, oneshot::Receiver<()>) {
        let (dropped, drops) = oneshot::channel();
        (Self(Some(dropped)), drops)
    }
}
impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

/// Polls once and returns the panic.
async fn panic_of(stream: &mut Items) -> Box<dyn Any + Send> {
    AssertUnwindSafe(stream.next())
        .catch_unwind()
        .await
        .expect_err("it did not panic")
}

/// `n` items, then a panic.
fn broken(n: u32) -> Items {
    Box::pin(stream::iter(0..n).chain(stream::once_future(async { panic!("broken source") })))
}

#[test]
fn items_come_in_order_then_the_end() {
    each(async |adapter: Adapter| {
        let mut items = adapter(Box::pin(stream::iter(0..1000)));
        for n in 0..1000 {
            assert_eq!(items.next().await, Some(n));
        }
        assert_eq!(items.next().await, None);
        assert_eq!(items.next().await, None);
        assert_eq!(adapter(Box::pin(stream::empty())).next().await, None);
    });
}

#[test]
fn items_that_come_later_wake_the_consumer() {
    each(async |adapter: Adapter| {
        let (item, mut source) = mpsc::unbounded_channel();
        let mut items = adapter(Box::pin(stream::poll_fn(move |cx| source.poll_recv(cx))));
        for n in 0..100 {
            let pushing = async {
                tokio::task::yield_now().await;
                item.send(n).unwrap();
            };
            assert_eq!(tokio::join!(items.next(), pushing).0, Some(n));
        }
        drop(item);
        assert_eq!(items.next().await, None);
    });
}

#[test]
fn a_next_that_is_dropped_loses_nothing() {
    each(async |adapter: Adapter| {
        let source = stream::iter(0..200).then(|n| async move {
            tokio::task::yield_now().await;
            n
        });
        let mut items = adapter(Box::pin(source));
        let mut seen = Vec::new();
        while seen.len() < 200 {
            match futures_lite::future::poll_once(items.next()).await {
                Some(item) => seen.push(item.unwrap()),
                None => tokio::task::yield_now().await,
            }
        }
        assert!(seen.into_iter().eq(0..200));
    });
}

#[test]
fn dropping_the_stream_drops_a_pending_source() {
    each(async |adapter: Adapter| {
        let (held, dropped) = Held::new();
        let source = stream::iter(0..3).chain(stream::pending()).map(move |n| {
            let _ = &held;
            n
        });
        let mut items = adapter(Box::pin(source));
        assert_eq!(items.next().await, Some(0));
        drop(items);
        dropped.await.unwrap();
    });
}

#[test]
fn dropping_the_stream_drops_a_source_that_is_always_ready() {
    for (name, adapter) in adapters().into_iter().skip(1) {
        for runtime in both() {
            eprintln!("{name}");
            runtime.block_on(within(async {
                let (held, dropped) = Held::new();
                let mut items = adapter(Box::pin(stream::repeat(0).map(move |n| {
                    let _ = &held;
                    n
                })));
                assert_eq!(items.next().await, Some(0));
                drop(items);
                dropped.await.unwrap();
            }));
        }
    }
}

#[test]
fn the_source_is_dropped_at_its_end() {
    each(async |adapter: Adapter| {
        let (held, dropped) = Held::new();
        let mut items = adapter(Box::pin(stream::iter(0..3).map(move |n| {
            let _ = &held;
            n
        })));
        while items.next().await.is_some() {}
        dropped.await.unwrap();
    });
}

#[test]
fn a_panic_of_the_source_comes_out_after_the_items_before_it() {
    each(async |adapter: Adapter| {
        for n in [0, 1, 100] {
            let mut items = adapter(broken(n));
            for before in 0..n {
                assert_eq!(items.next().await, Some(before));
            }
            assert_eq!(message(&*panic_of(&mut items).await), "broken source");
            assert_eq!(items.next().await, None);
        }
    });
}

#[test]
fn a_panic_keeps_its_payload() {
    each(async |adapter: Adapter| {
        let source = stream::once_future(async { panic_any(42_u64) });
        let panic = panic_of(&mut adapter(Box::pin(source))).await;
        assert_eq!(panic.downcast_ref(), Some(&42_u64));
    });
}

#[test]
fn a_panic_when_the_source_is_dropped_at_its_end_comes_out() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    each(async |adapter: Adapter| {
        let bomb = Bomb;
        let mut items = adapter(Box::pin(stream::iter(0..2).map(move |n| {
            let _ = &bomb;
            n
        })));
        assert_eq!((items.next().await, items.next().await), (Some(0), Some(1)));
        assert_eq!(message(&*panic_of(&mut items).await), "boom");
        assert_eq!(items.next().await, None);
    });
}

#[test]
fn when_the_runtime_shuts_down_the_stream_ends() {
    in_time(|| {
        for (name, adapter) in adapters() {
            for runtime in both() {
                eprintln!("{name}");
                let mut items = {
                    let _context = runtime.enter();
                    adapter(Box::pin(stream::once(0).chain(stream::pending())))
                };
                assert_eq!(runtime.block_on(items.next()), Some(0));
                let waiting =
                    std::thread::spawn(move || futures_lite::future::block_on(items.next()));
                drop(runtime);
                assert_eq!(waiting.join().unwrap(), None);
            }
        }
    });
}

#[test]
fn on_a_runtime_that_has_shut_down_the_stream_ends() {
    in_time(|| {
        for (_, adapter) in adapters() {
            let runtime = multi_thread();
            let handle = runtime.handle().clone();
            drop(runtime);
            let _context = handle.enter();
            let mut items = adapter(Box::pin(stream::once(0)));
            assert_eq!(futures_lite::future::block_on(items.next()), None);
        }
    });
}

#[test]
fn the_result_can_be_polled_outside_the_runtime() {
    in_time(|| {
        for (_, adapter) in adapters() {
            let runtime = multi_thread();
            let items = {
                let _context = runtime.enter();
                adapter(Box::pin(stream::iter(0..100)))
            };
            assert_eq!(futures_lite::future::block_on(items.count()), 100);
        }
    });
}

/// Counts how many of its items were pulled.
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
    let limits: [(Adapter, usize); 5] = [
        (|s| Box::pin(preload_aiter(1, s)), 1),
        (|s| Box::pin(preload_aiter(50, s)), 50),
        (|s| Box::pin(join_aiters(stream::once(s))), 1),
        (|s| Box::pin(join_aiters_buffered(20, stream::once(s))), 20),
        (|s| Box::pin(map_workers(3, |n| async move { n }, s)), 3),
    ];
    for (adapter, limit) in limits {
        // One thread: when everything else had its turn often enough, nothing more will happen.
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
fn an_active_list_is_filled_while_nobody_reads() {
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
fn every_fork_of_an_active_list_meets_the_panic_once() {
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
fn dropping_one_fork_of_an_active_list_leaves_the_others() {
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
            // Each stream's thread waits for the other's.
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

#[test]
fn all_workers_but_a_stuck_one_go_on() {
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
fn a_panic_of_a_workers_future_costs_one_item() {
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
fn zero_and_no_runtime_panic_at_the_callers_line() {
    let line_of = |f: &dyn Fn()| {
        let line = Arc::new(AtomicUsize::new(0));
        let seen = line.clone();
        let this = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == this && info.location().unwrap().file() == file!() {
                seen.store(info.location().unwrap().line() as usize, Ordering::SeqCst);
            }
        }));
        catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        std::panic::set_hook(before);
        line.load(Ordering::SeqCst)
    };
    let source = || stream::iter(0..3);
    let first = line!() as usize + 2;
    let cases: [&dyn Fn(); 5] = [
        &|| drop(active_aiter(source())),
        &|| drop(preload_aiter(1, source())),
        &|| drop(join_aiters(stream::once(source()))),
        &|| drop(join_aiters_buffered(1, stream::once(source()))),
        &|| drop(map_workers(1, |n| async move { n }, source())),
    ];
    for (case, n) in cases.into_iter().zip(0..) {
        assert_eq!(line_of(case), first + n);
    }
    let runtime = current_thread();
    let _context = runtime.enter();
    let first = line!() as usize + 2;
    let cases: [&dyn Fn(); 3] = [
        &|| drop(preload_aiter(0, source())),
        &|| drop(join_aiters_buffered(0, stream::once(source()))),
        &|| drop(map_workers(0, |n| async move { n }, source())),
    ];
    for (case, n) in cases.into_iter().zip(0..) {
        assert_eq!(line_of(case), first + n);
    }
}

#[test]
fn results_can_be_sent_to_other_threads() {
    fn check(_: &(impl Send + Unpin)) {}
    let runtime = current_thread();
    let _context = runtime.enter();
    let items = || -> Items { Box::pin(stream::empty()) };
    check(&active_aiter(items()));
    check(&preload_aiter(1, items()));
    check(&map_workers(1, |n| async move { n }, items()));
    check(&join_aiters(stream::iter([items()])));
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
            // The task sleeps until 8 of a batch were taken.
            assert_eq!(pulled.load(Ordering::SeqCst), 10 + taken / 8 * 8);
        }
    }));
}
