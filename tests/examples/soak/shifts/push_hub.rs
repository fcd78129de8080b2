//! Push hubs: readers of every bound that come and go, late ones that replay, and hubs that are
//! stopped or dropped.

use super::{
    Item, Shift, Yielded, all, breathe, next,
    visit::{Log, Visit},
};
use aiter_core::{
    HubBound, PushHub,
    bound::{skip, unbounded},
};
use fastrand::Rng;
use futures_core::Stream;
use futures_lite::future::poll_once;
use tokio::task::{JoinHandle, yield_now};

pub(super) fn push_hub(mut rng: Rng) -> Shift {
    let (n, m) = (rng.usize(1..100), rng.usize(..50));
    match rng.u8(..3) {
        0 => Box::pin(publish(aiter_core::push_hub(unbounded()), 0, false, rng)),
        1 => {
            let hub = aiter_core::push_hub(unbounded().retain(m));
            Box::pin(publish(hub, m, false, rng))
        }
        _ => {
            let hub = aiter_core::push_hub(skip(n).retain(m));
            Box::pin(publish(hub, m, true, rng))
        }
    }
}

/// Batches have fewer items.
const BATCH: u64 = 100;

/// A hub, and what is known about it.
struct Host<B: HubBound> {
    hub: PushHub<Item, B>,
    retains: usize,
    /// Whether its own readers may miss items.
    is_lossy: bool,
    senders: usize,
    /// The most items that are being pushed at a time. A replay may see the last items before
    /// those.
    under_way: u64,
}

impl<B: HubBound> Clone for Host<B> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            ..*self
        }
    }
}

impl<B> Host<B>
where
    B: HubBound + Send + Sync + 'static,
    B::Reader<Item>: Stream<Item: Yielded> + Unpin + Send + 'static,
{
    /// Spawns a reader of some kind, which may leave before the end.
    fn visitor(&self, rng: &mut Rng) -> JoinHandle<Visit> {
        match rng.u8(..3) {
            0 => self.visitor_of(self.is_lossy, PushHub::subscribe, PushHub::replay, rng),
            1 => {
                let bound = skip(rng.usize(1..100));
                self.visitor_of(
                    true,
                    |hub| hub.subscribe_with(bound),
                    |hub| hub.replay_with(bound),
                    rng,
                )
            }
            _ => self.visitor_of(
                false,
                |hub| hub.subscribe_with(unbounded()),
                |hub| hub.replay_with(unbounded()),
                rng,
            ),
        }
    }

    fn visitor_of<S>(
        &self,
        is_lossy: bool,
        subscribe: impl Fn(&PushHub<Item, B>) -> S,
        replay: impl Fn(&PushHub<Item, B>) -> S,
        rng: &mut Rng,
    ) -> JoinHandle<Visit>
    where
        S: Stream<Item: Yielded> + Unpin + Send + 'static,
    {
        let most = [usize::MAX, rng.usize(..1500)][rng.usize(..2)];
        let pushed = || self.hub.statistics().pushed as u64;
        let before = pushed();
        let (reader, first, last) = if rng.bool() {
            let retained = self.retains as u64;
            let first = before.saturating_sub(retained + self.under_way);
            (replay(&self.hub), first, pushed().saturating_sub(retained))
        } else {
            (subscribe(&self.hub), before, pushed())
        };
        let visit = Visit::new(first..=last, is_lossy);
        let visit = visit.of(reader, self.senders, most, rng.fork());
        tokio::spawn(async move {
            let visit = visit.await;
            assert_eq!(visit.missed_before, 0, "what came before the first item");
            visit
        })
    }

    /// Makes readers now and then, and may stop the hub before all items are pushed.
    async fn receive(self, mut rng: Rng) -> Vec<JoinHandle<Visit>> {
        let mut visitors = Vec::new();
        for _ in 0..rng.usize(..200) {
            match rng.u8(..64) {
                0..4 => visitors.push(self.visitor(&mut rng)),
                4 => _ = poll_once(self.hub.idle()).await,
                5 => _ = poll_once(self.hub.occupied()).await,
                _ => yield_now().await,
            }
        }
        if rng.u8(..4) == 0 {
            self.hub.stop();
        }
        visitors
    }
}

/// Pushes from one sender until there are enough items or the hub is stopped.
async fn push_some<B: HubBound>(hub: PushHub<Item, B>, from: usize, items: u64, mut rng: Rng) {
    let mut n = 0;
    while n < items {
        let len = if rng.u8(..3) == 0 {
            rng.u64(1..BATCH)
        } else {
            1
        };
        let batch = (n..n + len).map(|n| Item::new(from, n));
        if hub.push_all(batch).is_err() {
            break;
        }
        n += len;
        breathe(&mut rng).await;
    }
}

/// Items before there is a reader, then senders and readers at once, and readers after the stop.
async fn publish<B>(hub: PushHub<Item, B>, retains: usize, is_lossy: bool, mut rng: Rng) -> u64
where
    B: HubBound + Send + Sync + 'static,
    B::Reader<Item>: Stream<Item: Yielded> + Unpin + Send + 'static,
{
    let senders = rng.usize(1..4);
    let mut host = Host {
        hub,
        retains,
        is_lossy,
        senders: senders + 1,
        under_way: senders as u64 * BATCH,
    };
    let hub = &host.hub;
    let stopped = tokio::spawn(hub.stopped());
    let occupied = tokio::spawn({
        let hub = hub.clone();
        async move { hub.occupied().await }
    });
    let mut log = Log::new(senders + 1);
    for n in 0..rng.u64(..200) {
        let item = Item::new(senders, n);
        log.append(&item);
        hub.push(item).expect("the hub is open");
    }
    let mut reader = hub.subscribe_with(unbounded());
    occupied.await.expect("a wait failed");
    let (mut pushing, mut hosts) = (Vec::new(), Vec::new());
    for from in 0..senders {
        let items = rng.u64(..1500);
        pushing.push(tokio::spawn(push_some(
            hub.clone(),
            from,
            items,
            rng.fork(),
        )));
    }
    for _ in 0..rng.usize(..4) {
        hosts.push(tokio::spawn(host.clone().receive(rng.fork())));
    }
    let mut log_rng = rng.fork();
    let logging = tokio::spawn(async move {
        while let Some(item) = next(&mut reader, &mut log_rng).await {
            log.append(&item);
            breathe(&mut log_rng).await;
        }
        log
    });
    let mut visitors = Vec::new();
    for host in hosts {
        visitors.extend(host.await.expect("a host failed"));
    }
    all(pushing).await;
    host.under_way = 0;
    let hub = &host.hub;
    let items = if rng.bool() {
        hub.stop();
        for _ in 0..rng.usize(..4) {
            visitors.push(host.visitor(&mut rng));
        }
        let log = logging.await.expect("the reader of all items failed");
        log.check(visitors).await;
        assert_eq!(
            hub.statistics().pushed as u64,
            log.len(),
            "accepted and delivered"
        );
        hub.idle().await;
        log.len()
    } else {
        drop(host);
        let log = logging.await.expect("the reader of all items failed");
        log.check(visitors).await;
        log.len()
    };
    stopped.await.expect("a wait failed");
    items
}
