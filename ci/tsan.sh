#!/usr/bin/env bash
# Runs ThreadSanitizer over core and all adapters, with an instrumented standard library. First, two
# planted races have to be reported, and a correct hand-over must not be. AITER_LONG=1 runs the
# whole suite in full and in release.
. "$(dirname "$0")/common"
next='the report names both accesses: an ordering is missing between them. ci/tsan.suppressions is for orders that ThreadSanitizer cannot see'
host=$(rustc -vV | sed -n 's/^host: //p')
if command -v rustup >/dev/null && { rustup run nightly rustc -V || rustup toolchain install nightly --profile minimal; } &&
    step rustup component add rust-src --toolchain nightly; then
    export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=thread"
    test=(cargo +nightly test -Zbuild-std --target "$host" --target-dir "$target_dir/tsan")
elif [[ -f $toolchains/tsan.sh ]]; then
    test=(bash "$(realpath "$toolchains/tsan.sh")")
else
    echo 'a nightly compiler with the source of the standard library is not installed, and rustup cannot fetch it' >&2
    next='install rustup from https://rustup.rs, then: rustup toolchain install nightly --profile minimal --component rust-src'
    exit 1
fi
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.suppressions ${TSAN_OPTIONS:-}"
# Backtraces of the panics that tests provoke take longer than the tests, because their code is
# instrumented too.
export RUST_BACKTRACE=0

planted=("${test[@]}" -p aiter-tests --test sanitizer_faults)
for bug in race race_of_clones; do
    if output=$(step "${planted[@]}" -- --ignored --exact "$bug" 2>&1) || ! grep -q 'ThreadSanitizer: data race' <<<"$output"; then
        echo "$output"
        next="the planted bug \`$bug\` (tests/tests/sanitizer_faults.rs) went unreported: the sanitizer does not work"
        exit 1
    fi
    echo "planted $bug: reported"
done

# `fixed_interrupts` steps through single instructions, which would include the sanitizer's. In
# `file_limit` no more files can be opened, so the sanitizer cannot read the symbols by which it
# suppresses reports.
profile=() unfit=(fixed_interrupts file_limit)
if [[ ! ${AITER_LONG:-} ]]; then
    # Tests of a single thread have no race. Some tests run an example as a process, with deadlines.
    tests_but "${unfit[@]}" auto_traits callers_line cancellation ext failures event_bus hub ingest line_server memory properties seed
elif [[ ${test[0]} == cargo ]]; then
    profile=(--release)
    tests_but "${unfit[@]}"
    # The programs that tests run.
    step "${test[@]/#test/build}" "${profile[@]}" "${of_one_machine[@]/#/-p}" --examples
else
    profile=(--release)
    tests_but "${unfit[@]}" event_bus hub ingest line_server
fi
if [[ ${AITER_LONG:-} ]]; then
    # In release the suppressed functions are inlined, and only their file still identifies them.
    sed -n 's#^race:aiter_core::\([a-z_:]*\)::[A-Z].*#\1#p' ci/tsan.suppressions | sed 's#::#/#g; s#.*#race:aiter-core/src/&.rs\nrace:aiter-core/src/&/mod.rs#' |
        cat ci/tsan.suppressions - >"$target_dir/tsan.suppressions"
    export TSAN_OPTIONS="suppressions=$target_dir/tsan.suppressions ${TSAN_OPTIONS#* }"
fi
# The first skipped test leaves no file descriptor for the process that looks up suppressed symbols.
# The second one forbids system calls that the sanitizer makes.
tested "${test[@]}" "${profile[@]}" --no-fail-fast "${tests[@]}" -- --skip without_file_descriptors --skip system_calls::no_operation
passed
