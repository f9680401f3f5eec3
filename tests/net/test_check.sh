#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# check.py finds what it is there to find: logs in which exactly one thing is wrong are refused, and for that
# reason; those of runs as they should be are not. Needs no privilege. covers X1 N9
set -euo pipefail
command -v python3 >/dev/null || exit 77
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# receiver NAME CLOSED DAMAGED RUN…: a log as worker_log.h has it; a RUN is life:first:count, all on link 0.
receiver() {
    python3 - "$work/$1" "${@:2}" <<'PYTHON'
import struct, sys
path, closed, damaged, runs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
data = struct.pack("4Q", closed, damaged, len(runs), 0)
for run in runs:
    life, first, count = map(int, run.split(":"))
    data += struct.pack("4Q", life, 0, first, count)
with open(path, "wb") as file:
    file.write(data.ljust(32 + 65536 * 32, b"\0"))
PYTHON
}

# sender NAME LIFE ROLE LINE…
sender() {
    printf '%s\n' "life $2 links 1 $3" "${@:4}" >"$work/$1"
}

# verdict PATTERN ARGUMENTS…: what check.py says; "" for nothing.
verdict() {
    local pattern=$1 said rc=0
    shift
    said=$(cd "$work" && python3 "$here/check.py" --credit 10 "$@") || rc=$?
    if [[ -z $pattern && $rc -ne 0 ]] || [[ -n $pattern && ! $said =~ WRONG:.*$pattern ]]; then
        printf 'expected "%s" of %s, got (%d):\n%s\n' "$pattern" "$*" "$rc" "$said"
        failures=$((failures + 1))
    fi
}

sender good 1 push "sending 0 0 100" "confirmed 0 0 100" "closed 0 0 0"
receiver whole 1 0 1:0:100
verdict "" --sent good --received whole

receiver twice 1 0 1:0:100 1:99:1
verdict "twice, or out of order" --sent good --received twice
receiver swapped 1 0 1:0:50 1:60:40 1:50:10
verdict "twice, or out of order" --sent good --received swapped
receiver gap 1 0 1:0:50 1:51:49
verdict "one unbroken row" --sent good --received gap
receiver late 1 0 1:1:99
verdict "the first that arrived was 1" --sent good --received late
receiver short 1 0 1:0:99
verdict "not all arrived" --sent good --received short
verdict "1 confirmed messages did not arrive" --sent good --received short
receiver long 1 0 1:0:101
verdict "arrived, but not sent" --sent good --received long
receiver spoilt 1 1 1:0:100
verdict "1 damaged messages" --sent good --received spoilt
receiver foreign 1 0 1:0:100 7:0:1
verdict "lives" --sent good --received foreign
receiver nothing 1 0
verdict "nothing arrived" --sent good --received nothing

# A receiver that was killed may take with it what it had granted credit for (10), and one.
sender told 1 push "sending 0 0 100" "lost 0 0 100 30 -11" "sending 0 100 100" "confirmed 0 100 100" "closed 10 20 0"
receiver first 0 0 1:0:60
receiver second 1 0 1:100:100
verdict "" --sent told --received first second
receiver second_early 1 0 1:90:110
verdict "" --sent told --received first second_early
receiver second_old 1 0 1:59:141
verdict "twice, or out of order" --sent told --received first second_old
receiver first_less 0 0 1:0:58
verdict "12 confirmed messages did not arrive" --sent told --received first_less second
sender untold 1 push "sending 0 0 100" "lost 0 0 100 30 -11" "sending 0 100 100" "confirmed 0 100 100" "closed 0 29 0"
verdict "told of 30 given up, reported 0 undelivered and 29 unknown" --sent untold --received first second
sender given_up 1 push "sending 0 0 100" "lost 0 0 100 1 -11" "closed 0 1 0"
verdict "given up, and nobody died" --sent given_up --received whole

# Requests: what was replied to arrived; what has an unknown outcome is never at a later receiver.
sender asked 1 req "sending 0 0 20" "confirmed 0 0 10" "unknown 0 10 10 -11" "sending 0 20 20" "confirmed 0 20 20" \
    "closed 0 0 0"
receiver old 0 0 1:0:15
receiver new 1 0 1:20:20
verdict "" --sent asked --received old new
receiver new_stale 1 0 1:15:25
verdict "of unknown outcome, yet at a later receiver" --sent asked --received old new_stale
receiver old_less 0 0 1:0:9
verdict "1 requests were replied to, but did not arrive" --sent asked --received old_less new

# Requests may overtake one another, but none is missing where nobody was killed, and none comes twice.
sender pipelined 1 req "sending 0 0 20" "confirmed 0 0 20" "closed 0 0 0"
receiver overtaken 1 0 1:0:5 1:6:14 1:5:1
verdict "" --sent pipelined --received overtaken
receiver overtaken_gap 1 0 1:0:5 1:6:14
verdict "one unbroken row" --sent pipelined --received overtaken_gap
receiver overtaken_twice 1 0 1:0:5 1:6:14 1:5:2
verdict "twice, or out of order" --sent pipelined --received overtaken_twice
receiver old_overtaken 0 0 1:0:5 1:6:9 1:5:1 1:16:1
verdict "" --sent asked --received old_overtaken new

# A sender that was killed: what it had confirmed arrived, the rest perhaps.
sender dead 1 push "sending 0 0 50" "confirmed 0 0 50" "sending 0 50 50"
sender heir 2 push "sending 0 0 100" "confirmed 0 0 100" "closed 0 0 0"
receiver both 1 0 1:0:70 2:0:100
verdict "" --sent dead heir --received both
receiver both_less 1 0 1:0:49 2:0:100
verdict "1 confirmed messages did not arrive; 0 may" --sent dead heir --received both_less

# With time-outs: what was reported as given up may be missing, or have arrived, at one receiver that lives on.
sender silent 1 push "sending 0 0 100" "lost 0 0 100 30 -11" "sending 0 100 100" "confirmed 0 100 100" "closed 10 20 0"
receiver patchy 1 0 1:0:70 1:90:110
verdict "" --timeouts --sent silent --received patchy
verdict "one unbroken row" --sent silent --received patchy
receiver patchy_less 1 0 1:0:69 1:100:100
verdict "1 confirmed messages did not arrive" --timeouts --sent silent --received patchy_less
receiver patchy_twice 1 0 1:0:100 1:99:101
verdict "twice, or out of order" --timeouts --sent silent --received patchy_twice
receiver patchy_late 1 0 1:0:70 1:101:99
verdict "1 confirmed messages did not arrive" --timeouts --sent silent --received patchy_late

((failures == 0)) || exit 1
echo "check.py is right about all of them"
