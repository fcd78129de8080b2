//! The server: connections, their lines, the workers that answer, the answers on their way back.
//!
//! ```text
//! tcp_server → map_filter_aiter → join_aiters → gated_aiter → aiter_forker → map_workers → back to the connection
//!                                                   ↑              ↓ passive                       │
//!                                                   │          statistics                          │
//!                                                   └────── a permit for each line answered ───────┘
//! ```
//!
//! The fork that is passive sees each line and asks for none, so that the statistics keep nothing waiting and pull nothing
//! that the workers did not.
//!
//! A line that is being answered is the only one of its connection in here: the connection hands out its next line after it
//! has the answer to the last. So the lines of a connection are worked on in order, those of different connections in
//! parallel, and there are never more of them than connections. Nobody in here waits for a socket or a timer: what is
//! slow about a connection is its own task's business, see `connection`.
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

/// What shuts the server down, and tells how much went through it.
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

    /// No connection is accepted any more, no line is read but those that had been received.
    pub(crate) fn quit(&self) {
        self.quit.stop();
        self.server.stop();
    }
}

/// After how many answers the statistics are brought up to date: they cause no turn of a task, and few looks at the list.
const GLANCE: u64 = 64;

/// Binds the address. The future serves it until [`Control::quit`], or a line that says so.
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
            if served % GLANCE == 0 {
                // With a waker that wakes nobody: another answer comes, or the end.
                let mut nobody = Context::from_waker(Waker::noop());
                while let Poll::Ready(Some(line)) = statistics.poll_next(&mut nobody) {
                    tally.see(&line);
                }
            }
        }
        statistics.for_each(|line| tally.see(&line)).await;
    };
    Ok((control, serving))
}
