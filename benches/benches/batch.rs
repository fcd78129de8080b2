//! Batches of ready items, and of items that make their consumer wait, compared with the chunks of
//! futures and tokio-stream. All run in one task of one runtime.

use aiter_benches::{Bench, Mark, Way, ours, peer};
use aiter_core::{batch, batch_within, iter_to_aiter};
use futures::StreamExt as _;
use futures_core::Stream;
use std::{
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
    process::ExitCode,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

const ITEMS: u64 = 100_000;
/// So long that it never passes.
const WAIT: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be made");
    let runtime = Rc::new(runtime);
    let mut bench = Bench::from_args();
    for n in [1, 10, 500] {
        ready_items(&mut bench, &runtime, n);
    }
    for n in [10, 500] {
        items_in_bursts(&mut bench, &runtime, n);
    }
    bench.finish()
}

/// A stream that is always ready. It costs next to nothing, because the figures include it.
fn counter() -> impl Stream<Item = u64> + Unpin {
    iter_to_aiter(0..ITEMS)
}

/// A stream that is pending, and wakes, after each seven items.
struct Bursts<S> {
    items: S,
    left: u32,
}

impl<S: Stream + Unpin> Stream for Bursts<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Some(left) = self.left.checked_sub(1) else {
            self.left = 7;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        self.left = left;
        Pin::new(&mut self.items).poll_next(cx)
    }
}

fn bursts() -> impl Stream<Item = u64> + Unpin {
    Bursts {
        items: counter(),
        left: 0,
    }
}

/// Runs a stream of batches to its end.
fn drain(runtime: &Runtime, batches: impl Stream<Item = Vec<u64>>) {
    runtime.block_on(async {
        let mut batches = pin!(batches);
        let mut taken = 0;
        while let Some(batch) = poll_fn(|cx| batches.as_mut().poll_next(cx)).await {
            taken += batch.len() as u64;
            black_box(batch);
        }
        assert_eq!(taken, ITEMS);
    });
}

/// A way that drains the stream that `make` makes in the runtime.
fn drains<S: Stream<Item = Vec<u64>>>(
    runtime: &Rc<Runtime>,
    make: impl Fn() -> S + 'static,
) -> impl FnMut() + 'static {
    let runtime = runtime.clone();
    move || {
        let _entered = runtime.enter();
        drain(&runtime, make());
    }
}

const MARKS: [Mark; 2] = [
    Mark {
        ours: "batch",
        peer: "ready_chunks",
        at_most: 1.0,
    },
    Mark {
        ours: "batch_within",
        peer: "chunks_timeout",
        at_most: 0.7,
    },
];

fn ways<S: Stream<Item = u64>>(
    runtime: &Rc<Runtime>,
    n: usize,
    items: impl Fn() -> S + Copy + 'static,
) -> Vec<Way> {
    vec![
        ours("batch", drains(runtime, move || batch(n, items()))),
        ours(
            "batch_within",
            drains(runtime, move || {
                batch_within(n, WAIT, tokio::time::sleep, items())
            }),
        ),
        peer(
            "ready_chunks",
            drains(runtime, move || items().ready_chunks(n)),
        ),
        peer(
            "chunks_timeout",
            drains(runtime, move || items().chunks_timeout(n, WAIT)),
        ),
    ]
}

fn ready_items(bench: &mut Bench, runtime: &Rc<Runtime>, n: usize) {
    let title = format!("batches of {n}, ready items, per item");
    bench.compare(
        &title,
        ITEMS as usize,
        101,
        ways(runtime, n, counter),
        &MARKS,
    );
}

/// All of the timed batches are full, but most of them wait on the way.
fn items_in_bursts(bench: &mut Bench, runtime: &Rc<Runtime>, n: usize) {
    let title = format!("batches of up to {n}, items in bursts of 7, per item");
    bench.compare(&title, ITEMS as usize, 101, ways(runtime, n, bursts), &[]);
}
