#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Long runs of the fuzzers, and the corpora in the tree.
#
# usage: corpus.sh run NAME SECONDS   fuzzes; what is found goes to build/fuzz/corpus/NAME, crashes beside it
#        corpus.sh keep NAME          makes corpus/NAME anew of what was found: as few inputs as reach the
#                                     same edges, at most 90; those with names (cases) stay as they are
#        corpus.sh coverage [FILE…]   lines of the sources (default: middleware/core) that the corpora reach
#
# Needs the preset fuzz to be built, but for `coverage`, which builds what it needs in build/fuzz-coverage.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=tests/fuzz
built=build/fuzz/tests/fuzz
found=build/fuzz/corpus

usage() {
    sed -n 's/^# \{0,1\}//; /^usage:/,/^set/{/^set/d; p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# The options that CMakeLists.txt gives a target.
options() {
    sed -n "s/^set(fuzz_$1_options \(.*\))/\1/p" "$here/CMakeLists.txt"
    [[ ! -f $here/$1.dict ]] || echo "-dict=$here/$1.dict"
}

run() {
    mkdir -p "$found/$1" "$here/corpus/$1"
    # shellcheck disable=SC2046 # options are words
    nice -n 10 "$built/fuzz_$1" -max_total_time="$2" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        $(options "$1") -artifact_prefix="$found/$1-" "$found/$1" "$here/corpus/$1"
}

keep() {
    local small
    small=$(mktemp -d)
    mkdir -p "$found/$1" "$here/corpus/$1"
    "$built/fuzz_$1" -set_cover_merge=1 -use_counters=0 "$small" "$here/corpus/$1" "$found/$1" 2>/dev/null
    find "$here/corpus/$1" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
    # The smallest ones come first, should there be too many.
    find "$small" -type f -printf '%s %p\n' | sort -n | head -n 90 | while read -r _ file; do
        cp "$file" "$here/corpus/$1/"
    done
    rm -r "$small"
    du -sb --apparent-size "$here/corpus/$1"
    find "$here/corpus/$1" -type f | wc -l
}

coverage() {
    local build=build/fuzz-coverage objects=() target name files=("$@")
    [[ ${#files[@]} -gt 0 ]] || files=(middleware/core)
    cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DA3M_BENCH=OFF \
        -DA3M_EXAMPLES=OFF -DCMAKE_C_FLAGS_DEBUG="-O1 -g -fprofile-instr-generate -fcoverage-mapping" >/dev/null
    for target in "$here"/fuzz_*.c; do
        objects+=("$(basename "$target" .c)")
    done
    cmake --build "$build" --target "${objects[@]}" >/dev/null
    rm -f "$build"/*.profraw
    for target in "${objects[@]}"; do
        name=${target#fuzz_}
        LLVM_PROFILE_FILE=$build/$name.profraw "$build/tests/fuzz/$target" "$here/corpus/$name" >/dev/null
    done
    llvm-profdata merge -o "$build/all.profdata" "$build"/*.profraw
    llvm-cov report "$build/tests/fuzz/${objects[0]}" "${objects[@]/#/-object=$build/tests/fuzz/}" \
        -instr-profile="$build/all.profdata" -show-region-summary=false -show-branch-summary=false \
        "${files[@]/#/$PWD/}"
}

case ${1:-} in
run) [[ $# -eq 3 ]] || usage; run "$2" "$3" ;;
keep) [[ $# -eq 2 ]] || usage; keep "$2" ;;
coverage) coverage "${@:2}" ;;
*) usage ;;
esac
