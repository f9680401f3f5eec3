#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes sure that the packages of packages.txt are there. Missing ones are installed if we are root,
# and named if we are not; when none is missing nothing is changed and no network is used.
#
# usage: packages.sh SECTION…      sections: build test bench
set -euo pipefail

list=$(dirname "${BASH_SOURCE[0]}")/packages.txt

packages_of() {
    sed -n -e "/^\[$1\]/,/^\[/{/^\[/d; s/[[:space:]]*#.*//; /^[[:space:]]*\$/d; p}" "$list"
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

wanted=()
for section in "$@"; do
    mapfile -t -O "${#wanted[@]}" wanted < <(packages_of "$section")
done

if ! command -v dpkg-query >/dev/null; then
    echo "Not a Debian system: going on, in the hope that these are there: ${wanted[*]}" >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi

if [[ $(id -u) -ne 0 ]]; then
    cat >&2 <<EOF
These packages are missing: ${missing[*]}
Install them as root, then start again:
    apt-get install ${missing[*]}
EOF
    exit 1
fi

echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
