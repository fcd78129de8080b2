//! Runs tests of this very program in a process of their own, because they end the process or
//! change its state.

use std::{env, process::Command};

/// The program, with its arguments, that runs others where the processor cannot: see `ci/cross.sh`.
fn runner() -> Vec<String> {
    let words = env::var("AITER_RUNNER").unwrap_or_default();
    words.split_whitespace().map(str::to_owned).collect()
}

/// Returns whether programs run under an emulator.
pub fn is_emulated() -> bool {
    !runner().is_empty()
}

/// Returns the command that runs one ignored test.
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
