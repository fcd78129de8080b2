#!/usr/bin/env bash
# Core builds where there is no `std`: on a Cortex-M3, for WebAssembly, and with `portable-atomic` where there is no
# compare-and-swap either (Cortex-M0, RISC-V without atomics). On each with an allocator, and, as far as that goes, without. The
# one for WebAssembly runs too, if Node is there; the others run in ci/embedded.sh.
. "$(dirname "$0")/common"
bare_metal+=(wasm32-unknown-unknown)
add_targets
next='import from `core`, `alloc` and `crate::sync`; ask for no default features of a dependency'
build=(cargo build --target-dir "$target_dir/no_std" -p aiter-core --lib --no-default-features)
for target in "${bare_metal[@]}"; do
    for features in '' alloc; do
        case $target in
            thumbv7m-* | wasm32-*) step "${build[@]}" --features "$features" --target "$target" ;;
            # How to do without compare-and-swap is the choice of the final binary; here this check stands in for it.
            *) step env RUSTFLAGS="${RUSTFLAGS:-} --cfg portable_atomic_unsafe_assume_single_core" \
                "${build[@]}" --features "portable-atomic,$features" --target "$target" ;;
        esac
    done
done
if command -v node >/dev/null; then
    next='see tests/wasm: src/lib.rs is what runs, run.mjs what runs it'
    step cargo build --release --target-dir "$target_dir/no_std" --manifest-path tests/wasm/Cargo.toml \
        --target wasm32-unknown-unknown
    step timeout 60 node tests/wasm/run.mjs "$target_dir/no_std/wasm32-unknown-unknown/release/aiter_wasm.wasm"
else
    leave_out 'what was built for wasm32-unknown-unknown was not run: there is no node here'
fi
passed
