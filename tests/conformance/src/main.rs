//! Runs the probes on our crates and on published ones, prints the table, and fails unless ours
//! pass all of them.
//!
//! `--cell SUBJECT PROBE` runs a single one in this process, and shows what it prints.

mod subjects;

use aiter_conformance::{Table, serve};
use std::{process::ExitCode, time::Duration};

/// The time limit of a probe. The longest of ours takes well under a second.
const LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let subjects = subjects::all();
    if let Some(code) = serve(&subjects) {
        return code;
    }
    let table = Table::run(&subjects, LIMIT);
    println!("{table}");
    if table.ours_pass() {
        return ExitCode::SUCCESS;
    }
    eprintln!("ours do not pass every probe");
    ExitCode::FAILURE
}
