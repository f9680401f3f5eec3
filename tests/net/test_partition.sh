#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Nothing gets through for five seconds, over IPv6 two (a minute in long campaigns): then all goes on, and
# nothing was lost. covers X1 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"

# parted HOST SECONDS
parted() {
    say "$1"
    both '' '' "$1"
    await_begun push req
    net_lose 100
    hold "$2"
    net_lose 0
    settle push pull req rep
    verify
}

scenario() {
    net_rate 10
    parted udp://10.77.0.2:0 $((long == 1 ? 60 : 5))
    parted 'udp://[fd77::2]:0' $((long == 1 ? 60 : 2))
}

net_everywhere scenario
