/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of instants that cannot fail (base/agenda.h), against a plain array. */
#include "test_base_random.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/agenda.h"

static struct a3mi_agenda_node *pop(struct a3mi_agenda *agenda)
{
    struct a3mi_agenda_node *node = a3mi_agenda_first(agenda);
    if (node != NULL) {
        a3mi_agenda_cancel(agenda, node);
    }
    return node;
}

static void test_agenda_empty(void **arg)
{
    (void)arg;
    struct a3mi_agenda agenda = {0};
    struct a3mi_agenda_node node = {0};
    assert_null(a3mi_agenda_first(&agenda));
    a3mi_agenda_cancel(&agenda, &node);
    a3mi_agenda_clear(&agenda);
    a3mi_agenda_set(&agenda, &node, 5);
    assert_ptr_equal(a3mi_agenda_first(&agenda), &node);
    a3mi_agenda_clear(&agenda);
    assert_null(a3mi_agenda_first(&agenda));
    assert_false(node.in);
}

static void test_agenda_same_instant_in_the_order_of_setting(void **arg)
{
    (void)arg;
    struct a3mi_agenda agenda = {0};
    struct a3mi_agenda_node nodes[5] = {0};
    for (int i = 0; i < 5; i++) {
        a3mi_agenda_set(&agenda, &nodes[i], 7);
    }
    a3mi_agenda_set(&agenda, &nodes[1], 7); /* it had this one: keeps its place */
    a3mi_agenda_set(&agenda, &nodes[0], 8);
    a3mi_agenda_set(&agenda, &nodes[0], 7); /* behind the others */
    static const int order[] = {1, 2, 3, 4, 0};
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(pop(&agenda), &nodes[order[i]]);
    }
    assert_null(pop(&agenda));
}

enum { N = 60 };

/* The first of those that are in, as the contract has it. */
static struct a3mi_agenda_node *first_of(struct a3mi_agenda_node *nodes)
{
    struct a3mi_agenda_node *first = NULL;
    for (int i = 0; i < N; i++) {
        struct a3mi_agenda_node *it = &nodes[i];
        if (it->in &&
            (first == NULL || it->at < first->at || (it->at == first->at && it->seq < first->seq))) {
            first = it;
        }
    }
    return first;
}

static void test_agenda_random(void **arg)
{
    (void)arg;
    struct a3mi_rng rng;
    struct a3mi_agenda agenda = {0};
    struct a3mi_agenda_node nodes[N] = {0};
    test_random_init(&rng, __func__);
    for (long i = 0; i < test_rounds(100000); i++) {
        struct a3mi_agenda_node *node = &nodes[a3mi_rng_below(&rng, N)];
        switch (a3mi_rng_below(&rng, 4)) {
        case 0: a3mi_agenda_cancel(&agenda, node); break;
        case 1: {
            struct a3mi_agenda_node *first = first_of(nodes);
            assert_ptr_equal(pop(&agenda), first);
            break;
        }
        default: a3mi_agenda_set(&agenda, node, (int64_t)a3mi_rng_below(&rng, 40)); break;
        }
        assert_ptr_equal(a3mi_agenda_first(&agenda), first_of(nodes));
    }
    a3mi_agenda_clear(&agenda);
    assert_null(first_of(nodes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agenda_empty),
        cmocka_unit_test(test_agenda_same_instant_in_the_order_of_setting),
        cmocka_unit_test(test_agenda_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
