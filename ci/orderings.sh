#!/usr/bin/env bash
# Weakening: every memory ordering, fence and guard of a protocol in core is weakened or left out, one at a time, and a loom
# model has to fail. `ci/orderings/allowed.md` lists those that none can object to, with proofs; `ci/orderings/guards.txt` the
# guards. As a rule a sample is asked about, another one for each commit; AITER_LONG=1 asks about all, and arguments about
# those whose names have one of them in it: ci/orderings.sh fixed/ 'List::advance_tail'. `ci/orderings.sh --list` shows the names;
# AITER_MODELS=fixed:: asks only the models that have this in their names, while one is being written.
. "$(dirname "$0")/common"
next='repair ci/orderings itself'
tested cargo test --quiet --manifest-path ci/orderings/Cargo.toml --target-dir "$target_dir/orderings/tool"
next='do what the last lines above say'
step cargo build --quiet --release --manifest-path ci/orderings/Cargo.toml --target-dir "$target_dir/orderings/tool"
commit=$(git rev-parse HEAD 2>/dev/null) || commit=none
step "$target_dir/orderings/tool/release/orderings" "$PWD" "$target_dir/orderings" "$commit" "$@"
passed
