//! Servers whose connections are streams.
#[doc(inline)]
pub use aiter_core::adapter::{Connections, Server};
use aiter_core::adapter::{Listen, connections, waiting_connections};
use async_io::{Async, Timer};
use async_std::net::{TcpListener, TcpStream, ToSocketAddrs};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{io, net::SocketAddr};
#[cfg(unix)]
pub use unix::{Unix, unix_server};

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
    Ok(connections(
        Tcp(Async::new(listener.try_into()?)?),
        local_addr,
    ))
}

/// Accepts TCP connections for [`Connections`].
#[derive(Debug)]
pub struct Tcp(Async<std::net::TcpListener>);

impl Tcp {
    fn accept(&self) -> io::Result<TcpStream> {
        let (connection, _) = self.0.get_ref().accept()?;
        Ok(TcpStream::from(connection))
    }
}

impl Listen for Tcp {
    type Connection = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            match self.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_readable(cx))?
                }
                accepted => return Poll::Ready(accepted),
            }
        }
    }

    fn close(self) -> Vec<TcpStream> {
        waiting_connections(|| self.accept())
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        sleep(time)
    }
}

fn sleep(time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
    Box::pin(async move {
        Timer::after(time).await;
    })
}

#[cfg(unix)]
mod unix {
    use super::*;
    use aiter_core::adapter::{SocketFile, bind_unix};
    use async_std::os::unix::net::UnixStream;
    use std::{
        os::unix::net::{SocketAddr, UnixListener},
        path::Path,
    };

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
    pub async fn unix_server(
        path: impl AsRef<Path>,
    ) -> io::Result<(Server<SocketAddr>, Connections<Unix>)> {
        let (listener, file) = bind_unix(path.as_ref())?;
        let local_addr = listener.local_addr()?;
        let listener = Async::new(listener)?;
        Ok(connections(
            Unix {
                listener,
                _file: file,
            },
            local_addr,
        ))
    }

    /// Accepts connections on a Unix socket for [`Connections`].
    #[derive(Debug)]
    pub struct Unix {
        listener: Async<UnixListener>,
        _file: SocketFile,
    }

    impl Unix {
        fn accept(&self) -> io::Result<UnixStream> {
            let (connection, _) = self.listener.get_ref().accept()?;
            Ok(UnixStream::from(connection))
        }
    }

    impl Listen for Unix {
        type Connection = UnixStream;

        fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
            loop {
                match self.accept() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(self.listener.poll_readable(cx))?;
                    }
                    accepted => return Poll::Ready(accepted),
                }
            }
        }

        fn close(self) -> Vec<UnixStream> {
            waiting_connections(|| self.accept())
        }

        fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
            sleep(time)
        }
    }
}
