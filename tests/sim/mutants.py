#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks one rule of the exactly-once layer at a time and sees whether the simulations notice.

usage: mutants.py [NAME…]

Each mutant is a copy of middleware/core with a few lines replaced, built in a temporary folder and
run against test_core_named and test_core_random. A mutant that passes both has survived: then a
test is missing, and the exit code is 1. Not part of ctest, as it takes minutes; run it after
changing a rule.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# name: (file, what stands there, what stands there instead), one or more
MUTANTS = {
    "no deduplication": [
        ("receiver_input.c", "if (a3mi_ranges_has(&receiver->have, data->seq)) {", "if (false) {"),
        (
            "receiver_input.c",
            "a3mi_ranges_make_room(assoc, &receiver->have, data->seq, data->seq + 1) != A3MI_RANGES_ADDED ||",
            "a3mi_ranges_make_room(assoc, &receiver->have, data->seq, data->seq + 1) == A3MI_RANGES_FULL ||",
        ),
    ],
    "numbering from 0 under an old id": [
        (
            "sender.c",
            "uint64_t order = a3mi_assoc_tick_clock(assoc);\n    uint64_t s =",
            "uint64_t order = 1 + (sender->peer->id.len > 0 ? (uint64_t)(uint8_t)sender->peer->id.s[4] : 0);\n"
            "    assoc->ck = assoc->ck > order ? assoc->ck : order;\n    uint64_t s =",
        ),
    ],
    "receiver deleted on time-out": [
        (
            "receiver.c",
            "    probe_if_due(assoc, receiver);\n    a3mi_alarm_by(assoc, alarm, next_probe(receiver));",
            "    if (assoc->now > receiver->heard_at + 30000000) {\n"
            "        a3mi_receiver_free(assoc, receiver, true);\n        return;\n    }\n"
            "    a3mi_alarm_by(assoc, alarm, receiver->heard_at + 30000001);",
        ),
    ],
    "acknowledged before accepted": [
        ("receiver_ack.c", "ack->cumulative = receiver->have.next;", "ack->cumulative = receiver->have.next + 1;"),
    ],
    "r reused": [
        (
            "receiver.c",
            "uint64_t clock = a3mi_assoc_tick_clock(assoc);",
            "uint64_t clock = 1 + (uint64_t)(uint8_t)peer->id.s[4] + assoc->stats.receivers * 256;\n"
            "    assoc->ck = assoc->ck > clock ? assoc->ck : clock;",
        ),
    ],
    "clocks restart at the same value under the same key": [
        ("assoc.c", "a3mi_perm64_init(&assoc->perm, assoc->config.key);",
         "a3mi_perm64_init(&assoc->perm, (const uint8_t[16]){1});"),
    ],
    "RESET without matching r": [
        ("sender_input.c", "sender->state == A3MI_SENDER_OPEN && sender->r == r && !sender->ended",
         "sender->state == A3MI_SENDER_OPEN && !sender->ended && (r | 1) != 0"),
    ],
    "ACK that names what was never sent": [
        ("receiver_ack.c", "ack->cumulative = receiver->have.next;", "ack->cumulative = receiver->have.next + 5;"),
    ],
    "OPEN ends another incarnation's record": [
        (
            "receiver_input.c",
            "    make_room(assoc, peer, open->source_incarnation);",
            "    make_room(assoc, peer, open->source_incarnation);\n"
            "    a3mi_life_proven(assoc, peer, open->source_incarnation, assoc->ck + 1);",
        ),
    ],
    "proof ends incarnations seen later": [
        ("life.c", "life->ended_at == 0 && life->first_seen < since", "life->ended_at == 0 && since > 0"),
    ],
    "reopening with the same s": [
        ("sender.c", "    uint64_t old = sender->s;\n\n    if (draw(assoc, sender) != 0) {",
         "    uint64_t old = 0;\n\n    if (false) {"),
    ],
    "PROBE answered CLOSE while S lives": [
        ("sender_input.c",
         "if (sender == NULL || (sender->state == A3MI_SENDER_OPEN && sender->r != probe.r)) {",
         "if (true) {"),
    ],
    "OPEN names no incarnation": [
        ("sender_output.c", ".destination_incarnation = sender->incarnation,", ".destination_incarnation = 0,"),
        ("sender_input.c",
         "if (sender->incarnation != 0 && sender->incarnation != accept->incarnation) {\n        return false;",
         "if (false) {\n        return false;"),
    ],
    "no timer while unacknowledged": [
        ("sender.c", "if (!a3mi_list_empty(&sender->sent) && sender->probes == 0) {", "if (false) {"),
    ],
    "no PROBE": [
        ("receiver.c", "    a3mi_receiver_probe(assoc, receiver);\n}\n\n/* Asked", "}\n\n/* Asked"),
    ],
    "CLOSE from a stranger": [
        ("receiver_input.c",
         "receiver->s != body.s || !a3mi_name_eq(&body.author, &receiver->peer->id)", "receiver->s != body.s"),
        ("sender_input.c", "if (!a3mi_name_eq(&probe.destination, &assoc->config.id)) {", "if (false) {"),
        ("sender_input.c", "if (!a3mi_name_eq(&accept.source, &assoc->config.id)) {", "if (false) {"),
    ],
    "a peer that lives on is not told that all is ended": [
        ("life.c", "life->owed = true;", "life->owed = false;"),
    ],
    "no reopening for news": [
        ("sender.c", "if (owed && !sender->afresh) {", "if (false) {"),
    ],
    "a moved record is not followed": [
        ("path.c", "if (!a3mi_addr_eq(&path->addr, from)) {", "if (false) {"),
    ],
}


def build(core, folder):
    include = ["-I", str(folder), "-I", str(ROOT / "middleware"), "-I", str(ROOT / "middleware/include"),
               "-I", str(ROOT / "tests/sim")]
    flags = ["-std=gnu17", "-O1", "-g", "-w", "-D_GNU_SOURCE="]
    common = [*sorted(map(str, core.glob("*.c"))), *sorted(map(str, (ROOT / "middleware/base").glob("*.c"))),
              *sorted(map(str, (ROOT / "tests/sim").glob("core_*.c")))]
    programs = []
    for test in ("test_core_named", "test_core_random"):
        out = folder / test
        subprocess.run(["cc", *flags, *include, *common, str(ROOT / f"tests/sim/{test}.c"), "-o", str(out),
                        "-lcmocka", "-lpthread"], check=True)
        programs.append(out)
    return programs


def run(program):
    """None when it passes, else what it said."""
    try:
        done = subprocess.run([program], capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "does not end"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() + done.stdout.splitlines() if line.strip()]
    told = [line for line in lines if "A3M_SIM_SEED" in line or "Assertion" in line or "FAILED  ] test" in line]
    return (told or lines or ["died"])[0].strip()


def main():
    survived = []
    os.environ.pop("A3M_LONG", None)
    for name, changes in MUTANTS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            core = folder / "core"
            shutil.copytree(ROOT / "middleware/core", core)
            for file, old, new in changes:
                text = (core / file).read_text(encoding="utf-8")
                if old not in text:
                    sys.exit(f"{name}: {file} has no longer: {old}")
                (core / file).write_text(text.replace(old, new, 1), encoding="utf-8")
            verdict = None
            for program in build(core, folder):
                verdict = verdict or run(program)
        print(f"{'caught  ' if verdict else 'SURVIVED'}  {name}{': ' + verdict if verdict else ''}", flush=True)
        if not verdict:
            survived.append(name)
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
