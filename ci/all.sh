#!/usr/bin/env bash
# Runs everything that has to pass before a change lands: the tests, then each check in ci/. Two checks
# run at a time (AITER_LANES says how many), because most of them wait for a linker, an emulator or a
# download now and then. Goes on after a failure, ends with a table, and exits with 1 if anything
# failed. A cold run takes some 27 minutes on two cores.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
# The checks that take longest start first, so that none of them runs alone at the end.
slow=(tsan loom mutants cross orderings asan fuzz jetstream soak)
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
# Checks append to this file what they could not check on this machine.
export scratch AITER_LEFT_OUT=$scratch/left_out
touch "$AITER_LEFT_OUT"

# Writes down how a step went: `row NAME CODE SECONDS`.
row() {
    printf '%-40s %-7s %8d\n' "$1" "$( (($2 == 0)) && echo ok || echo FAILED)" "$3" >>"$scratch/rows"
}

# Runs one check, and prints its output as a whole when it has ended.
check() {
    local start=$EPOCHSECONDS code=0 log=$scratch/${1##*/}.log
    bash "$1" >"$log" 2>&1 || code=$?
    exec 9>"$scratch/lock" && flock 9
    row "$1" "$code" $((EPOCHSECONDS - start))
    printf '\n===== %s\n' "$1"
    cat "$log"
}
export -f row check

code=0 tests=(cargo test --workspace --no-fail-fast)
printf '===== %s\n' "${tests[*]}"
"${tests[@]}" || code=$?
row "${tests[*]}" "$code" "$SECONDS"

checks=()
for name in "${slow[@]}"; do
    [[ ! -f ci/$name.sh ]] || checks+=("ci/$name.sh")
done
for name in ci/*.sh; do
    [[ $name == ci/all.sh || " ${checks[*]-} " == *" $name "* ]] || checks+=("$name")
done
if [[ ${#checks[@]} == 0 ]]; then
    echo 'there is no check in ci/' >&2
    exit 1
fi
printf '\n===== checks, %d at a time: %s\n' "${AITER_LANES:=2}" "${checks[*]}"
# shellcheck disable=SC2016
printf '%s\0' "${checks[@]}" | xargs -0 -P "$AITER_LANES" -I{} bash -c 'check "$1"' - {}

printf '\n===== in all %d s\n%-40s %-7s %8s\n' "$SECONDS" step verdict seconds
sort "$scratch/rows"
sed 's/^/NOT CHECKED by /' "$AITER_LEFT_OUT"
# A check that has no row did not come to its end.
[[ $(grep -c ' ok  *[0-9]*$' "$scratch/rows") == $((${#checks[@]} + 1)) ]]
