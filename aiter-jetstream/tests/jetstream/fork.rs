//! Forks: each message once and in order, from the start that was asked for, whatever happens to
//! servers meanwhile.

use std::time::{Duration, Instant, SystemTime};

use aiter_jetstream::{Error, RemoteFork, Seen, Start, fork, publisher};
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Config;
use rustix::process::Signal;

use super::nats::{Cluster, Server, make_stream, plain};
use super::next;

async fn seen(fork: &mut RemoteFork) -> Seen {
    next(fork).await.expect("an item").expect("no error")
}

async fn sequences(fork: &mut RemoteFork, count: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    for _ in 0..count {
        sequences.push(seen(fork).await.sequence);
    }
    sequences
}

async fn push(js: &Context, subject: &str, count: usize) {
    let publisher = publisher(js, subject.split('.').next().unwrap());
    for item in 0..count {
        publisher
            .push(subject.to_owned(), item.to_string().into())
            .await
            .expect("pushed");
    }
}

/// Guarantee: a fork begins exactly where it was asked to, as of the moment when it was made.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn every_start() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let mut empty = fork(&js, "s", Start::All).await.unwrap();
    let mut last_of_none = fork(&js, "s", Start::Last).await.unwrap();
    push(&js, "s.a", 3).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let time = SystemTime::now();
    push(&js, "s.b", 3).await;
    let mut forks = Vec::new();
    for start in [
        Start::New,
        Start::All,
        Start::Last,
        Start::LastPerSubject,
        Start::Sequence(2),
        Start::Sequence(9),
        Start::Time(time),
    ] {
        forks.push(fork(&js, "s", start).await.unwrap());
    }
    let mut last_a = fork(&js, "s", Start::Last)
        .await
        .unwrap()
        .subjects(&["s.a"]);
    let positions: Vec<_> = forks.iter().map(RemoteFork::position).collect();
    assert_eq!(positions, [6, 0, 5, 0, 1, 8, 3]);
    // Polled only after more has come.
    push(&js, "s.c", 4).await;
    let expected: [&[u64]; 7] = [
        &[7, 8, 9, 10],
        &[1, 2, 3, 4, 5, 6, 7],
        &[6, 7, 8],
        &[3, 6, 10],
        &[2, 3, 4],
        &[9, 10],
        &[4, 5, 6],
    ];
    for (fork, expected) in forks.iter_mut().zip(expected) {
        assert_eq!(sequences(fork, expected.len()).await, expected, "{fork:?}");
    }
    assert_eq!(
        sequences(&mut empty, 10).await,
        (1..=10).collect::<Vec<_>>()
    );
    assert_eq!(sequences(&mut last_of_none, 2).await, [1, 2]);
    assert_eq!(sequences(&mut last_a, 1).await, [3]);
    assert!(
        matches!(fork(&js, "no_such_stream", Start::All).await, Err(Error::StreamNotFound(name)) if name == "no_such_stream")
    );
}

/// Guarantee: what the stream has removed is counted, and nothing else is missing. Not told with a
/// filter.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn missed_is_exact() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(
        &js,
        Config {
            max_messages: 10,
            ..plain("s")
        },
    )
    .await;
    let mut slow = fork(&js, "s", Start::All).await.unwrap().prefetch(1);
    push(&js, "s.a", 5).await;
    assert_eq!(
        (seen(&mut slow).await.missed, slow.position()),
        (Some(0), 1)
    );
    push(&js, "s.a", 50).await;
    let (mut missed, mut count) = (0, 1);
    while slow.position() < 55 {
        missed += seen(&mut slow).await.missed.expect("no filter");
        count += 1;
    }
    assert_eq!(missed + count, 55);
    assert!(missed >= 40);
    let mut filtered = fork(&js, "s", Start::All).await.unwrap().subjects(&["s.*"]);
    assert_eq!(seen(&mut filtered).await.missed, None);
}

/// Guarantee: a filter leaves out nothing that matches.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn filters() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let mut both = fork(&js, "s", Start::New)
        .await
        .unwrap()
        .subjects(&["s.a", "s.b.*"]);
    for subject in ["s.a", "s.c", "s.b.x", "s.a", "s.b.y"] {
        push(&js, subject, 1).await;
    }
    assert_eq!(sequences(&mut both, 4).await, [1, 3, 4, 5]);
}

/// Guarantee: killing the server loses and repeats nothing, also for a fork that has seen nothing
/// yet; it goes on within three seconds.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn a_restart() {
    let mut server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 100).await;
    let mut reading = fork(&js, "s", Start::All).await.unwrap();
    let mut fresh = fork(&js, "s", Start::New).await.unwrap();
    assert_eq!(sequences(&mut reading, 100).await.len(), 100);
    // It waits, with a consumer, and has seen nothing.
    assert!(
        tokio::time::timeout(Duration::from_millis(300), next(&mut fresh))
            .await
            .is_err()
    );
    for round in 0..3 {
        server.kill();
        server.restart().await;
        let start = Instant::now();
        let first = 100 + round * 10 + 1;
        let expected: Vec<_> = (first..first + 10).collect();
        let both = tokio::join!(
            sequences(&mut reading, 10),
            sequences(&mut fresh, 10),
            push(&js, "s.a", 10)
        );
        assert_eq!(both, (expected.clone(), expected, ()));
        println!("back {:?} after the restart", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

/// Guarantee: a consumer that is deleted, or a reader that pauses, loses nothing.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn a_deleted_consumer() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 2000).await;
    let mut reading = fork(&js, "s", Start::All).await.unwrap().prefetch(10);
    let mut all = sequences(&mut reading, 5).await;
    let stream = js.get_stream("s").await.unwrap();
    for _ in 0..5 {
        let mut names = stream.consumer_names();
        while let Some(Ok(name)) = next(&mut names).await {
            stream.delete_consumer(&name).await.unwrap();
        }
        all.extend(sequences(&mut reading, 300).await);
    }
    assert_eq!(all, (1..=1505).collect::<Vec<_>>());
    drop(reading);
    super::nats::until("its consumer is removed", async || {
        stream.get_info().await.unwrap().state.consumer_count == 0
    })
    .await;
}

/// Guarantee: sequences of another stream are never taken for those of this one.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn a_recreated_and_a_deleted_stream() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 10).await;
    let mut reading = fork(&js, "s", Start::All).await.unwrap();
    sequences(&mut reading, 10).await;
    js.delete_stream("s").await.unwrap();
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 20).await;
    assert!(matches!(
        next(&mut reading).await,
        Some(Err(Error::StreamRecreated(_)))
    ));
    assert!(next(&mut reading).await.is_none());
    let mut reading = fork(&js, "s", Start::All).await.unwrap();
    sequences(&mut reading, 20).await;
    js.delete_stream("s").await.unwrap();
    assert!(matches!(
        next(&mut reading).await,
        Some(Err(Error::StreamNotFound(_)))
    ));
    assert!(next(&mut reading).await.is_none());
}

/// Guarantee: a server that stands still, and goes on later, loses and repeats nothing.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn a_partition() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 50).await;
    let mut reading = fork(&js, "s", Start::All).await.unwrap();
    let mut all = sequences(&mut reading, 50).await;
    server.signal(Signal::STOP);
    assert!(
        tokio::time::timeout(Duration::from_secs(3), next(&mut reading))
            .await
            .is_err()
    );
    server.signal(Signal::CONT);
    push(&js, "s.a", 50).await;
    all.extend(sequences(&mut reading, 50).await);
    assert_eq!(all, (1..=100).collect::<Vec<_>>());
}

/// Guarantee: a wait that is dropped at any poll loses nothing.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn cancelled_waits() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let mut reading = fork(&js, "s", Start::All).await.unwrap().prefetch(3);
    let writer = tokio::spawn(async move { push(&js, "s.a", 300).await });
    let mut all = Vec::new();
    while all.len() < 300 {
        // Each wait ends at its first pending poll.
        match futures_lite::future::poll_once(futures_lite::StreamExt::next(&mut reading)).await {
            Some(item) => all.push(item.unwrap().unwrap().sequence),
            None => tokio::task::yield_now().await,
        }
    }
    assert_eq!(all, (1..=300).collect::<Vec<_>>());
    writer.await.unwrap();
}

/// Guarantee: when the leader of three servers is killed, a fork goes on without a gap or a replay,
/// within two seconds of the first push that the new leader acknowledges.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn the_leader_is_killed() {
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
    push(&js, "s.a", 100).await;
    let mut reading = fork(&js, "s", Start::All).await.unwrap();
    let mut all = sequences(&mut reading, 100).await;
    let leader = cluster.leader(&js, "s").await;
    let start = Instant::now();
    cluster.servers[leader].kill();
    let publisher = publisher(&js, "s");
    let acked = tokio::spawn(async move {
        publisher.push("s.a", "x".into()).await.unwrap();
        let acked = Instant::now();
        for _ in 0..99 {
            publisher.push("s.a", "x".into()).await.unwrap();
        }
        acked
    });
    all.extend(sequences(&mut reading, 1).await);
    let first = Instant::now();
    all.extend(sequences(&mut reading, 99).await);
    let acked = acked.await.unwrap();
    assert_eq!(all, (1..=200).collect::<Vec<_>>());
    println!(
        "first ack {:?} after the kill, the fork {:?} later",
        acked - start,
        first.saturating_duration_since(acked)
    );
    assert!(first.saturating_duration_since(acked) < Duration::from_secs(2));
}

/// Guarantee: a leader of three servers that stands still is left for another one, without a gap or
/// a replay, and nothing of its own comes when it goes on.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn the_leader_stands_still() {
    let cluster = Cluster::start().await;
    let js = cluster.connect().await;
    make_stream(
        &js,
        Config {
            num_replicas: 3,
            ..plain("s")
        },
    )
    .await;
    push(&js, "s.a", 50).await;
    let mut reading = fork(&js, "s", Start::All).await.unwrap();
    let mut all = sequences(&mut reading, 50).await;
    let leader = cluster.leader(&js, "s").await;
    cluster.servers[leader].signal(Signal::STOP);
    let (more, ()) = tokio::join!(sequences(&mut reading, 50), push(&js, "s.a", 50));
    all.extend(more);
    cluster.servers[leader].signal(Signal::CONT);
    let (more, ()) = tokio::join!(sequences(&mut reading, 50), push(&js, "s.a", 50));
    all.extend(more);
    assert_eq!(all, (1..=150).collect::<Vec<_>>());
}

/// Guarantee: making a fork that is dropped at any poll leaves no consumer behind.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn cancelled_forks() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 10).await;
    for polls in 0..60 {
        let started = Start::Time(SystemTime::UNIX_EPOCH);
        let mut reading = std::pin::pin!(async {
            let mut reading = fork(&js, "s", started).await.unwrap();
            sequences(&mut reading, 10).await
        });
        for _ in 0..polls {
            if futures_lite::future::poll_once(&mut reading)
                .await
                .is_some()
            {
                break;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    let stream = js.get_stream("s").await.unwrap();
    // That of `Start::Time`, and one that was made while its fork was dropped, go by themselves.
    super::nats::until("no consumer is left", async || {
        stream.get_info().await.unwrap().state.consumer_count == 0
    })
    .await;
}
