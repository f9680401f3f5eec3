#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Requests and replies: what is printed, where, and how it ends.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

say "a server says where it is"
start server rep --node server --bind udp://127.0.0.1:0 --socket echo --echo
await_address server
expect "$line" "^a3m rep: node 'server' at udp://127\.0\.0\.1:[1-9][0-9]*, socket 'echo'$"
echo_at=$address/echo

say "replies, one a line, and a summary"
run 0 req --link "$echo_at" --data hello --count 3 --timeout 20s
expect_file "$work/out" $'hello\nhello\nhello'
expect "$err" "^a3m req: 3 requests, 3 replies; round trip min [0-9.]+ p50 [0-9.]+ p90 [0-9.]+ p99 [0-9.]+ max [0-9.]+ µs$"

say "one request, quietly"
run 0 req --link "$echo_at" --data hello -q
expect_file "$work/out" hello
expect_file "$work/err" ''

say "round trips beside the replies"
run 0 req --link "$echo_at" --data hello --rtt
expect "$(<"$work/out")" "^hello  round trip [0-9]+\.[0-9] us$"

say "an empty request, a long one, one that is not text"
run 0 req --link "$echo_at" --data ''
[[ $(wc -c <"$work/out") -eq 1 ]] || fail "an empty reply is an empty line"
long=$(printf '%100000s' '' | tr ' ' 'x')
run 0 req --link "$echo_at" --data "$long"
expect_file "$work/out" "$long"
run 0 req --link "$echo_at" --data $'\xff\x01\n'
expect_file "$work/out" $'\xff\x01'

say "an interval spaces the requests"
begin=${EPOCHREALTIME/./}
run 0 req --link "$echo_at" --data x --count 6 --interval 20ms
took=$((${EPOCHREALTIME/./} - begin))
((took >= 100000)) || fail "6 requests 20 ms apart took $took us"

say "many requests"
run 0 req --link "$echo_at" --data x --count 2000
[[ $(wc -l <"$work/out") -eq 2000 ]] || fail "not 2000 replies"

say "by the id of the node"
run 0 req --peer "server=$address" --link server/echo --data hello
expect_file "$work/out" hello

say "the server is still there, and ends in order"
stop server TERM 0
expect_file "$work/server.out" ''

# ::1 is an address of the loopback device; containers are often without it.
has_ipv6() { grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null; }

if has_ipv6; then
    say "IPv6"
    start server6 rep --bind 'udp://[::1]:0' --socket echo --echo
    await_address server6
    expect "$address" "^udp://\[::1\]:[1-9]"
    run 0 req --link "$address/echo" --data six --count 2 --timeout 20s
    expect_file "$work/out" $'six\nsix'
    stop server6 INT 0
fi

say "all addresses"
if has_ipv6; then
    start all rep --bind 'udp://[::]:0' --echo --count 2
else
    start all rep --bind udp://0.0.0.0:0 --echo --count 1
fi
await_address all
expect "$line" "socket 'rep'$"
run 0 req --link "udp://127.0.0.1:$port/rep" --data four
expect_file "$work/out" four
if has_ipv6; then
    run 0 req --link "udp://[::1]:$port/rep" --data six
    expect_file "$work/out" six
fi
finish all 0

say "a fixed reply, and an end after --count"
start day rep --bind udp://127.0.0.1:0 --socket day --data Monday --count 2
await_address day
run 0 req --link "$address/day" --data today --count 2
expect_file "$work/out" $'Monday\nMonday'
finish day 0

say "replies by hand"
printf 'forty-two\nno\n' >"$work/answers"
input=$work/answers
start human rep --bind udp://127.0.0.1:0 --socket human --lines
input=/dev/null
await_address human
run 0 req --link "$address/human" --data 'six by nine?' --count 2
expect_file "$work/out" $'forty-two\nno'
expect_file "$work/human.out" $'six by nine?\nsix by nine?'
run 5 req --link "$address/human" --data 'more?' --timeout 20s
finish human 1
expect "$err" "standard input ended before a reply to request 3"

say "the client is found, the server links"
start asker req --bind udp://127.0.0.1:0 --socket ask --data ping --count 2
await_address asker
run 0 rep --link "$address/ask" --data pong
finish asker 0
expect_file "$work/asker.out" $'pong\npong'

say "two servers take turns"
start one rep --bind udp://127.0.0.1:0 --data one --socket x
await_address one
links=(--link "$address/x")
start two rep --bind udp://127.0.0.1:0 --data two --socket x
await_address two
links+=(--link "$address/x")
run 0 req "${links[@]}" --data x --count 200 --interval 1ms
expect "$(sort "$work/out" | uniq -c | tr -s ' \n' ' ')" "^ [0-9]+ one [0-9]+ two $"
stop one TERM 0
stop two TERM 0

say "nobody comes"
run 3 rep --bind udp://127.0.0.1:0 --echo --timeout 50ms --quiet
expect "$err" "^a3m rep: timed out: no request for 50ms, after 0$"
run 3 rep --bind udp://127.0.0.1:0 --echo --link-timeout 50ms
expect "$err" "timed out: no peer has linked"
