#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The receiving nodes are killed while messages and requests are under way, and start again under their names
# at their addresses: the sender is told what was given up, nothing of that comes to the new ones, and the
# links go on. covers N9 X1 S6 S8 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
times=$((long == 1 ? 20 : 2))

scenario() {
    net_rate 10
    both '' '' udp://10.77.0.2:0
    await_begun push req
    old_pull=pull old_rep=rep
    for ((i = 1; i <= times; i++)); do
        say "restart $i"
        killed "$old_pull" "$old_rep"
        receiver "pull$i" pull "$pull_address" --id sink --links 4
        receiver "rep$i" rep "$rep_address" --id server --links 4
        await_through push
        await_through req
        old_pull=pull$i old_rep=rep$i
    done
    settle push "$old_pull" req "$old_rep"
    verify
    expect "$checked" " lost [1-9][0-9]*, unknown [1-9]"
}

net_everywhere scenario
