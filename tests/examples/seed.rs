//! Writes what comes out of the scenarios of Python's `aiter`, a line a step.

#[path = "../tests/seed/scenarios.rs"]
mod scenarios;

fn main() {
    // The panic of a closure is one of the outcomes.
    std::panic::set_hook(Box::new(|_| ()));
    for line in scenarios::run().lines {
        println!("{line}");
    }
}
