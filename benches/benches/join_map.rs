//! Joined streams and mapped futures, compared with other sets of streams and futures.

use aiter_benches::{
    Bench, Mark, Way,
    join::{Endless, Order, Signal, drain, join_signals, signals, take, wakes},
    ours, peer,
};
use aiter_core::{join_aiters, map_workers, map_workers_by, map_workers_ordered};
use futures_buffered::BufferedStreamExt as _;
use futures_core::Stream;
use std::{
    future::{Ready, ready},
    hint::black_box,
    pin::{Pin, pin},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::AcqRel},
    },
    task::{Context, Poll, Wake, Waker},
};

const ITEMS: usize = 100_000;
const WAKES: usize = 10_000;
const WORKERS: usize = 10;

fn main() -> ExitCode {
    let mut bench = Bench::from_args();
    for n in [2, 100, 10_000] {
        always_ready(&mut bench, n);
    }
    let marks = [
        Mark {
            ours: "join_aiters of 10 000",
            peer: "futures-buffered",
            at_most: 0.8,
        },
        Mark {
            ours: "join_aiters of 10 000",
            peer: "of 2",
            at_most: 1.15,
        },
    ];
    one_wakes(
        &mut bench,
        "one of 10 000 wakes, in turn",
        Order::InTurn,
        &marks,
    );
    one_wakes(
        &mut bench,
        "one of 10 000 wakes, scattered",
        Order::Scattered,
        &marks[..1],
    );
    one_wakes_against_all_polled(&mut bench);
    come_and_go(&mut bench);
    map_ready(&mut bench);
    map_pending_once(&mut bench);
    map_by_key(&mut bench);
    bench.finish()
}

fn stream_map<S>(streams: impl IntoIterator<Item = S>) -> tokio_stream::StreamMap<usize, S> {
    streams.into_iter().enumerate().collect()
}

/// `StreamMap` without its keys.
struct Values<S>(tokio_stream::StreamMap<usize, S>);

impl<S: Stream + Unpin> Stream for Values<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.0)
            .poll_next(cx)
            .map(|item| item.map(|(_, item)| item))
    }
}

fn always_ready(bench: &mut Bench, n: usize) {
    let streams = || (0..n).map(|_| Endless::default());
    let mut join = join_aiters(futures::stream::iter(streams()));
    let mut map = Values(stream_map(streams()));
    let mut buffered: futures_buffered::MergeUnbounded<_> = streams().collect();
    let mut unicycle: unicycle::StreamsUnordered<_> = streams().collect();
    let mut select = futures::stream::select_all(streams());
    let ways = vec![
        ours("join_aiters", move || take(&mut join, ITEMS)),
        peer("StreamMap", move || take(&mut map, ITEMS)),
        peer("futures-buffered", move || take(&mut buffered, ITEMS)),
        peer("unicycle", move || take(&mut unicycle, ITEMS)),
        peer("select_all", move || take(&mut select, ITEMS)),
    ];
    let marks = [
        Mark {
            ours: "join_aiters",
            peer: "StreamMap",
            at_most: 0.8,
        },
        Mark {
            ours: "join_aiters",
            peer: "futures-buffered",
            at_most: 0.15,
        },
    ];
    bench.compare(
        &format!("join {n} streams, all ready"),
        ITEMS,
        21,
        ways,
        &marks,
    );
}

/// The same without a set, by code that knows which signal was sent: the cost of the signals
/// themselves. With `wakers` there is one waker for 32 signals, which any set needs to learn which
/// streams woke.
fn signals_alone(n: usize, times: usize, order: Order, wakers: bool) -> impl FnMut() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_or(1, AcqRel);
        }
    }
    let (senders, mut receivers) = signals(n);
    let wakers: Vec<Waker> = (0..n.div_ceil(32))
        .map(|_| match wakers {
            true => Waker::from(Arc::new(Count(AtomicUsize::new(0)))),
            false => Waker::noop().clone(),
        })
        .collect();
    let mut next = order.numbers(n);
    move || {
        for _ in 0..times {
            let k = next();
            senders[k].send();
            let mut cx = Context::from_waker(&wakers[k / 32]);
            while let Poll::Ready(item) = Pin::new(&mut receivers[k]).poll_next(&mut cx) {
                black_box(item);
            }
        }
    }
}

fn one_wakes(bench: &mut Bench, title: &str, order: Order, marks: &[Mark]) {
    let ways = vec![
        ours(
            "join_aiters of 10 000",
            wakes(10_000, WAKES, order, join_signals),
        ),
        peer("of 2", wakes(2, WAKES, order, join_signals)),
        peer("signals alone", signals_alone(10_000, WAKES, order, false)),
        peer("2 signals alone", signals_alone(2, WAKES, order, false)),
        peer("signals, wakers", signals_alone(10_000, WAKES, order, true)),
        peer("2 signals, waker", signals_alone(2, WAKES, order, true)),
        peer(
            "futures-buffered",
            wakes(
                10_000,
                WAKES,
                order,
                futures_buffered::MergeUnbounded::from_iter,
            ),
        ),
        peer(
            "unicycle",
            wakes(10_000, WAKES, order, unicycle::StreamsUnordered::from_iter),
        ),
        peer(
            "select_all",
            wakes(10_000, WAKES, order, futures::stream::select_all),
        ),
    ];
    bench.compare(title, WAKES, 41, ways, marks);
}

/// `StreamMap` polls all streams, so fewer wakes are enough.
fn one_wakes_against_all_polled(bench: &mut Bench) {
    let few = 20;
    let map = |signals| Values(stream_map::<Signal>(signals));
    let ways = vec![
        ours(
            "join_aiters of 10 000",
            wakes(10_000, few, Order::InTurn, join_signals),
        ),
        peer("StreamMap", wakes(10_000, few, Order::InTurn, map)),
    ];
    bench.compare("one of 10 000 wakes, all polled", few, 7, ways, &[]);
}

/// A stream joins, yields one item, and ends.
fn come_and_go(bench: &mut Bench) {
    let streams = || futures::stream::iter((0..ITEMS as u64).map(|k| futures::stream::iter([k])));
    let ways = vec![
        ours("join_aiters", move || drain(join_aiters(streams()))),
        peer("unicycle", || {
            let mut set = unicycle::StreamsUnordered::new();
            let mut cx = Context::from_waker(Waker::noop());
            for k in 0..ITEMS as u64 {
                set.push(futures::stream::iter([k]));
                while let Poll::Ready(Some(item)) = Pin::new(&mut set).poll_next(&mut cx) {
                    black_box(item);
                }
            }
        }),
        peer("futures-buffered", || {
            let mut set = futures_buffered::MergeUnbounded::default();
            let mut cx = Context::from_waker(Waker::noop());
            for k in 0..ITEMS as u64 {
                set.push(futures::stream::iter([k]));
                while let Poll::Ready(Some(item)) = Pin::new(&mut set).poll_next(&mut cx) {
                    black_box(item);
                }
            }
        }),
    ];
    bench.compare("streams of one item come and go", ITEMS, 21, ways, &[]);
}

fn source() -> impl Stream<Item = u64> {
    futures::stream::iter(0..ITEMS as u64)
}

/// Unicycle has no map: keep `WORKERS` futures in its set.
fn unicycle_map<F: Future<Output = u64>>(work: impl Fn(u64) -> F) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut set = pin!(unicycle::FuturesUnordered::new());
    let mut items = 0..ITEMS as u64;
    let mut sum = 0;
    loop {
        while set.len() < WORKERS {
            let Some(item) = items.next() else { break };
            set.push(work(item));
        }
        match set.as_mut().poll_next(&mut cx) {
            Poll::Ready(Some(item)) => sum += item,
            Poll::Ready(None) => break,
            Poll::Pending => {}
        }
    }
    black_box(sum);
}

fn map_ways<F: Future<Output = u64> + 'static>(work: fn(u64) -> F) -> Vec<Way> {
    use futures::StreamExt as _;
    vec![
        ours("map_workers", move || {
            drain(map_workers(WORKERS, work, source()))
        }),
        ours("map_workers_ordered", move || {
            drain(map_workers_ordered(WORKERS, work, source()))
        }),
        peer("unicycle", move || unicycle_map(work)),
        peer("futures-buffered", move || {
            drain(source().map(work).buffered_unordered(WORKERS))
        }),
        peer("futures-buffered, ordered", move || {
            drain(source().map(work).buffered_ordered(WORKERS))
        }),
        peer("buffer_unordered", move || {
            drain(source().map(work).buffer_unordered(WORKERS))
        }),
        peer("buffered", move || {
            drain(source().map(work).buffered(WORKERS))
        }),
    ]
}

fn map_ready(bench: &mut Bench) {
    let work: fn(u64) -> Ready<u64> = ready;
    let marks = ["map_workers", "map_workers_ordered"].map(|ours| Mark {
        ours,
        peer: "unicycle",
        at_most: 0.6,
    });
    bench.compare("map, ten at once, ready", ITEMS, 41, map_ways(work), &marks);
}

/// Is pending once, after it has woken itself.
struct Once(u64, bool);

impl Future for Once {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        if std::mem::replace(&mut self.1, true) {
            return Poll::Ready(self.0);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn map_pending_once(bench: &mut Bench) {
    let marks = ["map_workers", "map_workers_ordered"].map(|ours| Mark {
        ours,
        peer: "futures-buffered",
        at_most: 0.5,
    });
    bench.compare(
        "map, ten at once, pending once",
        ITEMS,
        41,
        map_ways(|k| Once(k, false)),
        &marks,
    );
}

/// What the keys cost, where no item waits for another one of its key and where items do.
fn map_by_key(bench: &mut Bench) {
    fn ways<F: Future<Output = u64> + 'static>(work: fn(u64) -> F) -> Vec<Way> {
        let by = |keys: u64| move || drain(map_workers_by(WORKERS, |k| k % keys, work, source()));
        vec![
            ours("by one key", by(1)),
            ours("by ten keys", by(10)),
            ours("by a million keys", by(1_000_000)),
            peer("map_workers", move || {
                drain(map_workers(WORKERS, work, source()))
            }),
        ]
    }
    let work: fn(u64) -> Ready<u64> = ready;
    let marks = ["by one key", "by ten keys", "by a million keys"].map(|ours| Mark {
        ours,
        peer: "map_workers",
        at_most: 1.5,
    });
    bench.compare("map by key, ready", ITEMS, 41, ways(work), &marks);
    let once = ways(|k| Once(k, false));
    bench.compare("map by key, pending once", ITEMS, 41, once, &[]);
}
