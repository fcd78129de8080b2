#!/usr/bin/env bash
# Fuzzing: random sequences of steps over push lists, forks, gates, takers, joins and drivers, with clones, drops and wakers that
# panic or come back, under AddressSanitizer and LeakSanitizer. Each target begins with the sequences in fuzz/seeds and those
# that earlier runs left in fuzz/corpus, and has its share of AITER_FUZZ_SECONDS (60). Before, each has to find a planted bug.
. "$(dirname "$0")/common"
next='take the steps printed above into a test; the input is in fuzz/artifacts, `AITER_FUZZ_SHOW=1 BINARY INPUT` repeats it'
targets=(fuzz/targets/*.rs)
targets=("${targets[@]##*/}")
targets=("${targets[@]%.rs}")
seconds=$((${AITER_FUZZ_SECONDS:-60} / ${#targets[@]}))
# To libFuzzer 0 is no limit.
((seconds > 0)) || seconds=1
export CARGO_INCREMENTAL=0
cargo +nightly --version 2>/dev/null || step rustup toolchain install nightly --profile minimal
command -v cargo-fuzz >/dev/null || step cargo +nightly install cargo-fuzz --locked
step cargo +nightly fuzz build --target-dir "$target_dir/fuzz"
host=$(rustc -vV | sed -n 's/^host: //p')
log=$target_dir/fuzz/log scratch=$target_dir/fuzz/scratch

# Runs a target on the seeds and a corpus that is to grow. Its words go to the log.
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
    # A panic of the model, and no other end: a program that is not there, or does not start, has found nothing.
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
    # The seeds, and then some.
    ((runs > $(find "fuzz/seeds/$target" -type f | wc -l))) || { next="$target ran $runs times only: see $log" && exit 1; }
    echo "$target: $runs runs in $seconds s, $last, new $(stat new_units_added)"
done
passed
