//! Clients that send lines in bursts, and the check of the file that the server wrote.
use crate::{PATIENCE, server::Ingest};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::{
    collections::HashMap,
    fmt::Write,
    fs::File,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{interval, sleep, timeout},
};

/// The number of lines that a client sends at once, and the time between two bursts. Every second
/// client sends as fast as the server takes its lines, and the others now and then a few.
const BURSTS: [(u64, Duration); 2] = [(100, Duration::ZERO), (5, Duration::from_millis(20))];
const BETWEEN_FIGURES: Duration = Duration::from_millis(100);

/// Runs the clients, and shows how far the server has come, until all have sent their lines.
pub(crate) async fn drive(ingest: &Ingest, clients: usize, lines: u64) -> Result<(), String> {
    let mut sending = JoinSet::new();
    for client in 0..clients {
        sending.spawn(send(client, lines, ingest.address()));
    }
    let progress = progress(ingest, clients as u64 * lines);
    let mut figures = interval(BETWEEN_FIGURES);
    let result = loop {
        tokio::select! {
            sent = sending.join_next() => match sent {
                None => break Ok(()),
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(problem))) => break Err(problem),
                Some(Err(error)) => break Err(error.to_string()),
            },
            _ = figures.tick() => progress.set_position(ingest.tally.written.load(Relaxed)),
        }
    };
    progress.finish_and_clear();
    result
}

/// A progress bar with the lines and batches that are written.
fn progress(ingest: &Ingest, lines: u64) -> ProgressBar {
    let tally = ingest.tally.clone();
    let style = ProgressStyle::with_template(
        "{wide_bar} {human_pos}/{human_len} lines in {batches} batches, {per_sec}, {waiting} on their way",
    );
    let batches = {
        let tally = tally.clone();
        move |_: &ProgressState, text: &mut dyn Write| {
            let _ = write!(text, "{}", tally.batches.load(Relaxed));
        }
    };
    let waiting = move |_: &ProgressState, text: &mut dyn Write| {
        // The number of written lines is read first. A line is received before it is written, so
        // the number of received lines is never smaller.
        let written = tally.written.load(Relaxed);
        let received = tally.received.load(Relaxed);
        let _ = write!(text, "{}", received.saturating_sub(written));
    };
    let style = style
        .expect("a valid template")
        .with_key("batches", batches)
        .with_key("waiting", waiting);
    ProgressBar::new(lines).with_style(style)
}

/// Sends lines in bursts.
async fn send(client: usize, lines: u64, server: SocketAddr) -> Result<(), String> {
    let sending = async {
        let mut socket = TcpStream::connect(server).await?;
        let (burst, pause) = BURSTS[client % BURSTS.len()];
        let (mut line, mut text) = (0, String::new());
        while line < lines {
            text.clear();
            for line in line..lines.min(line + burst) {
                let _ = writeln!(text, "client {client} line {line}");
            }
            socket.write_all(text.as_bytes()).await?;
            line += burst;
            sleep(pause).await;
        }
        socket.shutdown().await
    };
    let sent: Result<io::Result<()>, _> = timeout(PATIENCE, sending).await;
    sent.map_err(|_| {
        format!("client {client}: the server did not take {lines} lines in {PATIENCE:?}")
    })?
    .map_err(|error| format!("client {client}: {error}"))
}

/// Checks that the file has every line of every client once, and those of each client in order.
pub(crate) fn check(file: &Path, clients: usize, lines: u64) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", file.display());
    let mut next = HashMap::<u64, u64>::new();
    for line in BufReader::new(File::open(file).map_err(failed)?).lines() {
        let line = line.map_err(failed)?;
        let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
        let (Some(client), Some(number)) = (numbers.next(), numbers.next()) else {
            return Err(format!("{line:?} is no line of a client"));
        };
        let expected = next.entry(client).or_default();
        if number != *expected {
            return Err(format!("{line:?} came where line {expected} was expected"));
        }
        *expected += 1;
    }
    match (0..clients as u64).find(|client| next.get(client).copied().unwrap_or(0) != lines) {
        None => Ok(()),
        Some(client) => Err(format!(
            "client {client} has {} of {lines} lines in the file",
            next.get(&client).copied().unwrap_or(0)
        )),
    }
}
