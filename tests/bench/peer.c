/* SPDX-License-Identifier: Apache-2.0 */
/* All peers of this build. */
#include "bench/peer.h"

#include <string.h>

#include "bench/peer_a3m.h"
#include "bench/peer_udp.h"
#include "bench/peer_zmq.h"

static const struct bench_peer *const peers[] = {
    &bench_peer_a3m_call,     &bench_peer_a3m_single, &bench_peer_a3m_batch,
    &bench_peer_a3m_accepted, &bench_peer_a3m_taken,
#ifdef A3M_HAVE_ZMQ
    &bench_peer_zmq_call,     &bench_peer_zmq_flow,   &bench_peer_zmq_long,
#endif
    &bench_peer_udp_block,    &bench_peer_udp_spin,   &bench_peer_udp_flow,
};

const struct bench_peer *bench_peer_find(const char *name)
{
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        if (strcmp(peers[i]->name, name) == 0) {
            return peers[i];
        }
    }
    return NULL;
}
