# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
#
# For tests of the a3m command, to be sourced after "set -euo pipefail". A3M_BIN is the command. Gives
# a work folder ($work), and runs commands in the foreground (run) and in the background (start,
# await_line, stop, finish). Nothing here sleeps: who waits reads the standard error of a command, with a
# limit of time. Whatever goes wrong ends the test with a message and what was printed so far.

: "${A3M_BIN:?is the path of the a3m command}"

work=$(mktemp -d)
limit=40 # seconds that anything may take

declare -A pid_of fd_of log_of

# For the caller to set: what stands before every command ("ip netns exec NAME"), another program than
# a3m for start, the standard input, and the standard output of what is started ("": $work/NAME.out).
prefix=()
program=$A3M_BIN # what start runs
input=/dev/null
output=

# For the caller to read; the functions say when they set them.
err=
line=
address=
port=
node_id=

cleanup() {
    local name
    for name in "${!pid_of[@]}"; do
        kill -KILL "${pid_of[$name]}" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    local name
    printf 'FAILED (line %s): %s\n' "${BASH_LINENO[*]}" "$*"
    for name in "${!log_of[@]}"; do
        printf -- '-- standard error of %s:\n%s\n' "$name" "${log_of[$name]}"
    done
    exit 1
}

say() { printf '== %s\n' "$*"; }

# run CODE ARGUMENTS…: runs "a3m ARGUMENTS" with standard input from $input, and checks its exit code
# ("1|5": one of these). Leaves standard output in $work/out, standard error in $work/err and in $err.
run() {
    local expected=$1 rc=0
    shift
    "${prefix[@]}" timeout -k 2 "$limit" "$A3M_BIN" "$@" <"$input" >"$work/out" 2>"$work/err" || rc=$?
    err=$(<"$work/err")
    if [[ ! $rc =~ ^($expected)$ ]]; then
        fail "a3m $*: exit code $rc instead of $expected; standard error: $err"
    fi
}

# expect TEXT PATTERN: an extended regular expression that must be found in TEXT.
expect() {
    [[ $1 =~ $2 ]] || fail "\"$1\" has no \"$2\""
}

# expect_file FILE TEXT: what the file must hold, to the byte, but for newlines at its end.
expect_file() {
    local held
    held=$(<"$1")
    [[ $held == "$2" ]] || fail "$1 holds \"$held\" instead of \"$2\""
}

# start NAME ARGUMENTS…: runs "a3m ARGUMENTS" in the background, standard input from $input, standard
# output to $output or else $work/NAME.out; both may be FIFOs that are opened later. Its standard error
# is read by await_line and finish.
start() {
    local name=$1 fd
    shift
    rm -f "$work/$name.fifo"
    mkfifo "$work/$name.fifo"
    "${prefix[@]}" "$program" "$@" 2>"$work/$name.fifo" <"$input" >"${output:-$work/$name.out}" &
    pid_of[$name]=$!
    log_of[$name]=
    exec {fd}<"$work/$name.fifo"
    fd_of[$name]=$fd
}

# await_line NAME PATTERN: waits until NAME prints a line with PATTERN on standard error; it is then in
# $line, and BASH_REMATCH is set.
await_line() {
    local name=$1 deadline=$((SECONDS + limit))
    while ((SECONDS < deadline)) && IFS= read -r -t "$limit" -u "${fd_of[$name]}" line; do
        log_of[$name]+=$line$'\n'
        if [[ $line =~ $2 ]]; then
            return 0
        fi
    done
    fail "$name did not print \"$2\""
}

# await_address NAME: waits until NAME has said where it is; sets $address ("udp://127.0.0.1:7101"),
# $port, and $node_id.
await_address() {
    await_line "$1" "node '(.*)' at (udp://.*:([0-9]+)), socket"
    node_id=${BASH_REMATCH[1]}
    address=${BASH_REMATCH[2]}
    port=${BASH_REMATCH[3]}
}

# finish NAME CODE: waits for its end, and checks its exit code as run does. All of its standard error is in $err then.
finish() {
    local name=$1 fd=${fd_of[$1]} rc=0 deadline=$((SECONDS + limit)) read_rc=0
    while ((SECONDS < deadline)); do
        IFS= read -r -t "$limit" -u "$fd" line || read_rc=$?
        [[ $read_rc -eq 0 ]] || break
        log_of[$name]+=$line$'\n'
    done
    [[ $read_rc -eq 1 ]] || fail "$name does not end"
    wait "${pid_of[$name]}" 2>/dev/null || rc=$?
    exec {fd}<&-
    unset "pid_of[$name]" "fd_of[$name]"
    err=${log_of[$name]}
    [[ $rc =~ ^($2)$ ]] || fail "$name: exit code $rc instead of $2"
}

# stop NAME SIGNAL CODE: a killed command's code is 128 and the number of the signal.
stop() {
    kill "-$2" "${pid_of[$1]}"
    finish "$1" "$3"
}

# await_output NAME N: waits until NAME has printed N lines on standard output. A file has nothing that a
# reader could block on, so this one looks again and again, starting a process each time.
await_output() {
    local name=$1 lines=$2 deadline=$((SECONDS + limit))
    while (($(wc -l <"$work/$name.out") < lines)); do
        ((SECONDS < deadline)) || fail "$name has not printed $lines lines"
    done
}
