#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A path of 20 ms there and back, with jitter; then one that reorders a tenth of its packets: all arrives once,
# in order. IPv4 and IPv6. covers X1 X4 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
factor=$((long == 1 ? 20 : 1))

say "delay and jitter"
net_setup_relay --delay 10 --jitter 5
both $((5000 * factor)) $((500 * factor)) udp://10.77.0.2:0
await_done push req
settle push pull req rep
verify
relay_end

say "reordering, IPv6"
net_setup_relay --delay 10 --jitter 5 --reorder 10 --reorder-by 8
both $((5000 * factor)) $((500 * factor)) 'udp://[fd77::2]:0'
await_done push req
settle push pull req rep
verify
relay_end
expect "$err" "a>b.* reordered [1-9]"
