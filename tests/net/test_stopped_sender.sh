#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The senders stand still (SIGSTOP) for longer than any timer of theirs or their peers' runs (8 s, after which
# a silent sender is probed), and go on: nothing is lost, nothing comes twice, no link ends.
# covers N9 X1 X2 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"

scenario() {
    net_rate 10
    both '' '' udp://10.77.0.2:0
    await_begun push req
    kill -STOP "${pid_of[push]}" "${pid_of[req]}"
    hold $((long == 1 ? 70 : 9))
    kill -CONT "${pid_of[push]}" "${pid_of[req]}"
    settle push pull req rep
    verify
}

net_everywhere scenario
