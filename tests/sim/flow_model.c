/* SPDX-License-Identifier: Apache-2.0 */
/* Flows over a link (flow_model.h). */
#include "flow_model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/message.h"
#include "core/packet.h"
#include "quiet_hooks.h"

#define BATCH 64
/* The largest packet unless told. */
#define PATH 1400u
/* What waits at a sender, and in what pieces. */
#define QUEUED  (UINT64_C(1) << 20)
#define MESSAGE 65536u
/* The shortest queue, in packets. */
#define QUEUE_LEAST 32u

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    struct flow_end *end = arg;

    (void)rx;
    end->received++;
    end->due += end->options->requests >
                0; /* a request is answered, a reply makes room for the next request */
    a3m_msg_free(msg);
}

static void on_packed(void *arg, struct a3mi_tx *tx, a3m_msg *msg)
{
    (void)arg, (void)tx;
    a3m_msg_free(msg);
}

static const struct a3mi_assoc_hooks hooks = {.message = on_message, .packed = on_packed, QUIET_HOOKS};

/* ---- Making ---------------------------------------------------------------------- */

static struct a3mi_name name_of(uint32_t number)
{
    struct a3mi_name name;
    char text[16];

    (void)snprintf(text, sizeof(text), "end%u", number);
    (void)a3mi_name_set(&name, text, strlen(text));
    return name;
}

static void end_init(struct flow_model *m, struct flow_end *end, uint32_t number)
{
    struct a3mi_assoc_config config = {
        .id = name_of(number),
        .incarnation = number,
        .seed = m->options.seed + number,
        .mtu = m->options.path > 0 ? A3MI_PACKET_LARGEST : PATH,
        .window = m->options.window,
        .congestion = number > 2 && m->options.others != NULL ? m->options.others : m->options.congestion,
    };

    config.key[0] = (uint8_t)number;
    end->options = &m->options;
    end->addr = a3mi_addr_sim(number);
    int result = a3mi_assoc_new(&end->assoc, &config, &hooks, end);

    assert(result == 0);
    (void)result;
}

static void join(const struct flow_model *m, struct flow_end *from, struct flow_end *to, uint32_t number)
{
    struct a3mi_name id = name_of(number);

    from->peer = a3mi_assoc_peer(from->assoc, &id);
    a3mi_peer_set_addr(from->assoc, from->peer, &to->addr, m->now);
    (void)a3mi_rx_attach(from->assoc, &from->rx, from->peer, 1 << 20);
    a3mi_rx_bind(&from->rx, number);
}

static void flow_init(struct flow_model *m, uint32_t i)
{
    struct flow *flow = &m->flows[i];
    uint32_t from = 2 * i + 1, to = 2 * i + 2;

    flow->begins = m->now + i * m->options.stagger;
    flow->from.due = m->options.requests;
    end_init(m, &flow->from, from);
    end_init(m, &flow->to, to);
    join(m, &flow->from, &flow->to, to);
    join(m, &flow->to, &flow->from, from);
    a3mi_tx_attach(flow->from.assoc, &flow->from.tx, flow->from.peer, to, flow->to.rx.index);
    a3mi_tx_attach(flow->to.assoc, &flow->to.tx, flow->to.peer, from, flow->from.rx.index);
    flow->from.tx.unordered = flow->to.tx.unordered = m->options.unordered;
}

void flow_model_init(struct flow_model *m, const struct flow_options *options)
{
    double bdp = (double)options->rate / 8 * (double)options->round_trip / 1e9;
    double queue = bdp * (options->queue > 0 ? options->queue : 1);
    double least = (double)QUEUE_LEAST * FLOW_PACKET;

    memset(m, 0, sizeof(*m));
    m->options = *options;
    m->now = FLOW_S;
    link_model_init(&m->out, options->seed);
    link_model_init(&m->back, options->seed + 1);
    m->out.rate = options->rate;
    m->out.queue_limit = (uint64_t)(queue > least ? queue : least);
    m->out.delay = options->round_trip / 2;
    m->back.delay = options->round_trip - options->round_trip / 2;
    m->out.loss = options->loss;
    m->back.loss = options->loss;
    m->out.jitter = options->jitter;
    m->back.jitter = options->jitter;
    m->out.lose_each = options->lose_each;
    if (options->requests > 0) {
        m->back.rate = m->out.rate;
        m->back.queue_limit = m->out.queue_limit;
    }
    for (uint32_t i = 0; i < options->flows; i++) {
        flow_init(m, i);
    }
}

static void end_fini(struct flow_end *end)
{
    a3mi_tx_detach(end->assoc, &end->tx);
    a3mi_rx_detach(end->assoc, &end->rx);
    a3mi_peer_release(end->assoc, end->peer);
    a3mi_assoc_free(end->assoc);
}

void flow_model_fini(struct flow_model *m)
{
    for (uint32_t i = 0; i < m->options.flows; i++) {
        end_fini(&m->flows[i].from);
        end_fini(&m->flows[i].to);
    }
    link_model_fini(&m->out);
    link_model_fini(&m->back);
}

/* ---- Running ------------------------------------------------------------------------ */

static void feed(struct flow_model *m, struct flow_end *end)
{
    static const uint8_t bytes[MESSAGE];

    for (; end->due > 0; end->due--) {
        a3mi_assoc_send(end->assoc, &end->tx, a3m_msg_copy(bytes, m->options.size), m->now);
    }
    if (m->options.requests > 0) {
        return;
    }
    while (end->tx.queued_bytes < QUEUED) {
        a3mi_assoc_send(end->assoc, &end->tx, a3m_msg_copy(bytes, sizeof(bytes)), m->now);
    }
}

static void put(struct flow_model *m, struct link_model *link, uint32_t flow,
                const struct a3m_packet_out *out)
{
    if (m->options.path > 0 && out->size + A3MI_PACKET_TAG > m->options.path) {
        m->too_large += (out->flags & A3M_PACKET_WHOLE) == 0;
        return;
    }
    link_model_send(link, flow, out->bytes, out->size, m->now);
}

static void pump(struct flow_model *m, struct flow_end *end, struct link_model *link, uint32_t flow)
{
    struct a3m_packet_out out[BATCH];
    size_t n;

    do {
        if (link == &m->out || m->options.requests > 0) {
            feed(m, end);
        }
        n = a3mi_assoc_output(end->assoc, out, BATCH, false, m->now);
        for (size_t i = 0; i < n; i++) {
            put(m, link, flow, &out[i]);
        }
    } while (n == BATCH);
}

static void begin(struct flow_model *m, uint32_t i)
{
    struct flow *flow = &m->flows[i];

    if (!flow->begun && flow->begins <= m->now) {
        flow->begun = true;
        pump(m, &flow->from, &m->out, i);
    }
}

static void tick(struct flow_model *m, struct flow_end *end, struct link_model *link, uint32_t flow)
{
    if (a3mi_assoc_deadline(end->assoc) <= m->now) {
        a3mi_assoc_tick(end->assoc, m->now);
        pump(m, end, link, flow);
    }
}

/* Everything that arrives now. */
static void arrive(struct flow_model *m, struct link_model *link)
{
    while (link_model_next(link) <= m->now) {
        const struct link_packet *packet = link_model_take(link);
        struct flow *flow = &m->flows[packet->flow];
        bool out = link == &m->out;
        struct flow_end *at = out ? &flow->to : &flow->from;
        const struct flow_end *author = out ? &flow->from : &flow->to;
        uint32_t i = packet->flow;

        a3mi_assoc_input(at->assoc, &author->addr, packet->bytes, packet->size, m->now);
        pump(m, at, out ? &m->back : &m->out, i);
    }
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_event(const struct flow_model *m)
{
    int64_t at = min64(link_model_next(&m->out), link_model_next(&m->back));

    for (uint32_t i = 0; i < m->options.flows; i++) {
        at = m->flows[i].begun ? at : min64(at, m->flows[i].begins);
        at = min64(at, a3mi_assoc_deadline(m->flows[i].from.assoc));
        at = min64(at, a3mi_assoc_deadline(m->flows[i].to.assoc));
    }
    return at;
}

void flow_model_run(struct flow_model *m, int64_t ns)
{
    int64_t until = m->now + ns;
    int64_t at;

    while ((at = next_event(m)) <= until) {
        m->now = at > m->now ? at : m->now;
        arrive(m, &m->out);
        arrive(m, &m->back);
        for (uint32_t i = 0; i < m->options.flows; i++) {
            begin(m, i);
            tick(m, &m->flows[i].from, &m->out, i);
            tick(m, &m->flows[i].to, &m->back, i);
        }
    }
    m->now = until;
    for (uint32_t i = 0; i < m->options.flows; i++) {
        a3mi_assoc_check(m->flows[i].from.assoc);
        a3mi_assoc_check(m->flows[i].to.assoc);
    }
}

struct a3mi_assoc_stats flow_model_stats(const struct flow_model *m, uint32_t flow)
{
    struct a3mi_assoc_stats stats;

    a3mi_assoc_get_stats(m->flows[flow].from.assoc, &stats);
    return stats;
}

uint64_t flow_model_replies(const struct flow_model *m, uint32_t flow)
{
    return m->options.requests > 0 ? m->flows[flow].from.received : 0;
}

uint64_t flow_model_goodput(const struct flow_model *m, uint32_t flow)
{
    struct a3mi_assoc_stats stats;

    a3mi_assoc_get_stats(m->flows[flow].to.assoc, &stats);
    return stats.rx_units * FLOW_PACKET;
}
