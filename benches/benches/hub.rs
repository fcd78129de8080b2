//! Pushes into hubs, compared with `broadcast` channels of others, and the latest value with
//! tokio's `watch`.

use aiter_benches::{Bench, Mark, Way, ours, peer};
use aiter_core::{bound, push_hub};
use asyncband::broadcast::overflow;
use std::{hint::black_box, process::ExitCode};
use tokio::sync::{broadcast, watch};

const PUSHES: u64 = 100_000;
/// The capacity of the peers, which is also the bound of a hub whose readers may miss items.
const CAPACITY: usize = 1024;
const READERS: [usize; 5] = [0, 1, 8, 64, 1_000];
const ROUNDS: usize = 21;

const UNBOUNDED: &str = "hub, unbounded";
const SKIP: &str = "hub, skip";
const TOKIO: &str = "tokio";
const ASYNCBAND: &str = "asyncband";
const LATEST: &str = "hub, latest";
const WATCH: &str = "tokio watch";

fn main() -> ExitCode {
    let mut bench = Bench::from_args();
    for readers in READERS {
        let title = format!("push to {readers} readers that are busy elsewhere");
        let marks: Vec<Mark> = [UNBOUNDED, SKIP]
            .into_iter()
            .flat_map(|ours| [TOKIO, ASYNCBAND].map(|peer| mark(ours, peer, 0.5)))
            .collect();
        bench.compare(&title, PUSHES as usize, ROUNDS, pushes(readers), &marks);
    }
    for readers in [0, 1, 8] {
        let title = format!("set a value and read it {readers} times");
        let marks = [mark(LATEST, WATCH, 1.0)];
        bench.compare(&title, PUSHES as usize, ROUNDS, values(readers), &marks);
    }
    bench.finish()
}

fn mark(ours: &'static str, peer: &'static str, at_most: f64) -> Mark {
    Mark {
        ours,
        peer,
        at_most,
    }
}

/// Nobody takes an item meanwhile. The readers of the unbounded hub are made anew in each round, so
/// that the items of the round before are dropped.
fn pushes(readers: usize) -> Vec<Way> {
    let unbounded = push_hub(bound::unbounded());
    let mut lossless = Vec::new();
    let skip = push_hub(bound::skip(CAPACITY));
    let lossy: Vec<_> = (0..readers).map(|_| skip.subscribe()).collect();
    let (tokio, _) = broadcast::channel(CAPACITY);
    let receivers: Vec<_> = (0..readers).map(|_| tokio.subscribe()).collect();
    let (asyncband, first) = overflow::channel(CAPACITY);
    let others: Vec<_> = (0..readers).map(|_| first.resubscribe()).collect();
    drop(first);
    vec![
        ours(UNBOUNDED, move || {
            lossless = (0..readers).map(|_| unbounded.subscribe()).collect();
            (0..PUSHES).for_each(|n| unbounded.push(n).expect("it is open"));
            black_box(&lossless);
        }),
        ours(SKIP, move || {
            (0..PUSHES).for_each(|n| skip.push(n).expect("it is open"));
            black_box(&lossy);
        }),
        peer(TOKIO, move || {
            (0..PUSHES).for_each(|n| drop(black_box(tokio.send(n))));
            black_box(&receivers);
        }),
        peer(ASYNCBAND, move || {
            (0..PUSHES).for_each(|n| asyncband.send(n));
            black_box(&others);
        }),
    ]
}

/// Each reader takes each value.
fn values(readers: usize) -> Vec<Way> {
    let hub = push_hub(bound::latest());
    let mut aiters: Vec<_> = (0..readers).map(|_| hub.replay()).collect();
    let (sender, first) = watch::channel(0);
    let mut receivers: Vec<_> = (0..readers).map(|_| sender.subscribe()).collect();
    vec![
        ours(LATEST, move || {
            for n in 0..PUSHES {
                hub.push(n).expect("it is open");
                for aiter in &mut aiters {
                    assert_eq!(aiter.try_next().expect("it is there").item, n);
                }
            }
        }),
        peer(WATCH, move || {
            black_box(&first);
            for n in 0..PUSHES {
                sender.send(n).expect("it is open");
                for receiver in &mut receivers {
                    assert_eq!(*receiver.borrow_and_update(), n);
                }
            }
        }),
    ]
}
