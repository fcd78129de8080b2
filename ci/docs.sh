#!/usr/bin/env bash
# The documentation builds without a warning; for core also without `std` and without `alloc`.
. "$(dirname "$0")/common"
next='fix the first broken link or missing paragraph above'
export RUSTDOCFLAGS='-D warnings'
step cargo doc --workspace --no-deps
for features in alloc ''; do
    step cargo doc -p aiter-core --no-deps --no-default-features --features "$features" --target-dir "$target_dir/docs-no_std"
done

# A user of an adapter depends on that alone, and has the core as `aiter_tokio::aiter_core`. As a dependency of the adapter it can
# be named in its examples, which says nothing.
next='name the adapter in the place of `aiter_core` in the example above'
for crate in "${adapters[@]}"; do
    examples=$(awk '/^ *\/\/[\/!] ```/ { inside = !inside } inside && /^ *\/\/[\/!]/ { print FILENAME ":" FNR ": " $0; ran++ } END { exit !ran }' "$crate"/src/*.rs) ||
        { next='correct the search for examples, which found none' && exit 1; }
    if grep -E "(^|[^:_a-z])aiter_core::" <<<"$examples"; then
        exit 1
    fi
done
passed
