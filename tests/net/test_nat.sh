#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A translator of addresses stands before the senders, and gives them other ports while messages and requests are
# under way: what goes to the old ones is lost, and nobody tells the senders. Nothing is lost, nothing comes twice,
# links stay. IPv4 and IPv6. covers N6 X1 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
net_setup
net_rate 20
times=$((long == 1 ? 50 : 3))

for host in udp://10.77.0.2:0 'udp://[fd77::2]:0'; do
    say "$host"
    both '' '' "$host"
    await_address push
    push_port=$port
    await_address req
    req_port=$port
    await_begun push req
    for ((i = 1; i <= times; i++)); do
        net_rebind "$push_port=$((20000 + 2 * i))" "$req_port=$((20001 + 2 * i))"
        await_through push
        await_through req
    done
    settle push pull req rep
    verify
    for name in pull rep; do
        gap=$(figure "$name" longest-gap-ms)
        ((gap < 7500)) || fail "$name heard nothing for $gap ms: it did not follow by itself"
    done
done
