#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says whether what the workers of a network test wrote down can be true of exactly-once delivery.

usage: check.py [--credit N] [--timeouts] --sent FILE… --received FILE…

Logs of senders in any order, one for each life; logs of receivers in the order in which they lived. A
worker that was killed is known by the missing end of its log. What must hold, for each life and link:

  - every message arrived at most once, and those pushed in order (requests do without); nothing arrived
    damaged, or that was not sent
  - within one receiver's life no message is missing, unless it is a request and one of the two was killed
  - with nobody killed every message arrived, was confirmed, and nothing was given up
  - confirmed messages arrived; a receiver that was killed may take with it what it had acknowledged,
    but the application had not written down yet: as many as it gave credit for (--credit), and one
  - a request of unknown outcome arrived at the receiver that died, or nowhere; never at a later one
  - with --timeouts, nodes give up peers that are silent: then the same is allowed as if the receiver had died,
    but that messages that were confirmed, or were not reported as given up, are missing
  - what a sender counts at its end as undelivered and unknown is what it was told was given up, and
    no more than that is missing
"""
import argparse
import struct
import sys

LOG_RUNS = 65536
HEADER = struct.Struct("4Q")
RUN = struct.Struct("4Q")
SIZE = HEADER.size + LOG_RUNS * RUN.size


class Sent:
    """A sender's log: for each link the number sent at most, and what became of them."""

    def __init__(self, path):
        self.path = path
        self.end = {}  # link: messages that may have been sent
        self.confirmed = {}  # link: [(first, end)]
        self.lost = {}  # link: [(first, end, number given up)]
        self.unknown = {}  # link: [(first, end)]
        self.closed = None
        with open(path, encoding="ascii") as lines:
            for line in lines:
                self.take(line.split())

    def take(self, words):
        what, numbers = words[0], words[1:]
        if what == "life":
            self.life, self.links, self.role = int(numbers[0]), int(numbers[2]), numbers[3]
            return
        numbers = [int(n) for n in numbers]
        if what == "closed":
            self.closed = numbers
            return
        link, first, end = numbers[0], numbers[1], numbers[1] + numbers[2]
        if what == "sending":
            self.end[link] = end
        elif what == "confirmed":
            self.confirmed.setdefault(link, []).append((first, end))
        elif what == "lost":
            self.lost.setdefault(link, []).append((first, end, numbers[3]))
        elif what == "unknown":
            self.unknown.setdefault(link, []).append((first, end))
        else:
            raise ValueError(f"{self.path}: {words}")


class Received:
    """A receiver's log: runs of consecutive numbers by (life, link), in the order of their arrival."""

    def __init__(self, path):
        self.runs = {}
        self.damaged = 0
        self.killed = False
        with open(path, "rb") as file:
            data = file.read()
        for at in range(0, len(data), SIZE):
            closed, damaged, count, _ = HEADER.unpack_from(data, at)
            self.damaged += damaged
            self.killed |= not closed
            for i in range(count):
                life, link, first, n = RUN.unpack_from(data, at + HEADER.size + i * RUN.size)
                self.runs.setdefault((life, link), []).append((first, first + n))


    def sort(self, life, links):
        """Runs in the order of their numbers, and no more of them than need be: for what has no order."""
        for link in range(links):
            sorted_runs = []
            for first, end in sorted(self.runs.get((life, link), [])):
                if sorted_runs and sorted_runs[-1][1] == first:
                    sorted_runs[-1] = (sorted_runs[-1][0], end)
                else:
                    sorted_runs.append((first, end))
            if sorted_runs:
                self.runs[(life, link)] = sorted_runs


problems = []


def check(good, *what):
    if not good:
        problems.append(" ".join(str(w) for w in what))


def missing(spans, first, end):
    """How many of first..end are in none of the spans, which are in order and apart."""
    return (end - first) - sum(max(0, min(end, e) - max(first, f)) for f, e in spans)


def check_arrivals(sent, link, receivers, timeouts):
    """Order, at most once, no gap within a life. Returns all that arrived."""
    name = f"life {sent.life} link {link}:"
    everything = []
    for number, receiver in enumerate(receivers):
        runs = receiver.runs.get((sent.life, link), [])
        whole = not timeouts and (sent.role != "req" or not (receiver.killed or sent.closed is None))
        check(len(runs) <= 1 or not whole, name, f"receiver {number} did not get one unbroken row:", runs[:5])
        if number == 0 and runs and whole:
            check(runs[0][0] == 0, name, "the first that arrived was", runs[0][0])
        everything += runs
    if sent.role == "req":
        everything.sort()
    for before, after in zip(everything, everything[1:]):
        check(before[1] <= after[0], name, "twice, or out of order:", before, after)
    if everything:
        check(everything[-1][1] <= sent.end.get(link, 0), name, "arrived, but not sent:", everything[-1])
    return everything


def check_outcomes(sent, link, receivers, spans, credit, timeouts):
    name = f"life {sent.life} link {link}:"
    # What acknowledged messages may be missing.
    spare = sum(credit + 1 for r in receivers if r.killed)
    gone = sum(missing(spans, f, e) for f, e in sent.confirmed.get(link, []))
    for first, end, n in sent.lost.get(link, []):
        check(0 < n <= end - first, name, n, "given up of", first, end)
        gone += max(0, missing(spans, first, end) - n)
    if sent.role == "req":
        check(gone == 0, name, gone, "requests were replied to, but did not arrive")
    check(gone <= spare, name, gone, "confirmed messages did not arrive;", spare, "may")
    for first, end in sent.unknown.get(link, []):
        holders = [r for r in receivers if missing(r.runs.get((sent.life, link), []), first, end) < end - first]
        check(timeouts or all(r.killed for r in holders), name, "of unknown outcome, yet at a later receiver:", first, end)
    if not timeouts and not any(r.killed for r in receivers) and sent.closed is not None:
        check(missing(spans, 0, sent.end.get(link, 0)) == 0, name, "not all arrived:", spans)
        check(link not in sent.lost and link not in sent.unknown, name, "given up, and nobody died")


def check_report(sent):
    if sent.closed is None:
        return
    undelivered, unknown, _ = sent.closed
    lost = sum(n for rows in sent.lost.values() for _, _, n in rows)
    if sent.role == "push":
        check(undelivered + unknown == lost, f"life {sent.life}: told of {lost} given up, reported",
              undelivered, "undelivered and", unknown, "unknown")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sent", nargs="+", required=True)
    parser.add_argument("--received", nargs="+", required=True)
    parser.add_argument("--credit", type=int, default=1000)
    parser.add_argument("--timeouts", action="store_true")
    arguments = parser.parse_args()
    senders = [Sent(path) for path in arguments.sent]
    receivers = [Received(path) for path in arguments.received]
    lives = {sent.life for sent in senders}
    for sent in senders:
        for receiver in receivers if sent.role == "req" else []:
            receiver.sort(sent.life, sent.links)
    for number, receiver in enumerate(receivers):
        check(receiver.damaged == 0, f"receiver {number}:", receiver.damaged, "damaged messages")
        check({life for life, _ in receiver.runs} <= lives, f"receiver {number}: lives", receiver.runs.keys())
    sums = dict.fromkeys(("sent", "arrived", "confirmed", "lost", "unknown"), 0)
    for sent in senders:
        for link in range(sent.links):
            spans = check_arrivals(sent, link, receivers, arguments.timeouts)
            check_outcomes(sent, link, receivers, spans, arguments.credit, arguments.timeouts)
            sums["sent"] += sent.end.get(link, 0)
            sums["arrived"] += sum(e - f for f, e in spans)
            sums["confirmed"] += sum(e - f for f, e in sent.confirmed.get(link, []))
            sums["lost"] += sum(n for _, _, n in sent.lost.get(link, []))
            sums["unknown"] += sum(e - f for f, e in sent.unknown.get(link, []))
        check_report(sent)
    print("checked:", ", ".join(f"{what} {n}" for what, n in sums.items()),
          f"({sum(s.closed is None for s in senders)} senders and {sum(r.killed for r in receivers)} receivers killed)")
    check(sums["arrived"] > 0, "nothing arrived")
    for problem in problems:
        print("WRONG:", problem)
    sys.exit(1 if problems else 0)


main()
