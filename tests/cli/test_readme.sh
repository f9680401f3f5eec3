#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program of the README works when it is pasted: compiled with the library of this build, and run.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$A3M_SOURCE/README.md" >"$work/demo.c"
grep -q 'int main' "$work/demo.c"
lib=$(find "$A3M_BUILD/lib" -name 'liba3m.so' | head -n 1)
[ -n "$lib" ]
if grep -qaE '__(asan|tsan|ubsan)_' "$lib"; then
    echo "this build's library needs a sanitizer's runtime: skipped"
    exit 77
fi
cc -Wall -Wextra -Werror -I "$A3M_SOURCE/middleware/include" "$work/demo.c" -o "$work/demo" \
    -L "$(dirname "$lib")" -la3m -Wl,-rpath,"$(dirname "$lib")"
got=$(timeout 20 "$work/demo")
[ "$got" = hello ] || {
    echo "expected 'hello', got '$got'"
    exit 1
}
echo "the README's program printed: $got"
