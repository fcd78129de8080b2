//! Compares the speed of this crate with that of async-nats alone, on one server that it starts.
//!
//! ```sh
//! cargo run --release -p aiter-jetstream --example speed
//! ```
//!
//! The two take turns, because machines change their pace. The table has the median of the ratios.
#![cfg(unix)]

#[allow(dead_code, reason = "examples need less of it than the tests")]
#[path = "../tests/jetstream/nats.rs"]
mod nats;

use std::time::Instant;

use aiter_jetstream::{Start, fork, publisher, share};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{Context, message::PublishMessage, stream};
use bytes::Bytes;
use futures_lite::{StreamExt, pin};

const PUSHES: usize = 500;
const BATCHES: usize = 40;
const BATCH: usize = 1_000;
const ITEMS: usize = BATCHES * BATCH;
const ROUNDS: usize = 9;

fn item() -> Bytes {
    Bytes::from_static(&[b'x'; 100])
}

async fn push_bare(js: &Context, round: usize) {
    for count in 0..PUSHES {
        let message = PublishMessage::build()
            .payload(item())
            .message_id(format!("bare-{round}-{count}"));
        js.send_publish("s.a", message)
            .await
            .unwrap()
            .await
            .unwrap();
    }
}

async fn push_ours(js: &Context) {
    let publisher = publisher(js, "s");
    for _ in 0..PUSHES {
        publisher.push("s.a", item()).await.unwrap();
    }
}

/// Pushes batches with async-nats alone, which leaves the headers to its user.
async fn batches_bare(js: &Context, round: usize) {
    for batch in 0..BATCHES {
        for index in 1..=BATCH {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("bare-batch-{round}-{batch}-{index}"));
            headers.insert("Nats-Batch-Id", format!("{round}-{batch}"));
            headers.insert("Nats-Batch-Sequence", index.to_string());
            if index < BATCH {
                js.client()
                    .publish_with_headers("s.a", headers, item())
                    .await
                    .unwrap();
            } else {
                headers.insert("Nats-Batch-Commit", "1");
                js.send_publish(
                    "s.a",
                    PublishMessage::build().headers(headers).payload(item()),
                )
                .await
                .unwrap()
                .await
                .unwrap();
            }
        }
    }
}

async fn batches_ours(js: &Context) {
    let publisher = publisher(js, "s");
    for _ in 0..BATCHES {
        publisher
            .push_batch((0..BATCH).map(|_| ("s.a", item())))
            .await
            .unwrap();
    }
}

async fn ordered(js: &Context, deliver_policy: DeliverPolicy) -> pull::Ordered {
    let config = pull::OrderedConfig {
        deliver_policy,
        ..Default::default()
    };
    let stream = js.get_stream("s").await.unwrap();
    stream
        .create_consumer(config)
        .await
        .unwrap()
        .messages()
        .await
        .unwrap()
}

/// Reads `count` messages, beside a writer if there is one.
async fn read<T, E: std::fmt::Debug>(
    messages: impl futures_lite::Stream<Item = Result<T, E>>,
    count: usize,
) {
    pin!(messages);
    for _ in 0..count {
        messages.next().await.unwrap().unwrap();
    }
}

async fn workers(js: &Context, prefetch: i64) -> PullConsumer {
    let config = pull::Config {
        durable_name: Some("w".into()),
        max_ack_pending: 10_000,
        max_waiting: 512,
        ..Default::default()
    };
    let _ = js.delete_consumer_from_stream("w", "s").await;
    let consumer = js.create_consumer_on_stream(config, "s").await.unwrap();
    assert!(prefetch > 0);
    consumer
}

fn count_for(prefetch: usize) -> usize {
    if prefetch == 1 { 8_000 } else { ITEMS }
}

async fn share_bare(js: &Context, prefetch: usize) {
    let consumer = workers(js, prefetch as i64).await;
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(prefetch)
        .messages()
        .await
        .unwrap();
    for _ in 0..count_for(prefetch) {
        messages.next().await.unwrap().unwrap().ack().await.unwrap();
    }
}

async fn share_ours(js: &Context, prefetch: usize) {
    let mut works = share(workers(js, prefetch as i64).await, prefetch).unwrap();
    for _ in 0..count_for(prefetch) {
        works.next().await.unwrap().unwrap().ack().await.unwrap();
    }
}

/// Runs both in turn, unless an argument is given that is not in the name. Prints the messages a
/// second of each, and the median ratio.
async fn compare(
    name: &str,
    count: usize,
    js: &Context,
    mut bare: impl AsyncFnMut(usize),
    mut ours: impl AsyncFnMut(usize),
) {
    if std::env::args()
        .nth(1)
        .is_some_and(|part| !name.contains(&part))
    {
        return;
    }
    // Short runs take more turns.
    let rounds = ROUNDS * (ITEMS / count).clamp(1, 4);
    let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for round in 0..rounds {
        js.get_stream("s")
            .await
            .unwrap()
            .purge()
            .keep(ITEMS as u64)
            .await
            .unwrap();
        let start = Instant::now();
        bare(round).await;
        let bare = start.elapsed();
        js.get_stream("s")
            .await
            .unwrap()
            .purge()
            .keep(ITEMS as u64)
            .await
            .unwrap();
        let start = Instant::now();
        ours(round).await;
        let ours = start.elapsed();
        for (rates, time) in rates.iter_mut().zip([bare, ours]) {
            rates.push(count as f64 / time.as_secs_f64());
        }
        ratios.push(bare.as_secs_f64() / ours.as_secs_f64());
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let [bare, ours] = rates.each_mut().map(median);
    println!(
        "{name:<34} {:>9.1} {:>9.1} {:>9.2}",
        bare / 1000.0,
        ours / 1000.0,
        median(&mut ratios)
    );
}

#[tokio::main]
async fn main() {
    let server = nats::Server::start().await;
    let js = &server.connect().await;
    let config = stream::Config {
        duplicate_window: std::time::Duration::from_secs(10),
        ..nats::plain("s")
    };
    nats::make_stream(js, config).await;
    println!(
        "{:<34} {:>9} {:>9} {:>9}",
        "thousand messages a second", "bare", "ours", "ratio"
    );
    compare(
        "push, one in flight",
        PUSHES,
        js,
        async |round| push_bare(js, round).await,
        async |_| push_ours(js).await,
    )
    .await;
    compare(
        "batches of 1 000",
        ITEMS,
        js,
        async |round| batches_bare(js, round).await,
        async |_| batches_ours(js).await,
    )
    .await;
    batches_ours(js).await;
    let all = Start::All;
    compare(
        "fork, replay",
        ITEMS,
        js,
        async |_| read(ordered(js, DeliverPolicy::All).await, ITEMS).await,
        async |_| read(fork(js, "s", all).await.unwrap(), ITEMS).await,
    )
    .await;
    compare(
        "fork, live",
        ITEMS,
        js,
        async |_| {
            let messages = ordered(js, DeliverPolicy::New).await;
            tokio::join!(read(messages, ITEMS), batches_ours(js));
        },
        async |_| {
            let messages = fork(js, "s", Start::New).await.unwrap();
            tokio::join!(read(messages, ITEMS), batches_ours(js));
        },
    )
    .await;
    for prefetch in [1, 10, 200] {
        let name = format!("share, prefetch {prefetch}");
        compare(
            &name,
            count_for(prefetch),
            js,
            async |_| share_bare(js, prefetch).await,
            async |_| share_ours(js, prefetch).await,
        )
        .await;
    }
}
