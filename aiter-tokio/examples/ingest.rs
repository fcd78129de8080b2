//! An ingest server on TCP, which writes the lines of many clients to one file.
//!
//! ```sh
//! # Runs clients of its own, checks the file, and prints statistics of the batches:
//! cargo run --release -p aiter-tokio --example ingest
//! # Serves any client, such as `nc 127.0.0.1 7002`, until Ctrl-C:
//! cargo run --release -p aiter-tokio --example ingest -- --listen 127.0.0.1:7002 --file lines.txt
//! ```
//!
//! - The rate of each client is limited, with bursts. A client that sends more is read more slowly.
//!   Nothing is lost, and other clients are not affected.
//! - Each line is looked up, which takes a while. Many lookups run at once, but only one at a time
//!   for each client, so its lines keep their order.
//! - The file is written in batches of up to 500 lines. No line waits more than 50 milliseconds for
//!   its batch to fill.
//!
//! The program is in `ingest/`.

#[path = "ingest/clients.rs"]
mod clients;
#[path = "ingest/server.rs"]
mod server;

use server::{Ingest, Settings};
use std::{num::NonZero, process::ExitCode, time::Duration};
use tokio::{net::TcpListener, runtime::Runtime, signal};

const HELP: &str = "\
usage: ingest [--listen HOST:PORT | [--clients N] [--lines N]] [--rate N] [--file FILE]

A server on TCP that writes the lines of many clients to one file, in batches. Without --listen it
drives itself with clients of its own, and checks the file.

  --listen HOST:PORT  serve any client (`nc HOST PORT`) until Ctrl-C; port 0 takes a free one
  --clients N         without --listen: number of clients (40)
  --lines N           without --listen: number of lines that each client sends (500)
  --rate N            lines that one client may send in a second (1000); a burst may have half of it
  --file FILE         the file to write; without it, a temporary one that is removed at the end
  --help              print this";

enum Mode {
    Listen(String),
    Drive { clients: usize, lines: u64 },
}

struct Arguments {
    mode: Mode,
    settings: Settings,
}

/// Parses the command line. Returns `None` if help was asked for.
fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::{Arg, ValueExt};
    let (mut listen, mut clients, mut lines) = (None, None, None);
    let mut settings = Settings::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("listen") => listen = Some(parser.value()?.string()?),
            Arg::Long("clients") => clients = Some(parser.value()?.parse()?),
            Arg::Long("lines") => lines = Some(parser.value()?.parse()?),
            Arg::Long("rate") => settings.rate = parser.value()?.parse::<NonZero<usize>>()?.get(),
            Arg::Long("file") => settings.file = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    let mode = match listen {
        Some(_) if clients.is_some() || lines.is_some() => {
            return Err("--clients and --lines are for a run without --listen".into());
        }
        Some(address) => Mode::Listen(address),
        None => Mode::Drive {
            clients: clients.map_or(40, NonZero::<usize>::get),
            lines: lines.unwrap_or(500),
        },
    };
    Ok(Some(Arguments { mode, settings }))
}

fn main() -> ExitCode {
    let Arguments { mode, settings } = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}; `ingest --help` says more");
            return ExitCode::from(2);
        }
    };
    let runtime = Runtime::new().expect("the system has threads to spare");
    let result = runtime.block_on(async {
        match mode {
            Mode::Listen(address) => serve(&address, settings).await,
            Mode::Drive { clients, lines } => drive(clients, lines, settings).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("ingest: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str, settings: Settings) -> Result<(), String> {
    let ingest = start(address, settings).await?;
    let address = ingest.address();
    println!(
        "listening on {address}, writing to {}; try `nc {} {}`",
        ingest.file().display(),
        address.ip(),
        address.port()
    );
    signal::ctrl_c()
        .await
        .map_err(|error| format!("cannot wait for Ctrl-C: {error}"))?;
    print!("{}", ingest.stop().await?.report);
    Ok(())
}

async fn drive(clients: usize, lines: u64, settings: Settings) -> Result<(), String> {
    let rate = settings.rate;
    let ingest = start("127.0.0.1:0", settings).await?;
    println!(
        "{clients} clients send {lines} lines each; the server takes {rate} a second of each\n"
    );
    clients::drive(&ingest, clients, lines).await?;
    let outcome = ingest.finish().await?;
    clients::check(outcome.file.path(), clients, lines)?;
    print!(
        "each of the {} lines is in the file once, and those of each client in order\n\n{}",
        clients as u64 * lines,
        outcome.report
    );
    Ok(())
}

async fn start(address: &str, settings: Settings) -> Result<Ingest, String> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    Ingest::start(listener, settings)
        .await
        .map_err(|error| format!("cannot start: {error}"))
}

/// A lookup that takes longer, or a client that waits longer for the server, is an error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
