#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What losses cost in a trace of the relay (relay --trace): for each direction the units that were lost, how long each
waited until it was sent again, and how many packets were sent behind it until then (none: only a time-out tells).

usage: losses.py TRACE
"""
import re
import statistics
import sys

LINE = re.compile(r"\s*([\d.]+) (\S+)\s+(\S+(?: room)?)\s+udp .* for (\w+) number (\d+) .*?seq (\d+) count (\d+) ")


def read(path):
    """Rows of (time, direction, arrived, record, seq, count)."""
    with open(path, encoding="ascii") as trace:
        for line in trace:
            match = LINE.match(line)
            if match:
                time, way, fate, record, _, seq, count = match.groups()
                yield float(time), way, fate not in ("lost", "no room"), record, int(seq), int(count)


def quantile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def report(way, rows):
    open_losses, waits = {}, {True: [], False: []}
    units, arrived = set(), set()
    sent = needless = 0
    for time, _, there, record, seq, _ in rows:
        unit = (record, seq)
        sent += 1
        units.add(unit)
        for other in open_losses.values():
            other[1] += 1
        if unit in open_losses:
            since, behind = open_losses.pop(unit)
            waits[behind > 1].append((time - since) * 1e3)  # the one that it is sent again by counts
        if unit in arrived:
            needless += 1
        if there:
            arrived.add(unit)
        else:
            open_losses[unit] = [time, 0]
    lost = len(waits[True]) + len(waits[False])
    if lost == 0:
        return
    print(f"{way} {len(units)} units, {sent} packets of them, {needless} after it had arrived; {lost} losses made good")
    for followed, text in ((True, "others sent behind them"), (False, "nothing sent behind them")):
        if waits[followed]:
            v = waits[followed]
            print(f"    {text}: {len(v)}, sent again after {statistics.median(v):.1f} ms, "
                  f"p90 {quantile(v, 0.9):.1f}, p99 {quantile(v, 0.99):.1f}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = list(read(sys.argv[1]))
    for way in sorted({row[1] for row in rows}):
        report(way, [row for row in rows if row[1] == way])


if __name__ == "__main__":
    main()
