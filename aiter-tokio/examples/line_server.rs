//! A line server on TCP, and clients that drive it.
//!
//! ```sh
//! cargo run --release -p aiter-tokio --example line_server                            # drives itself and measures
//! cargo run --release -p aiter-tokio --example line_server -- --listen 127.0.0.1:7000 # serves anybody: nc 127.0.0.1 7000
//! ```
//!
//! It echoes each line. `wait` is answered after five seconds, an empty line closes the connection, `quit` shuts the server
//! down: what had been received is answered first, and nobody who waits has to wait any longer.
//!
//! The program is in `line_server/`, and runs on smol and async-std as well: `line_server_smol`, `line_server_async_std`.

#[path = "line_server/program.rs"]
mod program;

/// What the program needs of its runtime.
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

    /// The socket as the system knows it.
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
