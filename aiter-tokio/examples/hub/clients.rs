//! Clients that come, read, stall, reset and leave, and check what they see.
use crate::server::{HubServer, Outcome, REPLAYED};
use socket2::SockRef;
use std::{fmt, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpSocket,
    task::JoinSet,
    time::{sleep, timeout},
};

/// The time between two clients that come.
const BETWEEN_CLIENTS: Duration = Duration::from_millis(20);
/// How long a stalling client reads nothing.
const STALL: Duration = Duration::from_millis(600);
/// A client fails if nothing comes for this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// A small buffer, so that a client which does not read is soon one that does not keep up.
pub(crate) const SOCKET_BUFFER: u32 = 4096;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Reads a hundred messages.
    Steady,
    /// Stops reading for a while.
    Stalls,
    /// Resets the connection after some messages.
    Resets,
    /// Leaves after three messages.
    Leaves,
    /// Comes after the source has paused.
    Late,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Steady,
        Self::Stalls,
        Self::Resets,
        Self::Leaves,
        Self::Late,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Stalls => "stalls",
            Self::Resets => "resets",
            Self::Leaves => "leaves",
            Self::Late => "late",
        }
    }
}

/// What a client saw.
struct Seen {
    kind: Kind,
    first: u64,
    messages: u64,
    missed: u64,
}

/// A line of the server.
enum Line {
    Message(u64),
    Missed(u64),
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace();
    let (word, number) = (words.next()?, words.next()?.parse().ok()?);
    match word {
        "message" => Some(Line::Message(number)),
        "missed" => Some(Line::Missed(number)),
        _ => None,
    }
}

pub(crate) struct Report {
    seen: Vec<Seen>,
    replay_was_exact: bool,
}

/// Runs `count` clients that come one after another, waits until the source has paused, and runs
/// one more. Returns an error if a client misses a message without being told.
pub(crate) async fn drive(hub: &HubServer, count: usize) -> Result<Report, String> {
    let mut clients = JoinSet::new();
    let mut seen = Vec::new();
    for number in 0..count {
        let kind = Kind::ALL[number % 4];
        clients.spawn(client(number, kind, hub.address()));
        sleep(BETWEEN_CLIENTS).await;
    }
    while let Some(client) = clients.join_next().await {
        seen.push(client.map_err(|error| error.to_string())??);
    }
    while hub.pauses() == 0 {
        sleep(BETWEEN_CLIENTS).await;
    }
    // All of it was pulled by clients that have left.
    let pulled = hub.logged();
    let late = client(count, Kind::Late, hub.address()).await?;
    let replay_was_exact = late.first == pulled.saturating_sub(REPLAYED as u64);
    seen.push(late);
    Ok(Report {
        seen,
        replay_was_exact,
    })
}

async fn client(number: usize, kind: Kind, server: SocketAddr) -> Result<Seen, String> {
    let reading = timeout(PATIENCE, read(kind, server)).await;
    reading
        .map_err(|_| format!("nothing came in {PATIENCE:?}"))
        .and_then(|result| result.map_err(|error| error.to_string()))
        .map_err(|problem| format!("client {number} ({}): {problem}", kind.name()))
}

async fn read(kind: Kind, server: SocketAddr) -> io::Result<Seen> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    let mut lines = BufReader::new(socket.connect(server).await?).lines();
    let mut seen = Seen {
        kind,
        first: 0,
        messages: 0,
        missed: 0,
    };
    let (mut next, mut missed) = (None, 0);
    let wanted = match kind {
        Kind::Steady | Kind::Late => 100,
        Kind::Stalls => 300,
        Kind::Resets => 20,
        Kind::Leaves => 3,
    };
    while seen.messages < wanted {
        let line = lines.next_line().await?;
        match line.as_deref().and_then(parse) {
            Some(Line::Missed(more)) => missed += more,
            Some(Line::Message(number)) => {
                if next.is_some_and(|next| next + missed != number) {
                    let problem = format!("message {number} came after {next:?}, {missed} missed");
                    return Err(io::Error::other(problem));
                }
                if next.is_none() {
                    seen.first = number;
                }
                next = Some(number + 1);
                seen.missed += std::mem::take(&mut missed);
                seen.messages += 1;
            }
            None => return Err(io::Error::other(format!("{line:?} is no line of a hub"))),
        }
        if kind == Kind::Stalls && seen.messages == 15 {
            sleep(STALL).await;
        }
    }
    if kind == Kind::Resets {
        SockRef::from(lines.get_ref().get_ref()).set_linger(Some(Duration::ZERO))?;
    }
    Ok(seen)
}

impl Report {
    /// Checks what the clients cannot see themselves.
    pub(crate) fn check(&self, outcome: &Outcome) -> Result<(), String> {
        if outcome.gaps > 0 {
            return Err(format!("the log has {} gaps", outcome.gaps));
        }
        if !self.replay_was_exact {
            return Err(format!(
                "the late client did not begin with the last {REPLAYED} messages"
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "client  count  messages  missed  most missed by one")?;
        for kind in Kind::ALL {
            let of_kind = || self.seen.iter().filter(|seen| seen.kind == kind);
            writeln!(
                f,
                "{:<7} {:>5} {:>9} {:>7} {:>19}",
                kind.name(),
                of_kind().count(),
                of_kind().map(|seen| seen.messages).sum::<u64>(),
                of_kind().map(|seen| seen.missed).sum::<u64>(),
                of_kind().map(|seen| seen.missed).max().unwrap_or(0),
            )?;
        }
        let late = self.seen.iter().rfind(|seen| seen.kind == Kind::Late);
        let first = late.map_or(0, |seen| seen.first);
        writeln!(
            f,
            "\nthe late client began with message {first}, {REPLAYED} before the next one"
        )
    }
}
