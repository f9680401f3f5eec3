#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# clang-tidy over the C sources, as the clang preset compiles them, and shellcheck over the scripts.
# A file that passed is not looked at again until it, a header or .clang-tidy changes.
#
# usage: lint.sh [--budget SECONDS] [FILE.c…]
#
# Exit code: 0 nothing found, 1 something found, 77 nothing found but the time was over before every
# file was looked at (the library comes first, the tests last).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folders=(middleware proto transport sockets tools examples bindings tests)
export build=build/clang
export stamps=$build/lint
export deadline=$((EPOCHSECONDS + 86400))
if [[ ${1:-} == --budget ]]; then
    deadline=$((EPOCHSECONDS + $2))
    shift 2
fi

# The C files of the compilation database, without generated ones, in the order of $folders.
list_files() {
    local compiled folder
    compiled=$(sed -n "s|^ *\"file\": \"$PWD/\(.*\)\".*|\1|p" "$build/compile_commands.json" | sort -u)
    for folder in "${folders[@]}"; do
        grep "^$folder/" <<<"$compiled" || true
    done
}

# Prints the file (of any kind) that a stamp must be younger than, besides the source itself.
newest_common() {
    find . -path ./build -prune -o -type f \( -name '*.h' -o -name .clang-tidy \) -printf '%T@ %p\n' |
        sort -n | tail -n 1 | cut -d ' ' -f 2-
}

# Looks at one file: prints what is found and fails, or leaves a stamp. Runs in shells of xargs.
# shellcheck disable=SC2317
lint_file() {
    local file=$1 stamp=$stamps/$1.ok checks='' output left
    left=$((deadline - EPOCHSECONDS))
    if ((left <= 0)); then
        echo "$file" >>"$stamps/unreached"
        return 0
    fi
    case $file in
    middleware/* | transport/* | sockets/* | proto/*) ;;
    # strerror, exit and the like are fine in a program of our own.
    *) checks=-concurrency-mt-unsafe ;;
    esac
    local rc=0
    output=$(timeout "$left" clang-tidy -p "$build" --quiet --checks="$checks" "$file" 2>&1) || rc=$?
    if ((rc == 0)); then
        mkdir -p "${stamp%/*}"
        touch "$stamp"
    elif ((rc == 124)); then
        echo "$file" >>"$stamps/unreached"
    else
        printf '%s\n' "$output"
        return 1
    fi
}
export -f lint_file

cmake --preset clang >/dev/null
cmake --build --preset clang --target a3m_generated >/dev/null
mkdir -p "$stamps"
: >"$stamps/unreached"

files=("$@")
if [[ ${#files[@]} -eq 0 ]]; then
    mapfile -t files < <(list_files)
fi
newest=$(newest_common)
due=()
for file in "${files[@]}"; do
    stamp=$stamps/$file.ok
    [[ $stamp -nt $file && $stamp -nt $newest ]] || due+=("$file")
done
printf 'clang-tidy: %d of %d files are due\n' "${#due[@]}" "${#files[@]}"

status=0
if [[ ${#due[@]} -gt 0 ]]; then
    # shellcheck disable=SC2016 # $1 is for the inner shell
    printf '%s\0' "${due[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'lint_file "$1"' lint || status=1
fi

mapfile -t scripts < <(find tools tests cmake .ci -type f \( -name '*.sh' -o -path .ci/run \) | sort)
shellcheck -x "${scripts[@]}" || status=1

if [[ $status -eq 0 && -s $stamps/unreached ]]; then
    echo "Out of time; not looked at:"
    sort "$stamps/unreached"
    status=77
fi
exit "$status"
