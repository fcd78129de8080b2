//! One suite for all adapters: what their crates add to core behaves the same on every runtime.
#![allow(missing_docs, reason = "a test program")]

use ::tokio::sync::Barrier;
use futures_lite::{
    FutureExt,
    future::yield_now,
    stream::{self, Stream, StreamExt},
};
use std::{future::Future, panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

/// A wait that takes longer than this would never end.
const DEADLINE: Duration = Duration::from_secs(60);

type Items = Pin<Box<dyn Stream<Item = u32> + Send>>;

mod tokio_runtime {
    use std::{future::Future, sync::LazyLock, time::Duration};
    use tokio::runtime::{EnterGuard, Runtime};

    // All calls share one runtime, because tasks outlive the call that spawned them.
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        RUNTIME.block_on(future)
    }

    /// Lets a thread use the runtime without waiting for it.
    pub(crate) fn enter() -> EnterGuard<'static> {
        RUNTIME.enter()
    }

    pub(crate) async fn sleep(time: Duration) {
        tokio::time::sleep(time).await;
    }
}

mod smol_runtime {
    use std::time::Duration;

    pub(crate) use smol::block_on;

    pub(crate) fn enter() {}

    pub(crate) async fn sleep(time: Duration) {
        smol::Timer::after(time).await;
    }
}

mod async_std_runtime {
    pub(crate) use async_std::task::{block_on, sleep};

    pub(crate) fn enter() {}
}

/// `name: adapter on runtime;` makes a module of that name with every test.
macro_rules! suite {
    ($($name:ident: $adapter:ident on $runtime:ident;)*) => {$(
        mod $name {
            use super::{$runtime as runtime, *};
            use $adapter::{
                active_aiter, aiter_to_iter, batch_within, debounce, join_aiters, join_aiters_buffered, map_workers,
                net::tcp_server, preload_aiter, preload_aiter_with, rate_limit, Clock, RateLimit, Timer, Watermarks,
            };

            /// All functions that take a stream and yield its items in tasks.
            const ADAPTERS: [fn(Items) -> Items; 6] = [
                |s| Box::pin(active_aiter(s)),
                |s| Box::pin(preload_aiter(5, s)),
                |s| Box::pin(preload_aiter_with(Watermarks { low: 1, high: 5 }, s)),
                |s| Box::pin(join_aiters(stream::once(s))),
                |s| Box::pin(join_aiters_buffered(5, stream::once(s))),
                |s| Box::pin(map_workers(1, |item| async move { item }, s)),
            ];

            /// Fails the test if the future does not complete before the deadline.
            fn block_on<F: Future>(future: F) -> F::Output {
                let deadline = async {
                    runtime::sleep(DEADLINE).await;
                    panic!("nothing happened in time")
                };
                runtime::block_on(future.or(deadline))
            }

            #[test]
            fn items_come_in_order_then_the_end() {
                for adapter in ADAPTERS {
                    block_on(async {
                        let items = adapter(Box::pin(stream::iter(0..1000)));
                        assert!(items.collect::<Vec<_>>().await.into_iter().eq(0..1000));
                        assert_eq!(adapter(Box::pin(stream::empty())).next().await, None);
                    });
                }
            }

            #[test]
            fn a_panic_comes_out_after_the_items_before_it() {
                for adapter in ADAPTERS {
                    block_on(async {
                        let panics = stream::once_future(async { panic!("broken source") });
                        let mut items = adapter(Box::pin(stream::iter(0..10).chain(panics)));
                        for n in 0..10 {
                            assert_eq!(items.next().await, Some(n));
                        }
                        let panic = AssertUnwindSafe(items.next()).catch_unwind().await.unwrap_err();
                        assert_eq!(panic.downcast_ref(), Some(&"broken source"));
                        assert_eq!(items.next().await, None);
                    });
                }
            }

            #[test]
            fn dropping_the_stream_drops_a_pending_source() {
                for adapter in ADAPTERS {
                    block_on(async {
                        let (held, dropped) = $adapter::push_aiter::<()>();
                        let source = stream::once(0).chain(stream::pending()).map(move |n| {
                            let _ = &held;
                            n
                        });
                        let mut items = adapter(Box::pin(source));
                        assert_eq!(items.next().await, Some(0));
                        drop(items);
                        assert_eq!(dropped.count().await, 0);
                    });
                }
            }

            #[test]
            fn the_requested_number_of_items_is_pulled_ahead() {
                let limits: [(fn(Items) -> Items, usize); 5] = [
                    (|s| Box::pin(preload_aiter(1, s)), 1),
                    (|s| Box::pin(preload_aiter(50, s)), 50),
                    (|s| Box::pin(join_aiters(stream::once(s))), 1),
                    (|s| Box::pin(join_aiters_buffered(20, stream::once(s))), 20),
                    (|s| Box::pin(map_workers(3, async |n| n, s)), 3),
                ];
                for (adapter, limit) in limits {
                    block_on(async {
                        let (count, counted) = $adapter::push_aiter();
                        let source = stream::repeat_with(move || {
                            count.push(()).unwrap();
                            7
                        });
                        let mut items = adapter(Box::pin(source));
                        for taken in 1..100 {
                            assert_eq!(items.next().await, Some(7));
                            let pulled = || counted.statistics().pushed;
                            while pulled() < taken + limit {
                                yield_now().await;
                            }
                            // A task that would pull more has run by then.
                            for _ in 0..20 {
                                yield_now().await;
                            }
                            assert_eq!(pulled(), taken + limit);
                        }
                    });
                }
            }

            /// One task asks, and there is one more for each item: `aiter_core` says how many tasks
            /// there are.
            #[test]
            fn usize_max_workers_are_a_limit_like_any_other() {
                for n in [1_000_000, usize::MAX] {
                    block_on(async {
                        let mut few: Vec<u32> = map_workers(n, async |n| n, stream::iter(0..3)).collect().await;
                        few.sort();
                        assert_eq!(few, [0, 1, 2]);
                        let all = Arc::new(Barrier::new(200));
                        let together = move |_: u32| {
                            let all = all.clone();
                            async move { all.wait().await.is_leader() }
                        };
                        let leaders = map_workers(n, together, stream::iter(0..400)).filter(|leads| *leads);
                        assert_eq!(leaders.count().await, 2);
                    });
                }
            }

            #[test]
            fn timers_work_in_a_blocking_iterator() {
                let _entered = runtime::enter();
                let ticks = stream::iter(0..5).then(|n| async move {
                    runtime::sleep(Duration::from_millis(1)).await;
                    n
                });
                assert!(aiter_to_iter(ticks).eq(0..5));
            }

            /// The pusher stays, so each item comes because a timer was ready. Each runs in a task
            /// that may change threads.
            #[test]
            fn operators_with_a_timer_use_that_of_the_runtime() {
                let millisecond = Duration::from_millis(1);
                block_on(async {
                    let (pusher, mut numbers) = $adapter::push_aiter();
                    let limit = RateLimit::new(1, millisecond).burst(2);
                    let limited = rate_limit(limit, numbers.fork());
                    let timed = limited.map(|n| (n, Timer.now()));
                    let mut timed = active_aiter(timed);
                    let mut newest = active_aiter(debounce(millisecond, numbers.fork()));
                    let mut batches = active_aiter(batch_within(9, millisecond, numbers));
                    let start = Timer::default().now();
                    pusher.push_all(0..5).unwrap();
                    assert_eq!(newest.next().await, Some(4));
                    assert!(Timer.now() - start >= millisecond);
                    let mut taken = Vec::new();
                    while taken.len() < 5 {
                        taken.extend(batches.next().await.unwrap());
                    }
                    assert_eq!(taken, [0, 1, 2, 3, 4]);
                    let tokens = [0, 0, 1, 2, 3];
                    for (item, tokens) in tokens.into_iter().enumerate() {
                        let (n, time) = timed.next().await.unwrap();
                        assert_eq!(n, item);
                        assert!(time - start >= millisecond * tokens);
                    }
                });
            }

            #[test]
            fn a_blocking_iterator_pulls_nothing_ahead_and_drops_its_stream() {
                let _entered = runtime::enter();
                let (pulled, source) = $adapter::push_aiter();
                let mut n = 0;
                let mut iter = aiter_to_iter(stream::repeat_with(move || {
                    n += 1;
                    pulled.push(n).unwrap();
                    n
                }));
                for n in 1..100 {
                    assert_eq!(iter.next(), Some(n));
                    assert_eq!(source.len(), n);
                }
                assert_eq!(iter.by_ref().take(50).fold(0, |_, n| n), 149);
                assert!(!source.is_stopped());
                drop(iter);
                assert!(source.is_stopped());
                assert_eq!(source.len(), 149);
            }

            #[test]
            fn a_blocking_iterator_inside_a_task_reports_the_mistake() {
                let _entered = runtime::enter();
                let made_there = map_workers(1, async |n| aiter_to_iter(stream::once(n)).next(), stream::once(1));
                // It panics when it would block, not when it is made, and not while items are
                // ready.
                let carried = aiter_to_iter(stream::once(1).chain(stream::pending()));
                let waits_there = async |mut iter: $adapter::BlockingIter<_>| {
                    assert_eq!(iter.next(), Some(1));
                    iter.next()
                };
                let carried_there = map_workers(1, waits_there, stream::once(carried));
                for mut result in [Box::pin(made_there) as Pin<Box<dyn Stream<Item = _>>>, Box::pin(carried_there)] {
                    let panic = block_on(AssertUnwindSafe(result.next()).catch_unwind()).unwrap_err();
                    let message = panic.downcast_ref::<String>().unwrap();
                    assert!(message.contains("on a thread that runs async tasks"), "{message}");
                }
            }

            #[test]
            fn servers_serve_clients_and_stop() {
                block_on(async {
                    let (server, mut connections) = tcp_server("127.0.0.1:0").await.unwrap();
                    let pending = futures_lite::future::poll_once(connections.next()).await;
                    assert!(pending.is_none());
                    for _ in 0..3 {
                        let _client = std::net::TcpStream::connect(server.local_addr()).unwrap();
                        assert!(connections.next().await.unwrap().is_ok());
                    }
                    let _late = std::net::TcpStream::connect(server.local_addr()).unwrap();
                    server.stop();
                    assert!(connections.next().await.unwrap().is_ok());
                    assert!(connections.next().await.is_none());
                    assert!(std::net::TcpStream::connect(server.local_addr()).is_err());
                });
            }

            #[test]
            #[cfg(unix)]
            fn a_unix_server_removes_its_own_file_only() {
                use $adapter::net::unix_server;
                let name = format!(concat!(stringify!($adapter), "-{}.sock"), std::process::id());
                let path = std::env::temp_dir().join(name);
                block_on(async {
                    let (server, mut connections) = unix_server(&path).await.unwrap();
                    let taken = unix_server(&path).await.unwrap_err();
                    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
                    let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
                    assert!(connections.next().await.unwrap().is_ok());
                    server.stop();
                    assert!(connections.next().await.is_none());
                });
                assert!(!path.exists());
            }
        }
    )*};
}

suite! {
    tokio: aiter_tokio on tokio_runtime;
    smol: aiter_smol on smol_runtime;
    async_std: aiter_async_std on async_std_runtime;
}
