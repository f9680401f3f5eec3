#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The examples do what their first lines say. covers U4 P12
# shellcheck disable=SC2154 # coproc sets server_PID
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"
: "${A3M_BUILD:?is the build folder}"
examples=$A3M_BUILD/examples

# example NAME ARGUMENTS…: runs one, standard output in $work/out.
example() {
    local name=$1
    shift
    timeout -k 2 "$limit" "$examples/$name" "$@" <"$input" >"$work/out" 2>"$work/err" ||
        fail "$name: exit code $?; $(<"$work/err")"
}

# serve NAME: starts an example that prints where it is; its address in $at.
serve() {
    coproc server (exec "$examples/$1" udp://127.0.0.1:0)
    read -r -t "$limit" at <&"${server[0]}" || fail "$1 does not say where it is"
}

say "a request to a server"
serve echo_server
example request hello "$at"
expect_file "$work/out" hello
example many_threads "$at"
pid=$server_PID
kill -TERM "$pid"
wait "$pid" || fail "echo_server: exit code $?"

say "a server on a libuv loop"
serve poll_libuv
example request hello "$at"
expect_file "$work/out" hello
pid=$server_PID
kill -INT "$pid"
wait "$pid" || fail "poll_libuv: exit code $?"

say "a poller in an epoll loop"
printf 'one\ntwo\n' | (input=/dev/stdin example poll_epoll) || exit 1
expect_file "$work/out" $'one\ntwo'

say "a pool of threads on one poller"
example poll_pool
expect_file "$work/out" "4000 requests to 200 sockets, answered by 4 threads"

say "a link from the door to its end"
example members_only
expect_file "$work/out" "bob: refused by hall for good: members only
bob: the link has ended: refused by the peer
bob: no links left
ann: refused by hall for now: not open yet
ann: linked with hall
ann: was told \"welcome, ann\"
ann: the hall has to take one first
hall: ann has 20 degrees
hall: ann has 21 degrees
hall: ann has 22 degrees
ann: the link has ended: canceled
ann: no links left
hall: linked with ann
hall: the link has ended: canceled
hall: no links left"

say "payloads of MessagePack"
example msgpack_payload

say "what became of each message"
example receipts
expect_file "$work/out" "ann: works
ann: works
foreman: ann has taken job 0
foreman: ann has taken job 1
foreman: job 2 is with ann, or was: closed
bob: works
foreman: bob has taken job 3
bob: works
foreman: bob has taken job 4
bob: works
foreman: bob has taken job 5"
