#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Requests and replies over A3M and over TCP (echo.c) through the same bad network: requests a second of
# both, in one table. The runs are interleaved. A measurement, not a test: it has no verdict.
#
# usage: compare_tcp.sh [--loss PERCENT] [--delay MS] [--rate MBIT] [--burst N] [--size BYTES]
#                       [--runs N] [--seconds N] [--outstanding "1 16"] [--trace FILE]
#                       [--transports "tcp:cubic a3m:bbr:16 a3m:bbr:1:ordered"]
#
# A transport is tcp or a3m, its congestion control, and, of A3M, how many links the requests are spread over, and
# "ordered" where a link shall keep its order, so that what is lost holds back what comes behind it on the same link.
set -euo pipefail
root=$(dirname "${BASH_SOURCE[0]}")/../..
: "${A3M_BUILD:=$root/build/release}"
: "${A3M_BIN:=$A3M_BUILD/bin/a3m}"
# shellcheck source=tests/support/cli.sh
. "$root/tests/support/cli.sh"
# shellcheck source=tests/support/net.sh
. "$root/tests/support/net.sh"

declare -A set=([loss]=5 [delay]=5 [rate]=100 [burst]=1 [size]=64 [runs]=5 [seconds]=5 [outstanding]="1 16 256"
    [transports]="tcp:cubic tcp:bbr a3m:cubic a3m:bbr a3m:bbr:1:ordered" [trace]="")
while (($# > 1)); do
    name=${1#--}
    [[ -v set[$name] ]] || fail "no option $1"
    set[$name]=$2
    shift 2
done
limit=$((set[seconds] + 60))
relay=(--drop "${set[loss]}" --burst "${set[burst]}" --delay "${set[delay]}" --rate "${set[rate]}")
[[ -z ${set[trace]} ]] || relay+=(--trace "${set[trace]}")

net_setup_relay "${relay[@]}"
program=$A3M_BUILD/tests/net/echo

# one TRANSPORT OUTSTANDING: a fresh server and a fresh client; a line of the client's in $work/figures.
one() {
    local protocol control links order
    IFS=: read -r protocol control links order <<<"$1"
    local how=(--congestion "$control" --links "${links:-1}" --ordered "$((${#order} > 0))")
    in_b
    start server "$protocol-server" --host 10.77.0.2 "${how[@]}"
    await_line server "at .*:([0-9]+)"
    port=${BASH_REMATCH[1]}
    in_a
    start client "$protocol-client" --host 10.77.0.2 --port "$port" --outstanding "$2" --size "${set[size]}" \
        --seconds "${set[seconds]}" "${how[@]}"
    finish client 0
    stop server KILL 137 2>/dev/null
    printf '%s %s %s\n' "$1" "$2" "$(<"$work/client.out")" >>"$work/figures"
}

for ((run = 0; run < set[runs]; run++)); do
    for outstanding in ${set[outstanding]}; do
        for transport in ${set[transports]}; do
            one "$transport" "$outstanding"
        done
    done
done

printf '# %s; %s %% loss each way, %s ms there and back, %s Mbit/s; %s bytes, runs of %s s; load %s\n' \
    "$(uname -sr)" "${set[loss]}" "$((2 * set[delay]))" "${set[rate]}" "${set[size]}" "${set[seconds]}" \
    "$(cut -d ' ' -f 1 /proc/loadavg)"
printf 'outstanding  transport           requests/s   lowest  highest  p50 ms  p90 ms  p99 ms  max ms  runs\n'

# A column of a transport's lines, sorted; the middle of it.
figures() { awk -v p="$1" -v o="$2" -v c="$3" '$1 == p && $2 == o { print $c }' "$work/figures" | sort -n; }
median() { figures "$@" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'; }

for outstanding in ${set[outstanding]}; do
    for transport in ${set[transports]}; do
        IFS=: read -r protocol control links order <<<"$transport"
        name="${protocol^^} $control"
        [[ ${links:-1} == 1 ]] || name+=", $links links"
        name+=${order:+, $order}
        printf '%-11s  %-18s  %10.1f  %7.0f  %7.0f  %6.1f  %6.1f  %6.1f  %6.0f  %4d\n' "$outstanding" "$name" \
            "$(median "$transport" "$outstanding" 4)" "$(figures "$transport" "$outstanding" 4 | head -1)" \
            "$(figures "$transport" "$outstanding" 4 | tail -1)" "$(median "$transport" "$outstanding" 6)" \
            "$(median "$transport" "$outstanding" 8)" "$(median "$transport" "$outstanding" 10)" \
            "$(median "$transport" "$outstanding" 12)" "${set[runs]}"
    done
done
stop relay TERM 0
printf '%s' "$err" | grep '^[ab]>'
