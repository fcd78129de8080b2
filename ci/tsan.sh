#!/usr/bin/env bash
# ThreadSanitizer over core and all adapters, the standard library instrumented as well. First two planted races have to be
# reported, and a correct hand-over not. AITER_LONG=1 runs the whole suite in full and in release.
. "$(dirname "$0")/common"
next='the report names both accesses: an ordering is missing between them. Excuse nothing of ours in ci/tsan.suppressions'
host=$(rustc -vV | sed -n 's/^host: //p')
if command -v rustup >/dev/null && rustup run nightly rustc -V && step rustup component add rust-src --toolchain nightly; then
    export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=thread"
    test=(cargo +nightly test -Zbuild-std --target "$host" --target-dir "$target_dir/tsan")
elif [[ -f ../shared/toolchains/tsan.sh ]]; then
    test=(bash "$PWD/../shared/toolchains/tsan.sh")
else
    next='install the nightly compiler: rustup toolchain install nightly --profile minimal --component rust-src'
    exit 1
fi
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.suppressions ${TSAN_OPTIONS:-}"
# Instrumented, the backtraces of panics that tests ask for take longer than the tests.
export RUST_BACKTRACE=0

planted=("${test[@]}" -p aiter-tests --test planted)
for bug in race race_of_clones; do
    if output=$(step "${planted[@]}" -- --ignored --exact "$bug" 2>&1) || ! grep -q 'ThreadSanitizer: data race' <<<"$output"; then
        echo "$output"
        next="the planted bug \`$bug\` (tests/tests/planted.rs) went unreported: the sanitizer does not work"
        exit 1
    fi
    echo "planted $bug: reported"
done

# All tests, but in the short form neither those that have one thread nor those of the line server's process.
profile=() left_out=()
if [[ ${AITER_LONG:-} ]]; then
    profile=(--release)
else
    left_out=(auto_traits callers_line cancellation ext failures memory push_model)
fi
if [[ ${AITER_LONG:-} && ${test[0]} == cargo ]]; then
    # The program that tests of the line server run.
    step "${test[@]/#test/build}" "${profile[@]}" -p aiter-tokio --examples
else
    left_out+=(line_server)
fi
tests=()
for file in {aiter-*,tests}/tests/*.rs; do
    name=$(basename "$file" .rs)
    [[ " ${left_out[*]} " == *" $name "* ]] || tests+=(--test "$name")
done
step "${test[@]}" "${profile[@]}" --no-fail-fast "${published[@]/#/-p}" -p aiter-tests --lib "${tests[@]}"
