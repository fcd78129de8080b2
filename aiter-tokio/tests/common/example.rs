//! Examples as programs.
use std::process::Command;

pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "{program:?} is not there: `cargo test` builds it, `cargo test --test` does not; `cargo build --examples` does"
    );
    Command::new(program)
}
