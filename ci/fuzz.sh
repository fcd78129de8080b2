#!/usr/bin/env bash
# Fuzzes push lists, bounded lists, hubs, forks, gates, stoppers, takers, parts, joins, drivers,
# debounce and rate limits with random sequences of steps, with clones, drops and wakers that panic
# or reenter, under AddressSanitizer and LeakSanitizer. Each target starts from the sequences in
# fuzz/seeds and those that earlier runs left in fuzz/corpus, and gets its share of
# AITER_FUZZ_SECONDS (60). First, each has to find a planted bug.
. "$(dirname "$0")/common"
next='take the steps printed above into a test; the input is in fuzz/artifacts, `AITER_FUZZ_SHOW=1 BINARY INPUT` repeats it'
targets=(fuzz/targets/*.rs)
targets=("${targets[@]##*/}")
targets=("${targets[@]%.rs}")
seconds=$((${AITER_FUZZ_SECONDS:-60} / ${#targets[@]}))
# 0 means no limit to libFuzzer.
((seconds > 0)) || seconds=1
export CARGO_INCREMENTAL=0
cargo +nightly --version 2>/dev/null || step rustup toolchain install nightly --profile minimal
command -v cargo-fuzz >/dev/null || step cargo +nightly install cargo-fuzz --locked
step cargo +nightly fuzz build --target-dir "$target_dir/fuzz"
host=$(rustc -vV | sed -n 's/^host: //p')
log=$target_dir/fuzz/log scratch=$target_dir/fuzz/scratch

# Runs a target on its seeds and a corpus that grows, `fuzz TARGET ARTIFACTS CORPUS [OPTION]...`,
# and writes its output to the log.
fuzz() {
    local target=$1 artifacts=$2 corpus=$3
    shift 3
    "$target_dir/fuzz/$host/release/$target" "$corpus" "fuzz/seeds/$target" -artifact_prefix="$artifacts/" \
        -max_len=320 -timeout=20 -print_final_stats=1 "$@" >"$log" 2>&1
}

stat() {
    sed -n "s/^stat::$1: *//p" "$log"
}

for target in "${targets[@]}"; do
    rm -rf "$scratch"
    mkdir -p "$scratch"
    found=0
    AITER_FUZZ_PLANTED=1 fuzz "$target" "$scratch" "$scratch" -max_total_time=20 || found=$?
    # Only a panic of the model counts: a program that is missing or does not start exits with an
    # error too.
    if ((found == 0)) || ! grep -q "panicked at .*tests/src/properties/" "$log"; then
        tail -n 20 "$log"
        next="$target no longer sees a lost wake (exit $found): look at what its model checks"
        exit 1
    fi
    echo "$target: the planted bug was found: $(sed -n '/panicked at/{n;p;q}' "$log")"
done

for target in "${targets[@]}"; do
    corpus=fuzz/corpus/$target artifacts=fuzz/artifacts/$target
    mkdir -p "$corpus" "$artifacts"
    if ! fuzz "$target" "$artifacts" "$corpus" -max_total_time="$seconds"; then
        input=$(sed -n 's/.*Test unit written to //p' "$log")
        grep -v '^#' "$log" | tail -n 60
        [[ -z $input ]] || AITER_FUZZ_SHOW=1 "$target_dir/fuzz/$host/release/$target" "$input" 2>&1 | grep -B 400 'panicked at' || true
        exit 1
    fi
    last=$(grep -o 'cov: [0-9]* ft: [0-9]* corp: [0-9]*' "$log" | tail -n 1)
    runs=$(stat number_of_executed_units)
    # It has to run more than its seeds.
    ((runs > $(find "fuzz/seeds/$target" -type f | wc -l))) || { next="$target ran $runs times only: see $log" && exit 1; }
    echo "$target: $runs runs in $seconds s, $last, new $(stat new_units_added)"
done
passed
