/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an association, its time, and its end (core/assoc.h). */
#include "core/assoc.h"

#include <a3m/errors.h>

#include "base/cursor.h"
#include "base/error.h"
#include "core/answer.h"
#include "core/congestion.h"
#include "core/gate.h"
#include "core/loopback.h"
#include "core/memory.h"
#include "core/move.h"
#include "core/mutation.h"
#include "core/receiver.h"
#include "core/sender.h"

#define MTU_MIN 1200u
/* Deadlines that a3mi_assoc_true_deadline looks into: how near, ns, and how many at a time. */
#define NEAR_NS  INT64_C(1000000)
#define REVIEWED 4

static void init_slabs(struct a3mi_assoc *assoc)
{
    a3mi_slab_init(&assoc->peer_slab, sizeof(struct a3mi_peer), 8, 0);
    a3mi_slab_init(&assoc->sender_slab, sizeof(struct a3mi_sender), 8, 0);
    a3mi_slab_init(&assoc->receiver_slab, sizeof(struct a3mi_receiver), 8, 0);
    a3mi_slab_init(&assoc->unit_slab, A3MI_UNIT_SIZE(A3MI_PACKET_SMALL_MAX), 64, 0);
    a3mi_slab_init(&assoc->large_unit_slab, A3MI_UNIT_SIZE(A3MI_PACKET_MAX), 16, 0);
    a3mi_ring_slabs_init(assoc);
    a3mi_partial_slab_init(&assoc->partial_slab);
    a3mi_ranges_slabs_init(assoc);
    a3mi_answer_slabs_init(assoc);
    a3mi_parting_slab_init(&assoc->parting_slab);
}

static void fini_slabs(struct a3mi_assoc *assoc)
{
    a3mi_slab_fini(&assoc->peer_slab);
    a3mi_slab_fini(&assoc->sender_slab);
    a3mi_slab_fini(&assoc->receiver_slab);
    a3mi_slab_fini(&assoc->unit_slab);
    a3mi_slab_fini(&assoc->large_unit_slab);
    a3mi_ring_slabs_fini(assoc);
    a3mi_slab_fini(&assoc->partial_slab);
    a3mi_ranges_slabs_fini(assoc);
    a3mi_slab_fini(&assoc->answer_slab);
    a3mi_slab_fini(&assoc->large_answer_slab);
    a3mi_slab_fini(&assoc->parting_slab);
}

/* Secrets and seeds. Numbers that the clock never reaches, under its own permutation, give keys for other uses. */
static void init_random(struct a3mi_assoc *assoc)
{
    a3mi_perm64_init(&assoc->perm, A3MI_MUTATE(SAME_CLOCK, (const uint8_t[16]){1}, assoc->config.key));
    a3mi_store_be64(assoc->cookie_key, a3mi_assoc_hide(assoc, UINT64_MAX));
    a3mi_store_be64(assoc->cookie_key + 8, a3mi_assoc_hide(assoc, UINT64_MAX - 1));
    a3mi_limiter_init(&assoc->strangers, a3mi_assoc_hide(assoc, UINT64_MAX - 2), A3MI_STRANGER_RATE);
    a3mi_limiter_init(&assoc->versions, a3mi_assoc_hide(assoc, UINT64_MAX - 2), 1);
}

static void init_lists(struct a3mi_assoc *assoc)
{
    a3mi_list_init(&assoc->peers);
    a3mi_list_init(&assoc->recent);
    a3mi_list_init(&assoc->debtors);
    a3mi_list_init(&assoc->active);
    a3mi_list_init(&assoc->ack_now);
    a3mi_list_init(&assoc->ack_wait);
    a3mi_list_init(&assoc->acked);
    a3mi_list_init(&assoc->unproven);
    a3mi_list_init(&assoc->partings);
    a3mi_list_init(&assoc->partings_due);
    a3mi_fifo_init(&assoc->answers);
    a3mi_fifo_init(&assoc->spent);
    a3mi_heap_init(&assoc->alarms);
}

static void init_maps(struct a3mi_assoc *assoc)
{
    uint64_t seed = assoc->config.seed;

    a3mi_mapb_init(&assoc->peers_by_id, a3mi_splitmix64(&seed));
    a3mi_mapb_init(&assoc->peers_by_addr, a3mi_splitmix64(&seed));
    a3mi_map64_init_seeded(&assoc->senders, a3mi_splitmix64(&seed));
    a3mi_map64_init_seeded(&assoc->receivers, a3mi_splitmix64(&seed));
    a3mi_map64_init_seeded(&assoc->channels, a3mi_splitmix64(&seed));
}

static void init_config(struct a3mi_assoc *assoc, const struct a3mi_assoc_config *config)
{
    size_t mtu = config->mtu < A3MI_PACKET_BASE ? config->mtu : A3MI_PACKET_BASE;
    size_t limit = config->mtu < A3MI_PACKET_LARGEST ? config->mtu : A3MI_PACKET_LARGEST;

    assoc->config = *config;
    assoc->config.congestion = NULL;
    assoc->packet_max = mtu - A3MI_PACKET_TAG;
    assoc->packet_limit = limit - A3MI_PACKET_TAG;
    if (assoc->config.window == 0) {
        assoc->config.window = A3MI_WINDOW;
    }
    if (assoc->config.window > A3MI_RING_MAX) {
        assoc->config.window = A3MI_RING_MAX;
    }
    if (assoc->config.peers_max == 0) {
        assoc->config.peers_max = A3MI_PEERS_MAX;
    }
    if (assoc->config.linger == 0) {
        assoc->config.linger = A3MI_LINGER;
    }
}

int a3mi_assoc_new(struct a3mi_assoc **out, const struct a3mi_assoc_config *config,
                   const struct a3mi_assoc_hooks *hooks, void *arg)
{
    struct a3mi_slab self;

    if (config->mtu < MTU_MIN) {
        return a3mi_fail(A3M_EINVAL, "packets of %zu bytes are too small: at least %u", config->mtu, MTU_MIN);
    }
    if (config->incarnation == 0 || config->id.len == 0) {
        return a3mi_fail(A3M_EINVAL, "a node needs an id and an incarnation");
    }
    const struct a3mi_cc_ops *congestion = a3mi_cc_find(config->congestion);

    if (congestion == NULL) {
        return a3mi_fail(A3M_EINVAL, "'%s' is no congestion controller: there are cubic, newreno and bbr",
                         config->congestion);
    }
    a3mi_slab_init(&self, sizeof(struct a3mi_assoc), 1, 1);
    struct a3mi_assoc *assoc = a3mi_slab_get(&self);

    if (assoc == NULL) {
        return a3mi_fail_plain(A3M_ENOMEM);
    }
    *assoc = (struct a3mi_assoc){.self = self, .hooks = hooks, .arg = arg, .congestion = congestion};
    init_config(assoc, config);
    init_lists(assoc);
    a3mi_memory_init(assoc);
    init_maps(assoc);
    init_random(assoc);
    init_slabs(assoc);
    a3mi_loopback_init(assoc);
    a3mi_gate_init(&assoc->gate);
    if (a3mi_move_init(assoc) != 0) {
        a3mi_assoc_free(assoc);
        return a3mi_fail_plain(A3M_ENOMEM);
    }
    *out = assoc;
    return 0;
}

/* ---- The end -------------------------------------------------------------------- */

static void free_records(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    struct a3mi_list *it;

    peer->refs++; /* it goes as the last thing */
    while ((it = a3mi_list_first(&peer->senders)) != NULL) {
        a3mi_sender_free(assoc, a3mi_container_of(it, struct a3mi_sender, on_peer));
    }
    while ((it = a3mi_list_first(&peer->receivers)) != NULL) {
        a3mi_receiver_free(assoc, a3mi_container_of(it, struct a3mi_receiver, on_peer), false);
    }
}

void a3mi_assoc_free(struct a3mi_assoc *assoc)
{
    struct a3mi_list *it;

    if (assoc == NULL) {
        return;
    }
    while ((it = a3mi_list_first(&assoc->peers)) != NULL) {
        struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        free_records(assoc, peer);
        a3mi_peer_free(assoc, peer);
    }
    a3mi_loopback_fini(assoc);
    a3mi_answers_free_spent(assoc);
    a3mi_fifo_append(&assoc->spent, &assoc->answers);
    a3mi_answers_free_spent(assoc);
    a3mi_partings_free(assoc);
    a3mi_gate_fini(assoc);
    a3mi_mapb_fini(&assoc->peers_by_id);
    a3mi_mapb_fini(&assoc->peers_by_addr);
    a3mi_map64_fini(&assoc->senders);
    a3mi_map64_fini(&assoc->receivers);
    a3mi_map64_fini(&assoc->channels);
    a3mi_heap_fini(&assoc->alarms);
    fini_slabs(assoc);

    struct a3mi_slab self = assoc->self;

    a3mi_slab_put(&self, assoc);
    a3mi_slab_fini(&self);
}

void a3mi_assoc_get_stats(const struct a3mi_assoc *assoc, struct a3mi_assoc_stats *stats)
{
    *stats = assoc->stats;
}

uint64_t a3mi_assoc_unit_bytes(const struct a3mi_assoc *assoc)
{
    return assoc->stats.unit_bytes;
}

/* ---- Time ------------------------------------------------------------------------ */

int64_t a3mi_assoc_deadline(const struct a3mi_assoc *assoc)
{
    const struct a3mi_timer_node *first = a3mi_heap_min(&assoc->alarms);

    return first != NULL ? first->at : INT64_MAX;
}

static void fire(struct a3mi_assoc *assoc, struct a3mi_timer_node *first)
{
    struct a3mi_alarm *alarm = a3mi_container_of(first, struct a3mi_alarm, node);

    (void)a3mi_heap_set(&assoc->alarms, first, INT64_MAX);
    if (!assoc->leaving) {
        alarm->fire(assoc, alarm);
    }
}

int64_t a3mi_assoc_true_deadline(struct a3mi_assoc *assoc, int64_t now)
{
    assoc->now = now;
    for (int i = 0; i < REVIEWED; i++) {
        struct a3mi_timer_node *first = a3mi_heap_min(&assoc->alarms);
        if (first == NULL || first->at <= now || first->at > now + NEAR_NS) {
            break;
        }
        int64_t before = first->at;
        fire(assoc, first);
        if (a3mi_assoc_deadline(assoc) <= before) {
            break; /* it was meant */
        }
    }
    return a3mi_assoc_deadline(assoc);
}

void a3mi_assoc_tick(struct a3mi_assoc *assoc, int64_t now)
{
    struct a3mi_timer_node *first;

    assoc->now = now;
    while ((first = a3mi_heap_min(&assoc->alarms)) != NULL && first->at <= now) {
        fire(assoc, first);
    }
    a3mi_loopback_run(assoc);
}

/* ---- Going away -------------------------------------------------------------------- */

static void say_goodbye(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->proven) {
            if (receiver->ack_state != A3MI_ACK_NONE) {
                a3mi_receiver_ack_now(assoc, receiver);
            }
            a3mi_parting_reset(assoc, &receiver->path.addr, receiver->r, receiver->have.next);
        }
    }
    A3MI_LIST_FOREACH (it, &peer->senders) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (sender->state == A3MI_SENDER_OPEN) {
            a3mi_parting_close(assoc, &sender->path.addr, sender->s, sender->r);
        }
    }
}

/* The peer after this one in the list of all, held; NULL at its end. */
static struct a3mi_peer *hold_next(struct a3mi_assoc *assoc, const struct a3mi_list *it)
{
    if (it->next == &assoc->peers) {
        return NULL;
    }
    struct a3mi_peer *peer = a3mi_container_of(it->next, struct a3mi_peer, all);

    peer->refs++;
    return peer;
}

void a3mi_assoc_abandon_unreached(struct a3mi_assoc *assoc, int64_t now)
{
    struct a3mi_peer *next;

    assoc->now = now;
    for (struct a3mi_peer *peer = hold_next(assoc, &assoc->peers); peer != NULL; peer = next) {
        struct a3mi_sender *sender = a3mi_sender_find(peer, 0, false);

        if (sender != NULL) {
            a3mi_sender_end(assoc, sender, A3MI_PEER_SILENT);
        }
        next = hold_next(assoc, &peer->all);
        a3mi_peer_release(assoc, peer);
    }
}

void a3mi_assoc_goodbye(struct a3mi_assoc *assoc, int64_t now)
{
    assoc->now = now;
    if (assoc->leaving) {
        return;
    }
    assoc->leaving = true;
    while (a3mi_list_pop_front(&assoc->active) != NULL) {}
    A3MI_LIST_FOREACH (it, &assoc->peers) {
        say_goodbye(assoc, a3mi_container_of(it, struct a3mi_peer, all));
    }
}
