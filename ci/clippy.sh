#!/usr/bin/env bash
# rustc and clippy have no warning for any target: with the default features, for core without `std`
# and without `alloc`, and for the benchmarks that only a feature builds.
. "$(dirname "$0")/common"
next='fix the first warning above; allow a lint only at the item, with a reason'
step cargo clippy --workspace --all-targets -- -D warnings
step cargo clippy -p aiter-core --all-targets --no-default-features --features alloc -- -D warnings
step cargo clippy -p aiter-core --lib --no-default-features -- -D warnings
step cargo clippy -p aiter-benches --all-targets --all-features -- -D warnings
passed
