#!/usr/bin/env bash
# What happens to those who wait when others are dropped, cancelled or forgotten: the probes find the faults planted for them,
# and ours pass all of them, in a table beside the published crates that do the same (see docs/CONFORMANCE.md). The package
# is a workspace of its own, so its format and its lints are looked at here.
. "$(dirname "$0")/common"
cd tests/conformance
next='ask the failing cell alone: cd tests/conformance && cargo run --release -- --cell SUBJECT PROBE; another crate that does not build can be left out: --no-default-features --features CRATE,...'
export CARGO_TARGET_DIR=$target_dir/conformance
step cargo fmt --check
step cargo clippy --release --all-targets -- -D warnings
step cargo test --release
step cargo run --release
passed
