//! The servers of the adapters whose I/O is that of async-io: what they do, their docs, and how they wait, once for both.
//!
//! `servers!` asks for these names where it is called: `Async` and `Timer` of async-io; `TcpListener`, `TcpStream`, `UnixStream`
//! and `ToSocketAddrs` of the runtime.

/// `watch` makes what std listens with out of the runtime's listener; `tcp` and `unix` make connections of the runtime.
#[doc(hidden)]
#[macro_export]
macro_rules! __servers {
    (
        watch: $watch:expr,
        tcp: $tcp:expr,
        unix: $unix:expr,
        example: $krate:literal, $block_on:literal, $streams:literal,
    ) => {
        #[doc(inline)]
        pub use $crate::adapter::{Connections, Server};

        /// Accepts TCP connections for [`Connections`].
        pub type Tcp = $crate::adapter::Acceptor<Watch<std::net::TcpListener>, TcpStream>;
        /// Accepts connections on a Unix socket for [`Connections`].
        #[cfg(unix)]
        pub type Unix = $crate::adapter::WithFile<
            $crate::adapter::Acceptor<Watch<std::os::unix::net::UnixListener>, UnixStream>,
        >;

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
        #[doc = concat!("use ", $streams, "::TcpStream;")]
        /// use futures_lite::StreamExt;
        ///
        #[doc = concat!($block_on, "(async {")]
        #[doc = concat!("    let (server, mut connections) = ", $krate, "::net::tcp_server(\"127.0.0.1:0\").await?;")]
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
        ) -> std::io::Result<(Server<std::net::SocketAddr>, Connections<Tcp>)> {
            let listener = TcpListener::bind(addr).await?;
            let local_addr = listener.local_addr()?;
            let acceptor = $crate::adapter::Acceptor::new(Watch($watch(listener)?), $tcp);
            Ok($crate::adapter::connections(acceptor, local_addr))
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
        #[doc = concat!("# let name = format!(\"", $krate, "-doc-{}.sock\", std::process::id());")]
        /// # let path = std::env::temp_dir().join(name);
        #[doc = concat!($block_on, "(async {")]
        #[doc = concat!("    let (server, mut connections) = ", $krate, "::net::unix_server(&path).await?;")]
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
            path: impl AsRef<std::path::Path>,
        ) -> std::io::Result<(Server<std::os::unix::net::SocketAddr>, Connections<Unix>)> {
            $crate::adapter::unix_connections(path.as_ref(), |listener| {
                let watch = Watch(std::sync::Arc::new(Async::new(listener)?));
                Ok($crate::adapter::Acceptor::new(watch, $unix))
            })
        }

        /// Waits for a listener.
        #[derive(Debug)]
        pub struct Watch<L>(std::sync::Arc<Async<L>>);

        impl<L: $crate::adapter::Accept> $crate::adapter::Watched for Watch<L> {
            type Listener = L;

            fn listener(&self) -> &L {
                self.0.get_ref()
            }

            fn poll_readable(
                &self,
                cx: &mut core::task::Context<'_>,
            ) -> core::task::Poll<std::io::Result<()>> {
                self.0.poll_readable(cx)
            }

            fn sleep(time: core::time::Duration) -> $crate::adapter::Sleep {
                Box::pin(async move {
                    Timer::after(time).await;
                })
            }
        }
    };
}

pub use __servers as servers;
