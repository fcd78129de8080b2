//! A short run through everything in core.

use aiter_core::{
    AiterExt, active, aiter_forker, gated_aiter, iter_to_aiter, join_aiters, preload, push_aiter,
    sharable_aiter,
};
use futures_lite::{StreamExt, future, stream};

/// Uses a little of everything that allocates.
pub(crate) fn everything() {
    let (pusher, mut aiter) = push_aiter();
    let mut forks: Vec<_> = (0..10).map(|_| aiter.fork()).collect();
    for n in 0..100 {
        pusher.push(Box::new(n)).unwrap();
    }
    let late = pusher.subscribe();
    pusher.push_all((100..200).map(Box::new)).unwrap();
    pusher
        .push_all((200..300).filter(|_| true).map(Box::new))
        .unwrap();
    let weak = pusher.downgrade();
    let until: Vec<_> = (0..20).map(|_| pusher.stopped()).collect();
    pusher.stop();
    assert!(weak.upgrade().is_some());
    until.into_iter().for_each(future::block_on);
    let count = |stream| future::block_on(StreamExt::count(stream));
    assert!(forks.drain(..).all(|fork| count(fork) == 300));
    assert_eq!(count(late), 200);
    let mut all = Vec::new();
    while future::block_on(aiter.next_many(&mut all, 90)) != 0 {}
    assert_eq!(all.len(), 300);

    let numbers = || iter_to_aiter(0..50);
    let mut fork = aiter_forker(numbers());
    let sum = future::block_on(async {
        let other = fork.fork();
        let (one, other) = future::zip(
            fork.fold(0, |sum, n| sum + n),
            other.fold(0, |sum, n| sum + n),
        )
        .await;
        let taker = sharable_aiter(numbers());
        let shared = taker.clone().fold(0, |sum, n| sum + n).await;
        let (gated, gate) = gated_aiter(numbers());
        gate.open();
        let gated = gated.fold(0, |sum, n| sum + n).await;
        let (ready, driver) = preload(5, numbers());
        let (preloaded, ()) = future::zip(ready.fold(0, |sum, n| sum + n), driver).await;
        let (pulled, driver) = active(numbers());
        let (pulled, ()) = future::zip(pulled.fold(0, |sum, n| sum + n), driver).await;
        let joined = join_aiters(stream::iter([numbers(), numbers()]));
        let joined = joined.fold(0, |sum, n| sum + n).await;
        let mapped = numbers().map_workers(7, |n| async move {
            future::yield_now().await;
            n
        });
        let mapped = mapped.fold(0, |sum, n| sum + n).await;
        let ordered = numbers().map_workers_ordered(7, |n| async move {
            future::yield_now().await;
            n
        });
        let ordered = ordered.fold(0, |sum, n| sum + n).await;
        let by_key = numbers().map_workers_by(
            7,
            |n| n % 3,
            |n| async move {
                future::yield_now().await;
                n
            },
        );
        let by_key = by_key.fold(0, |sum, n| sum + n).await;
        one + other + shared + gated + preloaded + pulled + joined + mapped + ordered + by_key
    });
    assert_eq!(sum, 11 * (0..50).sum::<i32>());
}
