//! `split_by` with a task for each part, compared with a task that sends each item into the channel
//! of its key.

use aiter_benches::{Bench, Mark, Way, ours, peer};
use aiter_core::split_by;
use futures_core::Stream;
use futures_lite::{StreamExt, stream::poll_fn};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    future::Future,
    hint::black_box,
    process::ExitCode,
    task::Poll,
};
use tokio::{runtime, task::JoinSet};

const ITEMS: usize = 100_000;
/// How many items wait for each key.
const ROOM: usize = 16;

fn main() -> ExitCode {
    let mut bench = Bench::from_args();
    for keys in [1, 10, 1_000] {
        by_keys(&mut bench, keys, usize::MAX);
    }
    for keys in [10, 1_000] {
        by_keys(&mut bench, keys, 10);
    }
    bench.finish()
}

/// The source is pending, and wakes, after each `burst` items.
fn by_keys(bench: &mut Bench, keys: usize, burst: usize) {
    let ways: Vec<Way> = vec![
        ours("split_by", move || run(split(keys, burst))),
        peer("tokio mpsc", move || run(tokio_channels(keys, burst))),
        peer("async-channel", move || run(async_channels(keys, burst))),
    ];
    let marks = ["tokio mpsc", "async-channel"].map(|peer| Mark {
        ours: "split_by",
        peer,
        at_most: 1.0,
    });
    // A wake of the source wakes all parts that wait.
    let (title, marks) = match burst {
        usize::MAX => (format!("split by {keys} keys"), &marks[..]),
        _ => (format!("split by {keys} keys, {burst} at once"), &[][..]),
    };
    bench.compare(&title, ITEMS, 21, ways, marks);
}

fn run<F: Future<Output = usize>>(work: F) {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(work), ITEMS);
}

fn source(burst: usize) -> impl Stream<Item = usize> + Send + Unpin {
    let (mut next, mut left) = (0, burst);
    poll_fn(move |cx| {
        if left == 0 {
            left = burst;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        left -= 1;
        next += 1;
        Poll::Ready((next <= ITEMS).then(|| next - 1))
    })
}

/// What the task of a key does.
async fn count<S: Stream + Unpin>(mut items: S) -> usize {
    let mut seen = 0;
    while let Some(item) = items.next().await {
        black_box(item);
        seen += 1;
    }
    seen
}

async fn total(tasks: JoinSet<usize>) -> usize {
    tasks.join_all().await.into_iter().sum()
}

async fn split(keys: usize, burst: usize) -> usize {
    let mut tasks = JoinSet::new();
    let mut parts = split_by(ROOM, move |item| item % keys, source(burst));
    while let Some((_, part)) = parts.next().await {
        tasks.spawn(count(part));
    }
    total(tasks).await
}

async fn tokio_channels(keys: usize, burst: usize) -> usize {
    let feeding = tokio::spawn(async move {
        let mut tasks = JoinSet::new();
        let mut senders = BTreeMap::new();
        let mut items = source(burst);
        while let Some(item) = items.next().await {
            let sender = match senders.entry(item % keys) {
                Entry::Occupied(sender) => sender.into_mut(),
                Entry::Vacant(entry) => {
                    let (sender, mut receiver) = tokio::sync::mpsc::channel(ROOM);
                    tasks.spawn(async move {
                        let mut seen = 0;
                        while let Some(item) = receiver.recv().await {
                            black_box(item);
                            seen += 1;
                        }
                        seen
                    });
                    entry.insert(sender)
                }
            };
            sender.send(item).await.unwrap();
        }
        tasks
    });
    total(feeding.await.unwrap()).await
}

async fn async_channels(keys: usize, burst: usize) -> usize {
    let feeding = tokio::spawn(async move {
        let mut tasks = JoinSet::new();
        let mut senders = BTreeMap::new();
        let mut items = source(burst);
        while let Some(item) = items.next().await {
            let sender = match senders.entry(item % keys) {
                Entry::Occupied(sender) => sender.into_mut(),
                Entry::Vacant(entry) => {
                    let (sender, receiver) = async_channel::bounded(ROOM);
                    tasks.spawn(count(Box::pin(receiver)));
                    entry.insert(sender)
                }
            };
            sender.send(item).await.unwrap();
        }
        tasks
    });
    total(feeding.await.unwrap()).await
}
