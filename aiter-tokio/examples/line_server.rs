//! A line server on TCP, and clients that drive it.
//!
//! ```sh
//! cargo run --release -p aiter-tokio --example line_server                            # drives itself and measures
//! cargo run --release -p aiter-tokio --example line_server -- --listen 127.0.0.1:7000 # serves anybody: nc 127.0.0.1 7000
//! ```
//!
//! It echoes each line. `wait` is answered after five seconds, an empty line closes the connection, `quit` shuts the server
//! down: what had been received is answered first, and nobody who waits has to wait any longer.

#[path = "line_server/arguments.rs"]
mod arguments;
#[path = "line_server/clients.rs"]
mod clients;
#[path = "line_server/connection.rs"]
mod connection;
#[path = "line_server/server.rs"]
mod server;

use arguments::{Arguments, Mode};
use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("line_server: {problem}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run() -> Result<(), String> {
    let Arguments { mode, workers } = Arguments::parse()?;
    let files = allow_many_files();
    match mode {
        Mode::Help => say(arguments::HELP),
        Mode::Listen(address) => {
            let (control, serving) = server::start(&address, workers).await?;
            say(&format!("listening on {}", control.local_addr()))?;
            serving.await;
            say(&control.tally.to_string())
        }
        Mode::Drive { connections, lines } => {
            let most = files.saturating_sub(OWN_FILES) / 2;
            if connections > most {
                return Err(format!(
                    "{connections} connections need two open files each, and the limit of {files} has room for {most}: \
                     raise it (`ulimit -n`) or take fewer `--connections`"
                ));
            }
            let (control, serving) = server::start("127.0.0.1:0", workers).await?;
            let serving = tokio::spawn(serving);
            let measured = clients::drive(control.local_addr(), connections, lines).await;
            control.quit();
            serving
                .await
                .map_err(|error| format!("the server failed: {error}"))?;
            say(&measured?.table(workers, &control.tally))
        }
    }
}

/// Open files that are no connections: the standard streams, the listener, what the runtime needs.
const OWN_FILES: usize = 32;

/// Raises the limit on open files as far as it goes, and tells it. Where that is not enough, accept errors say so.
fn allow_many_files() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
        if let Some(files) = getrlimit(Resource::Nofile).current {
            return usize::try_from(files).unwrap_or(usize::MAX);
        }
    }
    usize::MAX
}

/// Prints to stdout, unless nobody reads it any more.
fn say(text: &str) -> Result<(), String> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to stdout: {error}"))
        }
        _ => Ok(()),
    }
}
