//! The tests of Python's `aiter`, in Rust. `docs/PYTHON.md` lists the intended differences, and
//! `ci/python.sh` compares the two.

mod scenarios;

/// Compares each line with `seed.txt`, which was reviewed once and is compared with the Python
/// package too.
#[test]
fn every_scenario_of_the_seed() {
    let expected: Vec<_> = include_str!("seed.txt").lines().collect();
    let lines = scenarios::run().lines;
    for (line, expected) in lines.iter().zip(&expected) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), expected.len());
}
