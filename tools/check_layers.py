#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every #include goes downwards through the layers of A3M.

usage: check_layers.py [ROOT]

Prints one line per violation, "file:line: what", and exits with 1 if there is any. The table below
is the rule; the build gives each layer the include folders that fit it, but folders are coarser
than layers.
"""

import re
import sys
from pathlib import Path

# layer: (folder, layers whose headers it may include besides its own). The public headers are open
# to every layer, and to nothing but themselves and the C standard library.
LAYERS = {
    "base": ("middleware/base", set()),
    "core": ("middleware/core", {"base"}),
    "proto": ("proto", {"base", "core"}),
    "runtime": ("middleware/runtime", {"base"}),
    "transport": ("transport", {"base", "runtime"}),
    "node": ("middleware/node", {"base", "core", "proto", "runtime", "transport"}),
}
PUBLIC = "middleware/include/a3m"
# What an application could have written: public headers, and headers in its own folder.
OUTSIDE = ["sockets", "tools", "examples", "bindings"]

C_STANDARD = set(
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign "
    "stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time "
    "uchar wchar wctype".split()
)
# The pure machines see no clock, thread or system call, so not even the headers that declare them.
CORE_SYSTEM = {
    f"{name}.h"
    for name in "assert errno float inttypes limits math stdalign stdarg stdbool stddef stdint string".split()
}

SOURCES = {".c", ".h", ".cc", ".cpp", ".hh", ".hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def includes(path):
    """Yields (line, quoted name or None, name in angle brackets or None)."""
    text = path.read_text(encoding="utf-8", errors="replace")
    # Commented-out lines do not count, but must not change the numbering.
    text = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text)
    for number, line in enumerate(text.split("\n"), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def layer_of_header(name):
    """The layer that an internal header as included belongs to, or None."""
    if name.endswith(".pb-c.h"):
        return "proto"  # generated of proto/*.proto
    first = name.split("/", 1)[0]
    return first if "/" in name and first in LAYERS else None


def is_public(name):
    return name.startswith("a3m/")


def judge_public(quoted, angled, own):
    name = quoted or angled
    if is_public(name) or own:
        return None
    if angled and re.sub(r"\.h$", "", angled) in C_STANDARD and angled.endswith(".h"):
        return None
    return f"a public header includes {name}; allowed are <a3m/…> and the C standard library"


def judge_layer(layer, quoted, angled, own):
    name = quoted or angled
    if is_public(name) or own:
        return None
    target = layer_of_header(name)
    if target == layer or target in LAYERS[layer][1]:
        return None
    if target:
        return f"{layer} may not include {target} ({name})"
    if quoted:
        return f"unknown header \"{name}\": say \"<layer>/<file>.h\", or <…> for system headers"
    if layer == "core" and angled not in CORE_SYSTEM:
        return f"core may not include <{name}>: no clock, thread or system call here"
    return None


def judge_outside(quoted, angled, own):
    name = quoted or angled
    if is_public(name) or own:
        return None
    if quoted or layer_of_header(name):
        return f"{name} is not public; allowed are <a3m/…>, system headers and headers of the same folder"
    return None


def violations(root):
    places = [(PUBLIC, judge_public)]
    for layer, (folder, _) in LAYERS.items():
        places.append((folder, lambda q, a, own, layer=layer: judge_layer(layer, q, a, own)))
    places += [(folder, judge_outside) for folder in OUTSIDE]

    for folder, judge in places:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCES or not path.is_file():
                continue
            for number, quoted, angled in includes(path):
                # A plain "x.h" that lies beside the file; never a way around by "../".
                own = bool(quoted) and ".." not in quoted and (path.parent / quoted).is_file()
                what = judge(quoted, angled, own)
                if what:
                    yield f"{path.relative_to(root)}:{number}: {what}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    if not (root / "middleware").is_dir():
        sys.exit(f"{root}: not the root of the source tree")
    found = list(violations(root))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
