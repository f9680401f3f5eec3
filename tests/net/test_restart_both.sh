#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Both ends are killed at once while messages and requests are under way, and start again under their names at
# their addresses; packets of their former lives may still be on the way. covers N9 X1 X2 U5
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
    names=(push pull req rep)
    for ((i = 1; i <= times; i++)); do
        say "restart $i"
        killed "${names[@]}"
        receiver "pull$i" pull "$pull_address" --id sink --links 4
        sender "push$i" push --bind "$push_address" --id source --links 4
        receiver "rep$i" rep "$rep_address" --id server --links 4
        sender "req$i" req --bind "$req_address" --id client --links 4 --window 20
        names=("push$i" "pull$i" "req$i" "rep$i")
        await_begun "push$i" "req$i"
    done
    settle "${names[@]}"
    verify
}

net_everywhere scenario
