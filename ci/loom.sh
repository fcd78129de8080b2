#!/usr/bin/env bash
# The loom models of core: every interleaving of a few threads, up to LOOM_MAX_PREEMPTIONS (2) forced switches.
. "$(dirname "$0")/common"
next='run the failing model alone with LOOM_LOG=trace and LOOM_LOCATION=1 (see the docs of loom)'
export RUSTFLAGS="${RUSTFLAGS:-} --cfg aiter_loom" LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-2}
test=(cargo test --release --target-dir "$target_dir/loom" -p aiter-core --lib)
echo "RUSTFLAGS='$RUSTFLAGS' LOOM_MAX_PREEMPTIONS=$LOOM_MAX_PREEMPTIONS"
listed=$(step "${test[@]}" -- --list models loom)
if ! grep -q ': test$' <<<"$listed"; then
    next='no test has "models" or "loom" in its path: name the module of the models so'
    exit 1
fi
step "${test[@]}" -- models loom
