#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A tenth of the packets arrives twice; then one in twenty is damaged in a way that no checksum but our own
# finds, and one in fifty so that the kernel does: all arrives once, undamaged. covers X1 Y3 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
factor=$((long == 1 ? 20 : 1))

say "duplication"
net_setup_relay --delay 1 --duplicate 10
both $((10000 * factor)) $((500 * factor)) udp://10.77.0.2:0
await_done push req
settle push pull req rep
verify
relay_end
expect "$err" "a>b.* duplicated [1-9]"

say "corruption, IPv6"
net_setup_relay --delay 1 --corrupt 5 --damage 2
corrupting=1
both $((5000 * factor)) $((500 * factor)) 'udp://[fd77::2]:0'
await_done push req
settle push pull req rep
(($(figure pull bad-checksum) > 0)) || fail "the nodes saw no damage"
verify
relay_end
expect "$err" "a>b.* corrupted [1-9][0-9]* damaged [1-9]"
