#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Formats the C and C++ sources in place, or tells with --check which ones are not formatted.
#
# usage: format.sh [--check] [FILE…]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folders=(middleware proto transport sockets tools tests examples bindings cmake)

mode=(-i)
if [[ ${1:-} == --check ]]; then
    mode=(--dry-run -Werror --ferror-limit=1)
    shift
fi

files=("$@")
if [[ ${#files[@]} -eq 0 ]]; then
    existing=()
    for folder in "${folders[@]}"; do
        [[ -d $folder ]] && existing+=("$folder")
    done
    mapfile -t files < <(find "${existing[@]}" -type f \( -name '*.[ch]' -o -name '*.cc' -o -name '*.[ch]pp' \) | sort)
fi
if [[ ${#files[@]} -gt 0 ]]; then
    "${CLANG_FORMAT:-clang-format}" --style=file "${mode[@]}" "${files[@]}"
fi
