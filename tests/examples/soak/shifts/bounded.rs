//! Bounded push lists: senders that wait for room, hold permits and are cancelled, and readers that
//! hold them up for a while.

use super::{Check, FULL, Item, all, breathe, next, visitor};
use aiter_core::{BoundedAiter, BoundedPusher, PushError, push_aiter_bounded};
use fastrand::Rng;
use futures_lite::future::poll_once;
use std::sync::atomic::Ordering::Relaxed;
use tokio::task::{JoinHandle, yield_now};

pub(super) async fn bounded(mut rng: Rng) -> u64 {
    let most = rng.usize(1..50);
    let (pusher, mut aiter) = push_aiter_bounded(most);
    let senders = rng.usize(1..5);
    let pushing: Vec<_> = (0..senders)
        .map(|from| {
            let items = rng.u64(..1500);
            tokio::spawn(push_some(pusher.clone(), from, items, rng.fork()))
        })
        .collect();
    let host = tokio::spawn(host(pusher, senders, rng.fork()));
    let mut visitors = vec![host];
    let mut check = Check::from_zero(senders);
    // With a reader that leaves, no consumer is left once the visitors have gone, too.
    let leaves_at = [u64::MAX, rng.u64(..3000)][rng.usize(..2)];
    let mut batch = Vec::new();
    while check.seen < leaves_at {
        if rng.u8(..16) == 0 {
            let limit = rng.usize(1..80);
            let cancelled = poll_once(aiter.next_many(&mut batch, limit)).await;
            if cancelled.is_none() && aiter.next_many(&mut batch, limit).await == 0 {
                break;
            }
            batch.drain(..).for_each(|item| check.see(&item));
        } else {
            match next(&mut aiter, &mut rng).await {
                Some(item) => check.see(&item),
                None => break,
            }
        }
        let len = aiter.len();
        assert!(len <= most, "{len} items wait, and at most {most} may");
        match rng.u16(..300) {
            0 => visitors.push(visitor(
                aiter.fork(),
                senders,
                rng.usize(..1000),
                rng.fork(),
            )),
            1 => {
                // The first reader's place is passed on.
                let successor = aiter.fork();
                aiter = successor;
            }
            2 => visitors.push(hold_up(aiter.fork(), rng.usize(..100))),
            _ => {}
        }
        breathe(&mut rng).await;
    }
    let is_at_end = check.seen < leaves_at;
    drop(aiter);
    let mut accepted = 0;
    for task in pushing {
        accepted += task.await.expect("a pusher failed");
    }
    if is_at_end {
        assert_eq!(check.seen, accepted, "accepted and delivered");
    } else {
        assert!(check.seen <= accepted, "delivered and not accepted");
    }
    all(visitors).await;
    check.seen
}

/// Keeps a reader that takes nothing for a while. The pushers wait for it meanwhile.
fn hold_up(idle: BoundedAiter<Item>, yields: usize) -> JoinHandle<()> {
    tokio::spawn(async move {
        for _ in 0..yields {
            yield_now().await;
        }
        drop(idle);
    })
}

/// Subscribes now and then, and may stop the list before all items are pushed.
async fn host(pusher: BoundedPusher<Item>, senders: usize, mut rng: Rng) {
    let mut subscribers = Vec::new();
    for _ in 0..rng.usize(..200) {
        if rng.u8(..64) == 0 {
            let most = rng.usize(..1000);
            let subscriber = pusher.subscribe();
            subscribers.push(visitor(subscriber, senders, most, rng.fork()));
        }
        yield_now().await;
    }
    if rng.bool() {
        pusher.stop();
    }
    drop(pusher);
    all(subscribers).await;
}

/// Pushes from one sender, in each way that there is, until there are enough items or the list is
/// stopped. Returns how many were accepted.
async fn push_some(pusher: BoundedPusher<Item>, from: usize, items: u64, mut rng: Rng) -> u64 {
    let mut n = 0;
    while n < items {
        let item = Item::new(from, n);
        // `None`: the attempt was given up, and the item is still to be pushed.
        let pushed = match rng.u8(..8) {
            0 => unless_full(pusher.try_push(item)).map(|pushed| pushed.is_ok()),
            1 | 2 => {
                let reserved = if rng.bool() {
                    unless_full(pusher.try_reserve())
                } else {
                    Some(pusher.reserve().await.map_err(drop))
                };
                match reserved {
                    Some(Ok(permit)) => keep(permit, &mut rng)
                        .await
                        .map(|permit| permit.push(item).is_ok()),
                    Some(Err(())) => Some(false),
                    None => None,
                }
            }
            3 => match pusher.reserve_owned().await {
                Ok(permit) => keep(permit, &mut rng)
                    .await
                    .map(|permit| permit.push(item).is_ok()),
                Err(_) => Some(false),
            },
            4 => give_up(pusher.push(item), &mut rng)
                .await
                .map(|pushed| pushed.is_ok()),
            5 => match give_up(pusher.reserve(), &mut rng).await {
                // The next pusher gets the room of a permit that is dropped.
                Some(Ok(_)) | None => None,
                Some(Err(_)) => Some(false),
            },
            _ => Some(pusher.push(item).await.is_ok()),
        };
        match pushed {
            Some(true) => n += 1,
            Some(false) => break,
            None => {}
        }
        breathe(&mut rng).await;
    }
    n
}

fn unless_full<P, T>(result: Result<P, PushError<T>>) -> Option<Result<P, ()>> {
    match result {
        Ok(done) => Some(Ok(done)),
        Err(PushError::Full(_)) => {
            FULL.fetch_add(1, Relaxed);
            None
        }
        Err(PushError::Stopped(_)) => Some(Err(())),
    }
}

/// Returns a permit after a while, or drops it.
async fn keep<P>(permit: P, rng: &mut Rng) -> Option<P> {
    while rng.u8(..4) == 0 {
        yield_now().await;
    }
    (rng.u8(..8) != 0).then_some(permit)
}

/// Polls a wait once. If it is not over, drops it a while later, when its turn may have come.
async fn give_up<F: Future + Unpin>(mut wait: F, rng: &mut Rng) -> Option<F::Output> {
    let output = poll_once(&mut wait).await;
    if output.is_none() {
        FULL.fetch_add(1, Relaxed);
        for _ in 0..rng.usize(..3) {
            yield_now().await;
        }
    }
    output
}
