//! Tasks in a given place: executors and local sets, with streams that are not `Send` where the
//! place allows it.
#![allow(missing_docs, reason = "a test program")]

use futures_lite::{
    FutureExt,
    future::block_on,
    stream::{self, Stream, StreamExt},
};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::LocalSet,
};

/// A wait that takes longer than this would never end.
const DEADLINE: Duration = Duration::from_secs(60);

async fn in_time<F: Future>(future: F) -> F::Output {
    let deadline = async {
        smol::Timer::after(DEADLINE).await;
        panic!("nothing happened in time")
    };
    future.or(deadline).await
}

static RUNTIME: LazyLock<Arc<Runtime>> = LazyLock::new(|| Arc::new(Runtime::new().unwrap()));

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// The items of places whose tasks stay on this thread, and of those whose tasks do not.
mod local {
    pub(crate) type Item = std::rc::Rc<u32>;
    pub(crate) type Items = std::pin::Pin<Box<dyn super::Stream<Item = Item>>>;
}
mod sent {
    pub(crate) type Item = std::sync::Arc<u32>;
    pub(crate) type Items = std::pin::Pin<Box<dyn super::Stream<Item = Item> + Send>>;
}

/// `name: kind of items on adapter, place, how to run a future there;` makes a module of that name
/// with every test.
macro_rules! suite {
    ($($name:ident: $kind:ident on $adapter:ident, $Place:ty = $place:expr, $run:expr;)*) => {$(
        mod $name {
            use super::{*, $kind::{Item, Items}};
            use $adapter::{
                active_aiter_on, join_aiters_buffered_on, join_aiters_on, map_workers_on, preload_aiter_on,
                preload_aiter_with_on, Watermarks,
            };

            /// All functions that take a stream and yield its items in tasks.
            const ADAPTERS: [fn($Place, Items) -> Items; 6] = [
                |place, s| Box::pin(active_aiter_on(place, s)),
                |place, s| Box::pin(preload_aiter_on(place, 5, s)),
                |place, s| Box::pin(preload_aiter_with_on(place, Watermarks { low: 1, high: 5 }, s)),
                |place, s| Box::pin(join_aiters_on(place, stream::once(s))),
                |place, s| Box::pin(join_aiters_buffered_on(place, 5, stream::once(s))),
                |place, s| Box::pin(map_workers_on(place, 1, async |item| item, s)),
            ];

            fn each(case: impl AsyncFn(&dyn Fn(Items) -> Items)) {
                for adapter in ADAPTERS {
                    let place = $place;
                    let run = $run;
                    run(place.clone(), in_time(case(&|items| adapter(place.clone(), items))));
                }
            }

            #[test]
            fn items_come_in_order_then_the_end() {
                each(async |adapter| {
                    let mut items = adapter(Box::pin(stream::iter(0..1000).map(Item::new)));
                    for n in 0..1000 {
                        assert_eq!(items.next().await.as_deref(), Some(&n));
                    }
                    assert_eq!(items.next().await, None);
                    assert_eq!(adapter(Box::pin(stream::empty())).next().await, None);
                });
            }

            #[test]
            fn a_panic_comes_out_after_the_items_before_it() {
                each(async |adapter| {
                    let panics = stream::once_future(async { panic!("broken source") });
                    let mut items = adapter(Box::pin(stream::iter(0..10).map(Item::new).chain(panics)));
                    for n in 0..10 {
                        assert_eq!(items.next().await.as_deref(), Some(&n));
                    }
                    let panic = AssertUnwindSafe(items.next()).catch_unwind().await.unwrap_err();
                    assert_eq!(panic.downcast_ref(), Some(&"broken source"));
                    assert_eq!(items.next().await, None);
                });
            }

            #[test]
            fn dropping_the_stream_drops_a_pending_source() {
                each(async |adapter| {
                    let (held, dropped) = $adapter::push_aiter::<()>();
                    let source = stream::once(0).chain(stream::pending()).map(move |n| {
                        let _ = &held;
                        Item::new(n)
                    });
                    let mut items = adapter(Box::pin(source));
                    assert_eq!(items.next().await.as_deref(), Some(&0));
                    drop(items);
                    assert_eq!(dropped.count().await, 0);
                });
            }

            #[test]
            #[should_panic(expected = "at least 1")]
            fn pulling_no_item_ahead_is_a_mistake() {
                let place = $place;
                let run = $run;
                run(place.clone(), async { drop(preload_aiter_on(place, 0, stream::once(Item::new(0)))) });
            }
        }
    )*};
}

suite! {
    tokio_handle: sent on aiter_tokio, Handle = RUNTIME.handle().clone(), |_, f| RUNTIME.block_on(f);
    tokio_runtime: sent on aiter_tokio, Arc<Runtime> = RUNTIME.clone(), |runtime: Arc<Runtime>, f| runtime.block_on(f);
    tokio_local_set: local on aiter_tokio, Rc<LocalSet> = Rc::new(LocalSet::new()),
        |set: Rc<LocalSet>, f| set.block_on(&current_thread(), f);
    tokio_local: local on aiter_tokio, aiter_tokio::Local = aiter_tokio::Local,
        |_, f| LocalSet::new().block_on(&current_thread(), f);
    smol_executor: sent on aiter_smol, Arc<smol::Executor<'static>> = Arc::new(smol::Executor::new()),
        |executor: Arc<smol::Executor<'static>>, f| block_on(executor.run(f));
    smol_local_executor: local on aiter_smol, Rc<smol::LocalExecutor<'static>> = Rc::new(smol::LocalExecutor::new()),
        |executor: Rc<smol::LocalExecutor<'static>>, f| block_on(executor.run(f));
}

type Pending = Pin<Box<dyn Stream<Item = u32> + Send>>;

fn one_then_pending() -> Pending {
    Box::pin(stream::once(1).chain(stream::pending()))
}

/// The streams yield the items that their tasks had pulled when the place was dropped, and then
/// end.
fn end_after_one(streams: impl IntoIterator<Item = Pin<Box<dyn Stream<Item = u32>>>>) {
    for mut items in streams {
        assert_eq!(block_on(in_time(items.next())), Some(1));
        assert_eq!(block_on(in_time(items.next())), None);
    }
}

/// Polls once, so that a join starts its tasks.
async fn started<S: Stream + Unpin>(mut stream: S) -> S {
    let first = futures_lite::future::poll_once(stream.next()).await;
    assert!(first.is_none(), "its task has not run yet");
    stream
}

#[test]
fn when_a_local_set_is_dropped_its_streams_end() {
    use aiter_tokio::{Local, active_aiter_on, join_aiters_on, map_workers_on, preload_aiter_on};
    let (runtime, set) = (current_thread(), LocalSet::new());
    let joined = set.block_on(&runtime, async {
        started(join_aiters_on(Local, stream::once(one_then_pending()))).await
    });
    let streams: [Pin<Box<dyn Stream<Item = u32>>>; 4] = [
        Box::pin(active_aiter_on(&set, one_then_pending())),
        Box::pin(preload_aiter_on(&set, 5, one_then_pending())),
        Box::pin(map_workers_on(&set, 1, async |n| n, one_then_pending())),
        Box::pin(joined),
    ];
    // Every task gets to run.
    set.block_on(&runtime, async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    });
    drop(set);
    end_after_one(streams);
}

#[test]
fn when_an_executor_is_dropped_its_streams_end() {
    use aiter_smol::{active_aiter_on, map_workers_on, preload_aiter_on};
    let executor = smol::Executor::new();
    let local = smol::LocalExecutor::new();
    let streams: [Pin<Box<dyn Stream<Item = u32>>>; 8] = [
        Box::pin(active_aiter_on(&executor, one_then_pending())),
        Box::pin(preload_aiter_on(&executor, 5, one_then_pending())),
        Box::pin(map_workers_on(
            &executor,
            1,
            async |n| n,
            one_then_pending(),
        )),
        Box::pin(active_aiter_on(&local, one_then_pending())),
        Box::pin(preload_aiter_on(&local, 5, one_then_pending())),
        Box::pin(map_workers_on(&local, 1, async |n| n, one_then_pending())),
        Box::pin(map_workers_on(
            &executor,
            usize::MAX,
            async |n| n,
            one_then_pending(),
        )),
        Box::pin(map_workers_on(
            &local,
            usize::MAX,
            async |n| n,
            one_then_pending(),
        )),
    ];
    while executor.try_tick() | local.try_tick() {}
    drop((executor, local));
    end_after_one(streams);
}

/// A task cannot hold a reference to the executor that it runs on, and yet tasks start the workers.
#[test]
fn workers_on_a_borrowed_executor_reach_their_limit_and_leave_nothing() {
    let words = vec!["word".to_owned(); 60];
    for n in [1, 2, 5, usize::MAX] {
        // None goes on before this many are in work.
        let together = n.min(20);
        let all = tokio::sync::Barrier::new(together);
        let lead = async |word: &String| all.wait().await.is_leader() && word == "word";
        let (executor, local) = (smol::Executor::new(), smol::LocalExecutor::new());
        let leaders =
            aiter_smol::map_workers_on(&executor, n, lead, stream::iter(&words)).filter(|it| *it);
        let count = block_on(executor.run(in_time(leaders.count())));
        assert_eq!(count, 60 / together);
        let leaders =
            aiter_smol::map_workers_on(&local, n, lead, stream::iter(&words)).filter(|it| *it);
        let count = block_on(local.run(in_time(leaders.count())));
        assert_eq!(count, 60 / together);

        while executor.try_tick() | local.try_tick() {}
        assert!(executor.is_empty() && local.is_empty(), "n: {n}");
        // It is dropped while they work.
        let stuck = async |_: &String| std::future::pending::<()>().await;
        let results = [
            aiter_smol::map_workers_on(&executor, n, stuck, stream::iter(&words)),
            aiter_smol::map_workers_on(&local, n, stuck, stream::iter(&words)),
        ];
        while executor.try_tick() | local.try_tick() {}
        assert!(!executor.is_empty() && !local.is_empty());
        drop(results);
        while executor.try_tick() | local.try_tick() {}
        assert!(executor.is_empty() && local.is_empty(), "n: {n}");
    }
}

/// Two threads run the executor. Each worker keeps its thread until another worker runs too.
#[test]
fn workers_on_a_borrowed_executor_run_at_the_same_time() {
    let executor = Arc::new(smol::Executor::new());
    let ended = Arc::new(tokio::sync::Semaphore::new(0));
    let threads = [(); 2].map(|()| {
        let (executor, ended) = (executor.clone(), ended.clone());
        std::thread::spawn(move || block_on(executor.run(async { drop(ended.acquire().await) })))
    });
    let meet = Arc::new(std::sync::Barrier::new(2));
    let meeting = move |_: u32| {
        let meet = meet.clone();
        async move { meet.wait() }
    };
    let met = aiter_smol::map_workers_on(&*executor, 2, meeting, stream::iter(0..100));
    assert_eq!(block_on(in_time(met.count())), 100);
    ended.add_permits(2);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_consumer_that_waits_is_woken_when_an_executor_is_dropped() {
    let executor = smol::Executor::new();
    let mut items = aiter_smol::active_aiter_on(&executor, one_then_pending());
    while executor.try_tick() {}
    let (waits, waiting) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        block_on(async {
            assert_eq!(items.next().await, Some(1));
            waits.send(()).unwrap();
            in_time(items.next()).await
        })
    });
    waiting.recv().unwrap();
    drop(executor);
    assert_eq!(thread.join().unwrap(), None);
}

#[test]
fn streams_on_an_executor_of_ones_own_may_borrow() {
    let words = ["a".to_owned(), "bc".to_owned()];
    let (executor, local) = (smol::Executor::new(), smol::LocalExecutor::new());
    let lengths = aiter_smol::map_workers_on(
        &executor,
        2,
        async |word: &String| word.len(),
        stream::iter(&words),
    );
    let streams = stream::once(stream::iter(&words));
    let joined = aiter_smol::join_aiters_on(&local, streams).map(String::len);
    let sum = executor.run(lengths.fold(0, |sum, length| sum + length));
    assert_eq!(block_on(in_time(sum)), 3);
    assert_eq!(block_on(local.run(in_time(joined.count()))), 2);
}

#[test]
fn outside_a_local_set_it_panics_at_the_callers_line() {
    use aiter_tokio::{Local, active_aiter_on, map_workers_on, preload_aiter_on};
    let (said, says) = std::sync::mpsc::channel();
    let this = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == this {
            said.send(info.to_string()).unwrap();
        }
    }));
    let calls: [fn(); 3] = [
        || drop(active_aiter_on(Local, stream::once(1))),
        || drop(preload_aiter_on(Local, 1, stream::once(1))),
        || drop(map_workers_on(Local, 1, async |n: u32| n, stream::once(1))),
    ];
    let results = calls.map(catch_unwind);
    std::panic::set_hook(before);
    for result in results {
        result.unwrap_err();
        let message = says.recv().unwrap();
        assert!(
            message.contains("LocalSet") && message.contains(file!()),
            "{message}"
        );
    }
}
