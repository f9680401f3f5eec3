# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of models: sourced by them. check runs a model that must hold, mutant one that must not.
# Files go to the build folder only. NAME=VALUE is a parameter, read by pan when it starts, but for M (messages),
# which gives arrays their size and takes a pan of its own. To compile pan takes longer than most of its runs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_folder=$(cd "$here/../.." && pwd)
scratch=${A3M_BUILD:?}/tests/model/$(basename "$0" .sh)
cc=${CC:-cc}
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

# build MODEL [DEFINITION]: says the name of its pan, made unless it is there.
build() {
    local name=${2:-}
    local pan=pan-$1-${name//=/}
    if [[ ! -x $pan ]]; then
        if ! spin -a ${2:+"-D$2"} "$1.pml" >spin.out 2>&1; then
            cat spin.out
            exit 1
        fi
        "$cc" "$optimize" -w -DSAFETY -DNOREDUCE -DMEMLIM=1900 -o "$pan" pan.c
    fi
    echo "$pan"
}

# explore MODEL PARAMETER…: writes pan's words to "out".
explore() {
    local model=$1 definition='' pan parameters=()
    shift
    for parameter in "$@"; do
        if [[ $parameter == M=* ]]; then
            definition=$parameter
        else
            parameters+=("$parameter")
        fi
    done
    pan=$(build "$model" "$definition")
    env "${parameters[@]}" "./$pan" -m100000 >out 2>&1
}

# A number of pan's report.
report() {
    sed -n "s/^ *$1.*/\1/p" out | head -n 1
}

# check MODEL PARAMETER…: every state is looked at, and none is wrong.
check() {
    local errors states depth seconds
    if ! explore "$@"; then
        cat out
        exit 1
    fi
    errors=$(report '.*errors: \([0-9]*\)')
    states=$(report '\([0-9.e+]*\) states, stored')
    depth=$(report '.*depth reached \([0-9]*\)')
    seconds=$(report 'pan: elapsed time \([0-9.]*\)')
    printf '%-64s %9s states, depth %3s, %6s s\n' "$*" "$states" "$depth" "${seconds:-0}"
    if [[ $errors != 0 ]]; then
        cat out
        failures=$((failures + 1))
    fi
    # A bound of the tool would make the rest say nothing.
    if grep -E 'reached -DMEMLIM|max search depth too small|Search not completed|out of memory|truncated' out; then
        failures=$((failures + 1))
    fi
}

# mutant MODEL RULE PARAMETER…: the model with the rule broken has a wrong state.
mutant() {
    local errors why
    explore "$1" "MUTATE_$2=1" "${@:3}" || true
    errors=$(report '.*errors: \([0-9]*\)')
    why=$(sed -n 's/^pan:1: \(.*\)/\1/p' out | head -n 1)
    printf '%-20s %9s states: %.80s\n' "$2" "$(report '\([0-9.e+]*\) states, stored')" "${why:-nothing noticed}"
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
