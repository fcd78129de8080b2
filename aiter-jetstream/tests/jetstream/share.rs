//! Takers: each message to one taker, at least once, and nothing is left behind.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aiter_jetstream::{Acked, Error, Taker, Work, publisher, share};
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull::Config};
use bytes::Bytes;

use super::nats::{Cluster, Server, connect, make_stream, plain, until};
use super::next;

pub(crate) async fn consumer(js: &Context, config: Config) -> PullConsumer {
    let config = Config {
        durable_name: Some("workers".into()),
        ..config
    };
    js.create_consumer_on_stream(config, "s")
        .await
        .expect("a consumer")
}

pub(crate) async fn push(js: &Context, subject: &'static str, count: usize) {
    let publisher = publisher(js, "s");
    for start in (0..count).step_by(1000) {
        let items =
            (start..count.min(start + 1000)).map(|item| (subject, Bytes::from(item.to_string())));
        publisher.push_batch(items).await.expect("pushed");
    }
}

async fn work(taker: &mut Taker) -> Work {
    next(taker).await.expect("an item").expect("no error")
}

/// Waits until the server has all acks.
async fn all_acked(consumer: &PullConsumer) {
    until("all are acked", async || {
        let info = consumer.get_info().await.unwrap();
        info.num_pending == 0 && info.num_ack_pending == 0
    })
    .await;
}

/// Guarantee: a consumer that would lose messages is refused.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn mistakes() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let finite = consumer(
        &js,
        Config {
            max_deliver: 3,
            ..Default::default()
        },
    )
    .await;
    assert!(matches!(share(finite, 1), Err(Error::Configuration(_))));
    js.delete_consumer_from_stream("workers", "s")
        .await
        .unwrap();
    let without = consumer(
        &js,
        Config {
            ack_policy: AckPolicy::None,
            ..Default::default()
        },
    )
    .await;
    assert!(matches!(share(without, 1), Err(Error::Configuration(_))));
    js.delete_consumer_from_stream("workers", "s")
        .await
        .unwrap();
    let limited = consumer(
        &js,
        Config {
            max_batch: 5,
            ..Default::default()
        },
    )
    .await;
    push(&js, "s.a", 10).await;
    let mut taker = share(limited, 100).unwrap();
    drop(work(&mut taker).await);
    let error = next(&mut taker).await;
    assert!(
        matches!(error, Some(Err(Error::Configuration(_)))),
        "{error:?}"
    );
    assert!(next(&mut taker).await.is_none());
    js.delete_consumer_from_stream("workers", "s")
        .await
        .unwrap();
    let gone = consumer(&js, Config::default()).await;
    let mut taker = share(gone, 1).unwrap();
    js.delete_consumer_from_stream("workers", "s")
        .await
        .unwrap();
    assert!(matches!(
        next(&mut taker).await,
        Some(Err(Error::ConsumerNotFound(_)))
    ));
}

/// Guarantee: each message goes to exactly one taker.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn takers_divide() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 3000).await;
    let consumer = consumer(&js, Config::default()).await;
    let takers: Vec<_> = [1, 10, 200]
        .into_iter()
        .map(|prefetch| {
            let mut taker = share(consumer.clone(), prefetch).unwrap();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while let Ok(Some(work)) = tokio::time::timeout(
                    Duration::from_secs(1),
                    futures_lite::StreamExt::next(&mut taker),
                )
                .await
                {
                    let work = work.unwrap();
                    mine.push(work.sequence());
                    work.ack().await.unwrap();
                }
                mine
            })
        })
        .collect();
    let mut all = Vec::new();
    for taker in takers {
        all.extend(taker.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (1..=3000).collect::<Vec<_>>());
    all_acked(&consumer).await;
}

/// Guarantee: takers that are dropped give back at once what they hold, however far they got, and
/// nothing waits for its `ack_wait`, which is a minute here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn dropped_takers() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    let consumer = consumer(
        &js,
        Config {
            ack_wait: Duration::from_secs(60),
            ..Default::default()
        },
    )
    .await;
    let mut writer = None;
    let (mut acked, mut held) = (Vec::new(), Vec::new());
    for round in 0..60_usize {
        let mut taker = share(consumer.clone(), [1, 7, 100][round % 3]).unwrap();
        if round == 5 {
            // From now on messages are on their way while takers go.
            writer = Some(tokio::spawn({
                let js = js.clone();
                async move {
                    for _ in 0..200 {
                        push(&js, "s.a", 20).await;
                    }
                }
            }));
        }
        // Cancelled after so many polls, in every state.
        for _ in 0..round {
            if let Some(item) =
                futures_lite::future::poll_once(futures_lite::StreamExt::next(&mut taker)).await
            {
                let work = item.unwrap().unwrap();
                match round % 4 {
                    0 => drop(work),
                    1 => held.push(work),
                    2 => work.give_back(None),
                    _ => {
                        acked.push(work.sequence());
                        work.ack().await.unwrap();
                    }
                }
            } else {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        if round % 5 == 0 {
            taker.close().await;
        }
    }
    writer.unwrap().await.unwrap();
    drop(held);
    let start = Instant::now();
    let mut last = share(consumer.clone(), 500).unwrap();
    let acked_before = acked.len();
    while acked.len() < 4000 {
        let work = work(&mut last).await;
        acked.push(work.sequence());
        work.ack().await.unwrap();
    }
    println!(
        "{acked_before} acked by takers that went, the rest in {:?}",
        start.elapsed()
    );
    assert!(start.elapsed() < Duration::from_secs(15));
    acked.sort_unstable();
    assert_eq!(acked, (1..=4000).collect::<Vec<_>>());
    all_acked(&consumer).await;
}

/// Guarantee: `max_ack_pending` is the gate of all takers together, to the message.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn the_gate() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 100).await;
    let consumer = consumer(
        &js,
        Config {
            max_ack_pending: 7,
            ..Default::default()
        },
    )
    .await;
    let mut takers = [
        share(consumer.clone(), 2).unwrap(),
        share(consumer.clone(), 50).unwrap(),
    ];
    let mut out = Vec::new();
    let drain = async |takers: &mut [Taker; 2], out: &mut Vec<Work>| {
        for _ in 0..2 {
            for taker in &mut *takers {
                while let Ok(Some(work)) = tokio::time::timeout(
                    Duration::from_millis(200),
                    futures_lite::StreamExt::next(taker),
                )
                .await
                {
                    out.push(work.unwrap());
                }
            }
        }
    };
    drain(&mut takers, &mut out).await;
    assert_eq!(out.len(), 7);
    for work in out.drain(..3) {
        work.ack().await.unwrap();
    }
    drain(&mut takers, &mut out).await;
    assert_eq!(out.len(), 7);
}

/// Guarantee: work that is kept, by hand or while a future runs, does not go to another taker; work
/// that is given back with a delay comes again after it.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn kept_work() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 2).await;
    let consumer = consumer(
        &js,
        Config {
            ack_wait: Duration::from_secs(1),
            ..Default::default()
        },
    )
    .await;
    let mut taker = share(consumer.clone(), 1).unwrap();
    let (first, second) = (work(&mut taker).await, work(&mut taker).await);
    let other = tokio::spawn(async move {
        tokio::time::timeout(Duration::from_millis(2700), next(&mut taker))
            .await
            .is_err()
    });
    first
        .keep_while(async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                second.keep().await.unwrap();
            }
        })
        .await;
    assert!(other.await.unwrap(), "kept work came again");
    first.ack_confirmed().await.unwrap();
    let start = Instant::now();
    second.give_back(Some(Duration::from_millis(300)));
    let mut taker = share(consumer.clone(), 1).unwrap();
    let again = work(&mut taker).await;
    assert!(start.elapsed() >= Duration::from_millis(290));
    assert_eq!(
        (again.sequence(), again.info().unwrap().delivered > 1),
        (2, true)
    );
    again.ack().await.unwrap();
    all_acked(&consumer).await;
}

/// Guarantee: while the server is killed, every message is worked on; what comes again is
/// recognised.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn restarts() {
    let mut server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    const COUNT: usize = 30_000;
    push(&js, "s.a", COUNT).await;
    let consumer = consumer(
        &js,
        Config {
            ack_wait: Duration::from_secs(2),
            ..Default::default()
        },
    )
    .await;
    let acked = Acked::new(COUNT);
    let mut taker = share(consumer.clone(), 100).unwrap().recognise(&acked);
    let mut counts = BTreeMap::new();
    let mut kills = [5_000, 12_000, 20_000].into_iter().peekable();
    while counts.len() < COUNT {
        if kills.next_if(|at| *at <= counts.len()).is_some() {
            server.kill();
            server.restart().await;
        }
        let work = work(&mut taker).await;
        *counts.entry(work.sequence()).or_insert(0) += 1;
        work.ack().await.unwrap();
    }
    // What the client had not sent when the server was killed comes again after `ack_wait`.
    let repeated = counts.values().filter(|count| **count > 1).count();
    assert_eq!(repeated, 0, "recognised");
    let rest = tokio::spawn(async move { next(&mut taker).await.is_some() });
    all_acked(&consumer).await;
    rest.abort();
}

/// Guarantee: when the leader of three servers is killed, every message is worked on.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn the_leader_is_killed() {
    let mut cluster = Cluster::start().await;
    let js = cluster.connect().await;
    make_stream(
        &js,
        async_nats::jetstream::stream::Config {
            num_replicas: 3,
            ..plain("s")
        },
    )
    .await;
    push(&js, "s.a", 2000).await;
    let consumer = consumer(
        &js,
        Config {
            ack_wait: Duration::from_secs(2),
            ..Default::default()
        },
    )
    .await;
    let mut taker = share(consumer, 20).unwrap();
    let mut counts = BTreeMap::new();
    while counts.len() < 2000 {
        if counts.len() == 1000 && counts.values().sum::<usize>() == 1000 {
            let leader = cluster.leader(&js, "s").await;
            cluster.servers[leader].kill();
        }
        let work = work(&mut taker).await;
        *counts.entry(work.sequence()).or_insert(0) += 1;
        work.ack().await.unwrap();
    }
    let repeated = counts.values().filter(|count| **count > 1).count();
    println!("{repeated} of 2000 came again");
    assert_eq!(*counts.keys().last().unwrap(), 2000);
}

/// A worker process: this program again, with one test.
pub(crate) fn worker(server: &Server) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "share::worker_process",
        ])
        .env("AITER_WORKER_OF", server.url())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    (
        child,
        lines.filter_map(|line| Some(line.split_once("acked ")?.1.to_owned())),
    )
}

/// Not a test by itself: what `worker` runs.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn worker_process() {
    let Ok(url) = std::env::var("AITER_WORKER_OF") else {
        return;
    };
    let js = connect(url).await;
    let consumer: PullConsumer = js.get_consumer_from_stream("workers", "s").await.unwrap();
    let mut taker = share(consumer, 10).unwrap();
    while let Some(work) = next(&mut taker).await {
        let work = work.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let sequence = work.sequence();
        work.ack_confirmed().await.unwrap();
        println!("acked {sequence}");
    }
    println!("acked all");
}

/// Guarantee: killing a worker process loses nothing: what it held goes to the others.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn a_worker_is_killed() {
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(&js, plain("s")).await;
    push(&js, "s.a", 1000).await;
    consumer(
        &js,
        Config {
            ack_wait: Duration::from_secs(1),
            ..Default::default()
        },
    )
    .await;
    publisher(&js, "s").stop().await.unwrap();
    let (mut victim, mut lines) = worker(&server);
    let mut others = [worker(&server), worker(&server)];
    let mut acked: Vec<u64> = lines
        .by_ref()
        .take(50)
        .map(|line| line.parse().unwrap())
        .collect();
    victim.kill().unwrap();
    victim.wait().unwrap();
    acked.extend(lines.filter_map(|line| line.parse::<u64>().ok()));
    let mut ends = 0;
    for (child, lines) in &mut others {
        for line in lines {
            match line.parse() {
                Ok(sequence) => acked.push(sequence),
                Err(_) => ends += 1,
            }
        }
        assert!(child.wait().unwrap().success());
    }
    let count = acked.len();
    acked.sort_unstable();
    acked.dedup();
    println!("{} of 1000 came again", count - acked.len());
    // One may be acked by the victim and not printed.
    assert!(acked.len() >= 999, "{} of 1000", acked.len());
    assert_eq!(ends, 2, "the others end");
}
