#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The sending nodes are killed while messages and requests are under way, and start again under their names at
# their addresses: what they had sent arrived once or not at all, and all that the new ones send arrives.
# covers N9 X1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
times=$((long == 1 ? 20 : 2))

scenario() {
    net_rate 10
    both '' '' udp://10.77.0.2:0
    await_address push
    push_address=$address
    await_address req
    req_address=$address
    await_begun push req
    old_push=push old_req=req
    for ((i = 1; i <= times; i++)); do
        say "restart $i"
        killed "$old_push" "$old_req"
        address=$pull_address
        sender "push$i" push --bind "$push_address" --id source --links 4
        address=$rep_address
        sender "req$i" req --bind "$req_address" --id client --links 4 --window 20
        old_push=push$i old_req=req$i
        await_begun "$old_push" "$old_req"
    done
    settle "$old_push" pull "$old_req" rep
    verify
}

net_everywhere scenario
