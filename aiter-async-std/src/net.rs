//! Servers whose connections are streams.
use aiter_core::adapter::{Accept, Acceptor, Sleep, Watched, connections};
#[doc(inline)]
pub use aiter_core::adapter::{Connections, Server};
#[cfg(unix)]
use aiter_core::adapter::{WithFile, unix_connections};
use async_io::{Async, Timer};
use async_std::net::{TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use async_std::os::unix::net::UnixStream;
use core::{
    task::{Context, Poll},
    time::Duration,
};
use std::{io, net::SocketAddr};
#[cfg(unix)]
use std::{
    os::unix::net::{SocketAddr as UnixAddr, UnixListener},
    path::Path,
};

/// Accepts TCP connections for [`Connections`].
pub type Tcp = Acceptor<Watch<std::net::TcpListener>, TcpStream>;
/// Accepts connections on a Unix socket for [`Connections`].
#[cfg(unix)]
pub type Unix = WithFile<Acceptor<Watch<UnixListener>, UnixStream>>;

/// Listens on a TCP address; port 0 takes a free one, which [`Server::local_addr`] tells.
///
/// The stream yields each connection as it comes, and accept errors as they come: see [`Connections`]. Nothing is
/// accepted ahead of a poll; what connects meanwhile waits in the backlog of the system. [`Server::stop`] ends the
/// stream, dropping the stream closes the listener.
///
/// # Errors
///
/// The address cannot be resolved or bound.
///
/// # Example
///
/// ```
/// use async_std::net::TcpStream;
/// use futures_lite::StreamExt;
///
/// async_std::task::block_on(async {
///     let (server, mut connections) = aiter_async_std::net::tcp_server("127.0.0.1:0").await?;
///     let client = TcpStream::connect(server.local_addr()).await?;
///     let connection = connections.next().await.unwrap()?;
///     assert_eq!(connection.peer_addr()?, client.local_addr()?);
///
///     server.stop();
///     assert!(connections.next().await.is_none());
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub async fn tcp_server(
    addr: impl ToSocketAddrs,
) -> io::Result<(Server<SocketAddr>, Connections<Tcp>)> {
    let listener = TcpListener::bind(addr).await?;
    let local_addr = listener.local_addr()?;
    let watch = Watch(Async::new(listener.try_into()?)?);
    Ok(connections(
        Acceptor::new(watch, |stream| Ok(stream.into())),
        local_addr,
    ))
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
/// # Example
///
/// ```
/// use futures_lite::StreamExt;
///
/// # let path = std::env::temp_dir().join(format!("aiter_async_std-doc-{}.sock", std::process::id()));
/// async_std::task::block_on(async {
///     let (server, mut connections) = aiter_async_std::net::unix_server(&path).await?;
///     let _client = std::os::unix::net::UnixStream::connect(&path)?;
///     let _connection = connections.next().await.unwrap()?;
///
///     server.stop();
///     assert!(connections.next().await.is_none());
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
#[cfg(unix)]
pub async fn unix_server(
    path: impl AsRef<Path>,
) -> io::Result<(Server<UnixAddr>, Connections<Unix>)> {
    unix_connections(path.as_ref(), |listener| {
        let watch = Watch(Async::new(listener)?);
        Ok(Acceptor::new(watch, |stream| Ok(stream.into())))
    })
}

/// Waits for a listener.
#[derive(Debug)]
pub struct Watch<L>(Async<L>);

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
        })
    }
}
