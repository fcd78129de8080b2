#!/usr/bin/env bash
# Runs the loom models of core: every interleaving of a few threads with up to LOOM_MAX_PREEMPTIONS
# (2) preemptions, and with one more for models that take less than half a second. The slowest have
# one preemption less, unless AITER_LONG=1 is set. Several models run at a time, each in a
# process of its own.
. "$(dirname "$0")/common"
next='run the failing model alone with LOOM_LOG=trace and LOOM_LOCATION=1 (see the docs of loom)'
set_up_models
test=(cargo test --release --target-dir "$target_dir/loom" -p aiter-core --lib)
echo "RUSTFLAGS='$RUSTFLAGS' LOOM_MAX_PREEMPTIONS=$LOOM_MAX_PREEMPTIONS"
listed=$(step "${test[@]}" -- --list loom)
names=$(sed -n 's/: test$//p' <<<"$listed")
if [[ -z $names ]]; then
    next='no test has "loom" in its path: name the module of the models `loom`'
    exit 1
fi
slowest=(
    fixed::loom::when_free::loom_wait_is_dropped_while_it_is_woken
    list::loom::gap::loom_a_subscriber_behind_a_gap_is_dropped_as_well
    list::loom::loom_blocks_are_freed_under_writers
    list::loom::registry::loom_a_reader_polled_in_its_wake_takes_the_slot_of_its_follower
    list::loom::sleep::loom_a_gap_and_the_tail_are_published_in_either_order
    push::bounded::loom::loom_readers_stop_reporting_while_a_push_begins_to_wait
    push::bounded::loom::loom_subscribers_that_come_at_once_keep_to_the_limit
    push::bounded::loom::loom_two_pushers_begin_to_wait_while_two_items_are_taken
)
for name in "${slowest[@]}"; do
    if [[ $'\n'$names$'\n' != *$'\n'"$name"$'\n'* ]]; then
        next="no model is called $name: correct the names in \`slowest\`"
        exit 1
    fi
done
export slow=" ${slowest[*]} "
[[ ! ${AITER_LONG:-} ]] || slow=
binary=$("${test[@]}" --no-run --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')

model() {
    local LOOM_MAX_PREEMPTIONS=$LOOM_MAX_PREEMPTIONS
    [[ $slow != *" $2 "* ]] || ((LOOM_MAX_PREEMPTIONS--))
    local start=${EPOCHREALTIME/./} code=0 output
    output=$("$1" --exact "$2" 2>&1) || code=$?
    local millis=$(((${EPOCHREALTIME/./} - start) / 1000))
    # The program exits with 0 also if the model is ignored or does not exist.
    ((code != 0)) || grep -q '^test result: ok. 1 passed;' <<<"$output" || code=1
    ((code == 0)) || printf '%s\n' "$output" >&2
    printf '%7d ms  bound %d  %s%s\n' "$millis" "$LOOM_MAX_PREEMPTIONS" "$2" "$( ((code == 0)) || echo '  FAILED')"
    if ((code == 0 && ${3:-0} && millis < 500)) && [[ $slow != *" $2 "* ]]; then
        LOOM_MAX_PREEMPTIONS=$((LOOM_MAX_PREEMPTIONS + 1)) model "$1" "$2" || return
    fi
    return "$code"
}
export -f model
# shellcheck disable=SC2016
xargs -P "$(nproc)" -I{} bash -c 'model "$1" "$2" 1' - "$binary" {} <<<"$names"
passed
