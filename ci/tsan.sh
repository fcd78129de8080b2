#!/usr/bin/env bash
# ThreadSanitizer over core and all adapters, the standard library instrumented as well. First two planted races have to be
# reported, and a correct hand-over not. AITER_LONG=1 runs the whole suite in full and in release.
. "$(dirname "$0")/common"
next='the report names both accesses: an ordering is missing between them. ci/tsan.suppressions is for what it cannot know'
host=$(rustc -vV | sed -n 's/^host: //p')
if command -v rustup >/dev/null && { rustup run nightly rustc -V || rustup toolchain install nightly --profile minimal; } &&
    step rustup component add rust-src --toolchain nightly; then
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

# `fixed_interrupts` steps through single instructions, those of a sanitizer too. In `file_limit` no more files can be opened, that with
# the names of functions neither, by which reports are suppressed.
profile=() unfit=(fixed_interrupts file_limit)
if [[ ! ${AITER_LONG:-} ]]; then
    # Where there is one thread there is no race; some tests run an example as a process, with deadlines.
    tests_but "${unfit[@]}" auto_traits callers_line cancellation ext failures event_bus line_server memory properties seed
elif [[ ${test[0]} == cargo ]]; then
    profile=(--release)
    tests_but "${unfit[@]}"
    # The programs that tests run.
    step "${test[@]/#test/build}" "${profile[@]}" "${published[@]/#/-p}" --examples
else
    profile=(--release)
    tests_but "${unfit[@]}" event_bus line_server
fi
if [[ ${AITER_LONG:-} ]]; then
    # In release what is excused is inlined, and known by its file alone.
    sed -n 's#^race:aiter_core::\([a-z_:]*\)::[A-Z].*#\1#p' ci/tsan.suppressions | sed 's#::#/#g; s#.*#race:aiter-core/src/&.rs\nrace:aiter-core/src/&/mod.rs#' |
        cat ci/tsan.suppressions - >"$target_dir/tsan.suppressions"
    export TSAN_OPTIONS="suppressions=$target_dir/tsan.suppressions ${TSAN_OPTIONS#* }"
fi
# What is suppressed is looked up by a process of its own, for which there has to be a descriptor left; and the sanitizer makes
# system calls.
tested "${test[@]}" "${profile[@]}" --no-fail-fast "${tests[@]}" -- --skip without_file_descriptors --skip system_calls::no_operation
passed
