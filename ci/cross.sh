#!/usr/bin/env bash
# The tests on other processors: with words of 32 bits (i686, whose programs run as they are), and on aarch64 by qemu-user, which
# has its instructions and its system calls, but not its weak order of memory: core's unit tests and those of memory, lists,
# histories and failures. AITER_LONG=1 runs the whole suite, as the workflow does each night. Arguments are the targets:
# ci/cross.sh aarch64-unknown-linux-gnu.
. "$(dirname "$0")/common"
if [[ $(uname -sm) != 'Linux x86_64' ]]; then
    leave_out 'other processors: this needs Linux on x86-64'
    passed
    exit
fi
targets=("$@")
((${#targets[@]})) || targets=(i686-unknown-linux-gnu aarch64-unknown-linux-gnu)
# Panics say where they are without it, and it takes half of the time to link. And where each instruction is translated, or half of
# all positions are walked over, tests take longer than it takes to compile better ones.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=1
for target in "${targets[@]}"; do
    export AITER_RUNNER=
    case $target in
        i686-*)
            packages=(gcc-i686-linux-gnu libc6-dev-i386-cross lib32gcc-s1)
            linker=i686-linux-gnu-gcc
            # The two cannot be installed together.
            ! dpkg -s gcc-multilib >/dev/null 2>&1 || packages=(gcc-multilib) linker=cc
            ;;
        aarch64-*)
            packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)
            linker=aarch64-linux-gnu-gcc
            # Tests that start programs find it here too.
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
        # Its compiler builds the standard library from its source.
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
        build+=(-Zbuild-std=std,panic_unwind,test)
    fi
    next="run what failed alone: AITER_LONG=1 ci/cross.sh $target shows all of it"
    if [[ ${AITER_LONG:-} ]]; then
        # Single instructions are those of x86-64.
        tests_but fixed_interrupts
        # The programs that tests run.
        step cargo build "${build[@]}" "${published[@]/#/-p}" --examples
    else
        tests=(-p aiter-core -p aiter-tests --lib)
        for name in failures linearizability memory push_lists; do
            tests+=(--test "$name")
        done
    fi
    tested cargo test "${build[@]}" --no-fail-fast "${tests[@]}"
done
passed
