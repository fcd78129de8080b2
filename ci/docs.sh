#!/usr/bin/env bash
# The documentation builds without a warning; for core also without `std` and without `alloc`.
. "$(dirname "$0")/common"
next='fix the first broken link or missing paragraph above'
export RUSTDOCFLAGS='-D warnings'
step cargo doc --workspace --no-deps
for features in alloc ''; do
    step cargo doc -p aiter-core --no-deps --no-default-features --features "$features" --target-dir "$target_dir/docs-no_std"
done
passed
