#!/usr/bin/env bash
# Every Rust file stands as `cargo fmt` writes it.
. "$(dirname "$0")/common"
next='run the failing command without --check and commit what it changed'
step cargo fmt --all --check
# Those that are workspaces of their own.
apart=$(grep -l '^\[workspace\]' */Cargo.toml */*/Cargo.toml)
for manifest in $apart; do
    step cargo fmt --manifest-path "$manifest" --check
done
passed
