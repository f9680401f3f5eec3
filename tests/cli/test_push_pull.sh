#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Messages from standard input to standard output: all of them, in order, byte for byte.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

# sink NAME ARGUMENTS…: starts a pull; its address is in $address.
sink() {
    local name=$1
    shift
    start "$name" pull --bind udp://127.0.0.1:0 --socket sink "$@"
    await_address "$name"
}

# push_from FILE ARGUMENTS…
push_from() {
    input=$1
    shift
    run 0 push --link "$address/sink" "$@"
    input=/dev/null
    [[ ! -s $work/err && ! -s $work/out ]] || fail "push said something: $(<"$work/err")"
}

say "10,000 lines in order"
seq 10000 >"$work/lines"
sink lines --count 10000
push_from "$work/lines" --lines
finish lines 0
cmp "$work/lines" "$work/lines.out"

say "no line at all: the receiver is not even needed"
run 0 push --link udp://127.0.0.1:9/sink --lines

say "empty lines, bytes of all kinds, a last line without newline"
printf 'one\n\n\0two\0\n\xff\xfe\r\n  \nlast' >"$work/odd"
sink odd --count 6
push_from "$work/odd" --lines
finish odd 0
{ cat "$work/odd" && echo; } | cmp - "$work/odd.out"

say "NUL bytes between messages, on both sides"
printf 'one\ntwo\0\0three\0last' >"$work/zero"
sink zero --count 4 --zero
push_from "$work/zero" --lines -0
finish zero 0
{ cat "$work/zero" && printf '\0'; } | cmp - "$work/zero.out"

say "lines longer than any buffer"
{
    head -c 3000000 /dev/zero | tr '\0' a
    echo
    head -c 70000 /dev/zero | tr '\0' b
    echo
    echo c
} >"$work/long"
sink long --count 3
push_from "$work/long" --lines
finish long 0
cmp "$work/long" "$work/long.out"

say "a line goes out although the next is not there yet"
mkfifo "$work/slow"
exec {slow}<>"$work/slow" # both ways, so that the opening does not wait
sink slow --count 3
input=$work/slow
start pusher push --link "$address/sink" --lines
input=/dev/null
for i in 1 2 3; do
    echo "line $i" >&"$slow"
    await_output slow "$i"
done
finish slow 0
stop pusher TERM 1
exec {slow}>&-
expect_file "$work/slow.out" $'line 1\nline 2\nline 3'

say "a text"
sink text --count 2
run 0 push --link "$address/sink" --data 'hello world'
run 0 push --link "$address/sink" --data ''
finish text 0
printf 'hello world\n\n' | cmp - "$work/text.out"

say "the receiver links, and ends when the sender has ended"
seq 500 >"$work/lines"
input=$work/lines
start source push --bind udp://127.0.0.1:0 --socket source --lines
input=/dev/null
await_address source
run 0 pull --link "$address/source"
finish source 0
cmp "$work/lines" "$work/out"

say "one sender, two receivers: each message to one of them"
sink left
links=(--link "$address/sink")
sink right
links+=(--link "$address/sink")
mkfifo "$work/pipe"
input=$work/pipe
start source push "${links[@]}" --lines
input=/dev/null
exec {pipe}>"$work/pipe"
n=0
deadline=$((SECONDS + limit))
until [[ -s $work/left.out && -s $work/right.out ]]; do
    ((SECONDS < deadline)) || fail "one of the receivers gets nothing"
    echo $((++n)) >&"$pipe"
done
exec {pipe}>&-
finish source 0
stop left TERM 0
stop right TERM 0
sort -n "$work/left.out" "$work/right.out" >"$work/both"
seq "$n" | cmp - "$work/both"
sort -nc "$work/left.out"
sort -nc "$work/right.out"

say "two senders, one receiver"
sink both --count 2000
seq 1000 >"$work/lines"
input=$work/lines
start first push --link "$address/sink" --lines
start second push --link "$address/sink" --lines
input=/dev/null
finish first 0
finish second 0
finish both 0
sort -n "$work/both.out" | uniq -c | awk '$1 != 2 { exit 1 }' || fail "a line is not there twice"

say "a receiver that takes less than it is sent says so"
sink few --count 10 --option credit-messages=5
seq 12 >"$work/lines"
input=$work/lines
start many push --link "$address/sink" --lines
input=/dev/null
finish few 0
seq 10 | cmp - "$work/few.out"
expect "$err" "2 messages received but not taken"
finish many 0

say "nothing comes"
run 3 pull --bind udp://127.0.0.1:0 --timeout 50ms
expect "$err" "timed out: no message for 50ms, after 0"
run 3 push --bind udp://127.0.0.1:0 --data x --timeout 50ms
expect "$err" "timed out: no peer has linked"

say "until all of it was received by who reads there"
seq 10000 >"$work/lines"
sink taken --count 10000
push_from "$work/lines" --lines --taken
finish taken 0
cmp "$work/lines" "$work/taken.out"

say "what its receiver left unread is of unknown outcome"
sink leaves --count 3
seq 5 >"$work/five"
input=$work/five
run 5 push --link "$address/sink" --lines --taken
input=/dev/null
expect "$err" "2 messages of unknown outcome: accepted, perhaps not taken"
finish leaves 0
