//! The command line.
use lexopt::{Arg, Parser, ValueExt};
use std::{num::NonZero, thread::available_parallelism};

const USAGE: &str = "usage: line_server [--listen HOST:PORT | [--connections N] [--lines N]] \
                     [--workers N] [--in-work N]";

pub(crate) const HELP: &str = "\
usage: line_server [--listen HOST:PORT | [--connections N] [--lines N]] [--workers N] [--in-work N]

A server on TCP that echoes lines. Without --listen it drives itself with clients of its own, checks
each line that comes back, and measures.

  --listen HOST:PORT  serve any client (`nc HOST PORT`); port 0 takes a free one
  --connections N     without --listen: number of clients that connect (100)
  --lines N           without --listen: number of lines that each client sends (1000)
  --workers N         number of tasks that answer lines (one for each core)
  --in-work N         number of lines that may be in work at once, of all connections (64)
  --help              print this

The server sends each line back. These lines are special:
  wait                comes back after five seconds
  (an empty line)     closes the connection
  quit                comes back, and shuts the server down once all received lines are answered
A line over 64 KiB is an error and closes the connection.";

pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    pub(crate) workers: usize,
    pub(crate) in_work: usize,
}

pub(crate) enum Mode {
    Help,
    Listen(String),
    Drive { connections: usize, lines: usize },
}

impl Arguments {
    /// Parses the command line. An error is one line with the problem and the usage.
    pub(crate) fn parse() -> Result<Self, String> {
        Self::read(Parser::from_env()).map_err(|problem| format!("{problem}; {USAGE}"))
    }

    fn read(mut parser: Parser) -> Result<Self, lexopt::Error> {
        let mut workers = available_parallelism().map_or(1, NonZero::get);
        let mut in_work = 64;
        let (mut listen, mut connections, mut lines) = (None, None, None);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("help") | Arg::Short('h') => {
                    return Ok(Self {
                        mode: Mode::Help,
                        workers,
                        in_work,
                    });
                }
                Arg::Long("listen") => listen = Some(parser.value()?.string()?),
                Arg::Long("connections") => {
                    connections = Some(count("--connections", &mut parser)?)
                }
                Arg::Long("lines") => lines = Some(count("--lines", &mut parser)?),
                Arg::Long("workers") => workers = count("--workers", &mut parser)?,
                Arg::Long("in-work") => in_work = count("--in-work", &mut parser)?,
                other => return Err(other.unexpected()),
            }
        }
        let mode = match listen {
            Some(_) if connections.is_some() || lines.is_some() => {
                return Err(
                    "--connections and --lines are for clients, which --listen does not start"
                        .into(),
                );
            }
            Some(address) => Mode::Listen(address),
            None => Mode::Drive {
                connections: connections.unwrap_or(100),
                lines: lines.unwrap_or(1000),
            },
        };
        Ok(Self {
            mode,
            workers,
            in_work,
        })
    }
}

fn count(option: &str, parser: &mut Parser) -> Result<usize, lexopt::Error> {
    let text = parser.value()?.string()?;
    match text.parse::<NonZero<usize>>() {
        Ok(count) => Ok(count.get()),
        Err(_) => Err(format!("{option} takes a number from 1 up, not `{text}`").into()),
    }
}
