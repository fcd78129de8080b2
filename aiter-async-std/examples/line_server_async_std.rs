//! The line server of `aiter-tokio/examples/line_server.rs`, on async-std.
//!
//! ```sh
//! cargo run --release -p aiter-async-std --example line_server_async_std                            # drives itself and measures
//! cargo run --release -p aiter-async-std --example line_server_async_std -- --listen 127.0.0.1:7000 # serves anybody: nc 127.0.0.1 7000
//! ```
//!
//! The program is the same, file by file; here is what it needs of its runtime.

#[path = "../../aiter-tokio/examples/line_server/program.rs"]
mod program;

/// What the program needs of its runtime.
mod runtime {
    pub(crate) use aiter_async_std as aiter;
    pub(crate) use async_std::net::TcpStream as Socket;
    pub(crate) use async_std::task::{block_on, sleep};

    use socket2::SockRef;
    use std::{io, net::SocketAddr};

    pub(crate) fn socket(connection: Socket) -> Socket {
        connection
    }

    /// The socket as the system knows it.
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
