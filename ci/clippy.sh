#!/usr/bin/env bash
# No warning of rustc or clippy in any target: with the default features, in core without `std` and without
# `alloc`, and in the benchmarks that only a feature builds.
. "$(dirname "$0")/common"
next='mend the first warning above; allow a lint only at the item, with a reason'
step cargo clippy --workspace --all-targets -- -D warnings
step cargo clippy -p aiter-core --all-targets --no-default-features --features alloc -- -D warnings
step cargo clippy -p aiter-core --lib --no-default-features -- -D warnings
step cargo clippy -p aiter-benches --all-targets --all-features -- -D warnings
passed
