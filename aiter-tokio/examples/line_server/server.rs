//! The server: it accepts connections, joins their lines, lets workers answer them, and sends the
//! answers back.
//!
//! ```text
//! tcp_server → map_filter_aiter → join_aiters → gated_aiter → aiter_forker → map_workers → connection
//!                                                   ↑              ↓ passive                    │
//!                                                   │          statistics                       │
//!                                                   └──── a permit for each line answered ──────┘
//! ```
//!
//! The passive fork sees each line and pulls none. So the statistics delay no worker, and cover
//! just the lines that the workers pulled.
//!
//! A connection yields its next line only after the last one was answered, so at most one line of
//! each connection is here at a time. The lines of one connection are answered in order, and those
//! of different connections in parallel. No task here waits for a socket or a timer. Slow
//! operations run in the task of each connection; see `connection`.
use super::{
    connection::{self, Line},
    tally::Tally,
};
use crate::runtime::{
    self,
    aiter::{
        Pusher, aiter_forker, gated_aiter, join_aiters, map_aiter, map_filter_aiter, map_workers,
        net::{Server, tcp_server},
        push_aiter,
    },
};
use futures_lite::StreamExt;
use std::{
    convert::Infallible,
    future::{Future, ready},
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// A handle that shuts the server down and gives access to its statistics.
#[derive(Clone)]
pub(crate) struct Control {
    server: Server<SocketAddr>,
    quit: Pusher<Infallible>,
    pub(crate) tally: Arc<Tally>,
}

impl Control {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Shuts the server down: it accepts no further connection, and reads no line that was not
    /// received already.
    pub(crate) fn quit(&self) {
        self.quit.stop();
        self.server.stop();
    }
}

/// The number of answers after which the statistics are updated. Reading them in batches wakes no
/// task and polls the list rarely.
const STATISTICS_BATCH: u64 = 64;

/// Binds the address. The future runs the server until [`Control::quit`] is called or a client
/// sends `quit`.
pub(crate) async fn start(
    address: &str,
    workers: usize,
    in_work: usize,
) -> Result<(Control, impl Future<Output = ()> + Send), String> {
    let bound = tcp_server(address).await;
    let (server, connections) = bound.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::InvalidInput => "; an address is HOST:PORT, such as 127.0.0.1:7000",
            _ => "",
        };
        format!("cannot listen on `{address}`: {error}{hint}")
    })?;
    let (quit, mut quitting) = push_aiter();
    let tally = Arc::new(Tally::new(in_work));
    let control = Control {
        server,
        quit,
        tally: tally.clone(),
    };

    let opened = tally.clone();
    let open = move |accepted| match accepted {
        Ok((connection, _address)) => {
            opened.connections.add(1);
            let socket = runtime::socket(connection);
            Some(connection::lines(socket, quitting.fork(), opened.clone()))
        }
        Err(error) => {
            eprintln!("line_server: cannot accept a connection now: {error}");
            None
        }
    };
    let (lines, gate) = gated_aiter(join_aiters(map_filter_aiter(open, connections)));
    gate.push(in_work);
    let begun = tally.clone();
    let begin = move |line| {
        begun.begin();
        line
    };
    let mut lines = aiter_forker(map_aiter(begin, lines));
    let mut statistics = lines.fork_passive();
    let quitter = control.clone();
    let answer = move |line: Line| {
        if line.says(b"quit") {
            quitter.quit();
        }
        ready(line.echo())
    };
    let mut answers = map_workers(workers, answer, lines);

    let serving = async move {
        let mut served = 0;
        while let Some(answer) = answers.next().await {
            tally.answers.add(1);
            answer.send();
            gate.push(1);
            served += 1;
            if served % STATISTICS_BATCH == 0 {
                // A no-op waker is enough, because the list is read again after further answers or
                // at the end.
                let mut noop = Context::from_waker(Waker::noop());
                while let Poll::Ready(Some(line)) = statistics.poll_next(&mut noop) {
                    tally.see(&line);
                }
            }
        }
        statistics.for_each(|line| tally.see(&line)).await;
    };
    Ok((control, serving))
}
