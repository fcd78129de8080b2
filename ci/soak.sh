#!/usr/bin/env bash
# Pushers, forks, takers, gates, joins and workers that come and go on two threads: every item is accounted for, nobody waits
# for ever, and the memory stays as it is. AITER_SOAK_SECONDS says how long (20; 600 is the long form).
. "$(dirname "$0")/common"
next='run it again with the seed that is printed; tests/examples/soak/shifts.rs has the part that is named'
step cargo run --release -p aiter-tests --example soak -- "${AITER_SOAK_SECONDS:-20}"
passed
