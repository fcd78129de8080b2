//! The line server of `aiter-tokio/examples/line_server.rs`, on smol.
//!
//! ```sh
//! # Drives itself with clients of its own, and measures:
//! cargo run --release -p aiter-smol --example line_server_smol
//! # Serves any client, such as `nc 127.0.0.1 7000`:
//! cargo run --release -p aiter-smol --example line_server_smol -- --listen 127.0.0.1:7000
//! ```
//!
//! Smol's global executor has one thread. With `SMOL_THREADS=2` in the environment it has two.
//!
//! The files of the program are those of the tokio example. This file has the parts that depend on
//! the runtime.

#[path = "../../aiter-tokio/examples/line_server/program.rs"]
mod program;

/// The parts of the program that depend on the runtime.
mod runtime {
    pub(crate) use aiter_smol as aiter;
    pub(crate) use smol::block_on;
    pub(crate) use smol::net::TcpStream as Socket;

    use socket2::SockRef;
    use std::{io, net::SocketAddr, time::Duration};

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

    pub(crate) async fn sleep(time: Duration) {
        smol::Timer::after(time).await;
    }
}

fn main() -> std::process::ExitCode {
    program::main()
}
