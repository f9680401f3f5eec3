/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bare UDP over loopback, what the kernel itself costs: no delivery guarantee,
 * no flow control. Buffers are what the system gives by default.
 */
#ifndef BENCH_PEER_UDP_H
#define BENCH_PEER_UDP_H

#include "bench/peer.h"

extern const struct bench_peer bench_peer_udp_block; /* send, recv that sleeps */
extern const struct bench_peer bench_peer_udp_spin; /* recv asked again and again, with sched_yield between */
extern const struct bench_peer bench_peer_udp_flow; /* sendmmsg, recvmmsg by BENCH_BATCH; loses messages */

#endif
