//! Servers whose connections are streams.
#[doc(inline)]
pub use aiter_core::adapter::{Connections, Server};
use aiter_core::adapter::{Listen, connections, waiting_connections};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use std::{io, net::SocketAddr};
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    runtime::Handle,
};
#[cfg(unix)]
pub use unix::{Unix, unix_server};

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
    Ok(connections(
        Tcp {
            listener,
            runtime: Handle::current(),
        },
        local_addr,
    ))
}

/// Accepts TCP connections for [`Connections`].
#[derive(Debug)]
pub struct Tcp {
    listener: TcpListener,
    runtime: Handle,
}

impl Listen for Tcp {
    type Connection = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        self.listener
            .poll_accept(cx)
            .map_ok(|(connection, _)| connection)
    }

    fn close(self) -> Vec<TcpStream> {
        let _context = self.runtime.enter();
        let Ok(listener) = self.listener.into_std() else {
            return Vec::new();
        };
        waiting_connections(|| {
            let (connection, _) = listener.accept()?;
            connection.set_nonblocking(true)?;
            TcpStream::from_std(connection)
        })
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        sleep(&self.runtime, time)
    }
}

fn sleep(runtime: &Handle, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
    let _context = runtime.enter();
    Box::pin(tokio::time::sleep(time))
}

#[cfg(unix)]
mod unix {
    use super::*;
    use aiter_core::adapter::{SocketFile, bind_unix};
    use std::{os::unix::net::SocketAddr, path::Path};
    use tokio::net::{UnixListener, UnixStream};

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
    pub async fn unix_server(
        path: impl AsRef<Path>,
    ) -> io::Result<(Server<SocketAddr>, Connections<Unix>)> {
        let (listener, file) = bind_unix(path.as_ref())?;
        let local_addr = listener.local_addr()?;
        let listener = UnixListener::from_std(listener)?;
        Ok(connections(
            Unix {
                listener,
                _file: file,
                runtime: Handle::current(),
            },
            local_addr,
        ))
    }

    /// Accepts connections on a Unix socket for [`Connections`].
    #[derive(Debug)]
    pub struct Unix {
        listener: UnixListener,
        _file: SocketFile,
        runtime: Handle,
    }

    impl Listen for Unix {
        type Connection = UnixStream;

        fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
            self.listener
                .poll_accept(cx)
                .map_ok(|(connection, _)| connection)
        }

        fn close(self) -> Vec<UnixStream> {
            let _context = self.runtime.enter();
            let Ok(listener) = self.listener.into_std() else {
                return Vec::new();
            };
            waiting_connections(|| {
                let (connection, _) = listener.accept()?;
                connection.set_nonblocking(true)?;
                UnixStream::from_std(connection)
            })
        }

        fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
            sleep(&self.runtime, time)
        }
    }
}
