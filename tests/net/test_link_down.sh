#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The device goes down for two seconds while messages and requests are under way, IPv4 and IPv6: nothing is
# lost, nothing comes twice, no link ends. covers X1 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
times=$((long == 1 ? 10 : 1))

scenario() {
    net_rate 10
    for host in udp://10.77.0.2:0 'udp://[fd77::2]:0'; do
        say "$host"
        both '' '' "$host"
        await_begun push req
        for ((i = 0; i < times; i++)); do
            net_down
            hold 2
            net_up
            hold 1
        done
        settle push pull req rep
        verify
    done
}

net_everywhere scenario
