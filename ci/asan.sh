#!/usr/bin/env bash
# Runs AddressSanitizer, and with it LeakSanitizer, over core and all adapters. First, a planted use
# after free and a planted leak have to be reported. AITER_LONG=1 runs the whole suite in full and
# in release.
. "$(dirname "$0")/common"
next='the report says where the memory came from and where it went'
if ! { command -v rustup >/dev/null && { rustup run nightly rustc -V || rustup toolchain install nightly --profile minimal; }; }; then
    next='install the nightly compiler: rustup toolchain install nightly --profile minimal'
    exit 1
fi
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
export LSAN_OPTIONS="suppressions=$PWD/ci/lsan.suppressions ${LSAN_OPTIONS:-}"
export RUST_BACKTRACE=0
# With an explicit target, build scripts and macros are built without the sanitizer.
test=(cargo +nightly test --target "$host" --target-dir "$target_dir/asan")

planted=("${test[@]}" -p aiter-tests --test sanitizer_faults)
for bug in use_after_free:heap-use-after-free leak:LeakSanitizer; do
    if output=$(step "${planted[@]}" -- --ignored --exact "${bug%:*}" 2>&1) || ! grep -q "ERROR: .*${bug#*:}" <<<"$output"; then
        echo "$output"
        next="the planted bug \`${bug%:*}\` (tests/tests/sanitizer_faults.rs) went unreported: the sanitizer does not work"
        exit 1
    fi
    echo "planted ${bug%:*}: reported"
done

# `fixed_interrupts` steps through single instructions, which would include the sanitizer's.
# `properties` takes the steps that ci/fuzz.sh runs under this sanitizer; here its planted bugs
# would be reported, because they leak.
profile=() left_out=(fixed_interrupts properties)
if [[ ${AITER_LONG:-} ]]; then
    profile=(--release)
    tests_but "${left_out[@]}"
    # Some tests run these programs.
    step "${test[@]/#test/build}" "${profile[@]}" "${of_one_machine[@]/#/-p}" --examples
else
    # Some tests run an example as a process, with deadlines.
    export PROPTEST_CASES=${PROPTEST_CASES:-64} AITER_DROP_ITEMS=${AITER_DROP_ITEMS:-300000}
    tests_but "${left_out[@]}" event_bus hub ingest line_server
fi
# The skipped test forbids system calls that the sanitizer makes.
tested "${test[@]}" "${profile[@]}" --no-fail-fast "${tests[@]}" -- --skip system_calls::no_operation
passed
