#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The network drops 5 % and then 30 % of the packets, both ways: every message arrives once, in order on
# each link, every request is answered, and then no node has a record left. covers X1 X2 X3 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
factor=$((long == 1 ? 20 : 1))

# traffic N REQUESTS HOST
traffic() {
    local began=${EPOCHREALTIME/./}
    both $(($1 * factor)) $(($2 * factor)) "$3"
    await_done push req
    printf 'done in %d ms\n' $(((${EPOCHREALTIME/./} - began) / 1000))
    settle push pull req rep
    (($(figure push retransmitted) > 0)) || fail "nothing was sent again"
    verify
}

scenario() {
    say "5 %"
    net_lose 5
    traffic 10000 500 udp://10.77.0.2:0

    say "5 %, IPv6"
    traffic 10000 500 'udp://[fd77::2]:0'

    say "30 %"
    net_lose 30
    traffic 500 100 udp://10.77.0.2:0
    printf '%d packets were lost\n' "$(net_lost)"
}

net_everywhere scenario
