#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Whole files as one message: they arrive identical, whatever their size.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"

# copy FILE ARGUMENTS…: sends a file and compares what arrives.
copy() {
    local file=$1
    shift
    start sink pull --bind udp://127.0.0.1:0 --socket sink --raw --count 1 "$@"
    await_address sink
    run 0 push --link "$address/sink" --file "$file"
    finish sink 0
    cmp "$file" "$work/sink.out"
}

say "8 MiB"
head -c $((8 << 20)) /dev/urandom >"$work/file"
copy "$work/file"

say "an empty one, one byte, and around the size of packets and credit"
for size in 0 1 1399 1400 1401 65535 65536 1048575 1048576 1048577; do
    head -c "$size" /dev/urandom >"$work/file"
    copy "$work/file"
done

say "64 MiB, the most that a receiver takes by default"
head -c $((64 << 20)) /dev/urandom >"$work/file"
copy "$work/file"

say "a byte more is refused, before anything is sent"
printf x >>"$work/file"
start sink pull --bind udp://127.0.0.1:0 --socket sink --raw --count 1
await_address sink
run 1 push --link "$address/sink" --file "$work/file"
expect "$err" "cannot send message 1 \(67108865 bytes\): message too large"
stop sink TERM 1

say "unless the receiver is told to take it"
copy "$work/file" --option max-message=65MiB

say "from standard input, which is a pipe"
start sink pull --bind udp://127.0.0.1:0 --socket sink --raw --count 1
await_address sink
head -c 3000000 "$work/file" | "$A3M_BIN" push --link "$address/sink" --file -
finish sink 0
head -c 3000000 "$work/file" | cmp - "$work/sink.out"
