//! The tests of Python's `aiter`, here. `docs/PYTHON.md` lists where this library differs from it on purpose, and
//! `ci/python.sh` compares the two.

mod scenarios;

/// Each line, as `seed.txt` has it: what was seen to be right once, and is compared with the Python package.
#[test]
fn every_scenario_of_the_seed() {
    let expected: Vec<_> = include_str!("seed.txt").lines().collect();
    let lines = scenarios::run().lines;
    for (line, expected) in lines.iter().zip(&expected) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), expected.len());
}
