//! What a user writes with each adapter, in tasks of a runtime with several threads: generic code
//! whose bounds are all that the compiler knows, items that borrow `'static`, and closures that
//! borrow from the task around them.
#![allow(missing_docs, reason = "a test program")]

use aiter_core::{Clock, Sleep};
use futures_core::Stream;
use futures_lite::StreamExt as _;
use std::{
    collections::BTreeMap,
    future::{Future, ready},
    pin::pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const LONG: Duration = Duration::from_secs(3_600);

/// Returns a future that any executor may run, as it is.
fn task<F: Future + Send + 'static>(future: F) -> F {
    future
}

/// The operators of core in tasks whose streams, timers, closures and keys are parameters.
mod generic {
    use super::*;
    use aiter_core::*;

    pub(super) fn timed<S, T, C>(stream: S, sleep: T, clock: C) -> impl Future<Output = ()> + Send
    where
        S: Stream<Item: Send> + Clone + Send + 'static,
        T: Sleep<Sleep: Send> + Clone + Send + 'static,
        C: Clock<Sleep: Send> + Send + 'static,
    {
        task(async move {
            let mut batches = pin!(batch_within(3, LONG, sleep.clone(), stream.clone()));
            while batches.next().await.is_some() {}
            let mut newest = pin!(debounce(LONG, sleep, stream.clone()));
            while newest.next().await.is_some() {}
            let limit = RateLimit::new(usize::MAX, Duration::MAX).burst(usize::MAX);
            let mut limited = pin!(rate_limit(limit, clock, stream.clone()));
            while limited.next().await.is_some() {}
            let mut batches = pin!(batch(usize::MAX, stream));
            while batches.next().await.is_some() {}
        })
    }

    pub(super) fn pumped<S, F, Fut, E>(
        f: F,
        stream: S,
    ) -> impl Future<Output = Result<(), E>> + Send
    where
        S: Stream<Item: Send> + Send + 'static,
        F: FnMut(S::Item) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Send + 'static,
    {
        task(async move { pump(f, stream).await })
    }

    pub(super) fn keyed<S, K, G, F, Fut>(key: G, f: F, stream: S) -> impl Future<Output = ()> + Send
    where
        S: Stream<Item: Send> + Clone + Send + 'static,
        K: Ord + Clone + Send + 'static,
        G: FnMut(&S::Item) -> K + Clone + Send + 'static,
        F: FnMut(S::Item) -> Fut + Send + 'static,
        Fut: Future<Output: Send> + Send + 'static,
    {
        task(async move {
            let mut done = pin!(map_workers_by(usize::MAX, key.clone(), f, stream.clone()));
            while done.next().await.is_some() {}
            let mut parts = split_by(usize::MAX, key, stream);
            while let Some((_, mut part)) = parts.next().await {
                let _part = task(async move { while part.next().await.is_some() {} });
            }
        })
    }

    pub(super) fn nested<S>(streams: S) -> impl Future<Output = ()> + Send
    where
        S: Stream + Clone + Send + 'static,
        S::Item: Stream<Item: Send> + Send + 'static,
    {
        task(async move {
            let mut newest = pin!(switch_aiter(streams.clone()));
            while newest.next().await.is_some() {}
            let mut all = pin!(join_aiters_limited(usize::MAX, streams));
            while all.next().await.is_some() {}
        })
    }

    pub(super) fn hubs<T: Clone + Send + Sync + 'static>(
        item: T,
    ) -> impl Future<Output = ()> + Send {
        task(async move {
            let hub = push_hub(bound::unbounded().retain(2));
            hub.push(item.clone()).ok();
            hub.idle().await;
            let mut readers = (hub.replay(), hub.subscribe_with(bound::skip(1)));
            hub.occupied().await;
            hub.push_all([item.clone(), item.clone()]).ok();
            readers.0.next().await;
            readers.1.next().await;
            hub.replay_with(bound::latest()).next().await;
            let weak = hub.downgrade();
            weak.upgrade().unwrap().stop();
            hub.stopped().await;
            assert!(hub.is_stopped());

            let (pusher, mut aiter) = push_aiter_bounded(2);
            pusher.push(item.clone()).await.ok();
            let permit = pusher.reserve().await.ok().unwrap();
            assert!(pusher.try_reserve().is_err());
            permit.push(item.clone()).ok();
            assert!(aiter.next_many(&mut Vec::new(), usize::MAX).await == 2);
            pusher.reserve_owned().await.ok().unwrap().push(item).ok();
            pusher.downgrade().upgrade().unwrap().stop();
            pusher.stopped().await;
        })
    }

    pub(super) fn forked<S>(stream: S) -> impl Future<Output = ()> + Send
    where
        S: Stream<Item: Clone + Send + Sync> + Send + 'static,
    {
        task(async move {
            let mut first = pin!(aiter_forker_with(bound::wait(1).retain(3), stream));
            let hub = first.hub();
            hub.occupied().await;
            let mut lossy = pin!(first.fork_with(bound::skip(2)));
            let mut passive = pin!(first.fork_passive_with(bound::unbounded()));
            first.next().await;
            lossy.next().await;
            passive.next().await;
            let mut late = pin!((hub.replay(), hub.subscribe_with(bound::skip(1))));
            late.0.next().await;
            assert_eq!(hub.readers(), 4);
        })
    }
}

fn on_threads(case: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(case);
}

#[test]
fn generic_code_runs_in_tasks() {
    on_threads(async {
        let words = || aiter_core::iter_to_aiter(["a", "few", "words"]);
        let timer = aiter_tokio::Timer;
        let clock = (|_| ready(()), || Duration::MAX);
        tokio::spawn(generic::timed(words(), timer, timer))
            .await
            .unwrap();
        tokio::spawn(generic::timed(words(), |_| ready(7), clock))
            .await
            .unwrap();
        let sent = |_| ready(Ok::<_, ()>(()));
        assert_eq!(
            tokio::spawn(generic::pumped(sent, words())).await.unwrap(),
            Ok(())
        );
        let length = |word: &&'static str| word.len();
        tokio::spawn(generic::keyed(length, ready, words()))
            .await
            .unwrap();
        let nested = aiter_core::iter_to_aiter([words(), words()]);
        tokio::spawn(generic::nested(nested)).await.unwrap();
        tokio::spawn(generic::hubs("word")).await.unwrap();
        tokio::spawn(generic::forked(words())).await.unwrap();
    });
}

/// The same words with each adapter as the only import. Each runs as a task of its runtime.
macro_rules! with_adapter {
    ($name:ident, $adapter:ident, |$future:ident| $spawned:expr) => {
        mod $name {
            use super::{AtomicUsize, BTreeMap, Duration, LONG, Mutex, SeqCst, pin, ready, task};
            use futures_lite::{
                Stream, StreamExt as _,
                future::poll_once,
                stream::{CollectFuture, pending},
            };
            use $adapter::*;

            /// It is no `async fn`: the compiler could not see that its future is `Send` where a
            /// closure of the stream takes items that borrow.
            fn items<S: Stream>(stream: S) -> CollectFuture<S, Vec<S::Item>> {
                stream.collect()
            }

            fn words() -> impl Stream<Item = &'static str> + Send + Unpin + Clone {
                iter_to_aiter(["a", "few", "few", "words"])
            }

            fn more() -> impl Stream<Item = &'static str> + Send + Unpin {
                words().chain(pending())
            }

            #[test]
            fn each_name_is_called_as_it_is_promised() {
                let $future = task(async {
                    // Time, without a timer among the arguments.
                    let [few, rest] = [&["a", "few"][..], &["few", "words"]];
                    assert_eq!(items(batch_within(2, LONG, words())).await, [few, rest]);
                    assert_eq!(
                        items(batch_within(2, Duration::MAX, words())).await,
                        [few, rest]
                    );
                    assert_eq!(
                        items(batch_within(9, Duration::ZERO, words())).await.len(),
                        1
                    );
                    for d in [Duration::ZERO, LONG, Duration::MAX] {
                        assert_eq!(items(debounce(d, words())).await, ["words"]);
                    }
                    let limit = RateLimit::new(9, LONG).burst(5);
                    assert_eq!(items(rate_limit(limit, words())).await.len(), 4);
                    let limit = RateLimit::new(usize::MAX, Duration::MAX);
                    assert_eq!(items(rate_limit(limit, words())).await.len(), 4);
                    // Timers that wait for the longest time.
                    let mut waits = pin!(batch_within(9, Duration::MAX, more()));
                    assert_eq!(poll_once(waits.next()).await, None);
                    let mut waits = pin!(debounce(Duration::MAX, more()));
                    assert_eq!(poll_once(waits.next()).await, None);
                    let one_ever = RateLimit::new(1, Duration::MAX);
                    let mut waits = pin!(rate_limit(one_ever, more()));
                    assert_eq!(poll_once(waits.next()).await, Some(Some("a")));
                    assert_eq!(poll_once(waits.next()).await, None);
                    let timer = Timer::default();
                    let before = timer.now();
                    timer.sleep(Duration::ZERO).await;
                    assert!(timer.now() >= before);
                    let pair = (|_| ready(()), || LONG);
                    let limited = aiter_core::rate_limit(limit, pair, words());
                    assert_eq!(items(limited).await.len(), 4);

                    // Items that borrow `'static`, closures that borrow from this task.
                    let count = AtomicUsize::new(0);
                    let seen = Mutex::new(Vec::new());
                    let add = async |word: &'static str| {
                        count.fetch_add(word.len(), SeqCst);
                        ready(()).await;
                        seen.lock().unwrap().push(word);
                        Ok::<_, ()>(())
                    };
                    assert_eq!(pump(add, words()).await, Ok(()));
                    assert_eq!(pump(&add, words()).await, Ok(()));
                    assert_eq!((count.load(SeqCst), seen.lock().unwrap().len()), (24, 8));
                    let length = |word: &&'static str| word.len();
                    let by =
                        map_workers_by(usize::MAX, length, async |word| add(word).await, words());
                    assert_eq!(items(by).await.len(), 4);
                    let mut parts = split_by(usize::MAX, length, words());
                    let mut lengths = BTreeMap::new();
                    while let Some((key, part)) = parts.next().await {
                        lengths.insert(key, part);
                    }
                    assert_eq!(items(lengths.remove(&3).unwrap()).await, ["few", "few"]);

                    // One switch, and streams that come later.
                    let stopper = Stopper::new();
                    let mut stoppable = stopper.stoppable(words());
                    assert_eq!(stoppable.next().await, Some("a"));
                    stopper.clone().stop();
                    stopper.stopped().await;
                    assert!(stopper.is_stopped() && items(stoppable).await.is_empty());
                    assert!(items(stopper.stoppable(words())).await.is_empty());

                    let (gated, gate) = gated_aiter(words());
                    assert_eq!(gate.push_up_to(usize::MAX, 3), 3);
                    assert_eq!((gate.push_up_to(1, 0), gate.permits()), (0, 3));
                    drop(gate);
                    assert_eq!(items(gated).await.len(), 3);

                    let streams = || iter_to_aiter([words(), words()]);
                    assert_eq!(
                        items(join_aiters_limited(usize::MAX, streams()))
                            .await
                            .len(),
                        8
                    );
                    assert_eq!(items(switch_aiter(streams())).await.len(), 4);
                    assert_eq!(items(batch(usize::MAX, words())).await.len(), 1);

                    let hub: PushHub<&str, _> = push_hub(bound::skip(1).retain(1));
                    hub.push("a").unwrap();
                    let mut reader = pin!(hub.replay());
                    let first = reader.next().await;
                    assert_eq!(
                        first,
                        Some(bound::Seen {
                            missed: 0,
                            item: "a"
                        })
                    );

                    // In tasks.
                    let n = usize::MAX;
                    assert_eq!(items(active_aiter(words())).await.len(), 4);
                    assert_eq!(items(preload_aiter(n, words())).await.len(), 4);
                    assert_eq!(items(join_aiters(streams())).await.len(), 8);
                    assert_eq!(items(join_aiters_buffered(n, streams())).await.len(), 8);
                    assert_eq!(items(map_workers(n, ready, words())).await.len(), 4);
                    let ordered = map_workers_ordered(n, async |word| word, words());
                    assert_eq!(items(ordered).await, ["a", "few", "few", "words"]);
                });
                $spawned
            }
        }
    };
}

with_adapter!(on_tokio, aiter_tokio, |future| {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(runtime.spawn(future)).unwrap()
});
with_adapter!(on_smol, aiter_smol, |future| smol::block_on(smol::spawn(
    future
)));
with_adapter!(on_async_std, aiter_async_std, |future| {
    async_std::task::block_on(async_std::task::spawn(future))
});

/// Lists without an allocator serve tasks too, through a reference.
#[test]
fn a_static_list_without_an_allocator_is_used_in_tasks() {
    use aiter_core::{PushError, fixed::PushList};

    static WAITS: PushList<u8, 2, 1, 1> = PushList::new();
    static OVERWRITES: PushList<u8, 2, 1, 0, true> = PushList::new();
    on_threads(async {
        let mut aiter = WAITS.aiter().unwrap();
        let pushed = tokio::spawn(async {
            for n in 0..100 {
                WAITS.push_when_free(n).await.unwrap();
            }
            WAITS.stop();
            assert_eq!(
                WAITS.push_when_free(7).await.map_err(|stopped| stopped.0),
                Err(7)
            );
        });
        let taken = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(n) = aiter.next().await {
                all.push(n);
            }
            all
        });
        pushed.await.unwrap();
        assert!(taken.await.unwrap().into_iter().eq(0..100));

        let mut newest = OVERWRITES.aiter().unwrap();
        for n in 0..5 {
            OVERWRITES.push_overwriting(n).unwrap();
        }
        assert_eq!((newest.next().await, newest.missed()), (Some(3), 3));
        OVERWRITES.stop();
        assert_eq!(OVERWRITES.push_overwriting(5), Err(PushError::Stopped(5)));
    });
}
