#!/usr/bin/env bash
# Every Rust file stands as `cargo fmt` writes it.
. "$(dirname "$0")/common"
next='run the failing command without --check and commit what it changed'
step cargo fmt --all --check
step cargo fmt --manifest-path fuzz/Cargo.toml --check
step cargo fmt --manifest-path ci/orderings/Cargo.toml --check
for package in firmware wasm; do
    step cargo fmt --manifest-path "tests/$package/Cargo.toml" --check
done
