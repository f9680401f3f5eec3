#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Peers that come late, that are not what was asked for, or that leave.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

# free_port: finds a port that nobody uses now; sets $address.
free_port() {
    start finder rep --bind udp://127.0.0.1:0 --echo
    await_address finder
    stop finder TERM 0
}

say "the client is started first"
free_port
start client req --link "$address/echo" --data hello --count 3
await_line client "waiting: no link to $address/echo yet: no answer after [1-9][0-9]* request"
start server rep --bind "$address" --socket echo --echo --count 3
finish client 0
expect_file "$work/client.out" $'hello\nhello\nhello'
expect "$err" "3 requests, 3 replies"
finish server 0

say "the sender is started first"
free_port
seq 100 >"$work/lines"
input=$work/lines
start source push --link "$address/sink" --lines
input=/dev/null
await_line source "waiting: no link"
start sink pull --bind "$address" --socket sink --count 100
finish source 0
finish sink 0
cmp "$work/lines" "$work/sink.out"

say "nobody is there"
free_port
run 3 req --link "$address/echo" --data x --timeout 300ms
expect "$err" "timed out: no link to $address/echo: no answer after"
expect "$err" "0 requests, 0 replies"
run 3 push --link "$address/sink" --data x --timeout 300ms
expect "$err" "timed out: no link"
run 3 push --link "$address/sink" --data x --link-timeout 300ms
run 3 pull --link "$address/sink" --link-timeout 300ms

say "the node is there, but has no such socket"
start server rep --bind udp://127.0.0.1:0 --socket echo --echo
await_address server
run 3 req --link "$address/ecko" --data x --timeout 2s
expect "$err" "timed out: no link to $address/ecko: peer socket not ready after [1-9]"

say "the limit of attempts"
run 4 req --link "$address/ecko" --data x --option link-attempts=3 --option link-retry-min=500ms
expect "$err" "link to $address/ecko: peer socket not ready"

say "the socket is of a type that does not fit"
run 4 push --link "$address/echo" --data x
expect "$err" "link to $address/echo: incompatible socket types"
run 4 pull --link "$address/echo"
run 4 rep --link "$address/echo" --echo

say "it takes no links"
start closed rep --bind udp://127.0.0.1:0 --socket echo --echo --option incoming=no
await_address closed
run 4 req --link "$address/echo" --data x --timeout 20s
expect "$err" "link to $address/echo: refused"
stop closed TERM 0

say "another id than the one that is at the address"
run 3 req --peer "other=$address" --link other/echo --data x --timeout 300ms
stop server TERM 0

say "a server that leaves in order: the client ends too, and may have had a request under way"
start server rep --bind udp://127.0.0.1:0 --socket echo --echo --count 5
await_address server
run '1|5' req --link "$address/echo" --data x --count 10
expect_file "$work/out" $'x\nx\nx\nx\nx'
expect "$err" "link to $address/echo: ended by the peer"
expect "$err" "[67] requests, 5 replies, "
finish server 0
