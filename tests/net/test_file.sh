#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Large messages between two machines arrive identical, also when the network loses one packet in twenty.
# covers X1 X3 U5
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"
# shellcheck source=tests/support/net.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/net.sh"
limit=110
net_setup

# copy MIB: sends a file of so many MiB from a to b.
copy() {
    local began=${EPOCHREALTIME/./}
    head -c $(($1 << 20)) /dev/urandom >"$work/file"
    in_b
    start sink pull --bind udp://10.77.0.2:0 --socket sink --raw --count 1
    await_address sink
    in_a
    run 0 push --link "$address/sink" --file "$work/file"
    finish sink 0
    cmp "$work/file" "$work/sink.out"
    printf '%d MiB in %d ms\n' "$1" $(((${EPOCHREALTIME/./} - began) / 1000))
}

say "64 MiB without loss"
copy 64

say "8 MiB with 5 % loss"
net_lose 5
copy 8
lost=$(net_lost)
printf '%d packets were lost\n' "$lost"
((lost > 0)) || fail "the network lost nothing"
