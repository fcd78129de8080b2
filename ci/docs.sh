#!/usr/bin/env bash
# The documentation builds without a warning, as users see it and with private items.
. "$(dirname "$0")/common"
next='mend the first broken link or missing paragraph above'
export RUSTDOCFLAGS='-D warnings'
step cargo doc --workspace --no-deps
step cargo doc --workspace --no-deps --document-private-items --target-dir "$target_dir/private-docs"
