#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The completion for bash offers what the command has, and the manual page names every option.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"
top=$(dirname "${BASH_SOURCE[0]}")/../..
# shellcheck source=completions/a3m.bash
. "$top/completions/a3m.bash"

# offers WORDS…: what is offered for the last of the words behind "a3m", sorted, on one line.
offers() {
    COMP_WORDS=("$A3M_BIN" "$@")
    COMP_CWORD=$#
    _a3m
    printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
}

say "completion"
expect "$(offers '')" "^--help --version help pull push rep req$"
expect "$(offers pu)" "^pull push$"
expect "$(offers help re)" "^rep req$"
expect "$(offers rep --e)" "^--echo$"
expect "$(offers push --li)" "^--lines --link --link-timeout$"
expect "$(offers pull --bind udp://127.0.0.1:0 --)" "--raw"
expect "$(offers pull --option credit-)" "^credit-batch= credit-bytes= credit-messages=$"
expect "$(offers req --data '')" "^$"
for word in $(offers push --); do
    [[ $word =~ ^--[a-z-]+$ ]] || fail "$word is offered"
done

say "the manual page"
for command in rep req push pull; do
    for option in $(offers "$command" --); do
        grep -q -e "-${option#--}" "$top/docs/man/a3m.1" || fail "$option of $command is not in a3m.1"
    done
done
if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "$top/docs/man/a3m.1"
fi
