#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The address of the sending machine is replaced while 10,000 messages are in flight, and requests: nothing is
# lost, nothing comes twice, links stay. IPv4 and IPv6. covers N6 X1 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
net_setup
net_rate 10
times=$((long == 1 ? 20 : 1))

# move HOST ANY OLD NEW
move() {
    say "from $3 to $4"
    receiver pull pull "$1" --id sink --credit 20000
    sender push push --bind "$2" --id source --window 10000 --size 1000
    receiver rep rep "$1" --id server
    sender req req --bind "$2" --id client --window 100
    await_begun push req
    net_move "$3" "$4"
    settle push pull req rep
    verify
}

for ((i = 0; i < times; i++)); do
    move udp://10.77.0.2:0 udp://0.0.0.0:0 10.77.0.1 10.77.0.99
    move 'udp://[fd77::2]:0' 'udp://[::]:0' fd77::1 fd77::99
    net_move 10.77.0.99 10.77.0.1
    net_move fd77::99 fd77::1
done
