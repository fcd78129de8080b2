//! The end: forks and takers end after everything before the marker, and always.

use std::time::Duration;

use aiter_jetstream::{PublishError, Start, end_subject, fork, publisher, share};
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::stream;
use futures_lite::StreamExt;

use super::nats::{Cluster, Server, make_stream, plain};
use super::next;
use super::share::{consumer, push, worker};

/// Guarantee: forks, filtered ones and later ones too, give everything before the marker and end.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn forks_end() {
    let mut server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 100).await;
    let early = [
        fork(&js, "s", Start::All).await.unwrap(),
        fork(&js, "s", Start::All).await.unwrap().subjects(&["s.a"]),
        fork(&js, "s", Start::All).await.unwrap().subjects(&[">"]),
    ];
    let nothing_yet = fork(&js, "s", Start::New).await.unwrap().subjects(&["s.b"]);
    let s = publisher(&js, "s");
    assert_eq!(s.stop().await.unwrap(), 101);
    assert_eq!(s.clone().stop().await.unwrap(), 101);
    assert!(
        matches!(s.push("s.a", "x".into()).await, Err(PublishError::Stopped(item)) if item == "x")
    );
    assert!(matches!(
        s.push_batch([("s.a", "x".into())]).await,
        Err(PublishError::Stopped(_))
    ));
    let other = publisher(&js, "s");
    assert!(matches!(
        other.push("s.a", "x".into()).await,
        Err(PublishError::Stopped(_))
    ));
    assert_eq!(other.stop().await.unwrap(), 101);
    for fork in early {
        let sequences: Vec<_> = fork.map(|item| item.unwrap().sequence).collect().await;
        assert_eq!(sequences, (1..=100).collect::<Vec<_>>());
    }
    assert_eq!(nothing_yet.count().await, 0);
    // Also after a restart, and for those that come later.
    server.kill();
    server.restart().await;
    for (start, expected) in [
        (Start::New, 0),
        (Start::All, 100),
        (Start::Last, 1),
        (Start::LastPerSubject, 1),
        (Start::Sequence(91), 10),
        (Start::Sequence(102), 0),
    ] {
        let late = fork(&js, "s", start).await.unwrap();
        assert_eq!(
            tokio::time::timeout(Duration::from_secs(10), late.count())
                .await
                .expect("an end"),
            expected,
            "{start:?}"
        );
    }
    // Without the marker the stream goes on.
    let stream = js.get_stream("s").await.unwrap();
    stream.purge().filter(end_subject("s")).await.unwrap();
    let mut again = fork(&js, "s", Start::New).await.unwrap();
    publisher(&js, "s").push("s.a", "x".into()).await.unwrap();
    assert_eq!(next(&mut again).await.unwrap().unwrap().sequence, 102);
}

/// Guarantee: takers end when everything is acked, by whichever of them, and not before, also when
/// some go without an ack; those that come later end at once.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn takers_end() {
    for filter in ["", "s.a"] {
        let server = Server::start().await;
        let js = server.connect().await;
        make_stream(&js, plain("s")).await;
        push(&js, "s.a", 300).await;
        let config = Config {
            filter_subject: filter.into(),
            ack_wait: Duration::from_secs(30),
            ..Default::default()
        };
        let consumer = consumer(&js, config).await;
        let mut slow = share(consumer.clone(), 20).unwrap();
        let held = next(&mut slow).await.unwrap().unwrap();
        let takers: Vec<_> = (0..3)
            .map(|taker| {
                let mut works = share(consumer.clone(), 20).unwrap();
                tokio::spawn(async move {
                    let mut count = 0;
                    while let Some(work) = next(&mut works).await {
                        work.unwrap().ack().await.unwrap();
                        count += 1;
                        if taker == 0 && count == 10 {
                            break;
                        }
                    }
                    count
                })
            })
            .collect();
        publisher(&js, "s").stop().await.unwrap();
        let slow = tokio::spawn(async move {
            let mut count = 0;
            while let Some(work) = next(&mut slow).await {
                work.unwrap().ack().await.unwrap();
                count += 1;
            }
            count
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!slow.is_finished(), "a message is still out");
        held.ack().await.unwrap();
        let mut count = 1 + slow.await.unwrap();
        for taker in takers {
            count += taker.await.unwrap();
        }
        assert_eq!(count, 300);
        let late = share(consumer, 5).unwrap();
        assert_eq!(
            tokio::time::timeout(Duration::from_secs(10), late.count())
                .await
                .expect("an end"),
            0
        );
    }
}

/// Guarantee: a stop that meets the death of the leader comes through, once, after everything.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn the_leader_is_killed() {
    let mut cluster = Cluster::start().await;
    let js = cluster.connect().await;
    make_stream(
        &js,
        stream::Config {
            num_replicas: 3,
            ..plain("s")
        },
    )
    .await;
    push(&js, "s.a", 200).await;
    let reading = fork(&js, "s", Start::All).await.unwrap();
    let reading = tokio::spawn(async move {
        reading
            .map(|item| item.unwrap().sequence)
            .collect::<Vec<_>>()
            .await
    });
    let leader = cluster.leader(&js, "s").await;
    let s = publisher(&js, "s");
    s.push("s.a", "x".into()).await.unwrap();
    cluster.servers[leader].kill();
    assert_eq!(s.stop().await.unwrap(), 202);
    let all = tokio::time::timeout(Duration::from_secs(30), reading)
        .await
        .expect("an end")
        .unwrap();
    assert_eq!(all, (1..=201).collect::<Vec<_>>());
}

/// Guarantee: takers end, with every message acked, although processes are killed that may have the
/// marker.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn workers_are_killed() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 300).await;
    let config = Config {
        ack_wait: Duration::from_secs(1),
        ..Default::default()
    };
    let consumer = consumer(&js, config).await;
    publisher(&js, "s").stop().await.unwrap();
    for round in 0..3 {
        let (mut victim, mut lines) = worker(&server);
        // The last one is killed when the marker has begun to go round.
        assert!(lines.nth(20 + 60 * round).is_some());
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
    let (mut last, lines) = worker(&server);
    assert_eq!(lines.last().as_deref(), Some("all"));
    assert!(last.wait().unwrap().success());
    let info = consumer.get_info().await.unwrap();
    assert_eq!(
        (info.num_pending, info.num_ack_pending),
        (0, 1),
        "the marker alone"
    );
}

/// Guarantee: a stop that is dropped at any poll can be called again, and there is one marker.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn cancelled_stops() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 10).await;
    for polls in 0..30 {
        let stopper = publisher(&js, "s");
        let mut stop = std::pin::pin!(stopper.stop());
        for _ in 0..polls {
            if futures_lite::future::poll_once(&mut stop).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(publisher(&js, "s").stop().await.unwrap(), 11);
    let all = fork(&js, "s", Start::All).await.unwrap();
    assert_eq!(all.count().await, 10);
    assert_eq!(
        js.get_stream("s")
            .await
            .unwrap()
            .get_info()
            .await
            .unwrap()
            .state
            .last_sequence,
        11
    );
}

/// Guarantee: forks and takers of a mirror end where its origin was stopped.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn mirrors_end() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("origin")).await;
    let mirror = stream::Source {
        name: "origin".into(),
        ..Default::default()
    };
    make_stream(
        &js,
        stream::Config {
            name: "s".into(),
            mirror: Some(mirror),
            ..Default::default()
        },
    )
    .await;
    let origin = publisher(&js, "origin");
    origin.push("origin.a", "x".into()).await.unwrap();
    origin.stop().await.unwrap();
    let all = fork(&js, "s", Start::All)
        .await
        .unwrap()
        .subjects(&["origin.a"]);
    assert_eq!(all.count().await, 1);
    let mut taker = share(consumer(&js, Config::default()).await, 5).unwrap();
    next(&mut taker)
        .await
        .unwrap()
        .unwrap()
        .ack()
        .await
        .unwrap();
    assert!(next(&mut taker).await.is_none());
}
