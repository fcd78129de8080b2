#!/usr/bin/env bash
# The single-threaded hot paths take no more instructions per item than `ci/instructions.txt` says.
# callgrind counts them, so the figures do not depend on the machine or its load. They do depend on
# the compiler, so the file names the version of rustc and the target that they belong to. This
# script uses that version if rustup has it or can fetch it. With another version or target it
# prints its table, compares nothing, and says so. `ci/instructions.sh --update` rewrites the file,
# to be reviewed and committed with the change.
. "$(dirname "$0")/common"
file=ci/instructions.txt
counts=$target_dir/instructions.txt

# Prints the name of a scenario and its instructions per item: `count SCENARIO ITEMS`. To leave out
# the start and the warm-up, it takes the difference between a run with that many items and one with
# twice as many.
count() {
    local items code=0 log total totals=()
    for items in "$2" $((2 * $2)); do
        log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$items" 2>&1) || code=$?
        total=$(sed -n 's/.*Collected : //p' <<<"$log")
        if ((code != 0)) || [[ ! $total =~ ^[0-9]+$ ]]; then
            echo "$1 with $items items, exit $code: $log" >&2
            return 1
        fi
        totals+=("$total")
    done
    awk -v name="$1" -v more=$((totals[1] - totals[0])) -v items="$2" 'BEGIN { printf "%-24s %8.1f\n", name, more / items }'
}

next='install valgrind'
command -v valgrind >/dev/null || add_packages valgrind
next='read the first error above'
noted=$(sed -n 's/^rustc //p' "$file")
if [[ ${1:-} != --update && $(rustc -V) != "rustc $noted "* ]] && command -v rustup >/dev/null &&
    { rustup run "$noted" rustc -V || rustup toolchain install "$noted" --profile minimal; }; then
    export RUSTUP_TOOLCHAIN=$noted
fi
# Keep the environment from changing the code that the compiler makes.
export CARGO_INCREMENTAL=0
unset RUSTFLAGS
step cargo build --quiet --release --locked -p aiter-benches --example instructions
program=$target_dir/release/examples/instructions
export program
export -f count
{
    rustc -vV | sed -n 's/^release:/rustc/p; s/^host:/target/p'
    # Several scenarios run at a time; the line numbers restore the order of the program.
    "$program" | nl -nrz | xargs -P "$(nproc)" -L 1 bash -c 'line=$(count "$2" "$3") && echo "$1 $line"' count | sort | cut -d ' ' -f 2-
} >"$counts"

if [[ ${1:-} == --update ]]; then
    cp "$counts" "$file"
    cat "$file"
    passed
    exit
fi

next='if an item is meant to cost more: ci/instructions.sh --update, then commit ci/instructions.txt and say in the message why'
code=0
awk '
    # The first two lines of each file name the compiler and the target of its figures.
    FNR <= 2 { belongs[NR == FNR] = belongs[NR == FNR] " " $1 " " $2; next }
    NR == FNR { noted[$1] = $2; next }
    FNR == 3 {
        compares = belongs[0] == belongs[1]
        print "Instructions per item, as noted and now:"
    }
    {
        was = $1 in noted ? noted[$1] : "-"
        verdict = ""
        if (compares) {
            if (was == "-")
                verdict = "NOT NOTED"
            else if ($2 > was * 1.01 && $2 > was + 2)
                verdict = "MORE"
            else if ($2 < was * 0.99)
                verdict = "fewer"
        }
        failed += verdict ~ /[A-Z]/
        fewer += verdict == "fewer"
        printf "%-24s %8s %8s  %s\n", $1, was, $2, verdict
        seen[$1]
    }
    END {
        if (compares)
            for (name in noted)
                if (!(name in seen)) {
                    print name " is noted and was not counted"
                    failed++
                }
        if (fewer && !failed)
            print fewer " took more than 1 % fewer: write the new figures, ci/instructions.sh --update"
        exit failed ? 1 : compares ? 0 : 3
    }' "$file" "$counts" || code=$?
((code == 0 || code == 3))
((code == 0)) || leave_out "the figures belong to $(head -n 2 "$file" | paste -sd' '), and this is $(head -n 2 "$counts" | paste -sd' ')"
passed
