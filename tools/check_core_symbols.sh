#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Proves that middleware/core is pure: every symbol its object files leave undefined is either
# defined in core or base under our prefix, or listed in core_symbols.allow.
#
# usage: check_core_symbols.sh CORE_OBJECT… -- BASE_OBJECT…
#        check_core_symbols.sh BUILD_FOLDER
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
nm=${NM:-nm}

core=()
base=()
if [[ $# -eq 1 && -d $1 ]]; then
    mapfile -t core < <(find "$1" -path '*/a3m_core.dir/*' -name '*.o' | sort)
    mapfile -t base < <(find "$1" -path '*/a3m_base.dir/*' -name '*.o' | sort)
else
    while [[ $# -gt 0 && $1 != -- ]]; do
        core+=("$1")
        shift
    done
    base=("${@:2}")
fi
if [[ ${#core[@]} -eq 0 || ${#base[@]} -eq 0 ]]; then
    echo "no object files of core or base: build first" >&2
    exit 2
fi

declare -A defined=()
while read -r name _; do
    if [[ $name == a3m_* || $name == a3mi_* ]]; then
        defined[$name]=1
    fi
done < <("$nm" -P -g --defined-only "${core[@]}" "${base[@]}")
mapfile -t allowed < <(sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$here/core_symbols.allow")

is_allowed() {
    local pattern
    [[ -n ${defined[$1]:-} ]] && return 0
    for pattern in "${allowed[@]}"; do
        # shellcheck disable=SC2053 # the right side is meant as a pattern
        [[ $1 == $pattern ]] && return 0
    done
    return 1
}

failed=0
for object in "${core[@]}"; do
    while read -r name _; do
        if ! is_allowed "$name"; then
            echo "${object##*/}: core may not use $name"
            failed=1
        fi
    done < <("$nm" -P -u "$object")
done
exit "$failed"
