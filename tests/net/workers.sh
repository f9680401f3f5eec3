# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# For tests with workers (worker.c) on two machines, sourced in place of cli.sh and net.sh, both of which
# it brings. Senders run on machine a, receivers on machine b.
#
#   receiver NAME ROLE HOST OPTION…  starts one (pull, rep) on HOST; sets $address as await_address does
#   sender NAME ROLE OPTION…         starts one (push, req) that is linked with $address
#   killed NAME…                     kill -9
#   both N REQUESTS HOST OPTION…     two pairs: pull and push, rep and req
#   await_begun NAME…                waits until senders are under way
#   await_done NAME…                 … and have sent all (those with --count)
#   await_through NAME               … or until each of its four links has taken a window from now on
#   point NAME ID ADDRESS    a3m_node_set_peer in that worker
#   wildcard HOST            prints the address that is all of the machine's, of the family of HOST
#   settle NAME…                     once each has done its work, nothing is left in any, and they close
#   verify                           check.py over the logs of all that were started so far; its sums are
#                                    in $checked
#   figure NAME WHAT                 prints a number of its last statistics ("retransmitted")
#   relay_end                        ends the relay of net_setup_relay; its counters are in $err
#   hold SECONDS                     how long a fault lasts
#
# A name is one process; one that takes the place of a killed one has a name of its own.

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/support/cli.sh
. "$here/../support/cli.sh"
# shellcheck source=tests/support/net.sh
. "$here/../support/net.sh"

worker=$A3M_BUILD/tests/net/worker
long=${A3M_LONG:-0}
limit=$((long == 1 ? 900 : 110)) # 30 % of the packets lost: time-outs of 2 s, one after the other
lives=0
corrupting=0 # for the caller to set: packets are damaged
check_options=() # for the caller to set: of check.py
sent_logs=()
received_logs=()
declare -A statistics

command -v python3 >/dev/null || net_skip "python3 is missing"

receiver() {
    local name=$1 role=$2 host=$3
    shift 3
    in_b
    program=$worker
    start "$name" "$role" --bind "$host" --log "$work/$name.log" "$@"
    program=$A3M_BIN
    received_logs+=("$work/$name.log")
    await_address "$name"
}

sender() {
    local name=$1 role=$2
    shift 2
    lives=$((lives + 1))
    in_a
    program=$worker
    start "$name" "$role" --link "$address" --log "$work/$name.log" --life "$lives" "$@"
    program=$A3M_BIN
    sent_logs+=("$work/$name.log")
}

killed() {
    local name
    for name in "$@"; do
        kill -KILL "${pid_of[$name]}"
    done
    for name in "$@"; do
        finish "$name" 137
    done
}

# Waits until the first window of each sender is on its way on some link.
await_begun() {
    local name
    for name in "$@"; do
        await_line "$name" "worker: sent"
    done
}

# both N REQUESTS HOST OPTION…: messages (pull, push) and requests (rep, req) from a to b, which listens on HOST,
# each over four links. N and REQUESTS are for each link; "": until they are told to end. Sets
# $pull_address and $rep_address.
both() {
    local n=$1 requests=$2 host=$3 any
    any=$(wildcard "$3")
    shift 3
    receiver pull pull "$host" --id sink --links 4 "$@"
    pull_address=$address
    sender push push --bind "$any" --id source --links 4 ${n:+--count "$n"} "$@"
    receiver rep rep "$host" --id server --links 4 "$@"
    rep_address=$address
    sender req req --bind "$any" --id client --links 4 --window 20 ${requests:+--count "$requests"} "$@"
}

wildcard() {
    if [[ $1 == *\[* ]]; then echo 'udp://[::]:0'; else echo udp://0.0.0.0:0; fi
}

point() {
    printf '%s %s\n' "$2" "$3" >"$work/$1.log.peer"
    kill -HUP "${pid_of[$1]}"
    await_line "$1" "worker: pointed"
}

settle() {
    local name
    for name in "$@"; do
        kill -USR1 "${pid_of[$name]}"
    done
    for name in "$@"; do
        await_line "$name" "worker: quiet (.*)"
        statistics[$name]=${BASH_REMATCH[1]}
        printf '%s: %s\n' "$name" "${statistics[$name]}"
        expect "${statistics[$name]}" "^records 0 "
        ((corrupting)) || expect "${statistics[$name]}" "bad-checksum 0 bad-packet 0 bad-frame 0 "
    done
    for name in "$@"; do
        kill -TERM "${pid_of[$name]}"
    done
    for name in "$@"; do
        finish "$name" 0
    done
}

# await_through NAME: each of its four links has taken a whole window since, and lost nothing of it.
await_through() {
    local i
    kill -USR2 "${pid_of[$1]}"
    for i in 1 2 3 4; do
        await_line "$1" "worker: through"
    done
}

await_done() {
    local name
    for name in "$@"; do
        await_line "$name" "worker: done"
    done
}

verify() {
    checked=$(python3 "$here/check.py" "${check_options[@]}" --sent "${sent_logs[@]}" --received "${received_logs[@]}") || fail "$checked"
    printf '%s\n' "$checked"
    rm "${sent_logs[@]}" "${received_logs[@]}"
    sent_logs=()
    received_logs=()
}

figure() {
    local words i
    read -ra words <<<"${statistics[$1]}"
    for ((i = 0; i < ${#words[@]}; i += 2)); do
        if [[ ${words[i]} == "$2" ]]; then
            echo "${words[i + 1]}"
            return
        fi
    done
    fail "no figure $2"
}

relay_end() {
    stop relay TERM 0
    printf '%s' "$err" | grep '^[ab]>'
}

hold() { sleep "$1"; }
