#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Nodes that give up a peer after 2 s of silence, and peers that are silent for longer and then go on: a receiver
# and a sender that stand still (SIGSTOP), and a partition. What was given up is reported, arrived at most once,
# and everything else arrives; links come up again. covers N9 X1 X2 S6 S8 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
check_options=(--timeouts)
times=$((long == 1 ? 10 : 1))

scenario() {
    net_rate 10
    both '' '' udp://10.77.0.2:0 --peer-timeout 2000
    await_begun push req
    for ((i = 1; i <= times; i++)); do
        say "stopped"
        kill -STOP "${pid_of[pull]}" "${pid_of[req]}"
        hold 12 # a receiver asks its sender after 8 s, and gives up 2 s later
        kill -CONT "${pid_of[pull]}" "${pid_of[req]}"
        await_through push
        await_through req
        say "parted"
        net_lose 100
        hold 4
        net_lose 0
        await_through push
        await_through req
    done
    settle push pull req rep
    verify
    expect "$checked" " lost [1-9][0-9]*, unknown [1-9]"
}

net_everywhere scenario
