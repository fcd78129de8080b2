//! Hubs of forked streams: forks of every bound that come and go, also while there is no other.

use super::{
    Check, Item, Items, Shift, Yielded, breathe, next, source,
    visit::{Log, Visit},
};
use aiter_core::{
    Fork, Hub, aiter_forker_with,
    bound::{Bound, Skip, SourceBound, Unbounded, Wait, skip, unbounded, wait},
};
use fastrand::Rng;
use futures_core::Stream;
use futures_lite::{StreamExt, future::poll_once};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::task::{JoinHandle, yield_now};

pub(super) fn fork_hub(mut rng: Rng) -> Shift {
    let (n, m) = (rng.usize(1..100), rng.usize(..50));
    match rng.u8(..4) {
        0 => Box::pin(serve(unbounded(), 0, false, rng)),
        1 => Box::pin(serve(unbounded().retain(m), m, false, rng)),
        2 => Box::pin(serve(wait(n).retain(m), m, false, rng)),
        _ => Box::pin(serve(skip(n).retain(m), m, true, rng)),
    }
}

/// The hub of a stream, and what is known about it.
struct Host<B: Bound> {
    hub: Hub<Items, B>,
    retains: usize,
    /// Whether its own forks may miss items.
    is_lossy: bool,
    /// How many items were pulled.
    pulled: Arc<AtomicU64>,
}

impl<B: Bound> Clone for Host<B> {
    fn clone(&self) -> Self {
        Self {
            hub: self.hub.clone(),
            pulled: self.pulled.clone(),
            ..*self
        }
    }
}

impl<B> Host<B>
where
    B: Bound + Send + Sync + 'static,
    Fork<Items, B>: Stream<Item: Yielded> + Unpin + Send + 'static,
{
    /// Spawns a fork of some bound, which may leave before the end.
    fn visitor(&self, rng: &mut Rng) -> JoinHandle<Visit> {
        let n = rng.usize(1..100);
        match rng.u8(..4) {
            0 => self.visitor_of(self.is_lossy, Hub::subscribe, Hub::replay, rng),
            1 => self.visitor_with::<Skip>(true, skip(n), rng),
            2 => self.visitor_with::<Wait>(false, wait(n), rng),
            _ => self.visitor_with::<Unbounded>(false, unbounded(), rng),
        }
    }

    fn visitor_with<C>(&self, is_lossy: bool, bound: C, rng: &mut Rng) -> JoinHandle<Visit>
    where
        C: Bound,
        Fork<Items, C>: Stream<Item: Yielded> + Unpin + Send + 'static,
    {
        self.visitor_of(
            is_lossy,
            |hub| hub.subscribe_with(bound),
            |hub| hub.replay_with(bound),
            rng,
        )
    }

    fn visitor_of<S>(
        &self,
        is_lossy: bool,
        subscribe: impl Fn(&Hub<Items, B>) -> S,
        replay: impl Fn(&Hub<Items, B>) -> S,
        rng: &mut Rng,
    ) -> JoinHandle<Visit>
    where
        S: Stream<Item: Yielded> + Unpin + Send + 'static,
    {
        let most = [usize::MAX, rng.usize(..2000)][rng.usize(..2)];
        let replays = rng.bool();
        let retained = if replays { self.retains as u64 } else { 0 };
        // An item that is being pulled is for the new fork, too.
        let before = self.pulled.load(Relaxed).saturating_sub(retained + 1);
        let fork = if replays {
            replay(&self.hub)
        } else {
            subscribe(&self.hub)
        };
        let after = self.pulled.load(Relaxed).saturating_sub(retained);
        let visit = Visit::new(before..=after, is_lossy);
        tokio::spawn(visit.of(fork, 1, most, rng.fork()))
    }

    /// Makes forks now and then.
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
        visitors
    }
}

/// A first fork, which may leave before the end, others from the hub, and forks after the end.
async fn serve<B>(bound: B, retains: usize, is_lossy: bool, mut rng: Rng) -> u64
where
    B: SourceBound<Item>,
    B::Bound: Send + Sync + 'static,
    Fork<Items, B::Bound>: Stream<Item: Yielded> + Unpin + Send + 'static,
{
    let items = rng.u64(..4000);
    let pulled = Arc::new(AtomicU64::new(0));
    let counter = pulled.clone();
    let source = source(items, rng.fork()).inspect(move |_| _ = counter.fetch_add(1, Relaxed));
    let mut first = aiter_forker_with(bound, Box::pin(source) as Items);
    let host = Host {
        hub: first.hub(),
        retains,
        is_lossy,
        pulled,
    };
    let hosts: Vec<_> = (0..rng.usize(..4))
        .map(|_| tokio::spawn(host.clone().receive(rng.fork())))
        .collect();
    let idle = tokio::spawn({
        let hub = host.hub.clone();
        async move { hub.idle().await }
    });
    let leaves_at = [u64::MAX, rng.u64(..4000)][rng.usize(..2)];
    let mut check = Check::from_zero(1);
    while check.seen < leaves_at {
        let Some(item) = next(&mut first, &mut rng).await else {
            assert_eq!(check.seen, items, "seen, or said to be missed");
            break;
        };
        check.see(&item);
        breathe(&mut rng).await;
    }
    drop(first);
    let mut visitors = Vec::new();
    for host in hosts {
        visitors.extend(host.await.expect("a host failed"));
    }
    // If all others have left, these go on with the stream. Some of them may come after the end.
    for _ in 0..rng.usize(1..4) {
        visitors.push(host.visitor(&mut rng));
    }
    let mut last = host.hub.subscribe_with(unbounded());
    while last.next().await.is_some() {}
    drop(last);
    Log::from(items).check(visitors).await;
    assert_eq!(host.pulled.load(Relaxed), items, "pulled and not delivered");
    host.hub.idle().await;
    idle.await.expect("a wait failed");
    items
}
