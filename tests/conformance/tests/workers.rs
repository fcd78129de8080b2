//! Work that is in order for each key, ours and three usual answers made by hand, at their edges.
//! Ours have to pass each probe; what the others do is printed (`cargo test --release --test
//! workers -- --nocapture`).

use aiter_conformance::{
    Feed,
    edges::{Alive, Boxed, Verdict, caught, expect, poll, report},
    held_bytes,
    source::{Source, source},
};
use aiter_core::map_workers_by;
use futures::StreamExt;
use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
};
use tokio::{
    sync::{mpsc, watch},
    task::yield_now,
};

/// Does up to so many jobs at once.
type Make = fn(usize, Items, Jobs) -> Boxed<u64>;
type Items = Pin<Box<dyn futures::Stream<Item = u64> + Send>>;

const OURS: &str = "aiter_core::map_workers_by";

const SUBJECTS: &[(&str, Make)] = &[
    (OURS, |n, items, jobs| {
        Box::pin(map_workers_by(n, key, move |item| jobs.run(item), items))
    }),
    ("futures buffer_unordered", |n, items, jobs| {
        Box::pin(items.map(move |item| jobs.run(item)).buffer_unordered(n))
    }),
    ("buffer_unordered, a lock a key", locked),
    ("shards of channels and tasks", sharded),
];

/// Items 101, 102… have the key 1.
fn key(item: &u64) -> u64 {
    item / 100
}

/// Each key has a mutex, which a job holds. Mutexes of tokio are fair, so they keep the order.
fn locked(n: usize, items: Items, jobs: Jobs) -> Boxed<u64> {
    let mut locks = HashMap::<u64, Arc<tokio::sync::Mutex<()>>>::new();
    let job = move |item| {
        let lock = Arc::clone(locks.entry(key(&item)).or_default());
        let job = jobs.run(item);
        async move {
            let _locked = lock.lock().await;
            job.await
        }
    };
    Box::pin(items.map(job).buffer_unordered(n))
}

/// A task and a channel for each of `n` shards. The key says which.
fn sharded(n: usize, mut items: Items, jobs: Jobs) -> Boxed<u64> {
    let (results, mut received) = mpsc::channel(n);
    let shard = |_| {
        let (shard, mut items) = mpsc::channel(n);
        let (jobs, results) = (jobs.clone(), results.clone());
        tokio::spawn(async move {
            while let Some(item) = items.recv().await {
                if results.send(jobs.run(item).await).await.is_err() {
                    break;
                }
            }
        });
        shard
    };
    let shards: Vec<_> = (0..n).map(shard).collect();
    tokio::spawn(async move {
        while let Some(item) = items.next().await {
            let shard = &shards[key(&item) as usize % n];
            // It fails if the task of the shard has panicked, and there is no other one.
            let _lost = shard.send(item).await;
        }
    });
    Box::pin(futures::stream::poll_fn(move |cx| received.poll_recv(cx)))
}

/// What the jobs have done, and which of them may end.
#[derive(Clone, Default)]
struct Jobs {
    started: Arc<Mutex<Vec<u64>>>,
    may_end: Arc<watch::Sender<BTreeSet<u64>>>,
    alive: Alive,
}

const PANICS: u64 = 199;

impl Jobs {
    fn run(&self, item: u64) -> impl Future<Output = u64> + Send + use<> {
        let jobs = self.clone();
        async move {
            let _mark = jobs.alive.mark();
            jobs.started.lock().unwrap().push(item);
            let mut may_end = jobs.may_end.subscribe();
            let ended = may_end.wait_for(|items| items.contains(&item)).await;
            assert!(item != PANICS, "a job");
            drop(ended);
            item
        }
    }

    fn end(&self, item: u64) {
        self.may_end.send_modify(|items| {
            items.insert(item);
        });
    }

    fn started(&self) -> Vec<u64> {
        self.started.lock().unwrap().clone()
    }
}

/// Takes all results that come without anything else happening, and counts panics.
async fn settle(results: &mut Boxed<u64>) -> (Vec<u64>, usize) {
    let (mut found, mut panics) = (Vec::new(), 0);
    for _ in 0..20 {
        match caught(|| poll(results)) {
            Ok(Poll::Ready(Some(item))) => found.push(item),
            Ok(_) => {}
            Err(_) => panics += 1,
        }
        yield_now().await;
    }
    (found, panics)
}

fn items(items: impl IntoIterator<Item = u64>) -> Source {
    let (source, mut remote) = source();
    items.into_iter().for_each(|item| remote.send(item));
    source
}

/// Two items of one key.
async fn order(make: Make) -> Verdict {
    let jobs = Jobs::default();
    let mut results = make(4, Box::pin(items([101, 102])), jobs.clone());
    settle(&mut results).await;
    expect("in work", jobs.started(), vec![101])?;
    jobs.end(101);
    expect("results", settle(&mut results).await, (vec![101], 0))?;
    expect("in work", jobs.started(), vec![101, 102])
}

/// Keys that differ only by a multiple of the number of workers.
async fn apart(make: Make) -> Verdict {
    let jobs = Jobs::default();
    let mut results = make(4, Box::pin(items([101, 501, 901])), jobs.clone());
    settle(&mut results).await;
    expect("in work", jobs.started(), vec![101, 501, 901])
}

/// Two items of one key, before one of another: two may be in work.
async fn waits(make: Make) -> Verdict {
    let jobs = Jobs::default();
    let mut results = make(2, Box::pin(items([101, 102, 201])), jobs.clone());
    settle(&mut results).await;
    expect("in work", jobs.started(), vec![101, 201])
}

/// All items are of one key, whose first job does not end.
async fn held(make: Make) -> Verdict {
    let jobs = Jobs::default();
    let taken = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&taken);
    let items = futures::stream::iter(101..200).inspect(move |_| *counted.lock().unwrap() += 1);
    let mut results = make(4, Box::pin(items), jobs.clone());
    settle(&mut results).await;
    let taken = *taken.lock().unwrap();
    match taken <= 8 {
        true => Ok(()),
        false => Err(format!("{taken} items are taken with 4 workers")),
    }
}

/// A job panics, and the caller catches it and asks again.
async fn panic(make: Make) -> Verdict {
    let jobs = Jobs::default();
    let mut results = make(2, Box::pin(items([PANICS, 101, 102, 201])), jobs.clone());
    settle(&mut results).await;
    for item in [PANICS, 101, 102, 201] {
        jobs.end(item);
    }
    let (mut results, panics) = settle(&mut results).await;
    results.sort();
    expect("panics", panics, 1)?;
    expect("results", results, vec![101, 102, 201])
}

/// A hundred thousand keys come once each.
async fn keys(make: Make) -> Verdict {
    const KEYS: u64 = 100_000;
    let jobs = Jobs::default();
    let (source, mut remote) = source();
    let mut results = make(4, Box::pin(source), jobs.clone());
    let before = held_bytes();
    for number in 0..KEYS {
        let item = 100 * (number + 2);
        jobs.end(item);
        remote.send(item);
        let mut found = poll(&mut results);
        for _ in 0..20 {
            if found.is_pending() {
                yield_now().await;
                found = poll(&mut results);
            }
        }
        expect("result", found, Poll::Ready(Some(item)))?;
        jobs.may_end.send_modify(BTreeSet::clear);
        jobs.started.lock().unwrap().clear();
    }
    let held = held_bytes().saturating_sub(before);
    match held <= 64 * 1024 {
        true => Ok(()),
        false => Err(format!("{held} bytes are held")),
    }
}

/// The results are dropped while jobs are in work.
async fn dropped(make: Make) -> Verdict {
    let jobs = Jobs::default();
    let mut results = make(2, Box::pin(items([101, 201])), jobs.clone());
    settle(&mut results).await;
    drop(results);
    for _ in 0..20 {
        yield_now().await;
    }
    expect("jobs in work", jobs.alive.count(), 0)
}

#[test]
fn ours_keep_each_key_in_order_and_the_keys_apart() {
    macro_rules! run {
        ($($probe:ident)*) => {
            for (name, make) in SUBJECTS {
                $(report(name, *name == OURS, stringify!($probe), || {
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    runtime.build().unwrap().block_on($probe(*make))
                });)*
            }
        };
    }
    run!(order apart waits held panic keys dropped);
}
