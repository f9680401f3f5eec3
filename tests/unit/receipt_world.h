/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of delivery receipts: two nodes whose turns the test runs, and so decides what arrives; messages that
 * ask, and what was told of them.
 */
#ifndef A3M_TEST_RECEIPT_WORLD_H
#define A3M_TEST_RECEIPT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_pair.h"
#include "told.h"

enum { ACCEPTED = A3M_RECEIPT_ACCEPTED, TAKEN = A3M_RECEIPT_TAKEN, BOTH = ACCEPTED | TAKEN };

struct world {
    struct node_pair pair;
    struct told told;
};

/* With sockets that are not linked. To be freed by end(). */
static inline struct world *make_idle(void)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    node_pair_make(&world->pair);
    return world;
}

static inline struct world *make(void)
{
    struct world *world = make_idle();
    node_pair_link(&world->pair);
    return world;
}

static inline void end(struct world *world)
{
    node_pair_end(&world->pair);
    free(world);
}

static inline void settle(struct world *world)
{
    node_pair_settle(&world->pair);
}

/* A alone takes a turn: what was sent is under way then. */
static inline void turn_a(struct world *world)
{
    (void)node_turn_all(world->pair.in_a, world->pair.now);
}

static inline a3m_msg *asking(struct world *world, unsigned kinds, uint64_t id)
{
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_msg_set_receipt(msg, kinds, id, told_note, &world->told), A3M_OK);
    return msg;
}

static inline void push(struct world *world, unsigned kinds, uint64_t id)
{
    assert_int_equal(a3m_try_send(world->pair.push, asking(world, kinds, id)), A3M_OK);
}

static inline void take(struct world *world)
{
    a3m_msg *msg = NULL;
    assert_int_equal(a3m_try_recv(world->pair.pull, &msg), A3M_OK);
    a3m_msg_free(msg);
}

#define TOLD_IS(world, id, text) assert_string_equal(told_of(&(world)->told, (id)), (text))

#endif
