#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Help, version, and what is wrong with a command line: the exit code is 2, the message begins with the
# command's name, says what is wrong and what to do, and nothing goes to standard output.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

# usage PATTERN ARGUMENTS…
usage() {
    local pattern=$1 named=a3m
    shift
    case ${1:-} in rep | req | push | pull) named="a3m $1" ;; esac
    run 2 "$@"
    expect "$err" "^$named: "
    expect "$err" "$pattern"
    [[ $err != *$'\n'* ]] || fail "more than one line: $err"
    [[ ! -s $work/out ]] || fail "a3m $*: something on standard output"
}

bind=(--bind udp://127.0.0.1:0)
link=(--link udp://127.0.0.1:9/x)

say "help and version of everything"
run 0 --help
expect "$(<"$work/out")" "^usage: a3m COMMAND"
run 0 help
run 0 --version
version=$(<"$work/out")
expect "$version" "^a3m [0-9]+\.[0-9]+\.[0-9]+$"
for command in rep req push pull; do
    expect "$("$A3M_BIN" --help)" "  $command  "
    run 0 "$command" --help
    expect "$(<"$work/out")" "^usage: a3m $command "
    expect "$(<"$work/out")" "--option NAME=VALUE"
    expect "$(<"$work/out")" "  link-retry-max  .*\(2s\)"
    [[ ! -s $work/err ]] || fail "help of $command on standard error"
    cp "$work/out" "$work/help"
    run 0 help "$command"
    cmp "$work/out" "$work/help"
    run 0 "$command" -h
    run 0 "$command" --version
    expect_file "$work/out" "$version"
done

say "commands"
usage "a command is missing"
usage "unknown command 'psuh'; did you mean 'push'\?" psuh
usage "unknown command 'publish'; 'a3m --help' lists" publish
usage "unknown command 'frobnicate'" help frobnicate
usage "unknown option '--verison'; did you mean '--version'" --verison

say "options"
usage "unknown option '--ecko'; did you mean '--echo'\?" rep "${bind[@]}" --ecko
usage "unknown option '--time'; did you mean '--timeout'\?" req "${link[@]}" --time=1s
usage "unknown option '--xyzzy'; 'a3m req --help' lists" req "${link[@]}" --xyzzy
usage "unknown option '-x'; 'a3m req --help' lists" req "${link[@]}" -x
usage "unknown option '--rtt'" pull "${bind[@]}" --rtt
usage "unexpected argument 'hello'" req "${link[@]}" hello
usage "unexpected argument 'hello'" req "${link[@]}" -- hello
usage "--data is given twice" req "${link[@]}" --data a --data b
usage "--count is given twice" req "${link[@]}" --count 1 --count 2
usage "--bind needs a value: --bind URL" rep --echo --bind
usage "--bind needs a value: --bind URL .*--bind=--echo" rep --bind --echo
usage "--echo takes no value" rep "${bind[@]}" --echo=yes
usage "--count '-1': not a whole number" req "${link[@]}" --data x --count -1
usage "--count 'ten': not a whole number" req "${link[@]}" --data x --count ten
usage "--count '': not a whole number" req "${link[@]}" --data x --count=
usage "--count '99999999999999999999': not a whole number" req "${link[@]}" --data x --count 99999999999999999999

say "durations"
usage "--timeout '2': the unit is missing; write for example 500us, 20ms, 2s or 1m" req "${link[@]}" --timeout 2
usage "--timeout '2 s': not a duration" req "${link[@]}" --timeout '2 s'
usage "--timeout '-2s': not a duration" req "${link[@]}" --timeout -2s
usage "--timeout 's': not a duration" req "${link[@]}" --timeout s
usage "--timeout '1.s': not a duration" req "${link[@]}" --timeout 1.s
usage "--timeout '2sec': not a duration" req "${link[@]}" --timeout 2sec
usage "--timeout '': not a duration" req "${link[@]}" --timeout=
usage "--timeout '99999999999999h': too long" req "${link[@]}" --timeout 99999999999999h
usage "--timeout '0.5ns': finer than a nanosecond" req "${link[@]}" --timeout 0.5ns
usage "--link-timeout '5': the unit is missing" pull "${bind[@]}" --link-timeout 5
usage "--interval '20': the unit is missing" req "${link[@]}" --interval 20

say "what to do"
usage "one of --echo, --data TEXT and --lines" rep "${bind[@]}"
usage "one of --echo, --data TEXT and --lines" rep "${bind[@]}" --echo --lines
usage "--data TEXT" req "${link[@]}"
usage "one of --lines, --file PATH and --data TEXT" push "${link[@]}"
usage "one of --lines, --file PATH and --data TEXT" push "${link[@]}" --lines --data x
usage "--zero is about --lines" push "${link[@]}" --data x -0
usage "--raw and --zero exclude" pull "${bind[@]}" --raw -0

say "endpoints"
usage "--link PEER.*--bind URL" pull
usage "the address of node 'server' is not known; add --peer server=udp://HOST:PORT" req --link server/echo --data x
usage "the address of node 'a' is not known" req --link a/echo --peer ab=udp://127.0.0.1:1 --data x
usage "--link '127.0.0.1:1/echo': .*write udp://127.0.0.1:1/echo" req --link 127.0.0.1:1/echo --data x
usage "name of the peer's socket is missing; write udp://127.0.0.1:1/TAG" req --link udp://127.0.0.1:1 --data x
usage "name of the peer's socket is missing; write udp://127.0.0.1:1/TAG" req --link udp://127.0.0.1:1/ --data x
usage "--link 'echo': write udp://HOST:PORT/TAG, or ID/TAG" req --link echo --data x
usage "--link ''" req --link= --data x
usage "write udp://127.0.0.1:0, and the name with --socket" rep --bind udp://127.0.0.1:0/echo --echo
usage "write udp://127.0.0.1:0" rep --bind 127.0.0.1:0 --echo
usage "--bind ''" rep --bind= --echo
usage "--peer 'server': write ID=URL" req --peer server --link server/echo --data x
usage "--peer '=udp://127.0.0.1:1': write ID=URL" req --peer =udp://127.0.0.1:1 "${link[@]}" --data x
usage "--peer 'udp://127.0.0.1:1/e': an address ends with its port" req --peer a=udp://127.0.0.1:1/e --link a/e --data x

say "what the library finds"
usage "udp://127.0.0.1" rep --bind udp://127.0.0.1 --echo
usage "99999" rep --bind udp://127.0.0.1:99999 --echo
usage "tcp" rep --bind tcp://127.0.0.1:1 --echo
usage "." rep --bind udp://::1:0 --echo
usage "99999" req --link udp://127.0.0.1:99999/echo --data x
usage "." req --link udp://127.0.0.1:1/a/b --data x
usage "." req --peer "a=udp://127.0.0.1:x" --link a/e --data x

say "names"
long=$(printf '%256s' '' | tr ' ' n)
usage "255" rep "${bind[@]}" --echo --node "$long"
usage "empty" rep "${bind[@]}" --echo --node ''
usage "'/'" rep "${bind[@]}" --echo --node a/b
usage "UTF-8" rep "${bind[@]}" --echo --node $'a\xff'
usage "255" rep "${bind[@]}" --echo --socket "$long"
usage "empty" rep "${bind[@]}" --echo --socket ''
usage "'/'" rep "${bind[@]}" --echo --socket a/b
usage "reserved" rep "${bind[@]}" --echo --socket "\$stats"
usage "255" req --link "udp://127.0.0.1:9/$long" --data x
usage "256 bytes" req --peer "$long=udp://127.0.0.1:1" "${link[@]}" --data x

say "options of the socket"
usage "'credit-message': there is no such option; did you mean 'credit-messages'\?" \
    pull "${bind[@]}" --option credit-message=5
usage "'bogus': there is no such option; 'a3m pull --help' lists them" pull "${bind[@]}" --option bogus=5
usage "--option 'credit-messages': write NAME=VALUE" pull "${bind[@]}" --option credit-messages
usage "--option '=5': write NAME=VALUE" pull "${bind[@]}" --option =5
usage "credit-messages='5x': not a whole number" pull "${bind[@]}" --option credit-messages=5x
usage "credit-messages=0: out of range; from 1 to" pull "${bind[@]}" --option credit-messages=0
usage "max-message='64MB': not a size; .*MiB" pull "${bind[@]}" --option max-message=64MB
usage "max-message=2GiB: out of range; from .* to 1GiB" pull "${bind[@]}" --option max-message=2GiB
usage "link-retry-max='500': the unit is missing" pull "${bind[@]}" --option link-retry-max=500
usage "incoming='maybe': write yes or no" pull "${bind[@]}" --option incoming=maybe

say "input that cannot be read"
run 1 push "${link[@]}" --file "$work/missing"
expect "$err" "^a3m push: cannot read '.*/missing': No such file"
run 1 push "${link[@]}" --file "$work"
expect "$err" "^a3m push: cannot read '.*': Is a directory"

say "bytes that would steer a terminal do not get to it"
run 2 $'\e[2J'
expect "$err" "unknown command '\?\[2J'"
