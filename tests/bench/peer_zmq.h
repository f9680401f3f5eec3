/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libzmq over loopback TCP, with its one I/O thread a process. Only where the
 * library is there (A3M_HAVE_ZMQ). One way, queues (ZMQ_SNDHWM, ZMQ_RCVHWM) are
 * either of the default length, 1,000 messages, with which it is fastest here;
 * or of 64 MiB, as much as A3M's outbox holds.
 */
#ifndef BENCH_PEER_ZMQ_H
#define BENCH_PEER_ZMQ_H

#ifdef A3M_HAVE_ZMQ

#include "bench/peer.h"

extern const struct bench_peer bench_peer_zmq_call; /* REQ, REP */
extern const struct bench_peer bench_peer_zmq_flow; /* PUSH, PULL */
extern const struct bench_peer bench_peer_zmq_long; /* PUSH, PULL, long queues */

#endif

#endif
