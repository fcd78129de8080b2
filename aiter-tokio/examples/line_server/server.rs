//! The server: connections, their lines, the workers that answer, the answers on their way back.
//!
//! A line that is being answered is the only one of its connection in here: the connection hands out its next line after it
//! has the answer to the last. So the lines of a connection are worked on in order, those of different connections in
//! parallel, and there are never more of them than connections. Nobody in here waits for a socket or a timer: what is
//! slow about a connection is its own task's business, see `connection`.
use crate::connection::{self, Answer, Line};
use aiter_tokio::{
    join_aiters, map_filter_aiter, map_workers,
    net::{Server, tcp_server},
};
use futures_lite::StreamExt;
use std::{
    fmt,
    io::ErrorKind,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// What shuts the server down, and tells how much went through it.
#[derive(Clone)]
pub(crate) struct Control {
    server: Server<SocketAddr>,
    quit: watch::Sender<bool>,
    pub(crate) tally: Arc<Tally>,
}

impl Control {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// No connection is accepted any more, no line is read but those that had been received.
    pub(crate) fn quit(&self) {
        self.quit.send_replace(true);
        self.server.stop();
    }
}

/// Binds the address. The future serves it until [`Control::quit`], or a line that says so.
pub(crate) async fn start(
    address: &str,
    workers: usize,
) -> Result<(Control, impl Future<Output = ()> + Send), String> {
    let bound = tcp_server(address).await;
    let (server, connections) = bound.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::InvalidInput => "; an address is HOST:PORT, such as 127.0.0.1:7000",
            _ => "",
        };
        format!("cannot listen on `{address}`: {error}{hint}")
    })?;
    let (quit, quitting) = watch::channel(false);
    let tally = Arc::new(Tally::default());
    let control = Control {
        server,
        quit,
        tally: tally.clone(),
    };

    let open = move |accepted| match accepted {
        Ok(socket) => {
            tally.connections.one();
            Some(connection::lines(socket, quitting.clone(), tally.clone()))
        }
        Err(error) => {
            eprintln!("line_server: cannot accept a connection now: {error}");
            None
        }
    };
    let answer = {
        let control = control.clone();
        move |line| answer(line, control.clone())
    };
    let lines = map_filter_aiter(open, connections);
    let mut answers = map_workers(workers, answer, join_aiters(lines));
    let served = control.clone();
    let serving = async move {
        while let Some(answer) = answers.next().await {
            served.tally.answers.one();
            answer.send();
        }
    };
    Ok((control, serving))
}

async fn answer(line: Line, control: Control) -> Answer {
    control.tally.lines.one();
    if line.says(b"quit") {
        control.quit();
    }
    line.echo()
}

/// How many items went through each stage.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connections: Count,
    pub(crate) lines: Count,
    pub(crate) answers: Count,
    pub(crate) replies: Count,
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        // Ordering: counts are read when all that counts has been awaited.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        // Ordering: see `add`.
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stage                          items")?;
        writeln!(
            f,
            "tcp_server   connections  {:>10}",
            self.connections.get()
        )?;
        writeln!(f, "join_aiters  lines        {:>10}", self.lines.get())?;
        writeln!(f, "map_workers  answers      {:>10}", self.answers.get())?;
        write!(f, "connection   replies      {:>10}", self.replies.get())
    }
}
