#!/usr/bin/env bash
# Runs the programs of tests/firmware in QEMU on four processors, each under a time limit. Prints
# the memory that they need and what a push in an interrupt costs, beside the same on embassy-sync.
# The check fails if a push takes more instructions than its peer's, or if a program has more code
# than it may have. First it makes sure that a lost sample and a slower push fail.
. "$(dirname "$0")/common"
machines=(thumbv7m-none-eabi thumbv7em-none-eabihf thumbv6m-none-eabi riscv32imac-unknown-none-elf)
bare_metal=("${machines[@]}")
programs=(aiter embassy fixed pubsub one channel waiting send newest immediate interrupted everywhere cost limits paced batched)
next='have this script run each program in tests/firmware/src/bin, and no other'
diff <(printf '%s.rs\n' "${programs[@]}" | sort) <(cd tests/firmware/src/bin && ls)
# A program, its twin, which does the same on embassy-sync, and how many bytes of code and constants
# the first may have more than its twin: see docs/EMBEDDED.md.
twins=('one channel 0' 'fixed pubsub 0' 'waiting send 960' 'newest immediate 560')
# The program that counts, a push, its peer, the number of readers, and the states in which they are
# compared.
peers=('cost fixed::PushList::push Channel::try_send 1 awake asleep'
    'cost fixed::PushList::push PubSubChannel::try_publish 4 awake asleep'
    'limits fixed::PushList::push_when_free Channel::send 1 awake asleep'
    'limits fixed::PushList::push_overwriting PubSubChannel::publish_immediate 1 awake asleep full'
    'limits fixed::PushList::push_overwriting PubSubChannel::publish_immediate 4 awake asleep full')
limit=60 # seconds for a run; each takes about one
prefix=${EMBEDDED_PREFIX:-$HOME/.cache/aiter-toolchains}
export PATH=$PATH:$prefix/bin CARGO_TARGET_DIR
CARGO_TARGET_DIR=$(realpath -m "$target_dir/firmware")

have_qemu() {
    command -v qemu-system-arm >/dev/null && command -v qemu-system-riscv32 >/dev/null
}

# Installs QEMU from the packages of Debian or Ubuntu. Where apt would have to remove other packages
# for that, it unpacks the two programs alone, into $prefix.
install_qemu() {
    have_qemu && return
    next='install qemu-system-arm and qemu-system-riscv32'
    apt update || echo 'the lists of packages may be old'
    local packages=(qemu-system-arm qemu-system-riscv) package libraries
    [[ $(apt-cache policy "${packages[1]}") == *'Candidate: '[0-9]* ]] || packages[1]=qemu-system-misc
    add_packages "${packages[@]}" && return
    mkdir -p "$prefix/bin"
    cd "$(mktemp -d)" || return
    step apt-get -qq download "${packages[@]}"
    for package in *.deb; do
        libraries=$(dpkg-deb -f "$package" Depends | tr ',' '\n' | sed -E 's/^ *//; s/[ (].*//' | grep -v '^qemu-')
        # shellcheck disable=SC2086
        add_packages $libraries
        dpkg-deb --fsys-tarfile "$package" |
            tar -x -C "$prefix/bin" --strip-components=3 --wildcards './usr/bin/qemu-system-[ar]*'
    done
    rm -r "$PWD"
    cd "$OLDPWD" || return
    have_qemu
}

# Runs a program that was built, in QEMU: `run TARGET PROGRAM [OPTION-OF-CARGO]...`.
# tests/firmware/.cargo tells Cargo how to start QEMU.
run() {
    timeout "$limit" cargo run -q --release --target "$1" --bin "${@:2}" 2>&1
}

# Prints the pushes in the output of a program that take more instructions than their peers:
# `costlier PROGRAM <output`.
costlier() {
    awk -v program="$1" -v peers="$(printf '%s\n' "${peers[@]}")" '
        $1 == "push" { took[$2, $3, $4] = $5 }
        END {
            for (n = split(peers, lines, "\n"); n; n--) {
                fields = split(lines[n], peer, " ")
                for (state = 5; peer[1] == program && state <= fields; state++) {
                    ours = took[peer[2], peer[4], peer[state]]
                    theirs = took[peer[3], peer[4], peer[state]]
                    if (ours == "" || theirs == "" || ours > theirs)
                        print peer[2], "takes", ours, "and", peer[3], theirs, "with", peer[4], "readers", peer[state]
                }
            }
        }'
}

add_targets
install_qemu
cd tests/firmware || exit

next='copy the example from tests/firmware/src/bin/fixed.rs'
echo '+ the example in the docs of fixed has to be the code of the firmware'
example=$(sed -n '/^\/\/! static SAMPLES/,/^\/\/! ```/s/^\/\/! \{0,1\}//p' ../../aiter-core/src/fixed/mod.rs | grep -v '^#\|^// \|^```\|^$')
while IFS= read -r line; do
    grep -qxF -e "$line" src/bin/fixed.rs || { echo "not in the firmware: $line" && exit 1; }
done <<<"${example:-there is none}"

next='a sample was lost and no program noticed: see src/sample.rs'
echo '+ a firmware that loses a sample has to fail'
lossy=("${machines[0]}" aiter --features lose-sample)
step cargo build -q --release --target "${lossy[0]}" --bin "${lossy[@]:1}"
verdict=0
lost=$(run "${lossy[@]}") || verdict=$?
if ((verdict != 101)) || [[ $lost != *'came, and not number'* ]]; then
    echo "exit $verdict: $lost"
    exit 1
fi

next='a push that does more was not noticed: see costlier in this script'
echo '+ a push that does more has to fail'
for counted in 'cost 4' 'limits 8'; do
    read -r program comparisons <<<"$counted"
    costly=("${machines[0]}" "$program" --features slow-push)
    step cargo build -q --release --target "${costly[0]}" --bin "${costly[@]:1}"
    if (($(run "${costly[@]}" | costlier "$program" | wc -l) != comparisons)); then
        run "${costly[@]}"
        exit 1
    fi
done

next='fix the first warning above'
# Clippy belongs to the toolchain of rustup.
[[ -n ${RUSTC:-} ]] || for target in "${machines[@]:2}"; do
    step cargo clippy -q --release --target "$target" --bins -- -D warnings
done

next='run the program alone, as shown above, in tests/firmware; for what is too large or too slow see its code with objdump -d'
failed=0
declare -A flash
programs_table='target program code flash ram heap-peak verdict'
interrupts_table='target list points of-these-in-a-gap'
pushes_table='target push readers awake asleep full'
twins_table='target program twin more at-most verdict'
failures=
for target in "${machines[@]}"; do
    step cargo build -q --release --target "$target" --bins
    for program in "${programs[@]}"; do
        verdict=ok
        echo "+ cargo run --release --target $target --bin $program"
        output=$(run "$target" "$program") || verdict="FAILED($?)"
        [[ $verdict != ok || $output == *$'\nok' ]] || verdict='FAILED(no-verdict)'
        [[ $verdict == ok ]] || { failed=1 && echo "$output"; }
        figure() { awk -v name="$1" '$1 == name { value = $2 } END { print value == "" ? "-" : value }' <<<"$output"; }
        flash[$program]=$(figure flash)
        programs_table+=$'\n'"$target $program $(figure code) $(figure flash) $(figure ram) $(figure heap-peak) $verdict"
        case $program in
            everywhere) interrupts_table+=$(awk -v target="$target" '
                $1 == "interrupted" { points[$3] += $5; gaps[$3] += $6 }
                END { for (list in points) print "\n" target, list, points[list], gaps[list] }' ORS= <<<"$output") ;;
            cost | limits) pushes_table+=$(awk -v target="$target" '
                $1 == "push" { took[$2, $3, $4] = $5 }
                $1 == "push" && $4 == "asleep" { order[++count] = $2 SUBSEP $3 }
                END {
                    for (n = 1; n <= count; n++) {
                        split(order[n], push, SUBSEP)
                        full = took[push[1], push[2], "full"]
                        print "\n" target, push[1], push[2], took[push[1], push[2], "awake"],
                            took[push[1], push[2], "asleep"], full == "" ? "-" : full
                    }
                }' ORS= <<<"$output")
                while read -r more; do
                    failures+=$'\n'"$target: $more"
                done < <(costlier "$program" <<<"$output") ;;
        esac
    done
    for pair in "${twins[@]}"; do
        read -r program twin most <<<"$pair"
        more=$((flash[$program] - flash[$twin]))
        verdict=ok
        ((more <= most)) || { verdict='TOO-MUCH' && failures+=$'\n'"$target: $program has $more bytes of code and constants more than $twin, not $most"; }
        twins_table+=$'\n'"$target $program $twin $more $most $verdict"
    done
done
show() {
    printf '\n%s:\n' "$1"
    column -t <<<"$2"
}
show 'Bytes of code, of flash in all, of RAM (static, stack and heap at their peaks) and of the heap alone' "$programs_table"
show 'Points at which an operation was interrupted, and those between reserving and publishing' "$interrupts_table"
show 'Instructions of a push in an interrupt, mean of 300, while no reader waits, while each sleeps in a task, and into a full list' "$pushes_table"
show 'Bytes of code and constants that a program has more than its twin on embassy-sync' "$twins_table"
if [[ -n $failures ]]; then
    echo "$failures"
    failed=1
else
    printf '\nNo push takes more instructions than its peer.\n'
fi
((failed == 0))
passed
