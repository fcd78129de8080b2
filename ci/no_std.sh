#!/usr/bin/env bash
# Core builds where there is no `std`: on a Cortex-M3, and with `portable-atomic` where there is no compare-and-swap
# either (Cortex-M0, RISC-V without atomics). On each with an allocator, and, as far as that goes, without.
. "$(dirname "$0")/common"
if command -v rustup >/dev/null && step rustup target add "${bare_metal[@]}"; then
    :
elif local_toolchain; then
    export RUSTC=$local_rustc
else
    next="install the targets: rustup target add ${bare_metal[*]}"
    exit 1
fi
next='import from `core`, `alloc` and `crate::sync`; ask for no default features of a dependency'
build=(cargo build --target-dir "$target_dir/no_std" -p aiter-core --lib --no-default-features)
for target in "${bare_metal[@]}"; do
    for features in '' alloc; do
        case $target in
            thumbv7m-*) step "${build[@]}" --features "$features" --target "$target" ;;
            # How to do without compare-and-swap is the choice of the final binary; here this check stands in for it.
            *) step env RUSTFLAGS="${RUSTFLAGS:-} --cfg portable_atomic_unsafe_assume_single_core" \
                "${build[@]}" --features "portable-atomic,$features" --target "$target" ;;
        esac
    done
done
