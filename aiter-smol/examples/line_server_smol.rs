//! The line server of `aiter-tokio/examples/line_server.rs`, on smol.
//!
//! ```sh
//! cargo run --release -p aiter-smol --example line_server_smol                            # drives itself and measures
//! cargo run --release -p aiter-smol --example line_server_smol -- --listen 127.0.0.1:7000 # serves anybody: nc 127.0.0.1 7000
//! ```
//!
//! Smol's global executor has one thread; `SMOL_THREADS=2` in the environment makes it two.
//!
//! The program is the same, file by file; here is what it needs of its runtime.

#[path = "../../aiter-tokio/examples/line_server/program.rs"]
mod program;

/// What the program needs of its runtime.
mod runtime {
    pub(crate) use aiter_smol as aiter;
    pub(crate) use smol::block_on;
    pub(crate) use smol::net::TcpStream as Socket;

    use socket2::SockRef;
    use std::{io, net::SocketAddr, time::Duration};

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

    pub(crate) async fn sleep(time: Duration) {
        smol::Timer::after(time).await;
    }
}

fn main() -> std::process::ExitCode {
    program::main()
}
