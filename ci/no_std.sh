#!/usr/bin/env bash
# Core builds without `std`: for a Cortex-M3, for WebAssembly, and with `portable-atomic` where
# there is no compare-and-swap either (Cortex-M0, RISC-V without atomics); for each with and without
# an allocator. If Node is installed, a program runs on WebAssembly too. ci/embedded.sh runs the
# others.
. "$(dirname "$0")/common"
bare_metal+=(wasm32-unknown-unknown)
add_targets
next='import from `core`, `alloc` and `crate::sync`; turn the default features of a dependency off'
build=(cargo build --target-dir "$target_dir/no_std" -p aiter-core --lib --no-default-features)
for target in "${bare_metal[@]}"; do
    for features in '' alloc; do
        case $target in
            thumbv7m-* | wasm32-*) step "${build[@]}" --features "$features" --target "$target" ;;
            # The final binary chooses how to do without compare-and-swap; here this check chooses.
            *) step env RUSTFLAGS="${RUSTFLAGS:-} --cfg portable_atomic_unsafe_assume_single_core" \
                "${build[@]}" --features "portable-atomic,$features" --target "$target" ;;
        esac
    done
done
if command -v node >/dev/null; then
    next='see tests/wasm: run.mjs runs the module made from src/lib.rs'
    step cargo build --release --target-dir "$target_dir/no_std" --manifest-path tests/wasm/Cargo.toml \
        --target wasm32-unknown-unknown
    step timeout 60 node tests/wasm/run.mjs "$target_dir/no_std/wasm32-unknown-unknown/release/aiter_wasm.wasm"
else
    leave_out 'running the program built for wasm32-unknown-unknown: install Node'
fi
passed
