#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Peers that die: what was not acknowledged is of unknown outcome, which is told, counted, and the exit
# code. The command goes on where it can.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

# Without an end, so that a command that reads it waits.
mkfifo "$work/never"
exec {never}<>"$work/never"

# crash NAME: it dies without a word to its peers.
crash() {
    kill -KILL "${pid_of[$1]}"
    finish "$1" 137
}

# human NAME ARGUMENTS…: a server that does not answer.
human() {
    local name=$1
    shift
    input=$work/never
    start "$name" rep --socket echo --lines "$@"
    input=/dev/null
}

say "a server dies with a request, and another one takes its place: the client goes on"
human server --node server --bind udp://127.0.0.1:0
await_address server
start client req --link "$address/echo" --data x --count 3
await_output server 1
crash server
start server rep --node server --bind "$address" --socket echo --echo
await_line client "request 1: outcome unknown"
finish client 5
expect_file "$work/client.out" $'x\nx'
expect "$err" "3 requests, 2 replies, 1 of unknown outcome; round trip"
stop server TERM 0

say "it dies for good: the limit of time says so, for each request"
human server --bind udp://127.0.0.1:0
await_address server
start client req --link "$address/echo" --data x --count 2 --timeout 700ms
await_output server 1
crash server
finish client 3
expect "$err" "request 1: timed out: no reply within 700ms"
expect "$err" "request 2: timed out: "
expect "$err" "2 requests, 0 replies, 2 timed out"

say "one that is slow: the reply that comes too late is not taken for the next one's"
human server --bind udp://127.0.0.1:0 --count 2
await_address server
start client req --link "$address/echo" --data x --count 2 --timeout 2s
await_line client "request 1: timed out: no reply within 2s"
printf 'late\nin time\n' >&"$never"
finish client 3
expect_file "$work/client.out" 'in time'
expect "$err" "2 requests, 1 reply, 1 timed out; round trip"
finish server 0

say "a receiver does not answer any more: the limit of time ends it, and nobody knows"
mkfifo "$work/lines"
start sink pull --bind udp://127.0.0.1:0 --socket sink
await_address sink
input=$work/lines
start source push --link "$address/sink" --lines --timeout 300ms
input=/dev/null
exec {lines}>"$work/lines"
echo first >&"$lines"
await_output sink 1
kill -STOP "${pid_of[sink]}"
printf 'second\nthird\n' >&"$lines"
exec {lines}>&-
finish source 5
expect "$err" "timed out waiting for acknowledgements"
expect "$err" "2 messages of unknown outcome: sent, but not acknowledged"
kill -CONT "${pid_of[sink]}"
stop sink TERM 0

say "a receiver dies, and another one takes its place"
start sink pull --node sink --bind udp://127.0.0.1:0 --socket sink
await_address sink
input=$work/never
start source push --link "$address/sink" --lines
input=/dev/null
echo first >&"$never"
await_output sink 1
crash sink
echo second >&"$never"
start sink pull --node sink --bind "$address" --socket sink
await_line sink "node 'sink'"
# What is sent before the sender has noticed goes to the dead one too, and is of unknown outcome as well.
deadline=$((SECONDS + limit))
until [[ -s $work/sink.out ]]; do
    ((SECONDS < deadline)) || fail "nothing arrives at the new receiver"
    echo again >&"$never"
    read -r -t 0.2 -u "${fd_of[sink]}" line || true
done
stop source TERM 5
expect "$err" "[0-9]+ messages? of unknown outcome"
stop sink TERM 0
expect "$(sort -u "$work/sink.out")" "^again$"
