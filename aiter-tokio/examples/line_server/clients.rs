//! Clients that drive the server and check each line that comes back.
use super::{server::Control, tally::Tally};
use crate::runtime::{
    self,
    aiter::{iter_to_aiter, join_aiters, map_aiter},
    sleep,
};
use futures_lite::{
    AsyncBufReadExt, AsyncWriteExt, FutureExt, StreamExt, io::BufReader, stream::once_future,
};
use hdrhistogram::Histogram;
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use std::{
    collections::VecDeque,
    fmt::Write,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// The number of lines of a client that may be under way at once.
const WINDOW: usize = 16;
/// A client fails if it receives no reply for this long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Measured {
    connections: usize,
    lines: usize,
    time: Duration,
    latency: Histogram<u64>,
}

/// Sends `lines` lines over each of `connections` connections at once. Returns an error if a reply
/// is missing, out of order or different from the line that was sent.
pub(crate) async fn drive(
    control: &Control,
    connections: usize,
    lines: usize,
) -> Result<Measured, String> {
    let server = control.local_addr();
    let progress = progress((connections as u64).saturating_mul(lines as u64), control);
    let start = Instant::now();
    let clients = {
        let progress = progress.clone();
        let client = move |number| {
            let progress = progress.clone();
            once_future(async move {
                let result = patient_client(server, number, lines, &progress).await;
                result.map_err(|problem| format!("client {number}: {problem}"))
            })
        };
        map_aiter(client, iter_to_aiter(0..connections))
    };
    let mut clients = join_aiters(clients);
    let mut latency = histogram();
    while let Some(client) = clients.next().await {
        latency
            .add(client.inspect_err(|_| progress.abandon())?)
            .expect("equal histograms");
    }
    let time = start.elapsed();
    progress.finish_and_clear();
    Ok(Measured {
        connections,
        lines,
        time,
        latency,
    })
}

/// Returns a progress bar that shows the rate, and the server's current number of lines in work.
fn progress(lines: u64, control: &Control) -> ProgressBar {
    let tally = control.tally.clone();
    let style = ProgressStyle::with_template(
        "{wide_bar} {human_pos}/{human_len} lines, {rate}/s, {in_work} in work, {eta} left",
    );
    let style = style
        .expect("a valid template")
        .with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
            let _ = write!(text, "{}", HumanCount(state.per_sec() as u64));
        })
        .with_key("in_work", move |_: &ProgressState, text: &mut dyn Write| {
            let _ = write!(text, "{}", tally.in_work());
        });
    ProgressBar::new(lines).with_style(style)
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("3 digits are possible")
}

/// Runs a client, and returns an error if it receives no reply within [`PATIENCE`].
async fn patient_client(
    server: SocketAddr,
    number: usize,
    lines: usize,
    progress: &ProgressBar,
) -> Result<Histogram<u64>, String> {
    let received = AtomicUsize::new(0);
    let watch = async {
        loop {
            // Ordering: Relaxed. Only this task reads and writes it.
            let before = received.load(Ordering::Relaxed);
            sleep(PATIENCE).await;
            if received.load(Ordering::Relaxed) == before {
                return Err(format!("no reply to line {before} in {PATIENCE:?}"));
            }
        }
    };
    client(server, number, lines, progress, &received)
        .or(watch)
        .await
}

async fn client(
    server: SocketAddr,
    number: usize,
    lines: usize,
    progress: &ProgressBar,
    received: &AtomicUsize,
) -> Result<Histogram<u64>, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut socket = BufReader::new(runtime::connect(server).await.map_err(failed)?);
    runtime::system(socket.get_ref())
        .set_tcp_nodelay(true)
        .map_err(failed)?;
    let mut latency = histogram();
    let (mut sent, mut under_way) = (0, VecDeque::with_capacity(WINDOW));
    let (mut request, mut reply, mut expected) = (String::new(), Vec::new(), String::new());
    for line in 0..lines {
        // Fill the window again when half of it has been answered.
        if under_way.len() <= WINDOW / 2 && sent < lines {
            request.clear();
            let now = Instant::now();
            while sent < lines && under_way.len() < WINDOW {
                write_line(&mut request, number, sent);
                under_way.push_back(now);
                sent += 1;
            }
            socket.write_all(request.as_bytes()).await.map_err(failed)?;
        }
        reply.clear();
        socket.read_until(b'\n', &mut reply).await.map_err(failed)?;
        expected.clear();
        write_line(&mut expected, number, line);
        if reply != expected.as_bytes() {
            let reply = String::from_utf8_lossy(&reply);
            return Err(format!("{reply:?} came where {expected:?} was expected"));
        }
        let sent_at = under_way.pop_front().expect("one for each line under way");
        let nanoseconds = u64::try_from(sent_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        latency
            .record(nanoseconds)
            .map_err(|error| error.to_string())?;
        progress.inc(1);
        received.store(line + 1, Ordering::Relaxed);
    }
    Ok(latency)
}

fn write_line(text: &mut String, client: usize, line: usize) {
    writeln!(text, "client {client} says its line {line}").expect("strings can be written");
}

impl Measured {
    pub(crate) fn table(&self, workers: usize, tally: &Tally) -> String {
        let lines = self.latency.len();
        let per_second = lines as f64 / self.time.as_secs_f64();
        let at = |quantile| Duration::from_nanos(self.latency.value_at_quantile(quantile));
        format!(
            "\
{lines} lines came back intact and in order (connections: {}, lines of each: {}, workers: {workers})

lines per second          {per_second:>10.0}
latency      p50          {:>10.1?}
             p99          {:>10.1?}
             max          {:>10.1?}

{tally}",
            self.connections,
            self.lines,
            at(0.5),
            at(0.99),
            Duration::from_nanos(self.latency.max()),
        )
    }
}
