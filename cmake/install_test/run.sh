#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs a build to a temporary prefix and uses it as a stranger would. Run by ctest.
#
# usage: run.sh PART BUILD_FOLDER CMAKE CC
#   symbols    the shared library exports a3m_* only; the archive has no global without our prefix
#   headers    each public header compiles alone, as strict C17 and as C++17 (where compound literals,
#              which gcc and clang take, are let pass)
#   cmake      a program built with find_package(a3m), against either library
#   pkgconfig  the same with pkg-config
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=$1
build=$2
cmake=$3
cc=$4

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
prefix=$tmp/prefix
"$cmake" --install "$build" --prefix "$prefix" >/dev/null
libdir=$(dirname "$(find "$prefix" -name liba3m.a)")

# Prints the symbols read from standard input that match none of the patterns; fails if there are any.
strangers() {
    ! sort -u | grep -v "$@"
}

case $part in
symbols)
    nm -D --defined-only -P "$libdir/liba3m.so" | cut -d ' ' -f 1 | strangers -e '^a3m_[^_]' -e '^A3M_0'
    # a3m__… are made by protoc-c of the protobuf package a3m.
    nm -g --defined-only -P "$libdir/liba3m.a" | sed -n 's/^\([^ ]*\) [A-Z] .*/\1/p' |
        strangers -e '^a3m_' -e '^a3mi_'
    ;;

headers)
    if ! [[ -d $prefix/include/a3m ]]; then
        echo "no public headers yet"
        exit 77
    fi
    cxx=$(command -v g++ || command -v clang++ || true)
    for header in "$prefix"/include/a3m/*.h; do
        name=a3m/${header##*/}
        # Twice, so that a missing include guard shows.
        printf '#include <%s>\n#include <%s>\nextern int a3m_not_empty;\n' "$name" "$name" >"$tmp/one.c"
        cp "$tmp/one.c" "$tmp/one.cpp"
        "$cc" -std=c17 -pedantic-errors -Wall -Wextra -Wundef -Wstrict-prototypes -Werror -I"$prefix/include" \
            -fsyntax-only "$tmp/one.c"
        if [[ -n $cxx ]]; then
            "$cxx" -std=c++17 -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only "$tmp/one.cpp"
        fi
    done
    ;;

cmake)
    "$cmake" -G Ninja -S "$here" -B "$tmp/build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
    "$cmake" --build "$tmp/build"
    "$tmp/build/consumer"
    "$tmp/build/consumer_static"
    ;;

pkgconfig)
    export PKG_CONFIG_PATH=$libdir/pkgconfig
    read -ra flags < <(pkg-config --cflags --libs a3m)
    "$cc" "$here/consumer.c" -o "$tmp/consumer" "${flags[@]}"
    LD_LIBRARY_PATH=$libdir "$tmp/consumer"

    # The archive itself is named; what it needs in turn comes from a3m.pc.
    read -ra flags < <(pkg-config --cflags a3m)
    read -ra libs < <(pkg-config --static --libs a3m)
    "$cc" "$here/consumer.c" -o "$tmp/consumer_static" "${flags[@]}" "${libs[@]/#-la3m/$libdir/liba3m.a}"
    "$tmp/consumer_static"
    ;;

*)
    echo "unknown part $part" >&2
    exit 2
    ;;
esac
