#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbered datagrams one way, for the test of the relay: what became of them, and how long they took.

usage: udp_probe.py receive ADDRESS     prints "at PORT"; ends when nothing has come for a second
       udp_probe.py send ADDRESS PORT COUNT RATE
"""
import select
import socket
import struct
import sys
import time
import zlib

SO_RCVBUFFORCE = 33  # asm-generic/socket.h
HEAD = struct.Struct("!QQ")
FILLING = bytes(range(256)) * 2


def open_socket(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    return sock


def send(address, port, count, rate):
    sock = open_socket(address)
    sock.connect((address, port))
    began = time.monotonic_ns()
    for number in range(count):
        due = began + number * 1000000000 // rate
        while time.monotonic_ns() < due:
            time.sleep(0)
        body = HEAD.pack(number, time.monotonic_ns()) + FILLING[: number % 400]
        sock.send(body + struct.pack("!I", zlib.crc32(body)))
    print("sent", count, "in", (time.monotonic_ns() - began) // 1000000, "ms")


def receive(address):
    sock = open_socket(address)
    sock.bind((address, 0))
    print("at", sock.getsockname()[1], flush=True, file=sys.stderr)
    seen, delays, damaged, twice, late, highest = set(), [], 0, 0, 0, -1
    while True:
        ready, _, _ = select.select([sock], [], [], 1 if seen else None)
        if not ready:
            break
        data = sock.recv(2048)
        now = time.monotonic_ns()
        if len(data) < HEAD.size + 4 or zlib.crc32(data[:-4]) != struct.unpack("!I", data[-4:])[0]:
            damaged += 1
            continue
        number, sent = HEAD.unpack_from(data)
        twice += number in seen
        late += number not in seen and number < highest
        if number not in seen:
            delays.append((now - sent) / 1e6)
        highest = max(highest, number)
        seen.add(number)
    delays.sort()
    print("seen", len(seen), "damaged", damaged, "twice", twice, "late", late,
          "least", round(delays[0], 3), "p50", round(delays[len(delays) // 2], 3),
          "p90", round(delays[len(delays) * 9 // 10], 3))


if sys.argv[1] == "send":
    send(sys.argv[2], *map(int, sys.argv[3:6]))
else:
    receive(sys.argv[2])
