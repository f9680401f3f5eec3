#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The address of the receiving machine is replaced: with 10,000 messages in flight, and requests, and losses of
# 5 %; while links are at rest, with no record at either end; and together with the sending machine's, one of the
# two being told by hand. The sender, which knows the old address, follows: nothing is lost, nothing comes twice,
# links stay. It is told, and need not be probed, which takes a silence of 8 s. IPv4 and IPv6. covers N6 X1 S1 U5
set -euo pipefail
# shellcheck source=tests/net/workers.sh
. "$(dirname "${BASH_SOURCE[0]}")/workers.sh"
net_setup
declare -A port_of
times=$((long == 1 ? 20 : 1))

# listening NAME ROLE ID HOST: a receiver on all addresses, which is reached at HOST so far.
listening() {
    receiver "$1" "$2" "$(wildcard "$4")" --id "$3" --credit 20000
    port_of[$1]=$port
    address=udp://$4:$port
}

# told NAME…: no silence of these receivers was long enough for a probe.
told() {
    local name gap
    for name in "$@"; do
        gap=$(figure "$name" longest-gap-ms)
        ((gap < 7500)) || fail "$name heard nothing for $gap ms: its sender did not follow until it was probed"
    done
}

# under_way HOST OLD NEW: HOST is OLD as it stands in an address.
under_way() {
    say "under way, from $2 to $3"
    net_rate 50
    net_lose 5
    listening pull pull sink "$1"
    sender push push --bind "$(wildcard "$1")" --id source --window 10000 --size 1000
    listening rep rep server "$1"
    sender req req --bind "$(wildcard "$1")" --id client --window 100
    await_begun push req
    net_move "$2" "$3" "$net_b"
    settle push pull req rep
    told pull rep
    net_lose 0
    verify
}

# at_rest HOST OLD NEW
at_rest() {
    say "at rest, from $2 to $3"
    listening pull pull sink "$1"
    sender push push --bind "$(wildcard "$1")" --id source --window 10 --rest
    listening rep rep server "$1"
    sender req req --bind "$(wildcard "$1")" --id client --window 10 --rest
    await_line push "worker: resting"
    await_line req "worker: resting"
    net_move "$2" "$3" "$net_b"
    kill -USR2 "${pid_of[push]}" "${pid_of[req]}"
    await_line push "worker: resting"
    await_line req "worker: resting"
    settle push pull req rep
    verify
}

# both_move HOST A NEW_A B NEW_B NEW_HOST
both_move() {
    say "both at once, from $2 and $4 to $3 and $5"
    net_rate 50
    listening pull pull sink "$1"
    sender push push --bind "$(wildcard "$1")" --id source --window 10000 --size 1000
    listening rep rep server "$1"
    sender req req --bind "$(wildcard "$1")" --id client --window 100
    await_begun push req
    net_move "$2" "$3" "$net_a"
    net_move "$4" "$5" "$net_b"
    point push sink "udp://$6:${port_of[pull]}"
    point req server "udp://$6:${port_of[rep]}"
    settle push pull req rep
    told pull rep
    verify
}

for ((i = 0; i < times; i++)); do
    under_way 10.77.0.2 10.77.0.2 10.77.0.98
    net_move 10.77.0.98 10.77.0.2 "$net_b"
    under_way '[fd77::2]' fd77::2 fd77::98
    net_move fd77::98 fd77::2 "$net_b"
    at_rest 10.77.0.2 10.77.0.2 10.77.0.98
    net_move 10.77.0.98 10.77.0.2 "$net_b"
    both_move 10.77.0.2 10.77.0.1 10.77.0.97 10.77.0.2 10.77.0.98 10.77.0.98
    net_move 10.77.0.98 10.77.0.2 "$net_b"
    net_move 10.77.0.97 10.77.0.1
    both_move '[fd77::2]' fd77::1 fd77::97 fd77::2 fd77::98 '[fd77::98]'
    net_move fd77::98 fd77::2 "$net_b"
    net_move fd77::97 fd77::1
done
