//! A limit on the rate: a stream of ticks, each with a count, drives a gate. The core has no timer; here a thread of
//! `std` ticks, with an executor it would be its interval.
//!
//! `cargo run -p aiter-core --example rate_limit` prints when each item came out: three at each tick.

use aiter_core::{AiterExt, PushAiter, iter_to_aiter, push_aiter};
use futures_lite::{
    StreamExt,
    future::{block_on, zip},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// A `1` at once, and then every `period`, until nobody listens any more.
fn ticks(period: Duration) -> PushAiter<usize> {
    let (pusher, ticks) = push_aiter();
    thread::spawn(move || {
        while pusher.push(1).is_ok() {
            thread::sleep(period);
        }
    });
    ticks
}

fn main() {
    const PER_TICK: usize = 3;
    let (requests, gate) = iter_to_aiter(1..=10).gated_aiter();

    let start = Instant::now();
    let handle = requests.for_each(|request| {
        println!("{:4} ms: request {request}", start.elapsed().as_millis());
    });
    // Goes with the stream: it ends at the first tick after the end of the requests.
    let drive = ticks(Duration::from_millis(100))
        .take_while(|_| !gate.is_stopped())
        .for_each(|tick| gate.push(tick * PER_TICK));
    block_on(zip(handle, drive));
}
