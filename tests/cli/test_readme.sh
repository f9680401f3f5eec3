#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the README shows works when it is pasted: the commands, at addresses that are free here, and the
# program, compiled with the library of this build.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/cli.sh"
readme=$A3M_SOURCE/README.md

# block LANGUAGE: the lines of all blocks in it.
block() {
    awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } /^```$/ { on = 0 } on' "$readme"
}

say "the commands"
declare -A found # by the address that the README says
: >"$work/printed"
while read -r command; do
    if [[ $command =~ ^a3m\ ([a-z]+)\ --bind\ (udp://[0-9.:]+)\ ([^\>\&]*) ]]; then
        name=${BASH_REMATCH[1]} said=${BASH_REMATCH[2]}
        read -ra rest <<<"${BASH_REMATCH[3]}"
        start "$name" "$name" --bind udp://127.0.0.1:0 "${rest[@]}"
        await_address "$name"
        found[$said]=$address
    else
        for said in "${!found[@]}"; do
            command=${command//"$said"/"${found[$said]}"}
        done
        A3M_BIN=$A3M_BIN timeout -k 2 "$limit" bash -c "a3m() { \"\$A3M_BIN\" \"\$@\"; }; $command" \
            >>"$work/printed" 2>"$work/err" || fail "$command: $(<"$work/err")"
    fi
done < <(block sh | grep -E 'a3m (rep|req|pull|push) ')
expect_file "$work/printed" $'hello\nhello\nhello'
await_output pull 100000
seq 100000 | cmp - "$work/pull.out"

say "the program"
block c >"$work/demo.c"
grep -q 'int main' "$work/demo.c"
lib=$(find "$A3M_BUILD/lib" -name 'liba3m.so' | head -n 1)
[ -n "$lib" ]
if grep -qaE '__(asan|tsan|ubsan)_' "$lib"; then
    echo "this build's library needs a sanitizer's runtime: not compiled"
    exit 77
fi
cc -Wall -Wextra -Werror -I "$A3M_SOURCE/middleware/include" "$work/demo.c" -o "$work/demo" \
    -L "$(dirname "$lib")" -la3m -Wl,-rpath,"$(dirname "$lib")"
got=$(timeout 20 "$work/demo")
[[ $got == hello ]] || fail "expected 'hello', got '$got'"
