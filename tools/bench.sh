#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures A3M beside libzmq and bare UDP on this machine, and prints the tables. How to read them:
# docs/performance.md. Builds the release preset first, unless told where the programs are.
#
# usage: bench.sh [--quick] [--runs N] [--seconds S] [--patience S] [--csv FOLDER] [--programs FOLDER] [BENCHMARK…]
#   --quick            about 30 seconds instead of about 5 minutes: for a look, not for a report
#   --runs N           repetitions of each measurement, interleaved
#   --seconds S        how long each one takes
#   --patience S       waits up to S seconds for each benchmark until the machine is quiet, and measures
#                      again what others disturbed
#   --csv FOLDER       writes BENCHMARK.csv there instead of printing the tables
#   --programs FOLDER  where bench_* are, built already
#   BENCHMARK          roundtrip, oneway, wakeups, poller; all of them when none is named
#
# Exit code: 0; 1 when something could not be measured, never because it was slow; 2 usage.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    sed -n 's/^# \{0,1\}//; /^usage:/,/^set/{/^set/d; p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

programs=
csv=
quick=
runs=()
seconds=()
patience=()
benchmarks=()
while [[ $# -gt 0 ]]; do
    case $1 in
    --quick) quick=1 ;;
    --runs | --seconds | --patience | --csv | --programs)
        [[ $# -ge 2 ]] || usage
        case $1 in
        --runs) runs=(--runs "$2") ;;
        --seconds) seconds=(--seconds "$2") ;;
        --patience) patience=(--patience "$2") ;;
        --csv) csv=$2 ;;
        --programs) programs=$2 ;;
        esac
        shift
        ;;
    roundtrip | oneway | wakeups | poller) benchmarks+=("$1") ;;
    *) usage ;;
    esac
    shift
done
[[ ${#benchmarks[@]} -gt 0 ]] || benchmarks=(roundtrip oneway wakeups poller)

build() {
    cd "$source_dir"
    tools/packages.sh build bench
    cmake --preset release >/dev/null
    cmake --build --preset release --target "${benchmarks[@]/#/bench_}" >&2
}

# The arguments of a benchmark: its own of the quick campaign, then what the user said.
arguments_of() {
    if [[ -n $quick ]]; then
        case $1 in
        roundtrip | oneway) echo --runs 3 --seconds 0.15 ;;
        wakeups) echo --runs 1 --seconds 0.4 ;;
        esac
    fi
    echo "${runs[@]}" "${seconds[@]}" "${patience[@]}"
    [[ -z $csv ]] || echo --csv
}

# Much longer than it takes: against a program that hangs, not against a slow one.
limit=3600

run() {
    local benchmark=$1 arguments
    read -r -d '' -a arguments < <(arguments_of "$benchmark") || true
    if [[ -n $csv ]]; then
        timeout "$limit" "$programs/bench_$benchmark" "${arguments[@]}" >"$csv/$benchmark.csv"
    else
        printf '\n== %s\n' "$benchmark"
        timeout "$limit" "$programs/bench_$benchmark" "${arguments[@]}"
    fi
}

if [[ -z $programs ]]; then
    (build)
    programs=$source_dir/build/release/bench
fi
if [[ -n $csv ]]; then
    mkdir -p "$csv"
fi

result=0
for benchmark in "${benchmarks[@]}"; do
    code=0
    run "$benchmark" || code=$?
    if ((code == 2)); then
        exit 2
    elif ((code != 0)); then
        echo "bench.sh: $benchmark: something could not be measured (exit code $code)" >&2
        result=1
    fi
done
exit "$result"
