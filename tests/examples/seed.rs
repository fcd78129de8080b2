//! Prints the results of the scenarios of Python's `aiter`, one line per step.

#[path = "../tests/seed/scenarios.rs"]
mod scenarios;

fn main() {
    // The panic of a closure is one of the results.
    std::panic::set_hook(Box::new(|_| ()));
    for line in scenarios::run().lines {
        println!("{line}");
    }
}
