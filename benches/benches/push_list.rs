//! Push lists, compared with other channels: unbounded ones, and bounded ones.

use aiter_benches::{
    Bench, Channel, Mark, Push, Way,
    bounded::{
        Bounded, BoundedChannel, bounded_across_threads, fill_and_empty, reserve_and_take,
        send_and_take,
    },
    ours, peer,
    peers::{
        AsyncChannel, Crossfire, Flume, Kanal, Tachyonix, Thingbuf, Tokio, tokio_reserve_and_take,
    },
    shapes::{across_threads, drain, fill_and_drain, send_wake_take},
};
use aiter_core::PushAiter;
use std::{
    hint::black_box,
    iter,
    pin::pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
};
use tokio::sync::mpsc::UnboundedReceiver;

const FILL: u64 = 100_000;
const WAKES: u64 = 20_000;
const ACROSS: u64 = 1_000_000;

/// One row for each peer, all through the same shape of work.
macro_rules! peers {
    ($shape:ident($($arg:expr),*)) => {
        [
            peer(<Kanal as Channel>::NAME, move || $shape::<Kanal>($($arg),*)),
            peer(<Tokio as Channel>::NAME, move || $shape::<Tokio>($($arg),*)),
            peer(<AsyncChannel as Channel>::NAME, move || $shape::<AsyncChannel>($($arg),*)),
            peer(<Flume as Channel>::NAME, move || $shape::<Flume>($($arg),*)),
            peer(<Crossfire as Channel>::NAME, move || $shape::<Crossfire>($($arg),*)),
        ]
    };
}

/// A row of ours, and the marks for it.
macro_rules! marks {
    ($($ours:literal at most $at_most:literal x $peer:literal),* $(,)?) => {
        [$(Mark { ours: $ours, peer: $peer, at_most: $at_most }),*]
    };
}

/// One row for ours and for each bounded peer.
macro_rules! bounded {
    ($shape:ident($($arg:expr),*)) => {
        vec![
            ours(Bounded::NAME, move || $shape::<Bounded>($($arg),*)),
            peer(<Tokio as BoundedChannel>::NAME, move || $shape::<Tokio>($($arg),*)),
            peer(<Kanal as BoundedChannel>::NAME, move || $shape::<Kanal>($($arg),*)),
            peer(<Flume as BoundedChannel>::NAME, move || $shape::<Flume>($($arg),*)),
            peer(<AsyncChannel as BoundedChannel>::NAME, move || $shape::<AsyncChannel>($($arg),*)),
            peer(<Crossfire as BoundedChannel>::NAME, move || $shape::<Crossfire>($($arg),*)),
            peer(Thingbuf::NAME, move || $shape::<Thingbuf>($($arg),*)),
            peer(Tachyonix::NAME, move || $shape::<Tachyonix>($($arg),*)),
        ]
    };
}

/// The mark of a bounded list against each peer.
const AT_MOST_EACH: [Mark; 7] = marks![
    "bounded push" at most 0.9 x "tokio",
    "bounded push" at most 0.9 x "kanal",
    "bounded push" at most 0.9 x "flume",
    "bounded push" at most 0.9 x "async-channel",
    "bounded push" at most 0.9 x "crossfire",
    "bounded push" at most 0.9 x "thingbuf",
    "bounded push" at most 0.9 x "tachyonix",
];

fn main() -> ExitCode {
    let mut bench = Bench::from_args();
    one_thread(&mut bench);
    many(&mut bench);
    wake(&mut bench);
    threads(&mut bench);
    bounded_one_thread(&mut bench);
    bounded_threads(&mut bench);
    bench.finish()
}

fn one_thread(bench: &mut Bench) {
    let mut ways = vec![
        ours("push, poll_next", || fill_and_drain::<Push>(FILL)),
        ours("push, try_next", push_and_try_next),
    ];
    ways.extend(batches());
    ways.extend(peers!(fill_and_drain(FILL)));
    let marks = marks![
        "push, poll_next" at most 0.85 x "kanal",
        "push, try_next" at most 0.85 x "kanal",
        "push, poll_next" at most 0.4 x "tokio",
        "push, try_next" at most 0.4 x "tokio",
        "push_all by 250, poll_next" at most 0.2 x "kanal",
        "push_all at once, poll_next" at most 0.2 x "kanal",
    ];
    bench.compare(
        "push and take 100 000, one thread",
        FILL as usize,
        101,
        ways,
        &marks,
    );
}

fn push_and_try_next() {
    let (mut pusher, mut aiter) = Push::new();
    for item in 0..FILL {
        Push::send(&mut pusher, black_box(item));
    }
    drain(FILL, || aiter.try_next().ok());
}

fn batches() -> [Way; 2] {
    fn push_all_by(batch: u64) {
        let (pusher, mut aiter) = Push::new();
        for start in (0..FILL).step_by(batch as usize) {
            pusher
                .push_all((start..start + batch).map(black_box))
                .expect("the consumer is there");
        }
        drain(FILL, || Push::take(&mut aiter));
    }
    [
        ours("push_all by 250, poll_next", || push_all_by(250)),
        ours("push_all at once, poll_next", || push_all_by(FILL)),
    ]
}

/// Takes of many items at once, with the pushes and without them.
fn many(bench: &mut Bench) {
    const BATCH: u64 = 250;
    const LIMIT: usize = 256;

    fn poll(future: impl Future<Output = usize>) -> usize {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => taken,
            Poll::Pending => panic!("items are missing"),
        }
    }

    /// Pushes a batch and takes it with one call, as a consumer does that keeps up.
    fn in_turn<C: Channel>(mut take: impl FnMut(&mut C::Receiver, &mut Vec<u64>) -> usize) {
        let (mut sender, mut receiver) = C::new();
        let mut buf = Vec::new();
        for _ in 0..FILL / BATCH {
            (0..BATCH).for_each(|item| C::send(&mut sender, black_box(item)));
            assert_eq!(take(&mut receiver, &mut buf), BATCH as usize);
            black_box(&mut buf).clear();
        }
    }

    /// Fills a list in one run and empties it in the next one. Only the second is timed.
    fn drain<C: Channel>(
        mut take: impl FnMut(&mut C::Receiver, &mut Vec<u64>) -> usize,
    ) -> impl FnMut() {
        let mut filled = None;
        move || match filled.take() {
            None => {
                let (mut sender, receiver) = C::new();
                (0..FILL).for_each(|item| C::send(&mut sender, black_box(item)));
                filled = Some((sender, receiver));
            }
            Some((_sender, mut receiver)) => {
                let (mut buf, mut taken) = (Vec::new(), 0);
                while taken < FILL as usize {
                    taken += take(&mut receiver, &mut buf);
                    black_box(&mut buf).clear();
                }
            }
        }
    }

    fn take_many(aiter: &mut PushAiter<u64>, buf: &mut Vec<u64>) -> usize {
        poll(aiter.next_many(buf, LIMIT))
    }
    fn take_each(aiter: &mut PushAiter<u64>, buf: &mut Vec<u64>) -> usize {
        buf.extend(iter::from_fn(|| Push::take(aiter)).take(LIMIT));
        buf.len()
    }
    fn tokios(receiver: &mut UnboundedReceiver<u64>, buf: &mut Vec<u64>) -> usize {
        poll(receiver.recv_many(buf, LIMIT))
    }

    let marks = marks!["next_many(256)" at most 0.5 x "tokio, recv_many(256)"];
    let ways = vec![
        ours("next_many(256)", || in_turn::<Push>(take_many)),
        ours("poll_next", || in_turn::<Push>(take_each)),
        peer("tokio, recv_many(256)", || in_turn::<Tokio>(tokios)),
    ];
    let title = "push and take many, one thread";
    bench.compare(title, FILL as usize, 101, ways, &marks);
    let ways = vec![
        ours("next_many(256)", drain::<Push>(take_many)),
        ours("poll_next", drain::<Push>(take_each)),
        peer("tokio, recv_many(256)", drain::<Tokio>(tokios)),
    ];
    let title = "take many, one thread";
    bench.compare(title, FILL as usize, 101, ways, &marks);
}

fn wake(bench: &mut Bench) {
    let mut ways = vec![ours("push", || send_wake_take::<Push>(WAKES))];
    ways.extend(peers!(send_wake_take(WAKES)));
    let marks = marks!["push" at most 0.9 x "kanal"];
    bench.compare(
        "push, wake, take, one thread",
        WAKES as usize,
        51,
        ways,
        &marks,
    );
}

fn threads(bench: &mut Bench) {
    let mut ways = vec![ours("push", || across_threads::<Push>(1, ACROSS))];
    ways.extend(peers!(across_threads(1, ACROSS)));
    let marks = marks!["push" at most 0.5 x "tokio"];
    bench.compare(
        "1 000 000 across two threads",
        ACROSS as usize,
        15,
        ways,
        &marks,
    );

    let mut ways = vec![ours("push", || across_threads::<Push>(2, ACROSS))];
    ways.extend(peers!(across_threads(2, ACROSS)));
    bench.compare("1 000 000, 2 pushers to 1", ACROSS as usize, 7, ways, &[]);

    let mut ways = vec![ours("push", || across_threads::<Push>(4, ACROSS))];
    ways.extend(peers!(across_threads(4, ACROSS)));
    bench.compare("1 000 000, 4 pushers to 1", ACROSS as usize, 7, ways, &[]);
}

fn bounded_one_thread(bench: &mut Bench) {
    const ITEMS: u64 = 102_400;
    bench.compare(
        "bounded: fill 1024 and empty, one thread",
        ITEMS as usize,
        51,
        bounded!(fill_and_empty(1024, ITEMS)),
        &AT_MOST_EACH,
    );
    bench.compare(
        "bounded: push and take in turn, one thread",
        ITEMS as usize,
        51,
        bounded!(send_and_take(1024, ITEMS)),
        &AT_MOST_EACH,
    );
    let ways = vec![
        ours("try_reserve, Permit::push", || {
            reserve_and_take(1024, ITEMS)
        }),
        peer("tokio", || tokio_reserve_and_take(1024, ITEMS)),
    ];
    let marks = marks!["try_reserve, Permit::push" at most 0.7 x "tokio"];
    bench.compare(
        "bounded: reserve, push and take, one thread",
        ITEMS as usize,
        51,
        ways,
        &marks,
    );
}

fn bounded_threads(bench: &mut Bench) {
    for (n, senders, title) in [
        (1024, 1, "bounded: 500 000 across two threads, 1024"),
        (64, 1, "bounded: 500 000 across two threads, 64"),
        (1024, 2, "bounded: 500 000, 2 pushers to 1, 1024"),
    ] {
        const ITEMS: u64 = 500_000;
        let marks: &[Mark] = if senders == 1 { &AT_MOST_EACH } else { &[] };
        bench.compare(
            title,
            ITEMS as usize,
            15,
            bounded!(bounded_across_threads(n, senders, ITEMS)),
            marks,
        );
    }
}
