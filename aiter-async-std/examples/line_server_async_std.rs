//! The line server of `aiter-tokio/examples/line_server.rs`, on async-std.
//!
//! ```sh
//! # Drives itself with clients of its own, and measures:
//! cargo run --release -p aiter-async-std --example line_server_async_std
//! # Serves any client, such as `nc 127.0.0.1 7000`:
//! cargo run --release -p aiter-async-std --example line_server_async_std -- --listen 127.0.0.1:7000
//! ```
//!
//! The files of the program are those of the tokio example. This file has the parts that depend on
//! the runtime.

#[path = "../../aiter-tokio/examples/line_server/program.rs"]
mod program;

/// The parts of the program that depend on the runtime.
mod runtime {
    pub(crate) use aiter_async_std as aiter;
    pub(crate) use async_std::net::TcpStream as Socket;
    pub(crate) use async_std::task::{block_on, sleep};

    use socket2::SockRef;
    use std::{io, net::SocketAddr};

    pub(crate) fn socket(connection: Socket) -> Socket {
        connection
    }

    /// Returns the socket of the system.
    pub(crate) fn system(socket: &Socket) -> SockRef<'_> {
        SockRef::from(socket)
    }

    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Socket> {
        Socket::connect(address).await
    }
}

fn main() -> std::process::ExitCode {
    program::main()
}
