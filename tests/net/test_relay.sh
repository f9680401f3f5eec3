#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The relay of the network tests does to datagrams what it is told, counts what it did, is in time, and keeps
# up with 20,000 packets a second: otherwise the other tests prove little. covers U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"

# through ADDRESS COUNT RATE RELAY-OPTION…: datagrams from a to b; sets $seen to what the receiver says, and
# $counted to the relay's counters of that direction.
through() {
    local to=$1 count=$2 rate=$3
    shift 3
    net_setup_relay "$@"
    in_b
    program=python3
    start probe "$here/udp_probe.py" receive "$to"
    await_line probe "at ([0-9]+)"
    port=${BASH_REMATCH[1]}
    in_a
    "${prefix[@]}" python3 "$here/udp_probe.py" send "$to" "$port" "$count" "$rate"
    finish probe 0
    seen=$(<"$work/probe.out")
    stop relay TERM 0
    counted=$(grep '^a>b' <<<"$err")
    printf '%s\n%s\n' "$seen" "$counted"
}

# number TEXT NAME: the number behind NAME.
number() {
    [[ " $1 " =~ \ $2\ ([0-9.]+)\  ]] || fail "no $2 in $1"
    echo "${BASH_REMATCH[1]}"
}

# equal NAME-IN-SEEN NAME-IN-COUNTED
equal() {
    local a b
    a=$(number "$seen" "$1")
    b=$(number "$counted" "$2")
    [[ $a == "$b" ]] || fail "the receiver saw $1 $a, the relay counted $2 $b"
}

about() { awk "BEGIN { exit !($1 >= $2 && $1 <= $3) }" || fail "$1 is not between $2 and $3"; }

say "20,000 packets a second, 5 ms"
through 10.77.0.2 30000 20000 --delay 5
[[ $(number "$seen" seen) == 30000 ]] || fail "some are missing"
[[ $(number "$seen" late) == 0 ]] || fail "some were reordered"
# A busy machine wakes the receiver late, but not always; the relay is more important.
about "$(number "$seen" least)" 5 5.2
(($(number "$counted" late) * 10 < 30000)) || fail "the relay is late"

say "jitter of 10 ms, in order, IPv6"
through fd77::2 2000 1000 --delay 5 --jitter 10
[[ $(number "$seen" late) == 0 ]] || fail "jitter reordered"
about "$(number "$seen" p50)" 8 100

say "losses in rows, duplicates, reordering"
through 10.77.0.2 10000 5000 --delay 2 --drop 10 --burst 3 --duplicate 10 --reorder 10
about "$(number "$counted" lost)" 700 1300
about "$(number "$counted" duplicated)" 750 1050
about "$(number "$counted" reordered)" 750 1050
equal twice duplicated
[[ $(number "$seen" seen) == $((10000 - $(number "$counted" lost))) ]] || fail "more is missing than was lost"
(($(number "$seen" late) * 2 > $(number "$counted" reordered))) || fail "what was to be reordered was not"

say "damage: the program sees what the kernel does not"
through fd77::2 10000 5000 --corrupt 10 --damage 5
equal damaged corrupted
about "$(number "$counted" corrupted)" 850 1150
about "$(number "$counted" damaged)" 350 600
[[ $(number "$seen" seen) == $((10000 - $(number "$counted" corrupted) - $(number "$counted" damaged))) ]] ||
    fail "the kernel let damaged packets pass, or dropped others"

say "10 Mbit/s"
through 10.77.0.2 10000 10000 --rate 10 --queue 32
(($(number "$counted" queue-full) > 0)) || fail "the queue has no end"
[[ $(number "$seen" seen) == $((10000 - $(number "$counted" queue-full))) ]] || fail "some are missing"
about "$(number "$seen" least)" 0 5
about "$(number "$seen" p50)" 20 100
