/* SPDX-License-Identifier: Apache-2.0 */
/* The singly linked queue (base/fifo.h). */
#include "test_base_random.h"

#include "base/fifo.h"

static void test_fifo_of_zeros_is_empty(void **state)
{
    (void)state;
    struct a3mi_fifo f = {0};

    assert_true(a3mi_fifo_empty(&f));
    assert_null(a3mi_fifo_peek(&f));
    assert_null(a3mi_fifo_pop(&f));
    assert_int_equal(f.count, 0);
}

static void test_fifo_pops_in_order_of_pushes(void **state)
{
    (void)state;
    struct a3mi_fifo f;
    struct a3mi_fifo_node n[3];

    a3mi_fifo_init(&f);
    /* Twice, so that the queue has run empty once. */
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 3; i++) {
            a3mi_fifo_push(&f, &n[i]);
        }
        assert_int_equal(f.count, 3);
        for (int i = 0; i < 3; i++) {
            assert_ptr_equal(a3mi_fifo_peek(&f), &n[i]);
            assert_ptr_equal(a3mi_fifo_pop(&f), &n[i]);
        }
        assert_true(a3mi_fifo_empty(&f));
        assert_int_equal(f.count, 0);
    }
}

static void test_fifo_push_front_comes_out_first(void **state)
{
    (void)state;
    struct a3mi_fifo f = {0};
    struct a3mi_fifo_node n[3];

    a3mi_fifo_push_front(&f, &n[1]);
    a3mi_fifo_push(&f, &n[2]);
    a3mi_fifo_push_front(&f, &n[0]);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(a3mi_fifo_pop(&f), &n[i]);
    }
}

static void test_fifo_append_moves_all_for_every_size(void **state)
{
    (void)state;
    struct a3mi_fifo_node n[6];

    for (int left = 0; left <= 3; left++) {
        for (int right = 0; right <= 3; right++) {
            struct a3mi_fifo a = {0}, b = {0};

            for (int i = 0; i < left + right; i++) {
                a3mi_fifo_push(i < left ? &a : &b, &n[i]);
            }
            a3mi_fifo_append(&a, &b);
            assert_true(a3mi_fifo_empty(&b));
            assert_int_equal(b.count, 0);
            assert_int_equal(a.count, left + right);
            for (int i = 0; i < left + right; i++) {
                assert_ptr_equal(a3mi_fifo_pop(&a), &n[i]);
            }
            assert_true(a3mi_fifo_empty(&a));
        }
    }
}

static void test_fifo_copied_as_value_goes_on(void **state)
{
    (void)state;
    struct a3mi_fifo a = {0};
    struct a3mi_fifo_node n[2];

    a3mi_fifo_push(&a, &n[0]);
    struct a3mi_fifo b = a;
    a3mi_fifo_push(&b, &n[1]);
    assert_ptr_equal(a3mi_fifo_pop(&b), &n[0]);
    assert_ptr_equal(a3mi_fifo_pop(&b), &n[1]);
    assert_null(a3mi_fifo_pop(&b));
}

/* Two queues, one appended to the other now and then; numbers must come out in order. */
static void test_fifo_random_operations_keep_order(void **state)
{
    (void)state;
    struct item {
        struct a3mi_fifo_node node;
        uint64_t number;
    } items[64];
    struct a3mi_fifo f = {0}, incoming = {0}, unused = {0};
    uint64_t pushed = 0, popped = 0;
    struct a3mi_rng r;

    test_random_init(&r, __func__);
    for (size_t i = 0; i < 64; i++) {
        a3mi_fifo_push(&unused, &items[i].node);
    }
    for (long round = test_rounds(100000); round > 0; round--) {
        struct a3mi_fifo_node *node;

        switch (a3mi_rng_below(&r, 5)) {
        case 0:
        case 1:
            node = a3mi_fifo_pop(&unused);
            if (node != NULL) {
                ((struct item *)(void *)node)->number = pushed++;
                a3mi_fifo_push(&incoming, node);
            }
            break;
        case 2: a3mi_fifo_append(&f, &incoming); break;
        default:
            node = a3mi_fifo_pop(&f);
            if (node != NULL) {
                assert_int_equal(((struct item *)(void *)node)->number, popped++);
                a3mi_fifo_push(&unused, node);
            }
            break;
        }
        assert_int_equal(f.count + incoming.count, pushed - popped);
        assert_int_equal(f.count + incoming.count + unused.count, 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fifo_of_zeros_is_empty),
        cmocka_unit_test(test_fifo_pops_in_order_of_pushes),
        cmocka_unit_test(test_fifo_push_front_comes_out_first),
        cmocka_unit_test(test_fifo_append_moves_all_for_every_size),
        cmocka_unit_test(test_fifo_copied_as_value_goes_on),
        cmocka_unit_test(test_fifo_random_operations_keep_order),
    };

    return cmocka_run_group_tests_name("fifo", tests, NULL, NULL);
}
