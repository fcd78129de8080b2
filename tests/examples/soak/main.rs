//! Creates and drops pushers, forks, hubs, takers, gates, joins and workers on two threads for a
//! given time: every item is accounted for, no task waits for ever, and the memory does not grow.
//! `ci/soak.sh` runs it. By hand:
//!
//! ```sh
//! cargo run --release -p aiter-tests --example soak -- 20        # seconds
//! cargo run --release -p aiter-tests --example soak -- 20 1234   # the same work again
//! ```
#![allow(missing_docs, reason = "a program")]

mod memory;
mod shifts;

use fastrand::Rng;
use memory::Memory;
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};
use tokio::{runtime, task::JoinSet, time::timeout};

/// How many shifts run at any time.
const AT_ONCE: usize = 12;
/// A shift that takes longer than this would never end.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    shifts: u64,
    items: u64,
}

/// Keeps shifts of all kinds running until the time is over, and then waits for the last.
async fn work(rng: &mut Rng, time: Duration, tallies: &mut [Tally; shifts::KINDS.len()]) -> usize {
    let begin = Instant::now();
    let mut under_way = JoinSet::new();
    let mut peak = 0;
    while begin.elapsed() < time || !under_way.is_empty() {
        while begin.elapsed() < time && under_way.len() < AT_ONCE {
            let kind = rng.usize(..shifts::KINDS.len());
            let (name, shift) = shifts::KINDS[kind];
            let shift = shift(rng.fork());
            under_way.spawn(async move {
                match timeout(DEADLINE, shift).await {
                    Ok(items) => (kind, items),
                    Err(_) => panic!("{name}: a task was stranded"),
                }
            });
        }
        if let Some(done) = under_way.join_next().await {
            let (kind, items) = done.expect("a shift failed");
            tallies[kind].shifts += 1;
            tallies[kind].items += items;
        }
        peak = peak.max(memory::held());
    }
    peak
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(20.0), |s| s.parse());
    let time = Duration::from_secs_f64(seconds.expect("the first argument is a number of seconds"));
    let seed = arguments
        .next()
        .map(|s| s.parse().expect("the second argument is a seed"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("soak: {time:?}, seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut tallies = Default::default();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    // The runtime and the allocator keep some memory for good. It exists after a first part, which
    // is the reference for the others.
    let parts = [0.1, 0.3, 0.3, 0.3].map(|part| {
        let peak = runtime.block_on(work(&mut rng, time.mul_f64(part), &mut tallies));
        let now = Memory::now();
        println!("{now}, at most {} kB held", peak / 1000);
        now
    });
    for ((name, _), tally) in shifts::KINDS.iter().zip(tallies) {
        println!(
            "{name:10} {:8} shifts {:12} items accounted for",
            tally.shifts, tally.items
        );
        assert!(tally.items > 0, "{name} did nothing");
    }
    let (reached, missed) = (shifts::REACHED.load(Relaxed), shifts::MISSED.load(Relaxed));
    println!("forks were at their bound {reached} times, and missed {missed} items");
    assert!(reached > 0 && missed > 0, "no bound was reached");
    let full = shifts::FULL.load(Relaxed);
    println!("senders found a bounded list full {full} times");
    assert!(full > 0, "no bounded list was full");
    let live = shifts::live();
    assert_eq!(live, 0, "{live} items are kept");
    let (first, last) = (&parts[0], &parts[3]);
    let (held, resident) = first.growth(last);
    println!("memory since the first part: {held:+} bytes held, {resident:+} kB resident");
    assert!(held < 16 << 10, "memory is kept");
    assert!(resident < 16 << 10, "memory is not given back");
}
