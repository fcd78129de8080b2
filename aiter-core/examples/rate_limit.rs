//! Limits the rate of a stream by means of a gate. A stream of ticks, each of which is a number,
//! adds permits to the gate. The core has no timer, so a thread of `std` makes the ticks here. With
//! an executor its interval would.
//!
//! `cargo run -p aiter-core --example rate_limit` prints when each item came out. Three items come
//! out at each tick. The gate is a token bucket: after a pause of the stream, up to six come out at
//! once.

use aiter_core::{AiterExt, PushAiter, iter_to_aiter, push_aiter};
use futures_lite::{
    StreamExt,
    future::{block_on, zip},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Returns a stream that yields a `1` at once and then after every `period`, until it is dropped.
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
    const BURST: usize = 6;
    let (requests, gate) = iter_to_aiter(1..=10).gated_aiter();

    let start = Instant::now();
    let handle = requests.for_each(|request| {
        println!("{:4} ms: request {request}", start.elapsed().as_millis());
    });
    // This ends at the first tick after the end of the requests, because the gate is stopped then.
    let drive = ticks(Duration::from_millis(100))
        .take_while(|_| !gate.is_stopped())
        .for_each(|tick| {
            gate.push_up_to(tick * PER_TICK, BURST);
        });
    block_on(zip(handle, drive));
}
