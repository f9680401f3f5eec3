/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored state: a node that says nothing that is not stored goes on from a
 * snapshot at any step, as if packets had been lost; a damaged snapshot is
 * refused. Random schedules with rollbacks are in test_core_random. covers N10 X1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <a3m/errors.h>

#include "core_store.h"
#include "core_world.h"

static void begin(struct world *w, uint64_t seed)
{
    struct world_options options = {
        .nodes = 2, .slots = 2, .linger = 300 * WORLD_MS, .window = 20, .stored = true};

    world_init(w, seed, &options);
    w->net.faults = (struct core_net_faults){.delay = WORLD_MS, .jitter = WORLD_MS, .loss = 100};
    world_settle(w, 60 * WORLD_S);
}

static void finish(struct world *w)
{
    w->net.faults.loss = 0;
    world_settle(w, 100 * WORLD_S);
    world_vanish(w, 100 * WORLD_S);
    world_expect_conformance(w);
    world_fini(w);
}

static void test_store_nothing_is_said_before_it_is_stored(void **state)
{
    (void)state;
    struct world w;

    begin(&w, 1);
    world_run(&w, WORLD_S);
    uint64_t sent = w.net.sent;
    struct store *store = w.nodes[0].store;

    w.nodes[0].store = NULL; /* its disk hangs */
    assert_int_equal(world_send(&w, 0, 1, 0, 5, true), 5);
    world_run(&w, 20 * WORLD_MS);
    assert_int_equal(w.net.sent, sent);
    assert_int_equal(world_accepted(&w, 0, 1), 0);
    w.nodes[0].store = store;
    finish(&w);
}

static void test_store_restored_at_every_step_of_a_transfer(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 60; at++) {
        struct world w;

        begin(&w, 100 + (uint64_t)at);
        (void)world_send(&w, 0, 1, 0, 8, true);
        (void)world_send(&w, 1, 0, 1, 8, true);
        world_credit(&w, 0, 1, 1);
        world_run(&w, at * WORLD_MS);
        assert_true(world_rollback(&w, 0));
        world_run(&w, at % 7 * WORLD_MS);
        assert_true(world_rollback(&w, (uint32_t)at % 2));
        finish(&w);
    }
}

/* ---- Damage ------------------------------------------------------------------------ */

enum { CHANNELS = 64 };

/* Channels for whatever a snapshot names. */
struct channels {
    struct a3mi_tx tx[CHANNELS];
    struct a3mi_rx rx[CHANNELS];
    unsigned n_tx, n_rx;
};

static struct a3mi_tx *any_tx(void *arg, struct a3mi_peer *peer, uint64_t incarnation, uint32_t index)
{
    struct channels *channels = arg;

    (void)incarnation;
    (void)index;
    a3mi_peer_hold(peer);
    return channels->n_tx < CHANNELS ? &channels->tx[channels->n_tx++] : NULL;
}

static struct a3mi_rx *any_rx(void *arg, struct a3mi_peer *peer, uint32_t index)
{
    struct channels *channels = arg;

    (void)index;
    a3mi_peer_hold(peer);
    return channels->n_rx < CHANNELS ? &channels->rx[channels->n_rx++] : NULL;
}

/* Hooks of an association that is only made and freed again. */
static void no_peer_ended(void *arg, struct a3mi_peer *peer, uint64_t incarnation, enum a3mi_peer_end why)
{
    (void)arg;
    (void)peer;
    (void)incarnation;
    (void)why;
}

static int try_restore(const struct world_node *node, const uint8_t *bytes, size_t size)
{
    static const struct a3mi_assoc_hooks hooks = {.peer_ended = no_peer_ended};
    static const struct a3mi_restore restore = {.tx = any_tx, .rx = any_rx};
    struct a3mi_assoc_config config = {.id = node->id, .mtu = 1400, .gated = true};
    struct channels *channels = calloc(1, sizeof(*channels));
    struct a3mi_assoc *assoc = NULL;

    assert_non_null(channels);
    int result = a3mi_assoc_restore(&assoc, &config, &hooks, channels, &restore, bytes, size, WORLD_S);

    if (result == 0) {
        for (unsigned i = 0; i < channels->n_tx; i++) {
            (void)a3mi_tx_detach(assoc, &channels->tx[i]);
        }
        for (unsigned i = 0; i < channels->n_rx; i++) {
            a3mi_rx_detach(assoc, &channels->rx[i]);
        }
        a3mi_assoc_free(assoc);
    }
    free(channels);
    return result;
}

/* A world in the midst of a transfer, with something of everything in its snapshot. */
static const uint8_t *make_snapshot(struct world *w, size_t *size)
{
    begin(w, 7);
    w->net.faults.loss = 400;
    for (int i = 0; i < 20; i++) {
        (void)world_send(w, 0, 1, 0, 3, true);
        (void)world_send(w, 1, 0, 1, 3, true);
        world_run(w, 7 * WORLD_MS);
    }
    assert_true(store_has(&w->nodes[0]));
    return store_bytes(&w->nodes[0], size);
}

static void test_store_snapshot_whole_is_taken_truncated_or_longer_is_refused(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    const uint8_t *bytes = make_snapshot(&w, &size);
    uint8_t *copy = calloc(size + 1, 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    assert_int_equal(try_restore(&w.nodes[0], copy, size), 0);
    assert_int_equal(try_restore(&w.nodes[0], copy, size + 1), A3M_EPROTO);
    assert_int_equal(try_restore(&w.nodes[1], copy, size), A3M_EINVAL);
    for (size_t at = 0; at < size; at = at < 2000 ? at + 1 : at + 997) {
        assert_int_equal(try_restore(&w.nodes[0], copy, at), A3M_EPROTO);
    }
    free(copy);
    finish(&w);
}

static void test_store_snapshot_damaged_is_refused_or_harmless(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    const uint8_t *bytes = make_snapshot(&w, &size);
    uint8_t *copy = calloc(size, 1);
    struct a3mi_rng rng;

    assert_non_null(copy);
    a3mi_rng_init(&rng, 11);
    for (int i = 0; i < 3000; i++) {
        memcpy(copy, bytes, size);
        for (uint64_t n = 1 + a3mi_rng_below(&rng, 4); n > 0; n--) {
            size_t at = (size_t)a3mi_rng_below(&rng, i % 2 == 0 ? size : size < 600 ? size : 600);

            copy[at] = (uint8_t)a3mi_rng_u64(&rng);
        }
        int result = try_restore(&w.nodes[0], copy, size);

        assert_true(result == 0 || result == A3M_EPROTO || result == A3M_EINVAL || result == A3M_ENOMEM);
    }
    free(copy);
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_nothing_is_said_before_it_is_stored),
        cmocka_unit_test(test_store_restored_at_every_step_of_a_transfer),
        cmocka_unit_test(test_store_snapshot_whole_is_taken_truncated_or_longer_is_refused),
        cmocka_unit_test(test_store_snapshot_damaged_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
