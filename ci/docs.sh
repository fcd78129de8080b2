#!/usr/bin/env bash
# The documentation builds without a warning, that of core also without `std`.
. "$(dirname "$0")/common"
next='mend the first broken link or missing paragraph above'
export RUSTDOCFLAGS='-D warnings'
step cargo doc --workspace --no-deps
step cargo doc -p aiter-core --no-deps --no-default-features --target-dir "$target_dir/docs-no_std"
