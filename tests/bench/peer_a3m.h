/* SPDX-License-Identifier: Apache-2.0 */
/* A3M over loopback UDP, every setting at its default. Public headers only. */
#ifndef BENCH_PEER_A3M_H
#define BENCH_PEER_A3M_H

#include "bench/peer.h"

extern const struct bench_peer bench_peer_a3m_call;   /* REQ, REP */
extern const struct bench_peer bench_peer_a3m_single; /* PUSH, PULL: a3m_send_bytes, a3m_recv */
/* The same with a receipt of each message, by a callback: accepted; taken. */
extern const struct bench_peer bench_peer_a3m_accepted, bench_peer_a3m_taken;
extern const struct bench_peer bench_peer_a3m_batch; /* PUSH, PULL: a3m_send_many, a3m_recv_many */

#endif
