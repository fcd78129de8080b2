//! Servers whose connections are streams.

use aiter_core::adapter::{Accept, Acceptor, Sleep, Watched, connections};
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

/// Accepts TCP connections for [`Connections`].
pub type Tcp = Acceptor<Watch<std::net::TcpListener>, TcpStream>;
/// Accepts connections on a Unix socket for [`Connections`].
#[cfg(unix)]
pub type Unix = WithFile<Acceptor<Watch<std::os::unix::net::UnixListener>, UnixStream>>;

/// Listens on a TCP address; port 0 takes a free one, which [`Server::local_addr`] tells.
///
/// The stream yields each connection as it comes, with the address that it comes from, and
/// accept errors as they come: see [`Connections`]. Nothing is accepted ahead of a poll;
/// what connects meanwhile waits in the backlog of the system. [`Server::stop`] ends the
/// stream, dropping the stream closes the listener.
///
/// # Errors
///
/// The address cannot be resolved or bound.
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
///     server.stop(); // Clients that have connected already are served.
///
///     while let Some(accepted) = connections.next().await {
///         match accepted {
///             Ok((mut connection, from)) => {
///                 assert_eq!(from, address);
///                 // A client that fails is no reason to fail the others.
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

/// Serves a listener that is bound already: by [`TcpListener::bind`], or by other means
/// with options of its own.
///
/// As [`tcp_server`]. The listener is closed when the stream ends or is dropped; a clone of
/// it would keep it open.
///
/// # Errors
///
/// The listener's address is not known, or the process may open no more files.
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

/// Listens on a Unix socket, as a new file at `path`.
///
/// As [`tcp_server`]. The file is removed when the listener is closed, if it still is the
/// one made here. Its directory is kept open to find it there: the process may change its
/// working directory meanwhile, and the directory may be renamed.
///
/// # Errors
///
/// The file cannot be made. One that exists is never removed, not even a socket that a
/// killed server left behind, as whose it is cannot be known: the error is `AddrInUse` then
/// and says so. On systems other than Linux and Android it is also an error if the process
/// may not read the directory.
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

/// Serves a Unix listener that is bound already.
///
/// As [`unix_server`], except that the listener's file stays: it was not made here.
///
/// # Errors
///
/// The listener's address is not known, or the process may open no more files.
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

/// Waits for a listener.
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

    fn sleep(time: Duration) -> Sleep {
        Box::pin(async move {
            Timer::after(time).await;
            // The thread that waits for all timers and sockets ends with the process.
            Some(())
        })
    }
}
