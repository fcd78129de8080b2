//! `AiterExt` beside the other three extension traits: no method name is ambiguous.

#[allow(unused_imports)]
use {
    aiter_core::AiterExt as _, futures::StreamExt as _, futures_lite::StreamExt as _,
    tokio_stream::StreamExt as _,
};

use aiter_core::{RateLimit, iter_to_aiter};
use futures::executor::block_on;
use futures_lite::Stream;
use std::{future::ready, time::Duration};

fn items<S: Stream>(stream: S) -> Vec<S::Item> {
    block_on(futures_lite::StreamExt::collect(stream))
}

#[test]
fn every_method_is_called_with_all_four_traits_in_scope() {
    let numbers = || iter_to_aiter(1..4);
    assert_eq!(items(numbers().map_aiter(|n| n * 2)), [2, 4, 6]);
    assert_eq!(
        items(numbers().map_async(|n| async move { n * 2 })),
        [2, 4, 6]
    );
    assert_eq!(
        items(numbers().map_filter_aiter(|n| (n != 2).then_some(n))),
        [1, 3]
    );
    assert_eq!(
        items(iter_to_aiter([vec![1], vec![], vec![2]]).flatten_aiter()),
        [1, 2]
    );
    assert_eq!(
        items(numbers().azip(iter_to_aiter("ab".chars()))),
        [(1, 'a'), (2, 'b')]
    );
    let second = Duration::from_secs(1);
    assert_eq!(items(numbers().batch(2)), [vec![1, 2], vec![3]]);
    let timer = |_| std::future::pending::<()>();
    let timed = numbers().batch_within(2, second, timer);
    assert_eq!(items(timed), [vec![1, 2], vec![3]]);
    assert_eq!(items(iter_to_aiter([numbers()]).switch_aiter()), [1, 2, 3]);
    assert_eq!(items(numbers().debounce(second, |_| ready(()))), [3]);
    let clock = (|_| ready(()), || second);
    // The end takes a token to find.
    let limit = RateLimit::new(4, second);
    assert_eq!(items(numbers().rate_limit(limit, clock)), [1, 2, 3]);
    let (stoppable, stopper) = numbers().stoppable_aiter();
    assert_eq!(items(stoppable), [1, 2, 3]);
    assert!(!stopper.is_stopped());
    assert_eq!(items(numbers().sharable_aiter()), [1, 2, 3]);
    let keys = numbers().split_by(3, |n| n % 2).map_aiter(|(key, _)| key);
    assert_eq!(items(keys), [1, 0, 1]);
    let (gated, gate) = numbers().gated_aiter();
    gate.push(2);
    drop(gate);
    assert_eq!(items(gated), [1, 2]);
    assert_eq!(items(numbers().aiter_forker()), [1, 2, 3]);
    let seen = std::cell::Cell::new(0);
    let add = async |n| {
        seen.set(seen.get() + n);
        Ok::<_, ()>(())
    };
    assert_eq!(block_on(numbers().pump(add)), Ok(()));
    assert_eq!(block_on(numbers().pump_lending(add)), Ok(()));
    assert_eq!(seen.get(), 12);
    let waits = numbers().aiter_forker_with(aiter_core::bound::wait(1));
    assert_eq!(items(waits), [1, 2, 3]);
}

/// Every method of an adapter's trait, with the traits of others in scope: those of the core too,
/// which a user need not import.
macro_rules! adapter_methods {
    ($name:ident, $adapter:ident, $block_on:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use {
                futures::StreamExt as _, futures_lite::StreamExt as _,
                tokio_stream::StreamExt as _, $adapter::AiterExt as _,
            };

            use futures_lite::Stream;
            use std::time::Duration;
            use $adapter::{RateLimit, Watermarks, bound, iter_to_aiter};

            async fn items<S: Stream>(stream: S) -> Vec<S::Item> {
                futures_lite::StreamExt::collect(stream).await
            }

            async fn sorted<S: Stream<Item: Ord>>(stream: S) -> Vec<S::Item> {
                let mut items = items(stream).await;
                items.sort();
                items
            }

            #[test]
            fn every_method_is_called_with_the_other_traits_in_scope() {
                $block_on(async {
                    let numbers = || iter_to_aiter(1..4);
                    let double = |n| async move { n * 2 };
                    // In the task that polls.
                    assert_eq!(items(numbers().map_aiter(|n| n * 2)).await, [2, 4, 6]);
                    assert_eq!(items(numbers().map_async(double)).await, [2, 4, 6]);
                    let odd = |n: i32| (n != 2).then_some(n);
                    assert_eq!(items(numbers().map_filter_aiter(odd)).await, [1, 3]);
                    let nested = iter_to_aiter([vec![1], vec![], vec![2]]);
                    assert_eq!(items(nested.flatten_aiter()).await, [1, 2]);
                    assert_eq!(items(numbers().azip(numbers())).await[2], (3, 3));
                    assert_eq!(items(numbers().batch(2)).await, [vec![1, 2], vec![3]]);
                    let newest = iter_to_aiter([numbers()]).switch_aiter();
                    assert_eq!(items(newest).await, [1, 2, 3]);
                    let (pulled, driver) = numbers().active();
                    driver.await;
                    assert_eq!(items(pulled).await, [1, 2, 3]);
                    let (ahead, driver) = numbers().preload(4);
                    driver.await;
                    assert_eq!(items(ahead).await, [1, 2, 3]);
                    let marks = Watermarks { low: 1, high: 5 };
                    let (ahead, driver) = numbers().preload_with(marks);
                    driver.await;
                    assert_eq!(items(ahead).await, [1, 2, 3]);
                    let sink = async |_| Ok::<_, ()>(());
                    assert_eq!(numbers().pump(sink).await, Ok(()));
                    assert_eq!(numbers().pump_lending(sink).await, Ok(()));
                    let keyed = iter_to_aiter([('a', iter_to_aiter([1]))]);
                    assert_eq!(
                        items(keyed.join_aiters_keyed()).await,
                        [('a', Some(1)), ('a', None)]
                    );
                    let limited = iter_to_aiter([numbers(), numbers()]).join_aiters_limited(1);
                    assert_eq!(items(limited).await, [1, 2, 3, 1, 2, 3]);
                    let by_one_key = numbers().map_workers_by(2, |_| 0, double);
                    assert_eq!(items(by_one_key).await, [2, 4, 6]);
                    assert_eq!(items(numbers().stoppable_aiter().0).await, [1, 2, 3]);
                    assert_eq!(items(numbers().sharable_aiter()).await, [1, 2, 3]);
                    let keys = numbers().split_by(3, |n| n % 2).map_aiter(|(key, _)| key);
                    assert_eq!(items(keys).await, [1, 0, 1]);
                    let (gated, gate) = numbers().gated_aiter();
                    gate.open();
                    assert_eq!(items(gated).await, [1, 2, 3]);
                    assert_eq!(items(numbers().aiter_forker()).await, [1, 2, 3]);
                    let waits = numbers().aiter_forker_with(bound::wait(1));
                    assert_eq!(items(waits).await, [1, 2, 3]);
                    // With the timer of the runtime.
                    let long = Duration::from_secs(3600);
                    let batches = items(numbers().batch_within(2, long)).await;
                    assert_eq!(batches, [vec![1, 2], vec![3]]);
                    assert_eq!(items(numbers().debounce(long)).await, [3]);
                    // The end takes a token to find.
                    let limited = numbers().rate_limit(RateLimit::new(4, long));
                    assert_eq!(items(limited).await, [1, 2, 3]);
                    // In tasks.
                    assert_eq!(items(numbers().active_aiter()).await, [1, 2, 3]);
                    assert_eq!(items(numbers().preload_aiter(2)).await, [1, 2, 3]);
                    assert_eq!(items(numbers().preload_aiter_with(marks)).await, [1, 2, 3]);
                    let streams = || iter_to_aiter([numbers(), numbers()]);
                    let both = [1, 1, 2, 2, 3, 3];
                    assert_eq!(sorted(streams().join_aiters()).await, both);
                    assert_eq!(sorted(streams().join_aiters_buffered(2)).await, both);
                    assert_eq!(sorted(numbers().map_workers(2, double)).await, [2, 4, 6]);
                    assert_eq!(
                        items(numbers().map_workers_ordered(2, double)).await,
                        [2, 4, 6]
                    );
                });
            }
        }
    };
}

adapter_methods!(on_tokio, aiter_tokio, |future| {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
});
adapter_methods!(on_smol, aiter_smol, smol::block_on);
adapter_methods!(on_async_std, aiter_async_std, async_std::task::block_on);

/// Blocking iterators are made outside of tasks.
#[test]
fn a_stream_becomes_a_blocking_iterator_by_a_method() {
    use aiter_async_std::AiterExt as OnAsyncStd;
    use aiter_smol::AiterExt as OnSmol;
    use aiter_tokio::AiterExt as OnTokio;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    assert!(OnTokio::aiter_to_iter(iter_to_aiter(0..3)).eq(0..3));
    assert!(OnTokio::aiter_to_iter_on(iter_to_aiter(0..3), &runtime).eq(0..3));
    assert!(OnSmol::aiter_to_iter(iter_to_aiter(0..3)).eq(0..3));
    assert!(OnAsyncStd::aiter_to_iter(iter_to_aiter(0..3)).eq(0..3));
}
