//! Runs examples as programs.
use std::process::Command;

/// Returns a command that runs an example. If the example is built for another processor, the
/// program in `AITER_RUNNER`, with its arguments, runs it; see `ci/cross.sh`.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "{program:?} is not there: `cargo test` builds it, `cargo test --test` does not; `cargo build --examples` does"
    );
    let runner = std::env::var("AITER_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        None => Command::new(program),
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
    }
}
