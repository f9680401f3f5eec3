#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Nothing gets through for five seconds (a minute in long campaigns), IPv4 and IPv6: then all goes on, and
# nothing was lost. covers X1 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
net_setup
net_rate 10

both '' '' udp://10.77.0.2:0
await_begun push req
net_lose 100
hold $((long == 1 ? 60 : 5))
net_lose 0
settle push pull req rep
verify

say "IPv6"
both '' '' 'udp://[fd77::2]:0'
await_begun push req
net_lose 100
hold $((long == 1 ? 60 : 5))
net_lose 0
settle push pull req rep
verify
