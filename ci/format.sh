#!/usr/bin/env bash
# Every Rust file is formatted as `cargo fmt` does it.
. "$(dirname "$0")/common"
next='run the failing command without --check and commit what it changed'
step cargo fmt --all --check
# The packages that are workspaces of their own.
apart=$(grep -l '^\[workspace\]' */Cargo.toml */*/Cargo.toml)
for manifest in $apart; do
    step cargo fmt --manifest-path "$manifest" --check
done
passed
