//! A line server on TCP, and clients that drive it.
//!
//! ```sh
//! # Drives itself with clients of its own, and measures:
//! cargo run --release -p aiter-tokio --example line_server
//! # Serves any client, such as `nc 127.0.0.1 7000`:
//! cargo run --release -p aiter-tokio --example line_server -- --listen 127.0.0.1:7000
//! ```
//!
//! The server echoes each line. A line `wait` is answered after five seconds, an empty line closes
//! the connection, and `quit` shuts the server down. Lines that were received before the `quit` are
//! still answered, and lines that wait are answered at once.
//!
//! The program is in `line_server/`. It also runs on smol and async-std; see `line_server_smol` and
//! `line_server_async_std`.

#[path = "line_server/program.rs"]
mod program;

/// The parts of the program that depend on the runtime.
mod runtime {
    pub(crate) use aiter_tokio as aiter;
    pub(crate) use tokio::time::sleep;

    use socket2::SockRef;
    use std::{future::Future, io, net::SocketAddr};
    use tokio::{net::TcpStream, runtime::Runtime};
    use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

    pub(crate) type Socket = Compat<TcpStream>;

    pub(crate) fn socket(connection: TcpStream) -> Socket {
        connection.compat()
    }

    /// Returns the socket of the system.
    pub(crate) fn system(socket: &Socket) -> SockRef<'_> {
        SockRef::from(socket.get_ref())
    }

    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Socket> {
        TcpStream::connect(address).await.map(socket)
    }

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        Runtime::new()
            .expect("the system has threads to spare")
            .block_on(future)
    }
}

fn main() -> std::process::ExitCode {
    program::main()
}
