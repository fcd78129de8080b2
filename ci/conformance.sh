#!/usr/bin/env bash
# Probes what happens to waiting tasks when others are dropped, cancelled or forgotten (see
# docs/CONFORMANCE.md). The probes find the faults planted for them, and our types pass all of them.
# A table shows them beside published crates for the same purpose. The package is a workspace of its
# own, so its format and its lints are checked here too.
. "$(dirname "$0")/common"
cd tests/conformance
next='run the failing cell alone: cd tests/conformance && cargo run --release -- --cell SUBJECT PROBE; another crate that does not build can be left out: --no-default-features --features CRATE,...'
export CARGO_TARGET_DIR=$target_dir/conformance
step cargo fmt --check
step cargo clippy --release --all-targets -- -D warnings
step cargo test --release
step cargo run --release
passed
