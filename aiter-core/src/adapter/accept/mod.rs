//! A stream of accepted connections. One state machine serves every kind of listener.
//!
//! | state | next | when |
//! |---|---|---|
//! | `Open`, no pause | `Open`, no pause | a connection was accepted (the next pause is short again), or was lost before it could be |
//! | `Open`, no pause | `Open`, pausing | accepting failed with an error that would recur at once, such as too many open files |
//! | `Open`, pausing | `Open`, no pause | the pause is over |
//! | `Open` | `Closing` | [`Server::stop`] was called: the backlog is accepted, then the listener is closed |
//! | `Open`, pausing or not | `Closing`, with an empty backlog | the runtime has shut down |
//! | `Closing` | | yields the backlog, then ends |
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
/// More connections than a kernel queues by default, and few enough that closing a flooded listener
/// comes to an end.
const LONGEST_BACKLOG: usize = 4096;

/// A pause in accepting, timed by one runtime. Resolves to `None` if the runtime has shut down.
pub type Pause = Pin<Box<dyn Future<Output = Option<()>> + Send + Sync>>;

/// A client as users receive it: its connection, and the address that `accept` reported.
pub type Client<L> = (<L as Listen>::Connection, <L as Listen>::Address);

/// A listener of one runtime, as [`Connections`] uses it.
pub trait Listen: Unpin {
    /// A connection as users receive it.
    type Connection;
    /// The address of a client.
    type Address;

    /// Waits for a client. Resolves to `None` if the runtime has shut down.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Client<Self>>>>;

    /// Closes the listener and returns its [`waiting_clients`], or nothing if the runtime has shut
    /// down.
    fn close(self) -> Vec<io::Result<Client<Self>>>;

    /// Returns a pause of the runtime.
    fn pause(&self, time: Duration) -> Pause;
}

/// A file descriptor that a listener keeps in reserve.
///
/// When the process has reached its limit of open files, closing this descriptor makes room to
/// accept the waiting clients one at a time, and so to report each client that is turned away.
///
/// On systems other than Unix this type is empty, because sockets are not limited by a number of
/// descriptors there.
#[derive(Debug)]
pub struct Spare {
    #[cfg(unix)]
    _descriptor: std::os::fd::OwnedFd,
}

impl Spare {
    /// Reserves a descriptor by duplicating the listener's.
    ///
    /// # Errors
    ///
    /// Returns an error if the process has reached its limit of open files.
    #[cfg(unix)]
    pub fn new(listener: &impl std::os::fd::AsFd) -> io::Result<Self> {
        let _descriptor = listener.as_fd().try_clone_to_owned()?;
        Ok(Self { _descriptor })
    }

    /// Reserves nothing, because this system does not limit sockets by a number of descriptors.
    ///
    /// # Errors
    ///
    /// Never returns an error on this system.
    #[cfg(not(unix))]
    pub fn new<L>(_listener: &L) -> io::Result<Self> {
        Ok(Self {})
    }
}

/// Accepts every client in the backlog and returns one result for each.
///
/// `accept` must not block. `client` converts an accepted connection into the one that users
/// receive. Dropping `spare` makes room for one client.
///
/// If the process has reached its limit of open files, the next client is accepted and closed at
/// once, and its result is the error. If the system accepts no client even after `spare` was
/// dropped, or if more than 4096 clients are waiting, one last error stands for all that remain.
pub fn waiting_clients<S, C>(
    spare: impl Sized,
    mut accept: impl FnMut() -> io::Result<S>,
    mut client: impl FnMut(S) -> io::Result<C>,
) -> Vec<io::Result<C>> {
    let mut waiting = Vec::new();
    // Dropping one of these makes room for one client: `spare` for the first client that has to be
    // turned away, and the connection of that client for the next one.
    let (mut spare, mut lost) = (Some(spare), None);
    // The reason for which the next client has to be turned away, if there is a next client:
    // without a free descriptor, the system fails before it looks for one.
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

/// A handle of a listening server, which returns its address and stops it.
///
/// All clones refer to the same server. Dropping a handle does not stop the server; dropping the
/// stream of its connections does.
#[derive(Clone)]
pub struct Server<A> {
    local_addr: A,
    running: Pusher<Infallible>,
}

impl<A: Clone> Server<A> {
    /// Returns the address on which the server listens.
    ///
    /// If the server was asked to listen on port 0, this address has the port that the system
    /// chose.
    pub fn local_addr(&self) -> A {
        self.local_addr.clone()
    }
}

impl<A> Server<A> {
    /// Stops the server. This can be called from any thread and at any time.
    ///
    /// The task that waits for a connection is woken. At its next poll the stream closes the
    /// listener, yields the connections that the system had already established, and ends. Dropping
    /// the stream closes the listener as well.
    ///
    /// A client that cannot be accepted at that point, for instance because the process has reached
    /// its limit of open files, is reported as an `Err`; see [`Connections`].
    ///
    /// This method never blocks, and a second call does nothing.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Returns `true` if [`stop`](Self::stop) was called, if the stream was dropped, or if it has
    /// ended with its runtime.
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
/// The address is the one that the system reported when it accepted the connection. It is valid
/// even if the client has disconnected since, when `peer_addr` of the connection fails.
///
/// An `Err` reports a failed accept and does not end the stream. After an error that would recur at
/// once, such as too many open files or no memory, the stream accepts nothing for a pause of 5 ms.
/// The pause doubles with each further error, up to one second. Clients that connect during a pause
/// wait in the backlog of the system.
///
/// # The end
///
/// The stream ends after [`Server::stop`]. Before the end it yields one item for each client that
/// was waiting in the backlog. The item is the connection, or an `Err` if the client had to be
/// turned away because the process had reached its limit of open files, or because the runtime
/// could not register the socket. If the system accepts no client at all, or if more than 4096
/// clients were waiting, one last `Err` stands for all that remain. To report each client that it
/// turns away, a server keeps one descriptor in reserve.
///
/// If the runtime can be shut down, the stream also ends when that happens. It does so wherever the
/// stream is polled, and whether it was waiting or pausing. The clients in the backlog are lost
/// with the runtime.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` loses no connection, because a connection is accepted only in
/// the poll that returns it.
#[must_use = "streams do nothing unless polled"]
pub struct Connections<L: Listen> {
    state: State<L>,
    stopped: PushAiter<Infallible>,
    /// Keeps `stopped` open after all handles were dropped.
    running: Pusher<Infallible>,
    pause: Option<Pause>,
    next_pause: Duration,
}

enum State<L: Listen> {
    Open(L),
    Closing(alloc::vec::IntoIter<io::Result<Client<L>>>),
}

// Neither the listener nor a connection is ever pinned.
impl<L: Listen> Unpin for State<L> {}
impl<L: Listen> Unpin for Connections<L> {}

/// Returns the connections of a listener, and the handle that stops them.
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
    /// Ends the stream because the runtime has shut down. The backlog is not accepted, because its
    /// clients could not be served without the runtime.
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
                this.pause = Some(listener.pause(this.next_pause));
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

/// Returns `true` if the error is about one connection, which was lost before it was accepted. The
/// next connection can be accepted without a pause.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
