#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh Debian 12 to a first exchange: installs what is missing (as root), builds the release
# preset, starts a server that echoes, sends it ten requests, and stops it.
#
# usage: quickstart.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
a3m=build/release/bin/a3m

step() { printf '\n== %s\n' "$*"; }

server=
stop_server() {
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap stop_server EXIT

# Starts the server on a port that the system picks, and sets $port to it.
start_server() {
    local line
    exec {log}< <(exec "$a3m" rep --node server --bind udp://127.0.0.1:0 --socket echo --echo 2>&1)
    server=$!
    port=
    while [[ -z $port ]] && IFS= read -r -t 10 -u "$log" line; do
        printf '%s\n' "$line"
        if [[ $line =~ udp://127\.0\.0\.1:([1-9][0-9]*) ]]; then
            port=${BASH_REMATCH[1]}
        fi
    done
    if [[ -z $port ]]; then
        echo "The server did not say which port it has." >&2
        return 1
    fi
}

step "Packages"
tools/packages.sh build

step "Build (build/release)"
cmake --preset release
cmake --build --preset release --target product

step "Server: a3m rep, on a port of its own"
start_server

step "Client: ten requests"
"$a3m" req --link "udp://127.0.0.1:$port/echo" --data hello --count 10 --timeout 2s

stop_server
step "Done. The command is $a3m; libraries are in build/release/lib, headers in middleware/include."
