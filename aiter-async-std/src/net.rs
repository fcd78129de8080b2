//! Servers that yield their connections as a stream.

use aiter_core::adapter::{Accept, Acceptor, Pause, Watched, connections};
#[doc(inline)]
pub use aiter_core::adapter::{Connections, Server};
#[cfg(unix)]
use aiter_core::adapter::{WithFile, unix_connections};
use async_io::{Async, Timer};
use async_std::net::{TcpListener, TcpStream, ToSocketAddrs};
use core::{
    task::{Context, Poll},
    time::Duration,
};
use std::{io, net::SocketAddr, sync::Arc};
#[cfg(unix)]
use {
    async_std::os::unix::net::{UnixListener, UnixStream},
    std::{os::unix::net::SocketAddr as UnixAddr, path::Path},
};

/// The listener of a TCP server, as a parameter of [`Connections`].
pub type Tcp = Acceptor<Watch<std::net::TcpListener>, TcpStream>;
/// The listener of a server on a Unix socket, as a parameter of [`Connections`].
#[cfg(unix)]
pub type Unix = WithFile<Acceptor<Watch<std::os::unix::net::UnixListener>, UnixStream>>;

/// Listens on a TCP address and yields the clients that connect to it as a stream.
///
/// With port 0 the system chooses a free port, which [`Server::local_addr`] returns.
///
/// The stream yields each connection together with the address of the client, and an `Err` for each
/// accept that fails; see [`Connections`]. A connection is accepted only when the stream is polled.
/// Clients that connect in between wait in the backlog of the system. [`Server::stop`] ends the
/// stream, and dropping the stream closes the listener.
///
/// # Errors
///
/// Returns an error if the address cannot be resolved or bound, or if the process has reached its
/// limit of open files.
///
/// # Cancel safety
///
/// If the future of this call is dropped before it is ready, nothing listens on the address.
/// Dropping the future of a `next()` on the stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::{AsyncWriteExt, StreamExt};
/// use async_std::net::TcpStream;
///
/// async_std::task::block_on(async {
///     let (server, mut connections) = aiter_async_std::net::tcp_server("127.0.0.1:0").await?;
///     let client = TcpStream::connect(server.local_addr()).await?;
///     let address = client.local_addr()?;
///     server.stop(); // Clients that have connected already are still yielded.
///
///     while let Some(accepted) = connections.next().await {
///         match accepted {
///             Ok((mut connection, from)) => {
///                 assert_eq!(from, address);
///                 // An error of one client does not concern the others.
///                 if let Err(error) = connection.write_all(b"hello").await {
///                     eprintln!("{from}: {error}");
///                 }
///             }
///             Err(error) => eprintln!("a client could not be accepted: {error}"),
///         }
///     }
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub async fn tcp_server(
    addr: impl ToSocketAddrs,
) -> io::Result<(Server<SocketAddr>, Connections<Tcp>)> {
    tcp_server_from(TcpListener::bind(addr).await?)
}

/// Yields the clients of an already bound TCP listener as a stream.
///
/// Use this for a listener with socket options of its own. The stream behaves as that of
/// [`tcp_server`]. The listener is closed when the stream ends or is dropped, unless a clone of the
/// listener keeps it open.
///
/// # Errors
///
/// Returns an error if the listener's address cannot be determined, or if the process has reached
/// its limit of open files.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` on the stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use async_std::net::{TcpListener, TcpStream};
///
/// async_std::task::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (server, mut connections) = aiter_async_std::net::tcp_server_from(listener)?;
///     let client = TcpStream::connect(server.local_addr()).await?;
///     server.stop();
///
///     while let Some(accepted) = connections.next().await {
///         match accepted {
///             Ok((_connection, from)) => assert_eq!(from, client.local_addr()?),
///             Err(error) => eprintln!("a client could not be accepted: {error}"),
///         }
///     }
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub fn tcp_server_from(
    listener: TcpListener,
) -> io::Result<(Server<SocketAddr>, Connections<Tcp>)> {
    let local_addr = listener.local_addr()?;
    let watch = Watch(Arc::new(Async::new(listener.try_into()?)?));
    let acceptor = Acceptor::new(watch, |stream| Ok(TcpStream::from(stream)))?;
    Ok(connections(acceptor, local_addr))
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
/// # Cancel safety
///
/// The future of this call is ready at its first poll. Dropping the future of a `next()` on the
/// stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use async_std::os::unix::net::UnixStream;
///
/// # let name = format!("aiter_async_std-doc-{}.sock", std::process::id());
/// # let path = std::env::temp_dir().join(name);
/// async_std::task::block_on(async {
///     let (server, mut connections) = aiter_async_std::net::unix_server(&path).await?;
///     let _client = UnixStream::connect(&path).await?;
///     server.stop();
///
///     while let Some(accepted) = connections.next().await {
///         match accepted {
///             // Clients seldom bind an address of their own.
///             Ok((_connection, from)) => assert!(from.is_unnamed()),
///             Err(error) => eprintln!("a client could not be accepted: {error}"),
///         }
///     }
///     assert!(!path.exists());
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[cfg(unix)]
pub async fn unix_server(
    path: impl AsRef<Path>,
) -> io::Result<(Server<UnixAddr>, Connections<Unix>)> {
    unix_connections(path.as_ref(), |listener| {
        let watch = Watch(Arc::new(Async::new(listener)?));
        Acceptor::new(watch, |stream| Ok(UnixStream::from(stream)))
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
/// # Cancel safety
///
/// Dropping the future of a `next()` on the stream loses no connection.
///
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
/// use async_std::os::unix::net::{UnixListener, UnixStream};
///
/// # let name = format!("aiter_async_std-doc-from-{}.sock", std::process::id());
/// # let path = std::env::temp_dir().join(name);
/// async_std::task::block_on(async {
///     let listener = UnixListener::bind(&path).await?;
///     let (server, mut connections) = aiter_async_std::net::unix_server_from(listener)?;
///     let _client = UnixStream::connect(&path).await?;
///     server.stop();
///
///     while let Some(accepted) = connections.next().await {
///         match accepted {
///             Ok((_connection, from)) => assert!(from.is_unnamed()),
///             Err(error) => eprintln!("a client could not be accepted: {error}"),
///         }
///     }
///     std::fs::remove_file(&path)
/// })
/// # .unwrap();
/// ```
#[cfg(unix)]
pub fn unix_server_from(
    listener: UnixListener,
) -> io::Result<(Server<UnixAddr>, Connections<Unix>)> {
    let local_addr = listener.local_addr()?;
    let watch = Watch(Arc::new(Async::new(listener.try_into()?)?));
    let acceptor = Acceptor::new(watch, |stream| Ok(UnixStream::from(stream)))?;
    Ok(connections(acceptor.into(), local_addr))
}

/// A listener that is registered with the reactor.
#[derive(Debug)]
pub struct Watch<L>(Arc<Async<L>>);

impl<L: Accept> Watched for Watch<L> {
    type Listener = L;

    fn listener(&self) -> &L {
        self.0.get_ref()
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_readable(cx)
    }

    fn pause(time: Duration) -> Pause {
        Box::pin(async move {
            Timer::after(time).await;
            // The thread that drives all timers and sockets runs until the process ends, so a pause
            // is never cut short.
            Some(())
        })
    }
}
