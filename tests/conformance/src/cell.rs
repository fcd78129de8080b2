//! One probe of one subject, in a process of its own, because it may hang, abort, or leave a lock
//! behind.

use crate::{PROBES, Probe, Stop, Subject, stage::message};
use std::{
    env,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The argument that selects a single cell. The subject and the probe follow.
const CELL: &str = "--cell";

/// The result of a cell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It passed, perhaps with a figure.
    Pass(String),
    /// The question makes no sense for it, with the reason.
    Skip(String),
    /// It failed, with the reason.
    Fail(String),
    /// It was stopped at the time limit.
    Time(String),
    /// Its process died.
    Crash(String),
    /// Its package is not built in.
    NotBuilt,
}

impl Verdict {
    /// Runs the cell in this process.
    fn of(subject: &Subject, probe: &Probe) -> Self {
        let Some(build) = subject.build else {
            return Self::NotBuilt;
        };
        match catch_unwind(AssertUnwindSafe(|| (probe.run)(subject.kind, build))) {
            Ok(Ok(figure)) => Self::Pass(figure),
            Ok(Err(Stop::Skip(reason))) => Self::Skip(reason),
            Ok(Err(Stop::Fail(reason))) => Self::Fail(reason),
            Err(payload) => Self::Fail(format!("it panics: {}", message(&*payload))),
        }
    }

    /// Runs the cell in a child of this process, which has to [`serve`] it.
    pub(crate) fn in_child(subject: &Subject, probe: &Probe, limit: Duration) -> Self {
        if subject.build.is_none() {
            return Self::NotBuilt;
        }
        let program = env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args([CELL, subject.name, probe.name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program can be started again");
        let mut stdout = child.stdout.take().expect("it is piped");
        let (said, hears) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            let read = stdout.read_to_string(&mut text);
            // The receiver no longer exists if the limit has passed.
            let _ = said.send(read.map(|_| text));
        });
        let text = hears.recv_timeout(limit);
        if text.is_err() {
            // The child may have ended just now.
            let _ = child.kill();
        }
        let status = child.wait().expect("it was not waited for before");
        reader.join().expect("reading does not panic");
        match text {
            Ok(text) => {
                Self::parse(&text.unwrap_or_default()).unwrap_or_else(|| Self::Crash(death(status)))
            }
            Err(_) => Self::Time(format!("stopped after {} s", limit.as_secs_f32())),
        }
    }

    /// Writes the result as one line, for the parent.
    fn line(&self) -> String {
        let (tag, text) = match self {
            Self::Pass(text) => ("pass", text.as_str()),
            Self::Skip(text) => ("skip", text.as_str()),
            Self::Fail(text) => ("fail", text.as_str()),
            Self::Time(_) | Self::Crash(_) | Self::NotBuilt => {
                unreachable!("not found out in the child")
            }
        };
        format!("verdict\t{tag}\t{}", text.replace('\n', " "))
    }

    fn parse(said: &str) -> Option<Self> {
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("verdict\t"))?;
        let (tag, text) = line.split_once('\t')?;
        match tag {
            "pass" => Some(Self::Pass(text.into())),
            "skip" => Some(Self::Skip(text.into())),
            "fail" => Some(Self::Fail(text.into())),
            _ => None,
        }
    }
}

fn death(status: ExitStatus) -> String {
    format!("the process died, {status}")
}

/// If this process was started for a single cell, runs that, prints its result, and returns the
/// exit code for `main`: success if the cell passed or makes no sense. Run by hand with the same
/// arguments, it shows what the probe prints to standard error.
pub fn serve(subjects: &[Subject]) -> Option<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [cell, subject, probe] = args.as_slice() else {
        return None;
    };
    if cell != CELL {
        return None;
    }
    let subject = subjects.iter().find(|one| one.name == subject);
    let probe = PROBES.iter().find(|one| one.name == probe);
    match (subject, probe) {
        (Some(subject), Some(probe)) if subject.build.is_some() => {
            let verdict = Verdict::of(subject, probe);
            println!("{}", verdict.line());
            if let Verdict::Pass(_) | Verdict::Skip(_) = verdict {
                return Some(ExitCode::SUCCESS);
            }
        }
        _ => eprintln!("no such subject or probe, or it is not built in"),
    }
    Some(ExitCode::FAILURE)
}
