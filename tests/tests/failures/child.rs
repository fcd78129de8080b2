//! Tests of this very program that run in a process of their own, as they end it, or change what holds for all of it.

use std::{env, process::Command};

/// What runs programs, with its arguments, where the processor cannot: see `ci/cross.sh`.
fn runner() -> Vec<String> {
    let words = env::var("AITER_RUNNER").unwrap_or_default();
    words.split_whitespace().map(str::to_owned).collect()
}

/// Whether programs are run by another one.
pub fn is_emulated() -> bool {
    !runner().is_empty()
}

/// How to run an ignored test, and no other.
pub fn child(test: &str) -> Command {
    let program = env::current_exe().unwrap();
    let mut command = match runner().split_first() {
        None => Command::new(program),
        Some((first, arguments)) => {
            let mut command = Command::new(first);
            command.args(arguments).arg(program);
            command
        }
    };
    command.args(["--ignored", "--exact", "--nocapture", test]);
    command
}
