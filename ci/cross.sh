#!/usr/bin/env bash
# Runs tests on other processors: on i686, which has 32-bit words and needs no emulation, and on
# aarch64 under qemu-user, which emulates its instructions and system calls but not its weak memory
# order. The tests are core's unit tests and the programs `failures`, `linearizability`, `memory`
# and `push_lists`. AITER_LONG=1 runs the whole suite, as the workflow does each night. Arguments
# name the targets: ci/cross.sh aarch64-unknown-linux-gnu.
. "$(dirname "$0")/common"
if [[ $(uname -sm) != 'Linux x86_64' ]]; then
    leave_out 'other processors: this check needs Linux on x86-64'
    passed
    exit
fi
targets=("$@")
((${#targets[@]})) || targets=(i686-unknown-linux-gnu aarch64-unknown-linux-gnu)
# Debug information takes half of the time to link, and a panic names its line without it.
# Optimising costs less time than it saves: under emulation, and in tests that walk over half of all
# positions.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=1
for target in "${targets[@]}"; do
    export AITER_RUNNER=
    case $target in
        i686-*)
            packages=(gcc-i686-linux-gnu libc6-dev-i386-cross lib32gcc-s1)
            linker=i686-linux-gnu-gcc
            # The cross compiler and gcc-multilib cannot be installed together.
            ! dpkg -s gcc-multilib >/dev/null 2>&1 || packages=(gcc-multilib) linker=cc
            ;;
        aarch64-*)
            packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)
            linker=aarch64-linux-gnu-gcc
            # Tests that start programs read it too.
            AITER_RUNNER='qemu-aarch64-static -L /usr/aarch64-linux-gnu'
            export PROPTEST_CASES=${PROPTEST_CASES:-32}
            ;;
        *) next='name i686-unknown-linux-gnu or aarch64-unknown-linux-gnu' && exit 1 ;;
    esac
    next="install ${packages[*]}; first remove gcc-multilib if it is in their way"
    add_packages "${packages[@]}"
    name=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    export "${name}_LINKER=$linker"
    [[ -z $AITER_RUNNER ]] || export "${name}_RUNNER=$AITER_RUNNER"

    build=(--target "$target" --target-dir "$target_dir/cross" --config 'profile.dev.package."*".opt-level=0')
    if ! { command -v rustup >/dev/null && step rustup target add "$target"; }; then
        next="install the target: rustup target add $target; or Debian's rustc-web and rust-web-src"
        add_packages rustc-web rust-web-src
        # Debian's compiler builds the standard library from its source.
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
        build+=(-Zbuild-std=std,panic_unwind,test)
    fi
    next="run what failed alone: AITER_LONG=1 ci/cross.sh $target shows all of it"
    if [[ ${AITER_LONG:-} ]]; then
        # `fixed_interrupts` knows the instructions of x86-64 only.
        tests_but fixed_interrupts
        # Some tests run these programs.
        step cargo build "${build[@]}" "${of_one_machine[@]/#/-p}" --examples
    else
        tests=(-p aiter-core -p aiter-tests --lib)
        for name in failures linearizability memory push_lists; do
            tests+=(--test "$name")
        done
    fi
    tested cargo test "${build[@]}" --no-fail-fast "${tests[@]}"
done
passed
