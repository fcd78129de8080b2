//! Servers whose connections are streams.
use aiter_core::adapter::servers;
#[cfg(unix)]
use smol::net::unix::{UnixListener, UnixStream};
use smol::{
    Async, Timer,
    net::{AsyncToSocketAddrs as ToSocketAddrs, TcpListener, TcpStream},
};

servers! {
    tcp_listener: |listener: TcpListener| std::io::Result::Ok(listener.into()),
    tcp: TcpStream::try_from,
    unix_listener: |listener: UnixListener| std::io::Result::Ok(listener.into()),
    unix: UnixStream::try_from,
    example: "aiter_smol", "smol::block_on", "smol::net", "smol::net::unix", "?",
}
