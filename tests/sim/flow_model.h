/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows over one link, in virtual time: pairs of associations, a sender that
 * always has something to send and a receiver that takes everything. All senders
 * share the link's way out; acknowledgements come back by a way of the same
 * delay, without queue. Or requests and replies: the sender keeps so many
 * requests outstanding, the receiver answers each with as many bytes, and the way
 * back has the same rate and queue. For measuring congestion control.
 */
#ifndef FLOW_MODEL_H
#define FLOW_MODEL_H

#include "core/assoc.h"
#include "link_model.h"

#define FLOWS_MAX 4
#define FLOW_MS   INT64_C(1000000)
#define FLOW_S    INT64_C(1000000000)
/* Bytes of a full packet: what the link carries, without what UDP and IP add. */
#define FLOW_PACKET 1384u

struct flow_options {
    uint64_t seed;
    uint32_t flows;
    const char *congestion;
    const char *others; /* the congestion control of all flows but the first; NULL: the same */
    bool unordered;     /* of requests and replies: they do without the order of their link */
    uint64_t rate;      /* bits a second */
    int64_t round_trip; /* ns, without queue */
    double loss;        /* of each packet, both ways */
    int64_t jitter;     /* ns: packets are late by up to so much, both ways */
    uint64_t lose_each; /* one packet of the senders in so many; 0: none */
    uint32_t window;    /* units granted; 0: the default */
    int64_t stagger;    /* ns: each flow begins so much after the one before */
    double queue;       /* in bandwidth-delay products, but at least 32 packets; 0: 1 */
    uint32_t requests;  /* outstanding at each sender; 0: it always has something to send */
    uint32_t size;      /* bytes of a request, and of its reply */
    uint32_t path; /* largest packet, with its tag, that the link takes; larger ones are tried. 0: 1400 */
};

struct flow_end {
    struct a3mi_assoc *assoc;
    struct a3mi_peer *peer;
    struct a3mi_tx tx;
    struct a3mi_rx rx;
    struct a3m_addr addr;
    const struct flow_options *options;
    uint64_t received; /* messages */
    uint64_t due;      /* requests or replies that are to be sent */
};

struct flow {
    struct flow_end from, to;
    int64_t begins;
    bool begun;
};

struct flow_model {
    struct flow_options options;
    int64_t now;
    struct link_model out, back;
    uint64_t too_large; /* packets that the path does not take, though they were no probes of it */
    struct flow flows[FLOWS_MAX];
};

void flow_model_init(struct flow_model *m, const struct flow_options *options);
void flow_model_fini(struct flow_model *m);
/* Lets time pass. */
void flow_model_run(struct flow_model *m, int64_t ns);
/* Bytes of packets whose units the flow's receiver accepted, each unit counted once. */
uint64_t flow_model_goodput(const struct flow_model *m, uint32_t flow);
/* Replies that came back. */
uint64_t flow_model_replies(const struct flow_model *m, uint32_t flow);
struct a3mi_assoc_stats flow_model_stats(const struct flow_model *m, uint32_t flow);

#endif
