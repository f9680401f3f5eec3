#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Many short lives of a sender and a receiver while the network loses one packet in twenty, both ways: the
# beginning and the end of links and nodes meet every kind of loss. None hangs, none loses a line.
# A3M_NET_RUNS says how many; 60, or 500 in long campaigns. covers X1 X2 L11 L12 N8 U5
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"
# shellcheck source=tests/support/net.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/net.sh"
limit=20
runs=${A3M_NET_RUNS:-$((${A3M_LONG:-0} == 1 ? 500 : 60))}
net_setup
net_lose 5

began=${EPOCHREALTIME/./}
for ((i = 1; i <= runs; i++)); do
    n=$((i % 20 + 1))
    seq "$n" >"$work/lines"
    in_b
    start sink pull --bind udp://10.77.0.2:0 --socket sink --count "$n"
    await_address sink
    in_a
    input=$work/lines
    run 0 push --link "$address/sink" --lines
    input=/dev/null
    finish sink 0
    cmp "$work/lines" "$work/sink.out" || fail "run $i"
done
printf '%d runs in %d ms, %d packets lost\n' "$runs" $(((${EPOCHREALTIME/./} - began) / 1000)) "$(net_lost)"
