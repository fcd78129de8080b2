//! Forks of a push list, compared with other ways to bring each item to several readers.

use aiter_benches::{
    Bench, Mark, Push, PushMut, Way,
    fan_out::{
        BATCH, Broadcast, FanOut, ForkStream, Forker, Kanals, each_wakes_all, in_batches,
        in_changing_order,
    },
    ours, peer,
};
use std::process::ExitCode;

const DELIVERIES: u64 = 128_000;
const WAKES: u64 = 32_000;

/// How many readers, and the highest ratio to the best peer when they drain in batches.
const READERS: [(usize, f64); 4] = [(1, 0.85), (2, 0.5), (8, 0.25), (64, 0.2)];
const WOKEN: f64 = 0.8;

fn main() -> ExitCode {
    let mut bench = Bench::from_args();
    for (readers, at_most) in READERS {
        let title = format!("{readers} read batches of {BATCH}, per delivery");
        let ways = ways!(in_batches(readers, DELIVERIES));
        bench.compare(&title, DELIVERIES as usize, 51, ways, &marks(at_most));
    }
    for (readers, _) in READERS {
        let title = format!("each item wakes {readers}, per delivery");
        let ways = ways!(each_wakes_all(readers, WAKES));
        bench.compare(&title, WAKES as usize, 51, ways, &marks(WOKEN));
    }
    changing_order(&mut bench);
    bench.finish()
}

/// The cost of an item per reader does not grow with the number of readers, in whatever order they
/// come.
fn changing_order(bench: &mut Bench) {
    const DELIVERIES: u64 = 1_000_000;
    let ways = vec![
        ours("push, 10 readers", || {
            in_changing_order::<Push>(10, DELIVERIES);
        }),
        ours("push, 1 000 readers", || {
            in_changing_order::<Push>(1_000, DELIVERIES);
        }),
        ours("push, 10 000 readers", || {
            in_changing_order::<Push>(10_000, DELIVERIES);
        }),
        peer("tokio, 10 000 readers", || {
            in_changing_order::<Broadcast>(10_000, DELIVERIES);
        }),
    ];
    let marks = ["push, 1 000 readers", "push, 10 000 readers"].map(|ours| Mark {
        ours,
        peer: "push, 10 readers",
        at_most: 2.0,
    });
    let title = "readers come in changing order, per delivery";
    bench.compare(title, DELIVERIES as usize, 11, ways, &marks);
}

/// A ratio to the best peer holds if that ratio to each peer does.
fn marks(at_most: f64) -> [Mark; 3] {
    [ForkStream::NAME, Broadcast::NAME, Kanals::NAME].map(|peer| Mark {
        ours: <Push as FanOut>::NAME,
        peer,
        at_most,
    })
}

/// One row for each, all through the same shape of work.
macro_rules! ways {
    ($shape:ident($readers:expr, $deliveries:expr)) => {{
        let readers = $readers;
        let ways: Vec<Way> = vec![
            ours(<Push as FanOut>::NAME, move || {
                $shape::<Push>(readers, $deliveries)
            }),
            ours(<PushMut as FanOut>::NAME, move || {
                $shape::<PushMut>(readers, $deliveries)
            }),
            ours(Forker::NAME, move || $shape::<Forker>(readers, $deliveries)),
            peer(ForkStream::NAME, move || {
                $shape::<ForkStream>(readers, $deliveries)
            }),
            peer(Broadcast::NAME, move || {
                $shape::<Broadcast>(readers, $deliveries)
            }),
            peer(Kanals::NAME, move || $shape::<Kanals>(readers, $deliveries)),
        ];
        ways
    }};
}
use ways;
