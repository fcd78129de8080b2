//! Connections as a stream: one state machine for every kind of listener.
//!
//! | state | next | when |
//! |---|---|---|
//! | `Open`, no pause | `Open`, no pause | a connection came (the next pause is short again), or one was lost before it was taken |
//! | `Open`, no pause | `Open`, pausing | an error that would come back at once, such as too many open files |
//! | `Open`, pausing | `Open`, no pause | the pause is over |
//! | `Open` | `Closing` | [`Server::stop`]: the listener is closed, what waited in its backlog is kept |
//! | `Closing` | | yields what was kept, then the end |
use crate::{PushAiter, Pusher, push_aiter};
use alloc::{boxed::Box, vec::Vec};
use core::{
    convert::Infallible,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use futures_core::{FusedStream, Stream};
use std::io;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// More connections than a kernel queues by default, few enough that closing a flooded listener ends.
const LONGEST_BACKLOG: usize = 4096;

/// A timer of one runtime.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What a listener of one runtime can do.
pub trait Listen: Unpin {
    /// A connection as users get it.
    type Connection;

    /// Waits for a connection.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>>;

    /// Closes the listener and returns the connections that were waiting in its backlog: [`waiting_connections`].
    fn close(self) -> Vec<Self::Connection>;

    /// A timer.
    fn sleep(&self, time: Duration) -> Sleep;
}

/// Accepts until nobody waits any more; `accept` must not block.
pub fn waiting_connections<C>(mut accept: impl FnMut() -> io::Result<C>) -> Vec<C> {
    let mut waiting = Vec::new();
    while waiting.len() < LONGEST_BACKLOG {
        match accept() {
            Ok(connection) => waiting.push(connection),
            Err(error) if concerns_one_connection(&error) => {}
            Err(_) => break,
        }
    }
    waiting
}

/// The handle of a listening server: says where it listens and stops it. Clones stop the same server.
///
/// Dropping it does not stop the server; dropping the stream of connections does.
#[derive(Clone)]
pub struct Server<A> {
    local_addr: A,
    running: Pusher<Infallible>,
}

impl<A: Clone> Server<A> {
    /// The address it listens on, with the port that was chosen if port 0 was asked for.
    pub fn local_addr(&self) -> A {
        self.local_addr.clone()
    }
}

impl<A> Server<A> {
    /// Stops the server, from any thread and at any time: the task that waits for a connection wakes, the stream closes
    /// the listener, yields the connections that the system had already accepted, and ends. Never blocks; a second
    /// call does nothing.
    ///
    /// It is the stream that closes the listener, when it is next polled; dropping the stream closes it as well.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Whether [`stop`](Self::stop) was called or the stream was dropped.
    pub fn is_stopped(&self) -> bool {
        self.running.is_stopped()
    }
}

impl<A: fmt::Debug> fmt::Debug for Server<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .field("stopped", &self.is_stopped())
            .finish()
    }
}

/// The connections of a server, as a stream of `io::Result`.
///
/// An `Err` is a report, not the end: the server goes on. After an error that would come back at once (too many open
/// files, no memory) it accepts nothing for a while, 5 ms at first and twice as long each time up to a second; what
/// connects meanwhile waits in the backlog of the system. The stream ends only after [`Server::stop`].
///
/// # Cancel safety
///
/// Nothing is lost when a `next()` is dropped: a connection is taken from the system only to be returned.
#[must_use = "streams do nothing unless polled"]
pub struct Connections<L: Listen> {
    state: State<L>,
    stopped: PushAiter<Infallible>,
    /// Lets the server outlive its handles.
    _running: Pusher<Infallible>,
    pause: Option<Sleep>,
    next_pause: Duration,
}

enum State<L: Listen> {
    Open(L),
    Closing(alloc::vec::IntoIter<L::Connection>),
}

// A connection is moved, never pinned.
impl<L: Listen> Unpin for State<L> {}
impl<L: Listen> Unpin for Connections<L> {}

/// Connects a listener with the handle that stops it.
pub fn connections<L: Listen, A>(listener: L, local_addr: A) -> (Server<A>, Connections<L>) {
    let (running, stopped) = push_aiter();
    let connections = Connections {
        state: State::Open(listener),
        stopped,
        _running: running.clone(),
        pause: None,
        next_pause: FIRST_PAUSE,
    };
    (
        Server {
            local_addr,
            running,
        },
        connections,
    )
}

impl<L: Listen> Stream for Connections<L> {
    type Item = io::Result<L::Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if Pin::new(&mut this.stopped).poll_next(cx).is_ready() {
            this.pause = None;
            let closing = State::Closing(Vec::new().into_iter());
            this.state = match mem::replace(&mut this.state, closing) {
                State::Open(listener) => State::Closing(listener.close().into_iter()),
                closing => closing,
            };
        }
        let listener = match &mut this.state {
            State::Open(listener) => listener,
            State::Closing(backlog) => return Poll::Ready(backlog.next().map(Ok)),
        };
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        let accepted = ready!(listener.poll_accept(cx));
        match &accepted {
            Ok(_) => this.next_pause = FIRST_PAUSE,
            Err(error) if concerns_one_connection(error) => {}
            Err(_) => {
                this.pause = Some(listener.sleep(this.next_pause));
                this.next_pause = LONGEST_PAUSE.min(this.next_pause * 2);
            }
        }
        Poll::Ready(Some(accepted))
    }
}

impl<L: Listen> FusedStream for Connections<L> {
    fn is_terminated(&self) -> bool {
        matches!(&self.state, State::Closing(backlog) if backlog.len() == 0)
    }
}

impl<L: Listen> fmt::Debug for Connections<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("open", &matches!(self.state, State::Open(_)))
            .field("pausing", &self.pause.is_some())
            .finish_non_exhaustive()
    }
}

/// The connection went away before it was accepted: the next one may be fine, there is nothing to wait for.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
