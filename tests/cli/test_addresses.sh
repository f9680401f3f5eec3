#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Addresses and ids that cannot be had: what the command says, and with which code it ends.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

start server rep --node server --bind udp://127.0.0.1:0 --socket echo --echo
await_address server

say "the port is in use"
run 1 rep --bind "$address" --echo
expect "$err" "^a3m rep: .*address in use: $address .*choose another port, or 0 for any free one"

say "the address is not one of this machine's"
run 1 rep --bind udp://192.0.2.1:0 --echo
expect "$err" "^a3m rep: .*address not available on this machine: udp://192\.0\.2\.1:0 .*0\.0\.0\.0"

say "a name that cannot be resolved"
run 1 req --link udp://no-such-host.invalid:7101/echo --data x
expect "$err" "^a3m req: .*no-such-host\.invalid"
run 1 req --peer a=udp://no-such-host.invalid:7101 --link a/echo --data x
expect "$err" "^a3m req: .*no-such-host\.invalid"

say "ids and tags as long as they may be"
long=$(printf '%255s' '' | tr ' ' n)
start long rep --node "$long" --bind udp://127.0.0.1:0 --socket "$long" --echo --count 2
server_address=$address
await_address long
expect "$line" "node '$long' at .*, socket '$long'"
run 0 req --link "$address/$long" --data x
run 0 req --peer "$long=$address" --link "$long/$long" --data x
finish long 0
address=$server_address

say "an id and a tag that are not ASCII"
start umlaut rep --node 'Gerät 7' --bind udp://127.0.0.1:0 --socket 'Größe' --echo
await_address umlaut
run 0 req --link "$address/Größe" --data x
run 0 req --peer "Gerät 7=$address" --link "Gerät 7/Größe" --data x
stop umlaut TERM 0
address=$server_address

say "an id is used again after its node has ended"
run 0 req --node client --link "$address/echo" --data one
run 0 req --node client --link "$address/echo" --data two
expect_file "$work/out" two

say "two nodes that live at the same time have one id: all three are told"
start first req --node twin --link "$address/echo" --data x --count 0 --interval 10ms --timeout 1s
await_output first 1
start second req --node twin --link "$address/echo" --data x --count 0 --interval 10ms --timeout 1s
await_output second 1
await_line first "two live nodes use the id 'twin'"
await_line server "two live nodes use the id 'twin'"
stop first INT '.*'
stop second INT '.*'

say "a link to a node with one's own id"
run 3 req --node server --link "$address/echo" --data x --timeout 2s
expect "$err" "two live nodes use the id 'server'"
await_line server "two live nodes use the id 'server'"
stop server TERM 0
