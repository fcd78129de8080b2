//! Servers whose connections are streams.
use aiter_core::adapter::servers;
use async_io::{Async, Timer};
use async_std::net::{TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use async_std::os::unix::net::{UnixListener, UnixStream};

servers! {
    tcp_listener: |listener: TcpListener| Async::new(listener.try_into()?).map(Into::into),
    tcp: |stream| Ok(TcpStream::from(stream)),
    unix_listener: |listener: UnixListener| Async::new(listener.try_into()?).map(Into::into),
    unix: |stream| Ok(UnixStream::from(stream)),
    example: "aiter_async_std", "async_std::task::block_on", "async_std::net", "async_std::os::unix::net", ".await?",
}
