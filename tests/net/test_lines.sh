#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Lines between two machines while the network loses one packet in twenty, both ways: every line arrives
# once, and in order. covers X1 L1 U5
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"
# shellcheck source=tests/support/net.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/net.sh"
limit=110
net_setup

# lines N HOST: sends N lines from a to b, which listens on HOST.
lines() {
    local n=$1 began=${EPOCHREALTIME/./}
    seq "$n" >"$work/lines"
    in_b
    start sink pull --bind "udp://$2:0" --socket sink --count "$n"
    await_address sink
    in_a
    input=$work/lines
    run 0 push --link "$address/sink" --lines
    input=/dev/null
    finish sink 0
    cmp "$work/lines" "$work/sink.out"
    printf '%d lines in %d ms\n' "$n" $(((${EPOCHREALTIME/./} - began) / 1000))
}

say "without loss"
lines 100000 10.77.0.2

say "with 5 % loss"
net_lose 5
lines 100000 10.77.0.2
lost=$(net_lost)
printf '%d packets were lost\n' "$lost"
((lost > 0)) || fail "the network lost nothing"

say "with 5 % loss, over IPv6"
lines 10000 '[fd77::2]'
