//! The single-threaded hot paths, to be run under an instruction counter:
//! `instructions SCENARIO ITEMS`. Without arguments it lists the scenarios, each with the number of
//! items that `ci/instructions.sh` runs it with.
//!
//! A scenario does the same work for every item, and nothing that varies from run to run takes part
//! in it. The script counts the instructions of a run with the listed number of items and of a run
//! with twice as many. The difference belongs to the second half of the longer run, without the
//! start of the process and the warm-up.

use aiter_benches::{
    ForkedPush, Push,
    fan_out::{FanOut, Forker, each_wakes_all, in_batches},
    join::{Endless, Order, drain, join_signals, take, wakes},
    shapes::{send_wake_take, send_wake_take_in_task},
};
use aiter_core::{
    Pusher, batch, batch_within, bound, gated_aiter, iter_to_aiter, join_aiters, map_workers,
    map_workers_by, push_aiter, push_aiter_bounded, push_hub, sharable_aiter, stoppable_aiter,
    switch_aiter,
};
use futures_core::Stream;
use std::{
    env,
    future::ready,
    hint::black_box,
    mem,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// A path through the library.
struct Scenario {
    name: &'static str,
    /// The number of items that it takes to warm up. The work repeats itself after this many items,
    /// or fewer.
    items: u64,
    /// Takes this many items.
    run: fn(u64),
}

/// The reader of a list looks again before it sleeps, and does so less and less often while it
/// finds nothing. After this number of waits it does so at regular intervals of half as many.
const WAKES: u64 = 8_192;
/// After this number of items a batch of 250 and a block of 64 end together.
const BATCHED: u64 = 8_000;
/// A multiple of the items in a block, of the streams in a join, and of the workers.
const ITEMS: u64 = 12_800;

macro_rules! scenarios {
    ($($name:literal, $items:expr, $run:expr;)*) => {
        &[$(Scenario { name: $name, items: $items, run: $run }),*]
    };
}

const SCENARIOS: &[Scenario] = scenarios! {
    "push-wake-take", WAKES, send_wake_take_in_task::<Push>;
    "push-wake-take-polled", WAKES, send_wake_take::<Push>;
    "push", ITEMS, push;
    "take", ITEMS, take_from_list;
    "push-take", ITEMS, push_take;
    "list-batches-1", BATCHED, batches::<Push, 1>;
    "list-batches-2", BATCHED * 2, batches::<Push, 2>;
    "list-batches-8", BATCHED * 8, batches::<Push, 8>;
    "list-batches-64", BATCHED * 64, batches::<Push, 64>;
    "list-wakes-1", WAKES, each_wakes::<Push, 1>;
    "list-wakes-8", WAKES * 8, each_wakes::<Push, 8>;
    "fork-batches-1", BATCHED, batches::<Forker, 1>;
    "fork-batches-2", BATCHED * 2, batches::<Forker, 2>;
    "fork-batches-8", BATCHED * 8, batches::<Forker, 8>;
    "fork-batches-64", BATCHED * 64, batches::<Forker, 64>;
    "fork-wakes-1", WAKES, each_wakes::<Forker, 1>;
    "fork-of-list-wakes-1", WAKES, send_wake_take::<ForkedPush>;
    "fork-wakes-8", WAKES * 8, each_wakes::<Forker, 8>;
    "taker-alone", ITEMS, taker_alone;
    "taker-beside-idle", ITEMS, taker_beside_idle;
    "takers-in-turn", ITEMS, takers_in_turn;
    "gate-open", ITEMS, gate_open;
    "stoppable-ready", ITEMS, stoppable_ready;
    "stoppable-pending", ITEMS, stoppable_pending;
    "join-100-ready", ITEMS, join_ready;
    "join-100-one-wakes", ITEMS, join_one_wakes;
    "map-workers-ready", ITEMS, map_workers_ready;
    "batch-1", ITEMS, batches_of::<1>;
    "batch-64", ITEMS, batches_of::<64>;
    "batch-within-64", ITEMS, batches_within::<64>;
    "switch-ready", ITEMS, switch_ready;
    "map-workers-by-ready", ITEMS, map_workers_by_ready;
    "bounded-push-take", ITEMS, bounded_push_take;
    "bounded-batches", ITEMS, bounded_batches;
    "bounded-reserve-take", ITEMS, bounded_reserve_take;
    "hub-skip-8", ITEMS, hub_skip;
    "hub-latest-1", ITEMS, hub_latest::<1>;
    "hub-latest-8", ITEMS, hub_latest::<8>;
};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            for Scenario { name, items, .. } in SCENARIOS {
                println!("{name} {items}");
            }
            return ExitCode::SUCCESS;
        }
        [name, items] => {
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name);
            if let (Some(scenario), Ok(items)) = (scenario, items.parse()) {
                (scenario.run)(items);
                return ExitCode::SUCCESS;
            }
        }
        _ => {}
    }
    eprintln!("usage: instructions [SCENARIO ITEMS]");
    ExitCode::from(2)
}

/// A stream that is always ready.
fn counter(items: u64) -> impl Stream<Item = u64> + Unpin {
    iter_to_aiter((0..items).map(black_box))
}

fn poll(stream: &mut (impl Stream<Item = u64> + Unpin)) {
    let polled = Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(black_box(polled), Poll::Ready(Some(_))));
}

fn send(pusher: &Pusher<u64>, item: u64) {
    pusher.push(black_box(item)).expect("the reader is there");
}

/// Fills a list, with a new block for every 64 items.
fn push(items: u64) {
    let (pusher, aiter) = push_aiter();
    for item in 0..items {
        send(&pusher, item);
    }
    mem::forget((pusher, aiter));
}

/// Takes from a list that is filled in the same way for every number of items.
fn take_from_list(items: u64) {
    let (pusher, mut aiter) = push_aiter();
    for item in 0..3 * ITEMS {
        send(&pusher, item);
    }
    for _ in 0..items {
        poll(&mut aiter);
    }
    mem::forget((pusher, aiter));
}

fn push_take(items: u64) {
    let (pusher, mut aiter) = push_aiter();
    for item in 0..items {
        send(&pusher, item);
        poll(&mut aiter);
    }
}

fn batches<F: FanOut, const READERS: usize>(items: u64) {
    in_batches::<F>(READERS, items);
}

fn each_wakes<F: FanOut, const READERS: usize>(items: u64) {
    each_wakes_all::<F>(READERS, items);
}

fn taker_alone(items: u64) {
    let mut taker = sharable_aiter(counter(items));
    for _ in 0..items {
        poll(&mut taker);
    }
}

fn taker_beside_idle(items: u64) {
    let mut taker = sharable_aiter(counter(items));
    let idle = taker.clone();
    for _ in 0..items {
        poll(&mut taker);
    }
    drop(idle);
}

fn takers_in_turn(items: u64) {
    let mut one = sharable_aiter(counter(items));
    let mut two = one.clone();
    for _ in 0..items / 2 {
        poll(&mut one);
        poll(&mut two);
    }
}

fn gate_open(items: u64) {
    let (mut gated, gate) = gated_aiter(counter(items));
    gate.open();
    for _ in 0..items {
        poll(&mut gated);
    }
}

fn stoppable_ready(items: u64) {
    let (mut stoppable, _stopper) = stoppable_aiter(counter(items));
    for _ in 0..items {
        poll(&mut stoppable);
    }
}

fn stoppable_pending(items: u64) {
    struct Never;
    impl Stream for Never {
        type Item = u64;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
            black_box(Poll::Pending)
        }
    }
    let (mut stoppable, _stopper) = stoppable_aiter(Never);
    let cx = &mut Context::from_waker(Waker::noop());
    for _ in 0..items {
        assert!(black_box(Pin::new(&mut stoppable).poll_next(cx)).is_pending());
    }
}

fn join_ready(items: u64) {
    let streams = (0..100).map(|_| Endless::default());
    take(&mut join_aiters(iter_to_aiter(streams)), items as usize);
}

fn join_one_wakes(items: u64) {
    wakes(100, items as usize, Order::InTurn, join_signals)();
}

/// Takes batches to the end of their source.
fn take_batches(mut batches: impl Stream<Item = Vec<u64>> + Unpin) {
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(batch)) = Pin::new(&mut batches).poll_next(&mut cx) {
        black_box(batch);
    }
}

fn batches_of<const N: usize>(items: u64) {
    take_batches(batch(N, counter(items)));
}

fn batches_within<const N: usize>(items: u64) {
    let second = Duration::from_secs(1);
    take_batches(batch_within(N, second, |_| ready(()), counter(items)));
}

fn switch_ready(items: u64) {
    let mut newest = switch_aiter(iter_to_aiter([counter(items)]));
    (0..items).for_each(|_| poll(&mut newest));
}

fn map_workers_ready(items: u64) {
    drain(map_workers(10, ready, counter(items)));
}

fn map_workers_by_ready(items: u64) {
    drain(map_workers_by(10, |n| n % 7, ready, counter(items)));
}

fn bounded_push_take(items: u64) {
    let (pusher, mut aiter) = push_aiter_bounded(100);
    for item in 0..items {
        pusher.try_push(black_box(item)).expect("there is room");
        poll(&mut aiter);
    }
}

fn bounded_batches(items: u64) {
    const BATCH: u64 = 128;
    let (pusher, mut aiter) = push_aiter_bounded(BATCH as usize);
    for _ in 0..items / BATCH {
        for item in 0..BATCH {
            pusher.try_push(black_box(item)).expect("there is room");
        }
        for _ in 0..BATCH {
            poll(&mut aiter);
        }
    }
}

fn bounded_reserve_take(items: u64) {
    let (pusher, mut aiter) = push_aiter_bounded(100);
    for item in 0..items {
        let permit = pusher.try_reserve().expect("there is room");
        permit.push(black_box(item)).expect("the reader is there");
        poll(&mut aiter);
    }
}

/// Pushes to readers that take nothing.
fn hub_skip(items: u64) {
    let hub = push_hub(bound::skip(1024));
    let readers: Vec<_> = (0..8).map(|_| hub.subscribe()).collect();
    for item in 0..items {
        hub.push(black_box(item)).expect("it is open");
    }
    drop(readers);
}

/// Each reader takes each value.
fn hub_latest<const READERS: usize>(items: u64) {
    let hub = push_hub(bound::latest());
    let mut readers: Vec<_> = (0..READERS).map(|_| hub.replay()).collect();
    for item in 0..items {
        hub.push(black_box(item)).expect("it is open");
        for reader in &mut readers {
            assert_eq!(reader.try_next().expect("it is there").item, item);
        }
    }
}
