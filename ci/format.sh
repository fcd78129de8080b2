#!/usr/bin/env bash
# Every Rust file stands as `cargo fmt` writes it.
. "$(dirname "$0")/common"
next='run `cargo fmt --all` and commit what it changed'
step cargo fmt --all --check
