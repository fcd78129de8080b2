//! Servers that yield their connections as a stream.
use aiter_core::adapter::{Accept, Client, Listen, Pause, Spare, connections, waiting_clients};
#[doc(inline)]
pub use aiter_core::adapter::{Connections, Server};
#[cfg(unix)]
use aiter_core::adapter::{WithFile, unix_connections};
use core::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};
use sealed::Listener;
use std::{io, net::SocketAddr};
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    runtime::{Handle, is_rt_shutdown_err},
    task::JoinSet,
};
#[cfg(unix)]
use {
    std::{os::unix::net::SocketAddr as UnixAddr, path::Path},
    tokio::net::{UnixListener, UnixStream},
};

/// The listener of a TCP server, as a parameter of [`Connections`].
pub type Tcp = Acceptor<TcpListener>;
/// The listener of a server on a Unix socket, as a parameter of [`Connections`].
#[cfg(unix)]
pub type Unix = WithFile<Acceptor<UnixListener>>;

/// Listens on a TCP address and yields the clients that connect to it as a stream.
///
/// With port 0 the system chooses a free port, which [`Server::local_addr`] returns.
///
/// The stream yields each connection together with the address of the client, and an `Err` for each
/// accept that fails; see [`Connections`]. A connection is accepted only when the stream is polled.
/// Clients that connect in between wait in the backlog of the system. [`Server::stop`] ends the
/// stream, and dropping the stream closes the listener.
///
/// The stream may be polled on any thread and by any executor. Its connections belong to the
/// runtime in which the server was made. When that runtime shuts down, the stream ends.
///
/// # Errors
///
/// Returns an error if the address cannot be resolved or bound, or if the process has reached its
/// limit of open files.
///
/// # Panics
///
/// Polling the future panics outside a tokio runtime, and in a runtime whose I/O is not enabled.
/// Polling the stream panics after an accept error if the runtime's timers are not enabled.
///
/// # Cancel safety
///
/// If the future of this call is dropped before it is ready, nothing listens on the address.
/// Dropping the future of a `next()` on the stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use tokio::{io::AsyncWriteExt, net::TcpStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (server, mut connections) = aiter_tokio::net::tcp_server("127.0.0.1:0").await?;
/// let client = TcpStream::connect(server.local_addr()).await?;
/// let address = client.local_addr()?;
/// server.stop(); // Clients that have connected already are still yielded.
///
/// while let Some(accepted) = connections.next().await {
///     match accepted {
///         Ok((mut connection, from)) => {
///             assert_eq!(from, address);
///             // An error of one client does not concern the others.
///             if let Err(error) = connection.write_all(b"hello").await {
///                 eprintln!("{from}: {error}");
///             }
///         }
///         Err(error) => eprintln!("a client could not be accepted: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub async fn tcp_server(
    addr: impl ToSocketAddrs,
) -> io::Result<(Server<SocketAddr>, Connections<Tcp>)> {
    tcp_server_from(TcpListener::bind(addr).await?)
}

/// Yields the clients of an already bound TCP listener as a stream.
///
/// Use this for a listener that was bound with the options of a
/// [`TcpSocket`](tokio::net::TcpSocket). The stream behaves as that of [`tcp_server`]. The listener
/// is closed when the stream ends or is dropped.
///
/// # Errors
///
/// Returns an error if the listener's address cannot be determined, or if the process has reached
/// its limit of open files.
///
/// # Panics
///
/// Panics at the caller's line if called outside a tokio runtime. Polling the stream panics when it
/// accepts a client if the I/O of that runtime is not enabled, and after an accept error if its
/// timers are not enabled.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` on the stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use tokio::net::{TcpSocket, TcpStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let socket = TcpSocket::new_v4()?;
/// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
/// let (server, mut connections) = aiter_tokio::net::tcp_server_from(socket.listen(1000)?)?;
/// let client = TcpStream::connect(server.local_addr()).await?;
/// server.stop();
///
/// while let Some(accepted) = connections.next().await {
///     match accepted {
///         Ok((_connection, from)) => assert_eq!(from, client.local_addr()?),
///         Err(error) => eprintln!("a client could not be accepted: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn tcp_server_from(
    listener: TcpListener,
) -> io::Result<(Server<SocketAddr>, Connections<Tcp>)> {
    let local_addr = listener.local_addr()?;
    let spare = Spare::new(&listener)?;
    Ok(connections(Acceptor::new(listener, spare), local_addr))
}

/// Listens on a Unix socket with a new socket file at `path`, and yields the clients that connect
/// to it as a stream.
///
/// The stream behaves as that of [`tcp_server`]. When the listener is closed, the socket file is
/// removed if it is still the one that was created here. To find the file, the server keeps its
/// directory open, so the file is removed even if the process has changed its working directory or
/// the directory was renamed.
///
/// # Errors
///
/// Returns an error if the socket file cannot be created. A file that exists is never removed, not
/// even a socket that a killed server left behind, because its owner is unknown. The error is
/// `AddrInUse` in that case, and its message names the file. On systems other than Linux and
/// Android it is also an error if the process may not read the directory.
///
/// # Panics
///
/// Panics under the conditions of [`tcp_server`].
///
/// # Cancel safety
///
/// The future of this call is ready at its first poll. Dropping the future of a `next()` on the
/// stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use tokio::net::UnixStream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let path = std::env::temp_dir().join(format!("aiter-doc-{}.sock", std::process::id()));
/// let (server, mut connections) = aiter_tokio::net::unix_server(&path).await?;
/// let _client = UnixStream::connect(&path).await?;
/// server.stop();
///
/// while let Some(accepted) = connections.next().await {
///     match accepted {
///         // Clients seldom bind an address of their own.
///         Ok((_connection, from)) => assert!(from.is_unnamed()),
///         Err(error) => eprintln!("a client could not be accepted: {error}"),
///     }
/// }
/// assert!(!path.exists());
/// # Ok(())
/// # }
/// ```
#[cfg(unix)]
pub async fn unix_server(
    path: impl AsRef<Path>,
) -> io::Result<(Server<UnixAddr>, Connections<Unix>)> {
    unix_connections(path.as_ref(), |listener| {
        let spare = Spare::new(&listener)?;
        Ok(Acceptor::new(UnixListener::from_std(listener)?, spare))
    })
}

/// Yields the clients of an already bound Unix listener as a stream.
///
/// This behaves as [`unix_server`], except that the socket file is not removed, because it was not
/// created here.
///
/// # Errors
///
/// Returns an error if the listener's address cannot be determined, or if the process has reached
/// its limit of open files.
///
/// # Panics
///
/// Panics under the conditions of [`tcp_server_from`].
///
/// # Cancel safety
///
/// Dropping the future of a `next()` on the stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use tokio::net::{UnixListener, UnixStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let path = std::env::temp_dir().join(format!("aiter-doc-from-{}.sock", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let (server, mut connections) = aiter_tokio::net::unix_server_from(listener)?;
/// let _client = UnixStream::connect(&path).await?;
/// server.stop();
///
/// while let Some(accepted) = connections.next().await {
///     match accepted {
///         Ok((_connection, from)) => assert!(from.is_unnamed()),
///         Err(error) => eprintln!("a client could not be accepted: {error}"),
///     }
/// }
/// std::fs::remove_file(&path)
/// # }
/// ```
#[cfg(unix)]
#[track_caller]
pub fn unix_server_from(
    listener: UnixListener,
) -> io::Result<(Server<UnixAddr>, Connections<Unix>)> {
    let local_addr = listener.local_addr()?.into();
    let spare = Spare::new(&listener)?;
    let acceptor = Acceptor::new(listener, spare);
    Ok(connections(acceptor.into(), local_addr))
}

/// Accepts on a listener of tokio, in its runtime's context on whichever thread it is polled.
#[derive(Debug)]
pub struct Acceptor<L> {
    listener: L,
    spare: Spare,
    runtime: Handle,
}

impl<L> Acceptor<L> {
    #[track_caller]
    fn new(listener: L, spare: Spare) -> Self {
        let runtime = Handle::current();
        Self {
            listener,
            spare,
            runtime,
        }
    }
}

impl<L: Listener> Listen for Acceptor<L> {
    type Connection = L::Connection;
    type Address = L::Address;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Client<Self>>>> {
        // Tokio registers a connection with the current runtime. The task that polls may run in
        // another runtime or in none.
        let _context = self.runtime.enter();
        self.listener
            .poll_accept(cx)
            .map(|accepted| match accepted {
                Err(error) if is_rt_shutdown_err(&error) => None,
                accepted => Some(accepted),
            })
    }

    fn close(self) -> Vec<io::Result<Client<Self>>> {
        let _context = self.runtime.enter();
        // Accept on the listener of the standard library, because tokio may not have been notified
        // yet of the clients that connected last.
        let listener = match self.listener.into_std() {
            Ok(listener) => listener,
            Err(error) => return vec![Err(error)],
        };
        let accept = || listener.accept_one();
        let mut clients = waiting_clients(self.spare, accept, |(stream, address)| {
            Ok((L::connection(stream)?, address))
        });
        clients.retain(|client| !client.as_ref().is_err_and(is_rt_shutdown_err));
        clients
    }

    fn pause(&self, time: Duration) -> Pause {
        let _context = self.runtime.enter();
        // The timer runs in a task, which the runtime cancels when it shuts down. Polling the timer
        // itself would panic in that case.
        let mut pause = JoinSet::new();
        pause.spawn_on(tokio::time::sleep(time), &self.runtime);
        Box::pin(poll_fn(move |cx| {
            pause.poll_join_next(cx).map(|over| over?.ok())
        }))
    }
}

mod sealed {
    use super::{Accept, Context, Poll, io};

    /// The common interface of tokio's listeners.
    pub trait Listener: Unpin {
        type Std: Accept<Address = Self::Address>;
        type Connection;
        type Address;

        fn poll_accept(
            &self,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<(Self::Connection, Self::Address)>>;
        fn into_std(self) -> io::Result<Self::Std>;
        fn connection(stream: <Self::Std as Accept>::Stream) -> io::Result<Self::Connection>;
    }
}

impl Listener for TcpListener {
    type Std = std::net::TcpListener;
    type Connection = TcpStream;
    type Address = SocketAddr;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.poll_accept(cx)
    }

    fn into_std(self) -> io::Result<Self::Std> {
        self.into_std()
    }

    fn connection(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Std = std::os::unix::net::UnixListener;
    type Connection = UnixStream;
    type Address = UnixAddr;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, UnixAddr)>> {
        let accepted = self.poll_accept(cx);
        accepted.map_ok(|(connection, address)| (connection, address.into()))
    }

    fn into_std(self) -> io::Result<Self::Std> {
        self.into_std()
    }

    fn connection(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }
}
