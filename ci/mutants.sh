#!/usr/bin/env bash
# Mutation testing: changes operators, conditions and results of the code that threads share, one at
# a time, and expects a test to fail or to hang. It runs the tests of core first, then, for mutants
# that survive, the programs of aiter-tests for lists, memory, properties and histories, and at last
# the loom models. `.cargo/mutants.toml` says what is left out, and why. By default only the small
# modules around wakers are mutated, half of the mutants for one commit and half for another, which
# takes minutes; AITER_LONG=1 mutates everything, in two hours and more on two cores. Arguments go
# to cargo-mutants in place of either: ci/mutants.sh --file 'aiter-core/src/list/**'
. "$(dirname "$0")/common"
next='write a test for each mutant named above; one that changes nothing that is promised goes into .cargo/mutants.toml, with the reason'
version=27.1.0
mutants=$target_dir/tools/bin/cargo-mutants
if [[ $(cargo mutants --version 2>/dev/null) == "cargo-mutants $version" ]]; then
    mutants=$(type -P cargo-mutants)
elif [[ $("$mutants" mutants --version 2>/dev/null) != "cargo-mutants $version" ]]; then
    step cargo install cargo-mutants --debug --locked --version "$version" --root "$target_dir/tools" --target-dir "$target_dir/tools"
fi
if [[ $# -eq 0 ]]; then
    if [[ ${AITER_LONG:-} ]]; then
        set -- --file 'aiter-core/src/{list,wait,handoff,gate,share,fork}/**'
    else
        commit=$(git rev-parse --short=7 HEAD 2>/dev/null) || commit=0
        set -- --file 'aiter-core/src/wait/{notify,wake_list,waker_ref,wait_set/mod,wake_stack/mod}.rs' --shard $((16#$commit % 2))/2
    fi
fi
host=$(rustc -vV | sed -n 's/^host: //p')
runner=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$host")_RUNNER
export "$runner=$PWD/ci/fail_fast" CARGO_INCREMENTAL=1 CARGO_PROFILE_TEST_DEBUG=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_DIR=$target_dir/mutants
out=$CARGO_TARGET_DIR/mutants.out
rm -rf "$out"
mkdir -p "$CARGO_TARGET_DIR"

# Runs tests, `round SECONDS TESTS... -- ARGUMENTS`, with each mutant that no earlier round has
# caught. A hang counts as caught.
round() {
    local seconds=$1 code=0 tests=()
    shift
    while [[ $1 != -- ]]; do
        tests+=("--cargo-arg=$1")
        shift
    done
    shift
    step "$mutants" mutants --package aiter-core --iterate --timeout "$seconds" --colors never --output "$CARGO_TARGET_DIR" "${tests[@]}" "$@" || code=$?
    # 2 and 3 say that mutants were missed or timed out.
    [[ $code =~ ^[023]$ ]] || exit "$code"
    cat "$out/timeout.txt" >>"$out/caught.txt"
}

round 40 --lib -- "$@"
if [[ -s $out/missed.txt ]]; then
    # The package is an argument of cargo. With --test-package, the run without a mutant would leave
    # it out.
    round 60 --package=aiter-tests --test=memory --test=push_lists --test=properties --test=linearizability -- "$@"
fi
if [[ -s $out/missed.txt ]]; then
    set_up_models
    export "$runner=$PWD/ci/each_model"
    # All models take minutes, and three times as long beside other work. That must not count as a
    # hang.
    round 1800 --lib -- --profile release "$@" -- -- loom
fi
[[ ! -s $out/missed.txt ]]
if [[ ! -s $out/caught.txt ]]; then
    next='no mutant was made: correct the names of files'
    exit 1
fi
passed
