#!/usr/bin/env bash
# Weakens or removes every memory ordering, fence and guard of a protocol in core, one at a time,
# and expects a loom model to fail. `ci/orderings/guards.txt` lists the guards, and
# `ci/orderings/allowed.md` the weakenings that no model can notice, with proofs. By default it
# tries a sample, a different one for each commit; AITER_LONG=1 tries all of them, and arguments
# select those with one of these texts in their names: ci/orderings.sh fixed/ 'List::advance_tail_block'.
# `ci/orderings.sh --list` shows the names. While you write a model, AITER_MODELS=fixed:: runs only
# the models with this text in their names.
. "$(dirname "$0")/common"
next='fix ci/orderings itself'
tested cargo test --quiet --manifest-path ci/orderings/Cargo.toml --target-dir "$target_dir/orderings/tool"
next='do what the last lines above say'
step cargo build --quiet --release --manifest-path ci/orderings/Cargo.toml --target-dir "$target_dir/orderings/tool"
commit=$(git rev-parse HEAD 2>/dev/null) || commit=none
step "$target_dir/orderings/tool/release/orderings" "$PWD" "$target_dir/orderings" "$commit" "$@"
passed
