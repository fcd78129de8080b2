//! Memory stays flat, whatever has gone through.

use std::process::Command;
use std::time::Duration;

use aiter_jetstream::{Start, fork, publisher, share};
use async_nats::jetstream::consumer::pull::Config;
use bytes::Bytes;

use super::nats::{Server, make_stream, plain};
use super::share::consumer;
use super::{is_long, next};

/// What this process holds, in KiB.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a size");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

/// Guarantee: a publisher, a fork and a taker that run for long, and ones that come and go, leave
/// nothing in memory. Runs in a process of its own.
#[test]
#[ignore = "needs a server: ci/jetstream.sh"]
fn flat() {
    let program = std::env::current_exe().unwrap();
    let arguments = [
        "--ignored",
        "--exact",
        "--nocapture",
        "memory::in_a_process_of_its_own",
    ];
    let status = Command::new(program)
        .args(arguments)
        .env("AITER_MEMORY", "1")
        .status();
    assert!(status.unwrap().success());
}

/// Not a test by itself: what `flat` runs.
#[tokio::test]
#[ignore = "needs a server: ci/jetstream.sh"]
async fn in_a_process_of_its_own() {
    if std::env::var_os("AITER_MEMORY").is_none() {
        return;
    }
    let server = Server::start().await;
    let js = server.connect().await;
    make_stream(
        &js,
        async_nats::jetstream::stream::Config {
            max_messages: 5000,
            ..plain("s")
        },
    )
    .await;
    let consumer = consumer(&js, Config::default()).await;
    let s = publisher(&js, "s");
    let mut reading = fork(&js, "s", Start::New).await.unwrap();
    let mut works = share(consumer.clone(), 50).unwrap();
    let mut sizes = Vec::new();
    for round in 0..if is_long() { 200 } else { 40 } {
        for _ in 0..2 {
            s.push_batch((0..500).map(|_| ("s.a", Bytes::from(vec![b'x'; 200]))))
                .await
                .unwrap();
        }
        for _ in 0..1000 {
            next(&mut reading).await.unwrap().unwrap();
            next(&mut works)
                .await
                .unwrap()
                .unwrap()
                .ack()
                .await
                .unwrap();
        }
        for _ in 0..5 {
            let mut short = fork(&js, "s", Start::Last).await.unwrap();
            next(&mut short).await.unwrap().unwrap();
            let mut taker = share(consumer.clone(), 7).unwrap();
            let _ = tokio::time::timeout(Duration::from_millis(2), next(&mut taker)).await;
        }
        if round % 10 == 9 {
            sizes.push(resident());
        }
    }
    println!("resident KiB {sizes:?}");
    let (early, late) = (sizes[sizes.len() / 4], sizes[sizes.len() - 1]);
    assert!(late - early < 4096, "{sizes:?}");
}
