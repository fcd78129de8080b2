//! The server: a source of messages, the hub that its clients read from, and the log.
use aiter_tokio::{
    Fork, Gate, Hub, Stopper, active_aiter, aiter_forker_with,
    bound::{self, Seen, Skip, Unbounded},
    gated_aiter,
    net::{Connections, Server, Tcp, tcp_server_from},
};
use futures_lite::{Stream, StreamExt, future::or, stream};
use socket2::SockRef;
use std::{
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt, BufWriter, sink},
    net::{TcpListener, TcpStream},
    task::{JoinError, JoinHandle, JoinSet},
    time::sleep,
};

/// The number of messages that a new client gets at once.
pub(crate) const REPLAYED: usize = 10;
/// The number of messages that may wait for a client before it misses the oldest of them.
const WAITING: usize = 64;
const BETWEEN_MESSAGES: Duration = Duration::from_millis(2);
/// A message is padded to this length, so that a client which reads nothing soon fills the buffers
/// of its connection.
const LENGTH: usize = 1000;
const SEND_BUFFER: usize = 8 * 1024;

/// A line. A clone copies a number and increments a reference count.
#[derive(Clone)]
struct Message {
    number: u64,
    line: Arc<str>,
}

type Source = Pin<Box<dyn Stream<Item = Message> + Send>>;
type Messages = Hub<Source, Skip>;

pub(crate) struct Settings {
    /// How long the source goes on after the last client has left.
    pub(crate) grace: Duration,
    pub(crate) log: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(5),
            log: None,
        }
    }
}

/// What the server did, once it has stopped.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) made: u64,
    pub(crate) pauses: u64,
    pub(crate) logged: u64,
    /// How many messages were not the ones after those before them in the log.
    pub(crate) gaps: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            made,
            pauses,
            logged,
            gaps,
        } = self;
        writeln!(f, "messages made   {made:>7}")?;
        writeln!(f, "         logged {logged:>7}, gaps {gaps}")?;
        writeln!(f, "pauses of the source {pauses:>2}")
    }
}

#[derive(Default)]
struct Tally {
    made: AtomicU64,
    pauses: AtomicU64,
    logged: AtomicU64,
}

pub(crate) struct HubServer {
    server: Server<SocketAddr>,
    tally: Arc<Tally>,
    /// Ends the tasks that have no end of their own.
    stopper: Stopper,
    clients: JoinHandle<()>,
    pauses: JoinHandle<()>,
    /// The number of gaps in the log.
    log: JoinHandle<io::Result<u64>>,
}

/// Makes a message every two milliseconds while it is polled.
fn messages(tally: Arc<Tally>) -> impl Stream<Item = Message> + Send {
    stream::unfold(0, move |number| {
        let tally = tally.clone();
        async move {
            sleep(BETWEEN_MESSAGES).await;
            // Ordering: Relaxed. It is read when the server has stopped.
            tally.made.fetch_add(1, Relaxed);
            let text = format!("message {number} ");
            let line = format!("{text:.<LENGTH$}\n").into();
            Some((Message { number, line }, number + 1))
        }
    })
}

impl HubServer {
    pub(crate) fn start(listener: TcpListener, settings: Settings) -> io::Result<Self> {
        let (server, connections) = tcp_server_from(listener)?;
        let (tally, stopper) = (Arc::<Tally>::default(), Stopper::new());

        // The source runs in a task of its own as long as its gate is open.
        let (source, gate) = gated_aiter(messages(tally.clone()));
        let source: Source = Box::pin(active_aiter(source));
        // A client that lags misses messages. A new one gets the last ten.
        let mut first = aiter_forker_with(bound::skip(WAITING).retain(REPLAYED), source);
        // The log loses nothing. It is passive: it sees what clients pull, and pulls nothing
        // itself.
        let log = first.fork_passive_with(bound::unbounded());
        let hub = first.hub();
        // From here on only the forks of clients pull.
        drop(first);

        Ok(Self {
            clients: tokio::spawn(accept(connections, hub.clone())),
            pauses: tokio::spawn(pause(
                hub.clone(),
                gate,
                settings.grace,
                tally.clone(),
                stopper.clone(),
            )),
            log: tokio::spawn(write_log(
                log,
                hub,
                settings.log,
                tally.clone(),
                stopper.clone(),
            )),
            server,
            tally,
            stopper,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// How many times the source has been paused.
    pub(crate) fn pauses(&self) -> u64 {
        self.tally.pauses.load(Relaxed)
    }

    /// How many messages have reached the log.
    pub(crate) fn logged(&self) -> u64 {
        self.tally.logged.load(Relaxed)
    }

    /// Accepts no further client, waits until all have left, and writes the rest of the log.
    pub(crate) async fn stop(self) -> Result<Outcome, String> {
        let failed = |error: JoinError| error.to_string();
        self.server.stop();
        self.clients.await.map_err(failed)?;
        self.stopper.stop();
        self.pauses.await.map_err(failed)?;
        let log = self.log.await.map_err(failed)?;
        Ok(Outcome {
            made: self.tally.made.load(Relaxed),
            pauses: self.tally.pauses.load(Relaxed),
            logged: self.tally.logged.load(Relaxed),
            gaps: log.map_err(|error| format!("cannot write the log: {error}"))?,
        })
    }
}

/// Serves each client in a task of its own, until the server is stopped and all clients have left.
async fn accept(mut connections: Connections<Tcp>, hub: Messages) {
    let mut clients = JoinSet::new();
    while let Some(accepted) = connections.next().await {
        match accepted {
            Ok((socket, _)) => {
                // With a small buffer, a client that does not read misses messages soon.
                let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
                // The fork is made here, so that the client sees what comes from now on.
                clients.spawn(serve(socket, hub.replay()));
            }
            Err(error) => eprintln!("a client could not be accepted: {error}"),
        }
        while clients.try_join_next().is_some() {}
    }
    clients.join_all().await;
}

/// Writes the messages of a fork to a client until it closes the connection.
async fn serve(mut socket: TcpStream, mut messages: Fork<Source, Skip>) {
    let (mut from, mut to) = socket.split();
    // What a client sends is read and ignored. It leaves by closing its side.
    let leaves = async {
        let mut ignored = [0; 256];
        while matches!(from.read(&mut ignored).await, Ok(1..)) {}
    };
    let writes = async {
        while let Some(Seen { missed, item }) = messages.next().await {
            if missed > 0 {
                let note = format!("missed {missed}\n");
                if to.write_all(note.as_bytes()).await.is_err() {
                    return;
                }
            }
            if to.write_all(item.line.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    or(leaves, writes).await;
}

/// Lets the source run while there are clients, and for a while after the last one has left.
async fn pause(hub: Messages, gate: Gate, grace: Duration, tally: Arc<Tally>, stopper: Stopper) {
    let pauses = async {
        loop {
            hub.occupied().await;
            gate.open();
            loop {
                hub.idle().await;
                // A client that comes meanwhile keeps the source running.
                let comes = async {
                    hub.occupied().await;
                    true
                };
                let is_over = async {
                    sleep(grace).await;
                    false
                };
                if !or(comes, is_over).await {
                    break;
                }
            }
            gate.close();
            tally.pauses.fetch_add(1, Relaxed);
        }
    };
    or(pauses, stopper.stopped()).await;
}

/// Writes every message that is pulled to the log. Returns how many of them were not the next one
/// after the one before.
async fn write_log(
    mut messages: Fork<Source, Unbounded>,
    hub: Messages,
    path: Option<PathBuf>,
    tally: Arc<Tally>,
    stopper: Stopper,
) -> io::Result<u64> {
    let mut file: Pin<Box<dyn tokio::io::AsyncWrite + Send>> = match path {
        Some(path) => Box::pin(BufWriter::new(File::create(path).await?)),
        None => Box::pin(sink()),
    };
    let (mut gaps, mut next) = (0, 0);
    loop {
        // It ends for now when no client is left, after everything that was pulled.
        while let Some(message) = messages.next().await {
            file.write_all(message.line.as_bytes()).await?;
            tally.logged.fetch_add(1, Relaxed);
            gaps += u64::from(message.number != next);
            next = message.number + 1;
        }
        file.flush().await?;
        if stopper.is_stopped() {
            return Ok(gaps);
        }
        or(hub.occupied(), stopper.stopped()).await;
    }
}
