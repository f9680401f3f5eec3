#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Delay, jitter, reordering, duplication, corruption, losses in rows and a slow link, all together, both ways,
# IPv4 and IPv6: every message arrives once, in order, every request is answered, and no record is left.
# covers X1 X2 X3 X4 Y3 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
corrupting=1
factor=$((long == 1 ? 20 : 1))

for host in udp://10.77.0.2:0 'udp://[fd77::2]:0'; do
    say "$host"
    net_setup_relay --delay 10 --jitter 5 --reorder 10 --duplicate 10 --corrupt 5 --drop 2 --burst 2 --rate 50
    both $((1500 * factor)) $((100 * factor)) "$host"
    await_done push req
    settle push pull req rep
    verify
    relay_end
done
