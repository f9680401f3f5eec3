#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A link of 10 Mbit/s with a short queue in front of it, IPv4 and IPv6: the senders find the rate; nothing is
# lost for good, and little is sent twice. covers X1 X3 X4 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
factor=$((long == 1 ? 20 : 1))

scenario() {
    net_rate 10
    for host in udp://10.77.0.2:0 'udp://[fd77::2]:0'; do
        say "$host"
        began=${EPOCHREALTIME/./}
        both $((4000 * factor)) $((200 * factor)) "$host"
        await_done push req
        printf 'done in %d ms\n' $(((${EPOCHREALTIME/./} - began) / 1000))
        settle push pull req rep
        sent=$(figure push tx-packets)
        again=$(figure push retransmitted)
        ((again * 4 < sent)) || fail "$again of $sent packets were sent again: no congestion control"
        verify
    done
}

net_everywhere scenario
