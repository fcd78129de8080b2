//! A hub on TCP: every client gets the latest messages and then each new one.
//!
//! ```sh
//! # Drives itself with clients of its own, and prints what each of them saw:
//! cargo run --release -p aiter-tokio --example hub
//! # Serves any client, such as `nc 127.0.0.1 7001`:
//! cargo run --release -p aiter-tokio --example hub -- --listen 127.0.0.1:7001
//! ```
//!
//! One source of messages feeds clients that come and go at any time:
//!
//! - A client first gets the last ten messages, and then every new one.
//! - A client that does not keep up loses the oldest messages that wait for it, and is told how
//!   many. It holds up nobody.
//! - The log gets every message that any client could have seen. It loses nothing, and it does not
//!   keep the source running.
//! - Five seconds after the last client has gone the source pauses. The next client starts it
//!   again.
//!
//! The program is in `hub/`.

#[path = "hub/clients.rs"]
mod clients;
#[path = "hub/server.rs"]
mod server;

use server::{HubServer, Settings};
use std::{process::ExitCode, time::Duration};
use tokio::net::TcpListener;

const HELP: &str = "\
usage: hub [--listen HOST:PORT | --clients N] [--grace SECONDS] [--log FILE]

A hub on TCP. Each client gets the last ten messages, and then every new one. Without --listen it
drives itself with clients of its own, and prints what they saw.

  --listen HOST:PORT  serve any client (`nc HOST PORT`); port 0 takes a free one
  --clients N         without --listen: number of clients that come and go (40)
  --grace SECONDS     how long the source goes on after the last client (5)
  --log FILE          write each message to this file; without it, messages are only counted
  --help              print this";

enum Mode {
    Listen(String),
    Drive(usize),
}

struct Arguments {
    mode: Mode,
    settings: Settings,
}

/// Parses the command line. Returns `None` if help was asked for.
fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::{Arg, ValueExt};
    let (mut listen, mut clients) = (None, None);
    let mut settings = Settings::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long("listen") => listen = Some(parser.value()?.string()?),
            Arg::Long("clients") => clients = Some(parser.value()?.parse()?),
            Arg::Long("grace") => {
                let seconds: f64 = parser.value()?.parse()?;
                settings.grace = Duration::try_from_secs_f64(seconds)
                    .map_err(|error| format!("--grace: {error}"))?;
            }
            Arg::Long("log") => settings.log = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    let mode = match (listen, clients) {
        (Some(_), Some(_)) => return Err("--clients is for a run without --listen".into()),
        (Some(address), None) => Mode::Listen(address),
        (None, clients) => Mode::Drive(clients.unwrap_or(40)),
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
            eprintln!("{problem}; `hub --help` says more");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads to spare");
    let result = runtime.block_on(async {
        match mode {
            Mode::Listen(address) => serve(&address, settings).await,
            Mode::Drive(clients) => drive(clients, settings).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("hub: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str, settings: Settings) -> Result<(), String> {
    let hub = start(address, settings).await?;
    println!(
        "listening on {0}; try `nc {1} {2}`",
        hub.address(),
        hub.address().ip(),
        hub.address().port()
    );
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| format!("cannot wait for Ctrl-C: {error}"))
}

async fn drive(clients: usize, settings: Settings) -> Result<(), String> {
    let grace = settings.grace;
    let hub = start("127.0.0.1:0", settings).await?;
    println!("{clients} clients come and go; {grace:?} after the last one the source pauses\n");
    let report = clients::drive(&hub, clients).await?;
    let outcome = hub.stop().await?;
    print!("{report}\n{outcome}");
    report.check(&outcome)
}

async fn start(address: &str, settings: Settings) -> Result<HubServer, String> {
    let listen = async {
        let listener = TcpListener::bind(address).await?;
        HubServer::start(listener, settings)
    };
    listen
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))
}
