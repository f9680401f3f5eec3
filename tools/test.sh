#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and tests everything: installs what is missing (as root), then for each preset configure,
# build and ctest; the quick start; the format check and the linters. Goes on after a failure. The
# last line sums up, "N passed, N failed", and the exit code is 1 if anything failed. What is no
# ctest counts as one: a build that fails, the quick start, a check.
#
# Fuzzing is part of it: 5 seconds a target, and what it finds is in build/fuzz/corpus. Without --long it
# adds about a minute and a half, most of it for building.
#
# usage: test.sh [--quick] [--only PRESET] [--long]
#   --quick        the dev preset only, nothing else
#   --only PRESET  one preset (dev release clang asan-ubsan tsan coverage fuzz), or: quickstart format lint
#   --long         long campaigns (A3M_LONG=1, 30 times the time limits), and 10 minutes of fuzzing a target
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
jobs=$(nproc)
lint_seconds=300
fuzz_seconds=5
long=OFF
steps=(release quickstart dev clang asan-ubsan tsan fuzz format lint)

usage() {
    sed -n 's/^# \{0,1\}//; /^usage:/,/^set/{/^set/d; p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

only=
while [[ $# -gt 0 ]]; do
    case $1 in
    --quick) only=dev ;;
    --only)
        [[ $# -ge 2 ]] || usage
        only=$2
        shift
        ;;
    --long)
        long=ON
        lint_seconds=3600
        fuzz_seconds=600
        ;;
    *) usage ;;
    esac
    shift
done
case $only in
'') ;;
dev | release | clang | asan-ubsan | tsan | coverage | fuzz | quickstart | format | lint) steps=("$only") ;;
*) usage ;;
esac

passed=0
failed=0
skipped=0
failures=()

fail() {
    failed=$((failed + 1))
    failures+=("$1")
    echo "FAILED: $1"
}

# Prints "pass", "skip" or "fail" and the name, for each test of a report. A test that did not run
# counts as failed unless it asked to be skipped: its program may not have been built.
outcomes() {
    awk '
        function flush() { if (name != "") print outcome, name }
        /<testcase / {
            flush()
            name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
            outcome = ($0 ~ /status="run"/) ? "pass" : ($0 ~ /status="disabled"/) ? "skip" : "fail"
        }
        /<skipped message="SKIP_/ { outcome = "skip" }
        END { flush() }
    ' "$1"
}

# Adds one run of ctest to the sums.
count() {
    local preset=$1 report=$2 rc=$3 before=$failed outcome name
    if [[ ! -s $report ]]; then
        fail "$preset: ctest gave no report"
        return
    fi
    while read -r outcome name; do
        case $outcome in
        pass) passed=$((passed + 1)) ;;
        skip) skipped=$((skipped + 1)) ;;
        *) fail "$preset: $name" ;;
        esac
    done < <(outcomes "$report")
    if [[ $rc -ne 0 && $failed -eq $before ]]; then
        fail "$preset: ctest ended with $rc"
    fi
}

# Tests that a preset leaves out (a regular expression of names), as another one has run them: models do
# not depend on how the library was built, networks and long simulations are for the optimized build, and
# for the sanitizers where these find something there.
left_out() {
    case $1 in
    dev | tsan) echo '^(net|model)/|^sim/(mutants|core_congestion)' ;;
    clang) echo '^(net|model|sim|stress)/' ;;
    asan-ubsan | coverage) echo '^model/|^sim/(mutants|core_congestion)' ;;
    *) echo '^$' ;;
    esac
}

# Configures, builds and tests one preset.
run_preset() {
    local preset=$1 report=build/$1/junit.xml rc=0
    if ! cmake --preset "$preset" -DA3M_LONG="$long" -DA3M_FUZZ_SECONDS="$fuzz_seconds"; then
        fail "$preset: configure"
        return
    fi
    if ! cmake --build --preset "$preset" -- -k 0; then
        fail "$preset: build"
    fi
    rm -f "$report"
    ctest --preset "$preset" -j "$jobs" -E "$(left_out "$preset")" --output-junit "$PWD/$report" || rc=$?
    count "$preset" "$report" "$rc"
}

# Runs a check that is one command: 0 passed, 77 skipped, anything else failed.
run_check() {
    local name=$1 rc=0
    "${@:2}" || rc=$?
    case $rc in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) fail "$name" ;;
    esac
}

tools/packages.sh build test

for step in "${steps[@]}"; do
    printf '\n== %s\n' "$step"
    started=$SECONDS
    case $step in
    quickstart) run_check quickstart tools/quickstart.sh ;;
    format) run_check format tools/format.sh --check ;;
    lint) run_check lint tools/lint.sh --budget "$lint_seconds" ;;
    *) run_preset "$step" ;;
    esac
    printf -- '-- %s took %d s\n' "$step" $((SECONDS - started))
done

echo
for name in "${failures[@]}"; do
    echo "FAILED: $name"
done
summary="$passed passed, $failed failed"
[[ $skipped -eq 0 ]] || summary+=", $skipped skipped"
echo "$summary"
[[ $failed -eq 0 ]]
