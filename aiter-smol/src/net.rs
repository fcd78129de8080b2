//! Servers whose connections are streams.
use aiter_core::adapter::servers;
#[cfg(unix)]
use smol::net::unix::UnixStream;
use smol::{
    Async, Timer,
    net::{AsyncToSocketAddrs as ToSocketAddrs, TcpListener, TcpStream},
};

servers! {
    watch: |listener: TcpListener| std::io::Result::Ok(listener.into()),
    tcp: TcpStream::try_from,
    unix: UnixStream::try_from,
    example: "aiter_smol", "smol::block_on", "smol::net",
}
