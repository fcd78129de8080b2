//! Publishers: what is acknowledged is stored, once and in order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aiter_jetstream::{Error, PublishError, Start, fork, publisher};
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use rustix::process::Signal;

use super::nats::{Cluster, Server, make_stream, plain};
use super::{is_long, next};

/// How often each payload is in the stream, by its number, in the order of the stream.
async fn stored(js: &Context) -> Vec<u64> {
    let newest = js
        .get_stream("s")
        .await
        .unwrap()
        .get_info()
        .await
        .unwrap()
        .state
        .last_sequence;
    let mut reading = fork(js, "s", Start::All).await.unwrap();
    let mut items = Vec::new();
    while reading.position() < newest {
        let item = next(&mut reading).await.unwrap().unwrap();
        items.push(std::str::from_utf8(&item.payload).unwrap().parse().unwrap());
    }
    items
}

/// Guarantee: each mistake is told at once and as what it is, and gives the item back.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn mistakes() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    make_stream(
        &js,
        Config {
            allow_atomic_publish: false,
            ..plain("t")
        },
    )
    .await;
    let (s, t) = (publisher(&js, "s"), publisher(&js, "t"));
    let start = Instant::now();
    assert_eq!(s.push("s.a", "x".into()).await.unwrap(), 1);
    let other = s.push("t.a", "mine".into()).await.unwrap_err();
    assert!(
        matches!(&other, PublishError::Unknown(item, Error::Configuration(_)) if item == "mine"),
        "{other:?}"
    );
    let none = s.push("u.a", "mine".into()).await.unwrap_err();
    assert!(
        matches!(&none, PublishError::Unknown(item, Error::Configuration(_)) if item == "mine"),
        "{none:?}"
    );
    let large = s.push("s.a", vec![0; 2 << 20].into()).await.unwrap_err();
    assert!(
        matches!(&large, PublishError::Unknown(_, Error::Configuration(_))),
        "{large}"
    );
    let item = ("t.a", Bytes::from("x"));
    let no_batches = t
        .push_batch([item.clone(), item.clone()])
        .await
        .unwrap_err();
    assert!(
        matches!(&no_batches, PublishError::Unknown(items, Error::Configuration(_)) if items.len() == 2),
        "{no_batches:?}"
    );
    let too_many = s.push_batch(vec![item; 1001]).await.unwrap_err();
    assert!(
        matches!(&too_many, PublishError::Unknown(items, Error::Configuration(_)) if items.len() == 1001)
    );
    assert_eq!(
        s.push_batch(Vec::<(Subject, Bytes)>::new()).await.unwrap(),
        0
    );
    assert!(start.elapsed() < Duration::from_secs(2));
    let missing = publisher(&js, "no_such_stream")
        .push("x", "x".into())
        .await
        .unwrap_err();
    assert!(matches!(
        missing,
        PublishError::Unknown(_, Error::StreamNotFound(_))
    ));
    // None of these was stored.
    assert_eq!(
        js.get_stream("s")
            .await
            .unwrap()
            .get_info()
            .await
            .unwrap()
            .state
            .messages,
        1
    );
    assert_eq!(
        js.get_stream("t")
            .await
            .unwrap()
            .get_info()
            .await
            .unwrap()
            .state
            .messages,
        0
    );
}

/// Guarantee: a full stream is told from everything else, at once, and takes more when there is
/// room.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn full() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(
        &js,
        Config {
            max_messages: 2,
            discard: DiscardPolicy::New,
            ..plain("s")
        },
    )
    .await;
    let s = publisher(&js, "s");
    s.push("s.a", "1".into()).await.unwrap();
    s.push("s.a", "2".into()).await.unwrap();
    assert!(
        matches!(s.push("s.a", "3".into()).await, Err(PublishError::Full(item)) if item == "3")
    );
    assert!(matches!(
        s.push_batch([("s.a", "3".into()), ("s.a", "4".into())])
            .await,
        Err(PublishError::Full(_))
    ));
    assert!(matches!(s.stop().await, Err(Error::Configuration(_))));
    js.get_stream("s")
        .await
        .unwrap()
        .purge()
        .keep(1)
        .await
        .unwrap();
    assert_eq!(s.push("s.a", "3".into()).await.unwrap(), 3);
}

/// Guarantee: a message id of the user's own is stored once, also from another publisher.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn own_ids() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "order 17");
    for _ in 0..2 {
        let s = publisher(&js, "s");
        assert_eq!(
            s.push_with_headers("s.a", headers.clone(), "x".into())
                .await
                .unwrap(),
            1
        );
    }
}

/// Guarantee: batches are stored as a whole and in order, between single messages.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn batches() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let s = publisher(&js, "s");
    let mut count = 0..;
    let mut end = 0;
    for size in [1, 2, 1000, 7] {
        let items: Vec<_> = count
            .by_ref()
            .take(size)
            .map(|item: u64| ("s.a", Bytes::from(item.to_string())))
            .collect();
        end += size as u64;
        assert_eq!(s.push_batch(items).await.unwrap(), end);
        end += 1;
        assert_eq!(
            s.push("s.b", count.next().unwrap().to_string().into())
                .await
                .unwrap(),
            end
        );
    }
    assert_eq!(stored(&js).await, (0..end).collect::<Vec<_>>());
}

/// Guarantee: pushes that are dropped at their first await are stored whole or not, and the others
/// are neither lost nor held up.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn cancelled_pushes() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let s = publisher(&js, "s");
    let mut acked = Vec::new();
    for polls in 0..40_u64 {
        {
            let push = s.push("s.a", (1000 + polls).to_string().into());
            let mut push = std::pin::pin!(push);
            for _ in 0..polls {
                if futures_lite::future::poll_once(&mut push).await.is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        s.push("s.a", polls.to_string().into()).await.unwrap();
        acked.push(polls);
    }
    let all = stored(&js).await;
    let kept: Vec<_> = all.iter().copied().filter(|item| *item < 1000).collect();
    assert_eq!(kept, acked);
    let cancelled: Vec<_> = all.into_iter().filter(|item| *item >= 1000).collect();
    assert!(cancelled.is_sorted_by(|a, b| a < b));
}

/// Pushes numbers while `disturb` runs, one by one or in batches. Nothing that was acked may be
/// lost, nothing may be twice, and the order is that of the pushes.
async fn undisturbed(js: Context, batch: usize, disturb: impl Future<Output = ()>) {
    let s = publisher(&js, "s");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = tokio::spawn({
        let stop = stop.clone();
        async move {
            let (mut acked, mut longest) = (BTreeMap::new(), Duration::ZERO);
            let mut item = 0_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let start = Instant::now();
                let items: Vec<_> = (item..item + batch as u64)
                    .map(|item| ("s.a", Bytes::from(item.to_string())))
                    .collect();
                item += batch as u64;
                let pushed = if batch == 1 {
                    s.push("s.a", items[0].1.clone()).await.ok()
                } else {
                    s.push_batch(items).await.ok()
                };
                longest = longest.max(start.elapsed());
                acked.insert(pushed.expect("each push comes through"), item - 1);
            }
            (acked, longest)
        }
    });
    disturb.await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (acked, longest) = writer.await.unwrap();
    let all = stored(&js).await;
    for (sequence, item) in &acked {
        assert_eq!(all[*sequence as usize - 1], *item, "at {sequence}");
    }
    assert_eq!(
        all,
        (0..all.len() as u64).collect::<Vec<_>>(),
        "once and in order"
    );
    println!(
        "{} acks, {} stored, the longest push took {longest:?}",
        acked.len(),
        all.len()
    );
}

/// Guarantee: while the server is killed and started, acked messages are stored once and in order.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn restarts() {
    for batch in [1, 50] {
        let mut server = Server::start().await;
        let js = server.connect().await;
        make_stream(&js, plain("s")).await;
        undisturbed(js, batch, async {
            for _ in 0..if is_long() { 30 } else { 3 } {
                tokio::time::sleep(Duration::from_millis(300)).await;
                server.kill();
                server.restart().await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        })
        .await;
    }
}

/// Guarantee: while a server stands still, which hides its answers, nothing is stored twice.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn partitions() {
    for batch in [1, 50] {
        let server = Server::start().await;
        let js = server.connect().await;
        make_stream(&js, plain("s")).await;
        undisturbed(js, batch, async {
            for _ in 0..if is_long() { 10 } else { 2 } {
                tokio::time::sleep(Duration::from_millis(300)).await;
                server.signal(Signal::STOP);
                tokio::time::sleep(Duration::from_millis(3500)).await;
                server.signal(Signal::CONT);
            }
            tokio::time::sleep(Duration::from_millis(1500)).await;
        })
        .await;
    }
}

/// Guarantee: a push to a server that does not answer gives the item back before the server forgets
/// its id, and says that it may have been stored. The next push comes through when the server goes
/// on, and whatever was given back is stored once or not at all, before it.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn no_answer() {
    let server = Server::start().await;
    let js = server.connect().await;
    let window = Duration::from_secs(4);
    let config = Config {
        duplicate_window: window,
        ..plain("s")
    };
    make_stream(&js, config).await;
    let s = publisher(&js, "s");
    assert_eq!(s.push("s.a", "1".into()).await.unwrap(), 1);
    server.signal(Signal::STOP);
    let start = Instant::now();
    let one = s.push("s.a", "2".into()).await.unwrap_err();
    assert!(start.elapsed() < window, "{:?}", start.elapsed());
    assert!(
        matches!(&one, PublishError::Unknown(item, Error::Unavailable(_)) if item == "2"),
        "{one:?}"
    );
    let start = Instant::now();
    let batch = [("s.a", "3".into()), ("s.a", "4".into())];
    let batch = s.push_batch(batch).await.unwrap_err();
    assert!(start.elapsed() < window, "{:?}", start.elapsed());
    assert!(
        matches!(&batch, PublishError::Unknown(items, Error::Unavailable(_)) if items.len() == 2),
        "{batch:?}"
    );
    server.signal(Signal::CONT);
    let last = s.push("s.a", "5".into()).await.unwrap();
    let all = stored(&js).await;
    assert_eq!(all.len() as u64, last);
    assert!(
        [&[1, 5][..], &[1, 2, 5], &[1, 3, 4, 5], &[1, 2, 3, 4, 5]].contains(&&all[..]),
        "{all:?}"
    );
}

/// Guarantee: while leaders of three servers are killed, acked messages are stored once and in
/// order.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn leaders_are_killed() {
    for batch in [1, 50] {
        let mut cluster = Cluster::start().await;
        let js = cluster.connect().await;
        make_stream(
            &js,
            Config {
                num_replicas: 3,
                ..plain("s")
            },
        )
        .await;
        undisturbed(js.clone(), batch, async {
            for _ in 0..if is_long() { 5 } else { 1 } {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let leader = cluster.leader(&js, "s").await;
                cluster.servers[leader].kill();
                tokio::time::sleep(Duration::from_secs(10)).await;
                cluster.servers[leader].restart().await;
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        })
        .await;
    }
}
