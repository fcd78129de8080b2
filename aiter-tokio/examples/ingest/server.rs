//! The server: from connections to batches in a file.
//!
//! ```text
//! tcp_server → lines of a client → rate_limit ┐
//!              lines of a client → rate_limit ┼ join_aiters → map_workers_by → batch_within → file
//!              lines of a client → rate_limit ┘               (key: client)    (500, 50 ms)
//! ```
//!
//! No buffer here grows without a bound. While the file is slow, batches are not taken, so lines
//! are not looked up, sockets are not read, and in the end the writes of the clients wait.
use aiter_tokio::{
    RateLimit, Stopper, aiter_core, batch_within, map_filter_aiter, map_workers_by,
    net::{Server, tcp_server_from},
    rate_limit,
};
use futures_lite::{Stream, StreamExt};
use hdrhistogram::{Histogram, RecordError};
use std::{
    env, fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    fs::File,
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::codec::{FramedRead, LinesCodec};

/// The length of the longest line in bytes.
const LONGEST_LINE: usize = 64 * 1024;
/// The number of lookups of all clients that run at once.
const LOOKUPS: usize = 64;
/// The number of lines in a full batch, and the time that a line may wait for one.
const BATCH: usize = 500;
const LONGEST_WAIT: Duration = Duration::from_millis(50);

pub(crate) struct Settings {
    /// The number of lines that a client may send in a second.
    pub(crate) rate: usize,
    pub(crate) file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rate: 1000,
            file: None,
        }
    }
}

/// A line of a client.
struct Record {
    client: u64,
    text: String,
    received: Instant,
}

/// The file that is written. A temporary one is removed when this is dropped.
pub(crate) struct Output {
    path: PathBuf,
    is_temporary: bool,
}

impl Output {
    fn new(path: Option<PathBuf>) -> Self {
        let is_temporary = path.is_none();
        let path =
            path.unwrap_or_else(|| env::temp_dir().join(format!("ingest-{}.txt", process::id())));
        Self { path, is_temporary }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Figures that can be read while the server runs.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) received: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) batches: AtomicU64,
}

/// Statistics of the batches.
pub(crate) struct Report {
    sizes: Histogram<u64>,
    /// Microseconds between the receipt of a line and the end of the write of its batch.
    waits: Histogram<u64>,
}

impl Report {
    fn new() -> Self {
        let histogram = || Histogram::new(3).expect("3 digits are possible");
        Self {
            sizes: histogram(),
            waits: histogram(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = |quantile| Duration::from_micros(self.waits.value_at_quantile(quantile));
        let size = |quantile| self.sizes.value_at_quantile(quantile);
        writeln!(
            f,
            "{} batches        p50       p99       max",
            self.sizes.len()
        )?;
        writeln!(
            f,
            "lines in a batch {:>9} {:>9} {:>9}",
            size(0.5),
            size(0.99),
            size(1.0)
        )?;
        writeln!(
            f,
            "wait of a line   {:>9.1?} {:>9.1?} {:>9.1?}",
            wait(0.5),
            wait(0.99),
            wait(1.0)
        )
    }
}

pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(crate) file: Output,
}

pub(crate) struct Ingest {
    server: Server<SocketAddr>,
    pub(crate) tally: Arc<Tally>,
    /// Ends the streams of clients that stay connected.
    stopper: Stopper,
    file: Output,
    writing: JoinHandle<io::Result<Report>>,
}

impl Ingest {
    pub(crate) async fn start(listener: TcpListener, settings: Settings) -> io::Result<Self> {
        let (server, connections) = tcp_server_from(listener)?;
        let (tally, stopper) = (Arc::<Tally>::default(), Stopper::new());
        let file = Output::new(settings.file);
        let writer = File::create(file.path()).await?;

        let limit =
            RateLimit::new(settings.rate, Duration::from_secs(1)).burst(settings.rate.div_ceil(2));
        let (received, stop) = (tally.clone(), stopper.clone());
        let mut clients = 0;
        let open = move |accepted: io::Result<(TcpStream, SocketAddr)>| match accepted {
            Ok((socket, _)) => {
                clients += 1;
                let lines = lines(socket, clients, received.clone());
                // A socket is read only as fast as its limit allows.
                Some(rate_limit(limit, stop.stoppable(lines)))
            }
            Err(error) => {
                eprintln!("a client could not be accepted: {error}");
                None
            }
        };
        // All sockets are read in this task. A line is read only when it is asked for.
        let records = aiter_core::join_aiters(map_filter_aiter(open, connections));
        let records = map_workers_by(LOOKUPS, |record: &Record| record.client, look_up, records);
        let batches = batch_within(BATCH, LONGEST_WAIT, records);

        Ok(Self {
            writing: tokio::spawn(write(batches, writer, tally.clone())),
            server,
            tally,
            stopper,
            file,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub(crate) fn file(&self) -> &Path {
        self.file.path()
    }

    /// Accepts no further client, and waits until all have left and their lines are written.
    pub(crate) async fn finish(self) -> Result<Outcome, String> {
        self.server.stop();
        let writing = self.writing.await.map_err(|error| error.to_string())?;
        Ok(Outcome {
            report: writing.map_err(|error| format!("cannot write the file: {error}"))?,
            file: self.file,
        })
    }

    /// Reads no further line, and waits until those that were read are written.
    pub(crate) async fn stop(self) -> Result<Outcome, String> {
        self.stopper.stop();
        self.finish().await
    }
}

/// The lines of a client, until it closes the connection, the connection fails, or a line is too
/// long.
fn lines(socket: TcpStream, client: u64, tally: Arc<Tally>) -> impl Stream<Item = Record> + Send {
    let codec = LinesCodec::new_with_max_length(LONGEST_LINE);
    let record = move |line| match line {
        Ok(text) => {
            // Ordering: Relaxed. These figures are shown, and nothing depends on them.
            tally.received.fetch_add(1, Relaxed);
            Some(Record {
                client,
                text,
                received: Instant::now(),
            })
        }
        Err(error) => {
            eprintln!("client {client}: {error}");
            None
        }
    };
    map_filter_aiter(record, FramedRead::new(socket, codec))
}

/// Stands for a query to a database. One line in ten is not in the cache and takes longer.
/// Meanwhile lines of other clients overtake it, and later lines of its own client wait.
async fn look_up(record: Record) -> Record {
    if record.text.ends_with('7') {
        sleep(Duration::from_millis(2)).await;
    }
    record
}

/// Writes each batch to the file.
async fn write(
    batches: impl Stream<Item = Vec<Record>>,
    mut file: File,
    tally: Arc<Tally>,
) -> io::Result<Report> {
    let mut report = Report::new();
    let mut batches = std::pin::pin!(batches);
    let mut text = String::new();
    while let Some(batch) = batches.next().await {
        text.clear();
        for record in &batch {
            text.push_str(&record.text);
            text.push('\n');
        }
        file.write_all(text.as_bytes()).await?;
        file.flush().await?;
        let now = Instant::now();
        let failed = |error: RecordError| io::Error::other(error.to_string());
        report.sizes.record(batch.len() as u64).map_err(failed)?;
        for record in &batch {
            let waited = now.duration_since(record.received).as_micros();
            let waited = u64::try_from(waited).unwrap_or(u64::MAX);
            report.waits.record(waited).map_err(failed)?;
        }
        tally.written.fetch_add(batch.len() as u64, Relaxed);
        tally.batches.fetch_add(1, Relaxed);
    }
    Ok(report)
}
