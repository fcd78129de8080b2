#!/usr/bin/env bash
# Each feature set of core, and each adapter with and without its features, builds on its own, so
# that no other package and no dev-dependency lends it a feature. Core and a blocking iterator on
# tokio also work where a panic aborts.
. "$(dirname "$0")/common"
next='build the failing set with the command above; gate what it lacks, or turn the missing feature on in its Cargo.toml'
for features in '' alloc std net sink portable-atomic alloc,portable-atomic std,portable-atomic; do
    step cargo check -p aiter-core --no-default-features --features "$features"
done
for crate in "${published[@]:1}"; do
    step cargo check -p "$crate"
done
for crate in "${adapters[@]}"; do
    step cargo check -p "$crate" --no-default-features
    step cargo check -p "$crate" --no-default-features --features sink
done
next='see tests/abort: what it runs has to work without unwinding'
step cargo run --quiet --manifest-path tests/abort/Cargo.toml --target-dir "$target_dir/abort"
passed
