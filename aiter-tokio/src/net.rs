//! Servers whose connections are streams.
use aiter_core::adapter::{Accept, Listen, Sleep, connections, waiting_connections};
#[doc(inline)]
pub use aiter_core::adapter::{Connections, Server};
#[cfg(unix)]
use aiter_core::adapter::{WithFile, unix_connections};
use core::{
    task::{Context, Poll},
    time::Duration,
};
use sealed::Listener;
use std::{io, net::SocketAddr};
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    runtime::Handle,
};
#[cfg(unix)]
use {
    std::{os::unix::net::SocketAddr as UnixAddr, path::Path},
    tokio::net::{UnixListener, UnixStream},
};

/// Accepts TCP connections for [`Connections`].
pub type Tcp = Acceptor<TcpListener>;
/// Accepts connections on a Unix socket for [`Connections`].
#[cfg(unix)]
pub type Unix = WithFile<Acceptor<UnixListener>>;

/// Listens on a TCP address; port 0 takes a free one, which [`Server::local_addr`] tells.
///
/// The stream yields each connection as it comes, and accept errors as they come: see [`Connections`]. Nothing is
/// accepted ahead of a poll; what connects meanwhile waits in the backlog of the system. [`Server::stop`] ends the stream,
/// dropping the stream closes the listener.
///
/// # Errors
///
/// The address cannot be resolved or bound.
///
/// # Panics
///
/// Outside a tokio runtime, or in one whose I/O is not enabled. Polling panics after an accept error if the runtime's timers
/// are not enabled.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use tokio::net::TcpStream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (server, mut connections) = aiter_tokio::net::tcp_server("127.0.0.1:0").await?;
/// let client = TcpStream::connect(server.local_addr()).await?;
/// let connection = connections.next().await.unwrap()?;
/// assert_eq!(connection.peer_addr()?, client.local_addr()?);
///
/// server.stop();
/// assert!(connections.next().await.is_none());
/// # Ok(())
/// # }
/// ```
pub async fn tcp_server(
    addr: impl ToSocketAddrs,
) -> io::Result<(Server<SocketAddr>, Connections<Tcp>)> {
    let listener = TcpListener::bind(addr).await?;
    let local_addr = listener.local_addr()?;
    Ok(connections(Acceptor::new(listener), local_addr))
}

/// Listens on a Unix socket, as a new file at `path`.
///
/// As [`tcp_server`]. The file is removed when the listener is closed, if it still is the one made here.
///
/// # Errors
///
/// The file cannot be made. One that exists is never removed, not even a socket that a killed server left behind, as
/// whose it is cannot be known: the error is `AddrInUse` then and says so.
///
/// # Panics
///
/// As [`tcp_server`].
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
/// let _connection = connections.next().await.unwrap()?;
///
/// server.stop();
/// assert!(connections.next().await.is_none());
/// assert!(!path.exists());
/// # Ok(())
/// # }
/// ```
#[cfg(unix)]
pub async fn unix_server(
    path: impl AsRef<Path>,
) -> io::Result<(Server<UnixAddr>, Connections<Unix>)> {
    unix_connections(path.as_ref(), |listener| {
        Ok(Acceptor::new(UnixListener::from_std(listener)?))
    })
}

/// Accepts on a listener of tokio, wherever it is polled.
#[derive(Debug)]
pub struct Acceptor<L> {
    listener: L,
    runtime: Handle,
}

impl<L> Acceptor<L> {
    fn new(listener: L) -> Self {
        let runtime = Handle::current();
        Self { listener, runtime }
    }
}

impl<L: Listener> Listen for Acceptor<L> {
    type Connection = L::Connection;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<L::Connection>> {
        self.listener.poll_accept(cx)
    }

    fn close(self) -> Vec<L::Connection> {
        let _context = self.runtime.enter();
        // Tokio may not have heard yet of who came last.
        let Ok(listener) = self.listener.into_std() else {
            return Vec::new();
        };
        waiting_connections(|| L::connection(listener.accept_one()?))
    }

    fn sleep(&self, time: Duration) -> Sleep {
        let _context = self.runtime.enter();
        Box::pin(tokio::time::sleep(time))
    }
}

mod sealed {
    use super::{Accept, Context, Poll, io};

    /// What listeners of tokio have in common.
    pub trait Listener: Unpin {
        type Std: Accept;
        type Connection;

        fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>>;
        fn into_std(self) -> io::Result<Self::Std>;
        fn connection(stream: <Self::Std as Accept>::Stream) -> io::Result<Self::Connection>;
    }
}

impl Listener for TcpListener {
    type Std = std::net::TcpListener;
    type Connection = TcpStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        self.poll_accept(cx).map_ok(|(connection, _)| connection)
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

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.poll_accept(cx).map_ok(|(connection, _)| connection)
    }

    fn into_std(self) -> io::Result<Self::Std> {
        self.into_std()
    }

    fn connection(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }
}
