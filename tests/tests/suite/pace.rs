//! Operators that wait for a timer. The time is a number here, so no case waits for a real one.

use crate::{common::collect, runtime::Runtime};
use aiter_core::{Clock, RateLimit, debounce, iter_to_aiter, push_aiter, rate_limit};
use futures_lite::{
    StreamExt,
    future::{poll_once, yield_now},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn the_newest_item_comes_when_its_source_is_quiet<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let mut newest = debounce(SECOND, |_| yield_now(), aiter);
    R::spawn(async move {
        for n in 0..100 {
            pusher.push_all([n, n + 1, n + 2]).unwrap();
            assert_eq!(newest.next().await, Some(n + 2));
            assert!(poll_once(newest.next()).await.is_none());
        }
        pusher.push_all([1, 2]).unwrap();
        drop(pusher);
        assert_eq!(collect::<R, _>(newest).await, [2]);
    })
    .await;
    // A source that is always ready keeps nobody from running.
    let taken = Arc::new(AtomicU64::new(0));
    let count = taken.clone();
    let endless = iter_to_aiter((0..).inspect(move |_: &u64| {
        count.fetch_add(1, SeqCst);
    }));
    let mut never = debounce(SECOND, |_| yield_now(), endless);
    R::spawn(async move {
        for polls in 1..5 {
            assert!(poll_once(never.next()).await.is_none());
            assert_eq!(taken.load(SeqCst), 128 * polls);
        }
    })
    .await;
}

/// A clock whose timers move it on by what they wait for, and wait for the executor.
fn clock() -> (impl Clock<Sleep: Send> + Send, Arc<AtomicU64>) {
    let millis = Arc::new(AtomicU64::new(0));
    let (moved, shown) = (millis.clone(), millis.clone());
    let sleep = move |duration: Duration| {
        let (moved, millis) = (moved.clone(), duration.as_millis() as u64);
        async move {
            yield_now().await;
            moved.fetch_add(millis, SeqCst);
        }
    };
    let now = move || Duration::from_millis(shown.load(SeqCst));
    ((sleep, now), millis)
}

pub(crate) async fn items_come_as_their_tokens_do<R: Runtime>() {
    let (clock, millis) = clock();
    let limit = RateLimit::new(2, SECOND).burst(3);
    let times = rate_limit(limit, clock, iter_to_aiter(0..8)).map({
        let millis = millis.clone();
        move |n| (n, millis.load(SeqCst))
    });
    let mut times = Box::pin(times);
    R::spawn(async move {
        let expected = [0, 0, 0, 500, 1_000, 1_500];
        for (n, time) in expected.into_iter().enumerate() {
            assert_eq!(times.next().await, Some((n, time)));
        }
        // After an idle hour two more would come at once, and the end with them.
        millis.fetch_add(3_600_000, SeqCst);
        for n in 6..8 {
            assert_eq!(times.next().await, Some((n, 3_601_500)));
        }
        assert_eq!(times.next().await, None);
        assert_eq!(millis.load(SeqCst), 3_601_500);
    })
    .await;
}
