# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of models: sourced by them. check runs a model that must hold, mutants those that must not.
# Files go to the build folder only. Bounds are cpp definitions, "M=2 RESETS=1".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_folder=$(cd "$here/../.." && pwd)
scratch=${A3M_BUILD:?}/tests/model/$(basename "$0" .sh)
cc=${CC:-cc}
# To compile pan takes longer than to run it where few states are looked at.
optimize=-O1
failures=0

if ! command -v spin >/dev/null; then
    echo "skipped: spin is not installed"
    exit 77
fi
rm -rf "$scratch"
mkdir -p "$scratch"
cp "$here"/*.pml "$scratch"
cd "$scratch"

# link_table.pml: the product's table, as the model reads it.
"$cc" -std=gnu17 -I"$source_folder/middleware" -o print_link_table \
    "$here/print_link_table.c" "$source_folder/middleware/core/link_machine.c"
./print_link_table >link_table.pml

# explore MODEL MEGABYTES DEFINITION…: writes pan's words to "out".
explore() {
    local model=$1 megabytes=$2 definitions=()
    shift 2
    for definition in "$@"; do
        definitions+=("-D$definition")
    done
    rm -f pan pan.* ./*.trail
    if ! spin -a "${definitions[@]}" "$model.pml" >spin.out 2>&1; then
        cat spin.out
        return 1
    fi
    "$cc" "$optimize" -w -DSAFETY -DNOREDUCE -DMEMLIM="$megabytes" -o pan pan.c
    ./pan -m100000 >out 2>&1
}

# A number of pan's report.
report() {
    sed -n "s/^ *$1.*/\1/p" out | head -n 1
}

# check MODEL DEFINITION…: every state is looked at, and none is wrong.
check() {
    local errors states depth seconds
    if ! explore "$1" 1900 "${@:2}"; then
        cat out
        exit 1
    fi
    errors=$(report '.*errors: \([0-9]*\)')
    states=$(report '\([0-9]*\) states, stored')
    depth=$(report '.*depth reached \([0-9]*\)')
    seconds=$(report 'pan: elapsed time \([0-9.]*\)')
    printf '%-60s %9s states, depth %3s, %6s s\n' "$*" "$states" "$depth" "${seconds:-0}"
    if [[ $errors != 0 ]]; then
        cat out
        failures=$((failures + 1))
    fi
    # A bound of the tool would make the rest say nothing.
    if grep -E 'reached -DMEMLIM|max search depth too small|Search not completed|out of memory|truncated' out; then
        failures=$((failures + 1))
    fi
}

# mutant MODEL NAME DEFINITION…: the model with the rule broken has a wrong state.
mutant() {
    local errors why
    explore "$1" 1900 "MUTATE_$2" "${@:3}" || true
    errors=$(report '.*errors: \([0-9]*\)')
    why=$(sed -n 's/^pan:1: \(.*\)/\1/p' out | head -n 1)
    printf '%-20s %9s states: %.80s\n' "$2" "$(report '\([0-9]*\) states, stored')" "${why:-nothing noticed}"
    if [[ ${errors:-0} == 0 ]] || [[ $why != *assertion* ]]; then
        echo "FAILED: $1 does not notice $2"
        failures=$((failures + 1))
    fi
}

finish() {
    if [[ $failures -gt 0 ]]; then
        echo "$failures failed"
        exit 1
    fi
    exit 0
}
