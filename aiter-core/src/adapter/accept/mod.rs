//! Connections as a stream: one state machine for every kind of listener.
//!
//! | state | next | when |
//! |---|---|---|
//! | `Open`, no pause | `Open`, no pause | a connection came (the next pause is short again), or one was lost before it was taken |
//! | `Open`, no pause | `Open`, pausing | an error that would come back at once, such as too many open files |
//! | `Open`, pausing | `Open`, no pause | the pause is over |
//! | `Open` | `Closing` | [`Server::stop`]: the backlog is taken, then the listener is closed |
//! | `Open`, pausing or not | `Closing`, nothing kept | the runtime has shut down |
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
use std::io::{self, ErrorKind::WouldBlock};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// More connections than a kernel queues by default, few enough that closing a flooded listener ends.
const LONGEST_BACKLOG: usize = 4096;

/// A timer of one runtime. `None` if the runtime has shut down.
pub type Sleep = Pin<Box<dyn Future<Output = Option<()>> + Send + Sync>>;

/// A client as users get it: its connection, and its address as `accept` told it.
pub type Client<L> = (<L as Listen>::Connection, <L as Listen>::Address);

/// What a listener of one runtime can do.
pub trait Listen: Unpin {
    /// A connection as users get it.
    type Connection;
    /// Where a connection comes from.
    type Address;

    /// Waits for a client. `None` if the runtime has shut down.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Client<Self>>>>;

    /// Closes the listener and returns the [`waiting_clients`]; none if the runtime has shut down.
    fn close(self) -> Vec<io::Result<Client<Self>>>;

    /// A timer.
    fn sleep(&self, time: Duration) -> Sleep;
}

/// A descriptor that a listener keeps in reserve. Where the process may open no more, giving this
/// one up makes room to accept the waiting clients one at a time, and so to count those that are
/// turned away.
///
/// It is empty on systems other than Unix, where sockets are not limited by a count of descriptors.
#[derive(Debug)]
pub struct Spare {
    #[cfg(unix)]
    _descriptor: std::os::fd::OwnedFd,
}

impl Spare {
    /// Takes a descriptor, as a duplicate of the listener's.
    ///
    /// # Errors
    ///
    /// The process may open no more.
    #[cfg(unix)]
    pub fn new(listener: &impl std::os::fd::AsFd) -> io::Result<Self> {
        let _descriptor = listener.as_fd().try_clone_to_owned()?;
        Ok(Self { _descriptor })
    }

    /// Nothing is reserved here.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(not(unix))]
    pub fn new<L>(_listener: &L) -> io::Result<Self> {
        Ok(Self {})
    }
}

/// Accepts until nobody waits any more, and returns one result for each client. `accept` must not
/// block; `client` turns what it returns into what users get. Dropping `spare` makes room for one
/// client.
///
/// A client for which there is no room is accepted and closed; its result is the error. The last
/// error stands for all clients that remain if the system accepts none even without the spare, or
/// if there are more than 4096.
pub fn waiting_clients<S, C>(
    spare: impl Sized,
    mut accept: impl FnMut() -> io::Result<S>,
    mut client: impl FnMut(S) -> io::Result<C>,
) -> Vec<io::Result<C>> {
    let mut waiting = Vec::new();
    // Closed to make room: the spare for the first client that is lost, and that client for the
    // next.
    let (mut spare, mut lost) = (Some(spare), None);
    // Why the next client is lost. Without a descriptor the system does not look whether there is
    // one.
    let mut no_room = None;
    while waiting.len() < LONGEST_BACKLOG {
        match accept() {
            Ok(stream) => match no_room.take() {
                None => waiting.push(client(stream)),
                Some(error) => {
                    lost = Some(stream);
                    waiting.push(Err(error));
                }
            },
            Err(error) if error.kind() == WouldBlock => return waiting,
            Err(error) if concerns_one_connection(&error) => waiting.push(Err(error)),
            Err(error) if no_room.is_none() => {
                drop((spare.take(), lost.take()));
                no_room = Some(error);
            }
            Err(error) => {
                waiting.push(Err(error));
                return waiting;
            }
        }
    }
    drop((spare, lost));
    if !matches!(accept(), Err(error) if error.kind() == WouldBlock) {
        waiting.push(Err(io::Error::other(
            "more clients waited than a server takes when it is stopped",
        )));
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
    /// A client that cannot be accepted then, because the process may open no more files for
    /// instance, comes out as an `Err`: see [`Connections`].
    ///
    /// It is the stream that closes the listener, when it is next polled; dropping the stream closes it as well.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Whether [`stop`](Self::stop) was called, or the stream was dropped or has ended with its
    /// runtime.
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

/// The clients of a server, as a stream of `io::Result<(connection, address)>`.
///
/// The address is the one that the system reported when it accepted the connection. It is right
/// even if the client has disconnected since, when the connection no longer knows its `peer_addr`.
///
/// An `Err` is a report, not the end: the server goes on. After an error that would come back at
/// once (too many open files, no memory) it accepts nothing for a while, 5 ms at first and twice as
/// long each time up to a second; what connects meanwhile waits in the backlog of the system.
///
/// # The end
///
/// The stream ends after [`Server::stop`]. Before that it yields one item for each client that was
/// waiting in the backlog: its connection, or an `Err` if the client had to be turned away because
/// the process may open no more files, or because the runtime could not take the socket. If the
/// system accepts nobody at all, or if more than 4096 clients were waiting, one last `Err` stands
/// for all that remain. A server keeps one descriptor in reserve to know how many it turns away.
///
/// The stream also ends when its runtime shuts down, if the runtime is one that can. It makes no
/// difference where the stream is polled then, or whether it was waiting or pausing. The clients in
/// the backlog are lost with the runtime.
///
/// # Cancel safety
///
/// Nothing is lost when a `next()` is dropped: a connection is taken from the system only to be returned.
#[must_use = "streams do nothing unless polled"]
pub struct Connections<L: Listen> {
    state: State<L>,
    stopped: PushAiter<Infallible>,
    /// Lets the server outlive its handles.
    running: Pusher<Infallible>,
    pause: Option<Sleep>,
    next_pause: Duration,
}

enum State<L: Listen> {
    Open(L),
    Closing(alloc::vec::IntoIter<io::Result<Client<L>>>),
}

// A connection is moved, never pinned.
impl<L: Listen> Unpin for State<L> {}
impl<L: Listen> Unpin for Connections<L> {}

/// Connects a listener with the handle that stops it.
pub fn connections<L: Listen>(
    listener: L,
    local_addr: L::Address,
) -> (Server<L::Address>, Connections<L>) {
    let (running, stopped) = push_aiter();
    let connections = Connections {
        state: State::Open(listener),
        stopped,
        running: running.clone(),
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

impl<L: Listen> Connections<L> {
    /// The end if the runtime has shut down: a client in the backlog cannot be served any more.
    fn end(&mut self) -> Poll<Option<io::Result<Client<L>>>> {
        self.pause = None;
        self.state = State::Closing(Vec::new().into_iter());
        self.running.stop();
        Poll::Ready(None)
    }
}

impl<L: Listen> Stream for Connections<L> {
    type Item = io::Result<(L::Connection, L::Address)>;

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
            State::Closing(backlog) => return Poll::Ready(backlog.next()),
        };
        if let Some(pause) = &mut this.pause {
            if ready!(pause.as_mut().poll(cx)).is_none() {
                return this.end();
            }
            this.pause = None;
        }
        let Some(accepted) = ready!(listener.poll_accept(cx)) else {
            return this.end();
        };
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
