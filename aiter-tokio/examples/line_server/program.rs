//! The program: it reads the command line, runs the server, and also runs the clients if it drives
//! itself. The code is the same on each runtime. The parts that depend on the runtime are in
//! `crate::runtime`.

mod arguments;
mod clients;
mod connection;
mod server;
mod tally;

use crate::runtime::{self, aiter::active_aiter};
use arguments::{Arguments, Mode};
use futures_lite::{StreamExt, stream};
use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

pub(crate) fn main() -> ExitCode {
    match runtime::block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("line_server: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let Arguments {
        mode,
        workers,
        in_work,
    } = Arguments::parse()?;
    let files = allow_many_files();
    match mode {
        Mode::Help => say(arguments::HELP),
        Mode::Listen(address) => {
            let (control, serving) = server::start(&address, workers, in_work).await?;
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
            let (control, serving) = server::start("127.0.0.1:0", workers, in_work).await?;
            let mut served = active_aiter(stream::once_future(serving));
            let measured = clients::drive(&control, connections, lines).await;
            control.quit();
            served.next().await;
            say(&measured?.table(workers, &control.tally))
        }
    }
}

/// The number of open files beside the connections: the standard streams, the listener, and the
/// files of the runtime.
const OWN_FILES: usize = 32;

/// Raises the limit of open files as far as possible, and returns it. If the limit is too low, the
/// server reports accept errors.
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

/// Prints to stdout. It is no error if the reader of the pipe has closed it.
fn say(text: &str) -> Result<(), String> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to stdout: {error}"))
        }
        _ => Ok(()),
    }
}
