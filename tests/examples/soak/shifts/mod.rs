//! The work: each shift is a few tasks around one part of the library. Some of them come late,
//! leave early, or are cancelled while they wait. A shift returns the number of items that it
//! accounted for, or panics.

mod bounded;
mod fork_hub;
mod push_hub;
mod visit;

use aiter_core::{
    AiterExt, Fork, PushAiter, Pusher, Sharable, Stopper, active, aiter_forker_with,
    bound::{self, Bound, Seen},
    gated_aiter, join_aiters, map_workers, preload, push_aiter, sharable_aiter, split_by,
    stoppable_aiter,
};
use fastrand::Rng;
use futures_core::Stream;
use futures_lite::{StreamExt, future::poll_once};
use std::{
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll},
};
use tokio::task::{JoinHandle, yield_now};

type Items = Pin<Box<dyn Stream<Item = Item> + Send>>;

type Shift = Pin<Box<dyn Future<Output = u64> + Send>>;

type Kind = (&'static str, fn(Rng) -> Shift);

pub(crate) const KINDS: [Kind; 13] = [
    ("push list", |rng| Box::pin(push_list(rng))),
    ("bounded", |rng| Box::pin(bounded::bounded(rng))),
    ("push hub", |rng| push_hub::push_hub(rng)),
    ("fork", |rng| {
        Box::pin(fork(bound::unbounded(), usize::MAX, rng))
    }),
    ("fork wait", |mut rng| {
        let most = rng.usize(1..100);
        Box::pin(fork(bound::wait(most), most, rng))
    }),
    ("fork skip", |mut rng| {
        let most = rng.usize(1..100);
        Box::pin(fork(bound::skip(most), most, rng))
    }),
    ("fork hub", |rng| fork_hub::fork_hub(rng)),
    ("share", |rng| Box::pin(share(rng))),
    ("split", |rng| Box::pin(split(rng))),
    ("gate", |rng| Box::pin(gate(rng))),
    ("stop", |rng| Box::pin(stop(rng))),
    ("join", |rng| Box::pin(join(rng))),
    ("drive", |rng| Box::pin(drive(rng))),
];

/// How often forks were as far apart as they may be, and how many items they missed because of it.
pub(crate) static REACHED: AtomicU64 = AtomicU64::new(0);
pub(crate) static MISSED: AtomicU64 = AtomicU64::new(0);
/// How often a sender found a bounded list full.
pub(crate) static FULL: AtomicU64 = AtomicU64::new(0);

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Returns how many items are alive.
pub(crate) fn live() -> usize {
    LIVE.load(Relaxed)
}

/// An item on the heap that is counted.
#[derive(Debug)]
struct Item(Box<(usize, u64)>);

impl Item {
    fn new(from: usize, n: u64) -> Self {
        LIVE.fetch_add(1, Relaxed);
        Self(Box::new((from, n)))
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        Self::new(self.0.0, self.0.1)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// What a stream yields: an item, and how many this reader missed before it.
trait Yielded: Send + Sync + 'static {
    fn parts(&self) -> (&Item, u64);
}

impl Yielded for Item {
    fn parts(&self) -> (&Item, u64) {
        (self, 0)
    }
}

impl Yielded for Seen<Item> {
    fn parts(&self) -> (&Item, u64) {
        (&self.item, self.missed as u64)
    }
}

/// Checks the numbers of several senders: those of each come in order from 0, or from where the
/// reader began, and none is left out except those reported as missed.
struct Check {
    next: Vec<Option<u64>>,
    /// Items that were seen or reported as missed.
    seen: u64,
    /// Whether the items of one sender may be missing because others' were reported as missed.
    is_mixed: bool,
}

impl Check {
    fn from_any(senders: usize) -> Self {
        Self {
            next: vec![None; senders],
            seen: 0,
            is_mixed: false,
        }
    }

    fn from_zero(senders: usize) -> Self {
        Self {
            next: vec![Some(0); senders],
            seen: 0,
            is_mixed: false,
        }
    }

    fn see(&mut self, yielded: &impl Yielded) {
        let (item, missed) = yielded.parts();
        let (from, n) = *item.0;
        if let Some(next) = self.next[from] {
            if self.is_mixed {
                assert!(n >= next, "{n} of sender {from} after {next}");
            } else {
                assert_eq!(n, next + missed, "of sender {from}");
            }
        }
        self.next[from] = Some(n + 1);
        self.seen += 1 + missed;
        MISSED.fetch_add(missed, Relaxed);
    }
}

async fn breathe(rng: &mut Rng) {
    if rng.u8(..16) == 0 {
        yield_now().await;
    }
}

/// Returns the next item, now and then after a few `next()` that were cancelled while they waited.
async fn next<S: Stream + Unpin>(stream: &mut S, rng: &mut Rng) -> Option<S::Item> {
    while rng.u8(..8) == 0 {
        if let Some(item) = poll_once(stream.next()).await {
            return item;
        }
        yield_now().await;
    }
    stream.next().await
}

/// Reads up to this number of items, and then leaves.
fn visitor<S>(mut stream: S, senders: usize, most: usize, mut rng: Rng) -> JoinHandle<()>
where
    S: Stream<Item: Yielded> + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut check = Check::from_any(senders);
        for _ in 0..most {
            match next(&mut stream, &mut rng).await {
                Some(item) => check.see(&item),
                None => break,
            }
            breathe(&mut rng).await;
        }
    })
}

async fn all(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.await.expect("a task failed");
    }
}

/// Pushes from one sender until there are enough items or the list is stopped. Returns how many
/// were accepted.
async fn push_some(pusher: Pusher<Item>, from: usize, items: u64, mut rng: Rng) -> u64 {
    let mut n = 0;
    while n < items {
        let accepted = match rng.u8(..3) {
            0 => {
                let len = rng.u64(1..100);
                let batch = (n..n + len).map(|n| Item::new(from, n));
                pusher.push_all(batch).map(|()| len).map_err(drop)
            }
            _ => pusher.push(Item::new(from, n)).map(|()| 1).map_err(drop),
        };
        match accepted {
            Ok(more) => n += more,
            Err(()) => break,
        }
        breathe(&mut rng).await;
    }
    n
}

async fn push_list(mut rng: Rng) -> u64 {
    let (pusher, mut aiter): (Pusher<Item>, PushAiter<Item>) = push_aiter();
    let senders = rng.usize(1..5);
    let pushing: Vec<_> = (0..senders)
        .map(|from| {
            let items = rng.u64(..3000);
            tokio::spawn(push_some(pusher.clone(), from, items, rng.fork()))
        })
        .collect();
    // A host that subscribes now and then, and may stop the list before all items are pushed. The
    // reader itself keeps no pusher, because it would wait for itself.
    let mut host_rng = rng.fork();
    let host = tokio::spawn(async move {
        let mut subscribers = Vec::new();
        for _ in 0..host_rng.usize(..200) {
            if host_rng.u8(..64) == 0 {
                let most = host_rng.usize(..2000);
                let subscriber = pusher.subscribe();
                subscribers.push(visitor(subscriber, senders, most, host_rng.fork()));
            }
            yield_now().await;
        }
        if host_rng.bool() {
            pusher.stop();
        }
        drop(pusher);
        all(subscribers).await;
    });
    let mut visitors = vec![host];
    let mut check = Check::from_zero(senders);
    while let Some(item) = next(&mut aiter, &mut rng).await {
        check.see(&item);
        if rng.u16(..400) == 0 {
            let most = rng.usize(..2000);
            visitors.push(visitor(aiter.fork(), senders, most, rng.fork()));
        }
        breathe(&mut rng).await;
    }
    let mut accepted = 0;
    for task in pushing {
        accepted += task.await.expect("a pusher failed");
    }
    assert_eq!(check.seen, accepted, "accepted and delivered");
    all(visitors).await;
    accepted
}

/// Counted items, some of which come after a pause.
fn source(items: u64, mut rng: Rng) -> impl Stream<Item = Item> + Send + Unpin {
    Source {
        items: 0..items,
        pauses: move || rng.u8(..8) == 0,
    }
}

struct Source<P> {
    items: std::ops::Range<u64>,
    pauses: P,
}

impl<P: FnMut() -> bool + Unpin> Stream for Source<P> {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let this = self.get_mut();
        if (this.pauses)() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(this.items.next().map(|n| Item::new(0, n)))
    }
}

/// Forks that are at most this many items apart.
async fn fork<B>(bound: B, most: usize, mut rng: Rng) -> u64
where
    B: Bound,
    Fork<Items, B>: Stream<Item: Yielded> + Unpin + Send + 'static,
{
    let items = rng.u64(..5000);
    let source: Items = Box::pin(source(items, rng.fork()));
    let mut first = aiter_forker_with(bound, source);
    let mut visitors = Vec::new();
    let mut check = Check::from_zero(1);
    // The reader of the last item has seen all items. The first reader passes its place on now and
    // then.
    loop {
        let Some(item) = next(&mut first, &mut rng).await else {
            break;
        };
        check.see(&item);
        let lag = first.statistics().lag;
        assert!(lag <= most, "{lag} items apart");
        REACHED.fetch_add(u64::from(lag == most), Relaxed);
        match rng.u16(..300) {
            0 => visitors.push(visitor(first.fork(), 1, rng.usize(..4000), rng.fork())),
            1 => visitors.push(visitor(
                first.fork_passive(),
                1,
                rng.usize(..4000),
                rng.fork(),
            )),
            2 => {
                let mut successor = first.fork_passive();
                drop(first);
                successor.activate();
                first = successor;
            }
            3 => {
                // It is forgotten while it waits for the source, and the others go on.
                let mut forgotten = first.fork();
                poll_once(forgotten.next()).await;
                drop(forgotten);
            }
            _ => {}
        }
        breathe(&mut rng).await;
    }
    assert_eq!(check.seen, items, "seen, or said to be missed");
    drop(first);
    all(visitors).await;
    items
}

async fn share(mut rng: Rng) -> u64 {
    let items = rng.u64(..5000);
    let shared = sharable_aiter(source(items, rng.fork()));
    let takers: Vec<_> = (0..rng.usize(1..6))
        .map(|_| tokio::spawn(take(shared.clone(), usize::MAX, rng.fork())))
        .collect();
    // These leave early, some while they wait.
    let guests: Vec<_> = (0..rng.usize(..6))
        .map(|_| tokio::spawn(take(shared.clone(), rng.usize(..1000), rng.fork())))
        .collect();
    drop(shared);
    let mut taken = vec![];
    for task in takers.into_iter().chain(guests) {
        taken.extend(task.await.expect("a taker failed"));
    }
    taken.sort_unstable();
    assert!(taken.into_iter().eq(0..items), "each item to one taker");
    items
}

async fn take<S>(mut taker: Sharable<S>, most: usize, mut rng: Rng) -> Vec<u64>
where
    S: Stream<Item = Item>,
{
    let mut taken = Vec::new();
    while taken.len() < most {
        match next(&mut taker, &mut rng).await {
            Some(item) => taken.push(item.0.1),
            None => break,
        }
        breathe(&mut rng).await;
    }
    assert!(taken.is_sorted());
    if let Some(Some(item)) = poll_once(taker.next()).await {
        taken.push(item.0.1);
    }
    taken
}

async fn split(mut rng: Rng) -> u64 {
    let items = rng.u64(..5000);
    let (room, keys) = (rng.usize(1..50), rng.u64(1..9));
    let key = move |item: &Item| item.0.1 % keys;
    let mut outer = split_by(room, key, source(items, rng.fork()));
    let mut parts = vec![];
    while let Some((key, mut part)) = outer.next().await {
        // Some leave early, and their key comes again.
        let most = [usize::MAX, rng.usize(1..1000)][rng.usize(..2)];
        let mut rng = rng.fork();
        parts.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            while taken.len() < most {
                match next(&mut part, &mut rng).await {
                    Some(item) => taken.push(item.0.1),
                    None => break,
                }
                breathe(&mut rng).await;
            }
            (key, taken)
        }));
    }
    let mut next = Vec::from_iter(0..keys);
    let mut taken = 0;
    for part in parts {
        let (key, items) = part.await.expect("a part failed");
        let next = &mut next[key as usize];
        if let Some(first) = items.first() {
            assert!(
                (*next..=*next + keys * room as u64).contains(first),
                "dropped with a part"
            );
            assert!(
                items.windows(2).all(|two| two[1] == two[0] + keys),
                "in order"
            );
            *next = items[items.len() - 1] + keys;
        }
        taken += items.len() as u64;
    }
    taken
}

async fn gate(mut rng: Rng) -> u64 {
    let permits = rng.usize(..3000);
    let (mut gated, gate) = gated_aiter(source(u64::MAX, rng.fork()));
    let hands: Vec<_> = (0..3)
        .map(|hand| {
            let (gate, mut rng) = (gate.clone(), rng.fork());
            tokio::spawn(async move {
                let mut left = permits;
                while left > 0 {
                    let n = rng.usize(1..=left);
                    gate.push(n);
                    left -= n;
                    if hand == 0 {
                        // A closed valve that nothing passes, and that wakes nothing without need.
                        gate.close();
                    }
                    yield_now().await;
                }
            })
        })
        .collect();
    let stopping = tokio::spawn(async move {
        all(hands).await;
        gate.stop();
    });
    let mut check = Check::from_zero(1);
    while let Some(item) = next(&mut gated, &mut rng).await {
        check.see(&item);
        breathe(&mut rng).await;
    }
    stopping.await.unwrap();
    assert_eq!(check.seen, 3 * permits as u64, "an item for each permit");
    check.seen
}

/// Tasks that come and go, each with a stream of one stopper, or with a wait for the stop, until
/// one of them stops all.
async fn stop(mut rng: Rng) -> u64 {
    let stopper = Stopper::new();
    let tasks: Vec<_> = (0..rng.usize(1..40))
        .map(|_| {
            let (stopper, mut rng) = (stopper.clone(), rng.fork());
            tokio::spawn(async move {
                let mut seen = 0;
                while !stopper.is_stopped() {
                    if rng.usize(..200) == 0 {
                        stopper.stop();
                    }
                    let items = rng.u64(..50);
                    let mut stoppable = stopper.stoppable(source(items, rng.fork()));
                    let leaves_at = rng.u64(..80);
                    let mut check = Check::from_zero(1);
                    while check.seen < leaves_at {
                        match next(&mut stoppable, &mut rng).await {
                            Some(item) => check.see(&item),
                            None => break,
                        }
                    }
                    assert!(check.seen >= items.min(leaves_at) || stopper.is_stopped());
                    seen += check.seen;
                }
                stopper.stopped().await;
                seen
            })
        })
        .collect();
    let waits: Vec<_> = (0..rng.usize(..20))
        .map(|_| tokio::spawn(stopper.stopped()))
        .collect();
    let mut seen = 0;
    for task in tasks {
        seen += task.await.unwrap();
    }
    for wait in waits {
        wait.await.unwrap();
    }
    seen
}

async fn join(mut rng: Rng) -> u64 {
    let streams = rng.usize(..60);
    let (pusher, coming) = push_aiter();
    let mut expected = 0;
    let sizes: Vec<_> = (0..streams).map(|_| rng.u64(..100)).collect();
    expected += sizes.iter().sum::<u64>();
    let mut sender_rng = rng.fork();
    let sending = tokio::spawn(async move {
        for (from, items) in sizes.into_iter().enumerate() {
            let (numbers, stream) = push_aiter();
            pusher.push(stream).unwrap();
            tokio::spawn(push_some_exactly(numbers, from, items, sender_rng.fork()));
            breathe(&mut sender_rng).await;
        }
    });
    let mut joined = pin!(join_aiters(coming));
    let mut check = Check::from_zero(streams);
    while let Some(item) = next(&mut joined, &mut rng).await {
        check.see(&item);
        breathe(&mut rng).await;
    }
    sending.await.unwrap();
    assert_eq!(check.seen, expected);
    expected
}

async fn push_some_exactly(pusher: Pusher<Item>, from: usize, items: u64, mut rng: Rng) {
    for n in 0..items {
        pusher.push(Item::new(from, n)).unwrap();
        breathe(&mut rng).await;
    }
}

/// A driver on a task of its own, workers on the items that it pulls, and a consumer that may leave
/// before the end.
async fn drive(mut rng: Rng) -> u64 {
    let items = rng.u64(..3000);
    let (stoppable, stopper) = stoppable_aiter(source(items, rng.fork()));
    let workers = rng.usize(1..8);
    let (mut numbers, driving): (Pin<Box<dyn Stream<Item = u64> + Send>>, _) = if rng.bool() {
        let (ready, driver) = preload(rng.usize(1..50), stoppable);
        let mapped = map_workers(workers, |item: Item| async move { item.0.1 }, ready);
        (Box::pin(mapped), tokio::spawn(driver))
    } else {
        let (pulled, driver) = active(stoppable);
        let work = |item: Item| async move { item.0.1 };
        if rng.bool() {
            let mapped = pulled.map_workers_ordered(workers, work);
            (Box::pin(mapped), tokio::spawn(driver))
        } else {
            let mapped = pulled.map_workers_by(workers, |_| 0, work);
            (Box::pin(mapped), tokio::spawn(driver))
        }
    };
    let leaves_at = if rng.bool() {
        rng.u64(..3000)
    } else {
        u64::MAX
    };
    let stops_at = if rng.bool() {
        rng.u64(..3000)
    } else {
        u64::MAX
    };
    let mut seen = Vec::new();
    while (seen.len() as u64) < leaves_at {
        match next(&mut numbers, &mut rng).await {
            Some(n) => seen.push(n),
            None => break,
        }
        if seen.len() as u64 == stops_at {
            stopper.stop();
        }
        breathe(&mut rng).await;
    }
    let taken = seen.len() as u64;
    if leaves_at > items && stops_at > items {
        assert_eq!(taken, items);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len() as u64, taken, "no item twice");
    drop(numbers);
    // It ends when no reader is left.
    driving.await.expect("the driver failed");
    taken
}
