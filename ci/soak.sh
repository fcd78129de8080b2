#!/usr/bin/env bash
# Creates and drops pushers, forks, hubs, takers, gates, joins and workers on two threads: every
# item is accounted for, no task waits for ever, and the memory does not grow. AITER_SOAK_SECONDS
# says for how long (20; 600 is the long form).
. "$(dirname "$0")/common"
next='run it again with the seed that is printed; tests/examples/soak/shifts has the shift named'
step cargo run --release -p aiter-tests --example soak -- "${AITER_SOAK_SECONDS:-20}"
passed
