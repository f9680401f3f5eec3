#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Interruptions: signals, and readers that go away.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

say "what goes on until it is interrupted ends with 0"
for signal in INT TERM HUP; do
    start server rep --bind udp://127.0.0.1:0 --socket echo --echo
    await_address server
    run 0 req --link "$address/echo" --data x
    stop server "$signal" 0
    start sink pull --bind udp://127.0.0.1:0 --socket sink
    await_address sink
    run 0 push --link "$address/sink" --data x
    stop sink "$signal" 0
    expect_file "$work/sink.out" x
done

say "what was to end by itself ends with 1"
start server rep --bind udp://127.0.0.1:0 --echo --count 2
await_address server
stop server TERM 1
expect "$err" "interrupted after 0 of 2 replies"
start sink pull --bind udp://127.0.0.1:0 --count 2
await_address sink
run 0 push --link "$address/pull" --data x
await_output sink 1
stop sink INT 1
expect "$err" "interrupted after 1 of 2 messages"

say "a client that waits for a link"
start client req --bind udp://127.0.0.1:0 --data x
await_address client
stop client INT 1

say "a client between two requests"
start server rep --bind udp://127.0.0.1:0 --socket echo --echo
await_address server
start client req --link "$address/echo" --data x --count 0 --interval 1h
await_output client 1
stop client INT 0
expect "$err" "1 request, 1 reply"
start client req --link "$address/echo" --data x --count 3 --interval 1h
await_output client 1
stop client INT 1
stop server TERM 0

say "a client that waits for a reply: nobody knows what becomes of its request"
mkfifo "$work/never"
exec {never}<>"$work/never"
input=$work/never
start human rep --bind udp://127.0.0.1:0 --socket human --lines
input=/dev/null
await_address human
start client req --link "$address/human" --data 'are you there?'
await_output human 1
stop client INT 5
expect "$err" "request 1: outcome unknown: interrupted"

say "a server that waits for a person"
stop human INT 1
expect "$err" "interrupted before a reply to request 1"

say "a sender that waits for its input: what it sent arrives"
start sink pull --bind udp://127.0.0.1:0 --socket sink
await_address sink
input=$work/never
start source push --link "$address/sink" --lines
input=/dev/null
echo first >&"$never"
await_output sink 1
stop source TERM 1
expect "$err" "interrupted after 1 message"
stop sink TERM 0
expect_file "$work/sink.out" first

say "a sender whose receiver takes nothing"
mkfifo "$work/stuck"
exec {stuck}<>"$work/stuck"
yes 'a line to fill the pipe with' | head -n 100000 >"$work/lines" || true
output=$work/stuck
start sink pull --bind udp://127.0.0.1:0 --socket sink
output=
await_address sink
input=$work/lines
run 3 push --link "$address/sink" --lines --timeout 500ms
input=/dev/null
expect "$err" "timed out: no room to send message [0-9]+"

say "a second signal ends at once what the first could not"
kill -TERM "${pid_of[sink]}"
stop sink INT '130|143'
exec {stuck}<&-

say "a reader that goes away ends the command, quietly"
seq 100000 >"$work/lines"
mkfifo "$work/pipe"
exec {head}< <(head -n 3 "$work/pipe")
output=$work/pipe
start sink pull --bind udp://127.0.0.1:0 --socket sink
output=
await_address sink
input=$work/lines
start source push --link "$address/sink" --lines
input=/dev/null
for expected in 1 2 3; do
    IFS= read -r -t "$limit" -u "$head" line || fail "nothing came from head"
    [[ $line == "$expected" ]] || fail "\"$line\" instead of \"$expected\""
done
finish sink 1
while IFS= read -r line; do
    expect "$line" "^a3m pull: (node '|[0-9]+ messages? received but not taken)"
done <<<"${err%$'\n'}"
kill -KILL "${pid_of[source]}"
finish source 137

if [[ -w /dev/full ]]; then
    say "a full disk is told"
    output=/dev/full
    start sink pull --bind udp://127.0.0.1:0 --socket sink
    output=
    await_address sink
    run 0 push --link "$address/sink" --data x
    finish sink 1
    expect "$err" "a3m pull: cannot write to standard output: No space left on device"
fi
