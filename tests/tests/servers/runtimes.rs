//! The runtimes that servers run on, and waits that fail instead of hanging.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test program needs a part of it"
)]

use std::{
    future::Future, net::TcpListener, os::unix::net::UnixListener, sync::LazyLock, time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// A wait that takes longer than this would never end.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    // It is polled first, so that the timer has its resources before a test takes away the rest.
    let deadline = async {
        ::smol::Timer::after(DEADLINE).await;
        panic!("nothing happened in time")
    };
    futures_lite::future::or(deadline, future).await
}

macro_rules! runtimes {
    ($($name:ident: $adapter:ident, $write:path, $block_on:expr, $tcp:expr, $unix:expr;)*) => {$(
        pub(crate) mod $name {
            pub(crate) use $adapter::net;
            pub(crate) use $write as Write;
            use super::*;

            pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
                $block_on(in_time(future))
            }

            /// Makes the server and the connections of a listener that is bound already.
            pub(crate) fn tcp_server_from(
                listener: TcpListener,
            ) -> std::io::Result<(net::Server<std::net::SocketAddr>, net::Connections<net::Tcp>)> {
                listener.set_nonblocking(true)?;
                net::tcp_server_from($tcp(listener))
            }

            /// Makes the server and the connections of a listener that is bound already.
            pub(crate) fn unix_server_from(
                listener: UnixListener,
            ) -> std::io::Result<(net::Server<std::os::unix::net::SocketAddr>, net::Connections<net::Unix>)> {
                listener.set_nonblocking(true)?;
                net::unix_server_from($unix(listener))
            }
        }
    )*};
}

runtimes! {
    tokio_threads: aiter_tokio, tokio::io::AsyncWriteExt, |future| {
        THREADS.block_on(future)
    }, of_tokio, unix_of_tokio;
    tokio_thread: aiter_tokio, tokio::io::AsyncWriteExt, |future| {
        THREAD.block_on(future)
    }, of_tokio, unix_of_tokio;
    smol: aiter_smol, futures_lite::AsyncWriteExt, ::smol::block_on, of_smol, unix_of_smol;
    async_std: aiter_async_std, futures_lite::AsyncWriteExt, ::async_std::task::block_on,
        ::async_std::net::TcpListener::from, ::async_std::os::unix::net::UnixListener::from;
}

// All calls share one runtime, because the timer of `in_time` keeps resources of a runtime open for
// some time after that was dropped.
static THREADS: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static THREAD: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

fn of_tokio(listener: TcpListener) -> tokio::net::TcpListener {
    listener.try_into().unwrap()
}

fn unix_of_tokio(listener: UnixListener) -> tokio::net::UnixListener {
    listener.try_into().unwrap()
}

fn of_smol(listener: TcpListener) -> ::smol::net::TcpListener {
    listener.try_into().unwrap()
}

fn unix_of_smol(listener: UnixListener) -> ::smol::net::unix::UnixListener {
    listener.try_into().unwrap()
}
