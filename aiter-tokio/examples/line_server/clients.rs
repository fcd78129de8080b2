//! Clients that drive the server and look at what comes back.
use crate::server::Tally;
use hdrhistogram::Histogram;
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use std::{
    collections::VecDeque,
    fmt::Write,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

/// How many lines a client has under way.
const WINDOW: usize = 16;
/// A reply that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Measured {
    connections: usize,
    lines: usize,
    time: Duration,
    latency: Histogram<u64>,
}

/// Sends the lines over as many connections at once; an error if one reply is missing, out of order or not what was sent.
pub(crate) async fn drive(
    server: SocketAddr,
    connections: usize,
    lines: usize,
) -> Result<Measured, String> {
    let style = ProgressStyle::with_template(
        "{wide_bar} {human_pos}/{human_len} lines, {rate}/s, {eta} left",
    );
    let style = style.expect("a valid template").with_key(
        "rate",
        |state: &ProgressState, text: &mut dyn Write| {
            let _ = write!(text, "{}", HumanCount(state.per_sec() as u64));
        },
    );
    let progress =
        ProgressBar::new((connections as u64).saturating_mul(lines as u64)).with_style(style);
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..connections {
        let progress = progress.clone();
        clients.spawn(async move {
            let result = client(server, number, lines, &progress).await;
            result.map_err(|problem| format!("client {number}: {problem}"))
        });
    }
    let mut latency = histogram();
    while let Some(client) = clients.join_next().await {
        let measured = client.unwrap_or_else(|error| Err(error.to_string()));
        latency
            .add(measured.inspect_err(|_| progress.abandon())?)
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

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("3 digits are possible")
}

async fn client(
    server: SocketAddr,
    number: usize,
    lines: usize,
    progress: &ProgressBar,
) -> Result<Histogram<u64>, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut socket = BufReader::new(TcpStream::connect(server).await.map_err(failed)?);
    socket.get_ref().set_nodelay(true).map_err(failed)?;
    let mut latency = histogram();
    let (mut sent, mut under_way) = (0, VecDeque::with_capacity(WINDOW));
    let (mut request, mut reply, mut expected) = (String::new(), Vec::new(), String::new());
    for received in 0..lines {
        // A new window when half of the last one is through.
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
        match timeout(PATIENCE, socket.read_until(b'\n', &mut reply)).await {
            Ok(read) => read.map_err(failed)?,
            Err(_) => return Err(format!("no reply to line {received} in {PATIENCE:?}")),
        };
        expected.clear();
        write_line(&mut expected, number, received);
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
