/* SPDX-License-Identifier: Apache-2.0 */
/* The hash maps (base/map.h), with an allocator that can be told to fail. */
#include "test_base_random.h"

#include <stdbool.h>
#include <string.h>

static bool no_memory;

static void *failing_calloc(size_t n, size_t size)
{
    return no_memory ? NULL : calloc(n, size);
}

#define calloc failing_calloc
#include "base/map.c" /* NOLINT(bugprone-suspicious-include) */
#undef calloc

static char marks[4096]; /* addresses to put into maps */

static void test_map64_fresh_has_nothing(void **state)
{
    (void)state;
    struct a3mi_map64 m;
    size_t it = 0;

    a3mi_map64_init(&m);
    assert_null(a3mi_map64_get(&m, 0));
    assert_null(a3mi_map64_del(&m, 0));
    assert_false(a3mi_map64_next(&m, &it, NULL, NULL));
    assert_int_equal(a3mi_map64_count(&m), 0);
    a3mi_map64_fini(&m);
}

static void test_map64_put_get_replace_delete(void **state)
{
    (void)state;
    struct a3mi_map64 m;

    a3mi_map64_init(&m);
    assert_int_equal(a3mi_map64_put(&m, 0, &marks[0]), 0);
    assert_int_equal(a3mi_map64_put(&m, UINT64_MAX, &marks[1]), 0);
    assert_ptr_equal(a3mi_map64_get(&m, 0), &marks[0]);
    assert_ptr_equal(a3mi_map64_get(&m, UINT64_MAX), &marks[1]);
    assert_int_equal(a3mi_map64_put(&m, 0, &marks[2]), 0);
    assert_int_equal(a3mi_map64_count(&m), 2);
    assert_ptr_equal(a3mi_map64_del(&m, 0), &marks[2]);
    assert_null(a3mi_map64_del(&m, 0));
    assert_null(a3mi_map64_get(&m, 0));
    assert_int_equal(a3mi_map64_count(&m), 1);
    a3mi_map64_fini(&m);
    assert_int_equal(a3mi_map64_count(&m), 0);
}

static void test_map64_grows_and_shrinks(void **state)
{
    (void)state;
    struct a3mi_map64 m;

    a3mi_map64_init(&m);
    for (uint64_t k = 0; k < 4096; k++) {
        assert_int_equal(a3mi_map64_put(&m, k << 32, &marks[k]), 0);
    }
    size_t large = m.capacity;

    assert_true(large >= 4096);
    for (uint64_t k = 0; k < 4096; k++) {
        assert_ptr_equal(a3mi_map64_del(&m, k << 32), &marks[k]);
    }
    assert_int_equal(a3mi_map64_put(&m, 1, &marks[1]), 0);
    assert_true(m.capacity <= 16);
    assert_ptr_equal(a3mi_map64_get(&m, 1), &marks[1]);
    a3mi_map64_fini(&m);
}

static void test_map64_churn_does_not_grow(void **state)
{
    (void)state;
    struct a3mi_map64 m;

    a3mi_map64_init(&m);
    for (uint64_t k = 0; k < 100000; k++) {
        assert_int_equal(a3mi_map64_put(&m, k, &marks[1]), 0);
        if (k >= 10) {
            assert_non_null(a3mi_map64_del(&m, k - 10));
        }
    }
    assert_int_equal(a3mi_map64_count(&m), 10);
    assert_true(m.capacity <= 64);
    a3mi_map64_fini(&m);
}

static void test_map64_iteration_deleting_all_sees_each_once(void **state)
{
    (void)state;
    struct a3mi_map64 m;
    char seen[1000] = {0};
    size_t it = 0;
    uint64_t key;
    void *val;

    a3mi_map64_init(&m);
    for (uint64_t k = 0; k < 1000; k++) {
        assert_int_equal(a3mi_map64_put(&m, k, &marks[k]), 0);
    }
    while (a3mi_map64_next(&m, &it, &key, &val)) {
        assert_ptr_equal(val, &marks[key]);
        assert_int_equal(seen[key]++, 0);
        assert_ptr_equal(a3mi_map64_del(&m, key), val);
    }
    assert_null(memchr(seen, 0, sizeof seen));
    assert_int_equal(a3mi_map64_count(&m), 0);
    a3mi_map64_fini(&m);
}

static void test_map64_no_memory_leaves_map_usable(void **state)
{
    (void)state;
    struct a3mi_map64 m;
    uint64_t k = 0;

    a3mi_map64_init(&m);
    no_memory = true;
    assert_int_equal(a3mi_map64_put(&m, 1, &marks[1]), A3M_ENOMEM);
    no_memory = false;
    assert_int_equal(a3mi_map64_put(&m, k++, &marks[1]), 0);
    no_memory = true;
    while (a3mi_map64_put(&m, k, &marks[1]) == 0) {
        k++;
    }
    no_memory = false;
    assert_int_equal(k, 15); /* one entry stays empty */
    assert_int_equal(a3mi_map64_count(&m), 15);
    assert_null(a3mi_map64_get(&m, k));
    no_memory = true;
    assert_int_equal(a3mi_map64_put(&m, 3, &marks[3]), 0); /* to replace takes none */
    no_memory = false;
    for (uint64_t i = 0; i < k; i++) {
        assert_ptr_equal(a3mi_map64_get(&m, i), &marks[i == 3 ? 3 : 1]);
    }
    assert_int_equal(a3mi_map64_put(&m, k, &marks[k]), 0);
    assert_ptr_equal(a3mi_map64_get(&m, k), &marks[k]);
    a3mi_map64_fini(&m);
}

static void test_map64_seed_changes_order(void **state)
{
    (void)state;
    struct a3mi_map64 a, b;
    size_t ita = 0, itb = 0;
    uint64_t ka, kb;
    int different = 0;

    a3mi_map64_init_seeded(&a, 1);
    a3mi_map64_init_seeded(&b, 2);
    for (uint64_t k = 0; k < 200; k++) {
        assert_int_equal(a3mi_map64_put(&a, k, &marks[k]), 0);
        assert_int_equal(a3mi_map64_put(&b, k, &marks[k]), 0);
    }
    while (a3mi_map64_next(&a, &ita, &ka, NULL) && a3mi_map64_next(&b, &itb, &kb, NULL)) {
        different += ka != kb;
    }
    assert_true(different > 100);
    a3mi_map64_fini(&a);
    a3mi_map64_fini(&b);
}

/* What the iteration shows is what the array holds. */
static void assert_map64_equals(const struct a3mi_map64 *m, void *const *model, size_t n)
{
    size_t it = 0, seen = 0, expected = 0;
    uint64_t key;
    void *val;

    while (a3mi_map64_next(m, &it, &key, &val)) {
        assert_true(key < n);
        assert_ptr_equal(model[key], val);
        seen++;
    }
    for (size_t k = 0; k < n; k++) {
        expected += model[k] != NULL;
        assert_ptr_equal(a3mi_map64_get(m, k), model[k]);
    }
    assert_int_equal(seen, expected);
    assert_int_equal(a3mi_map64_count(m), expected);
}

static void test_map64_random_operations_match_array(void **state)
{
    (void)state;
    enum { KEYS = 300 };
    void *model[KEYS] = {0};
    struct a3mi_map64 m;
    struct a3mi_rng r;

    test_random_init(&r, __func__);
    a3mi_map64_init_seeded(&m, a3mi_rng_u64(&r));
    for (long round = test_rounds(200000); round > 0; round--) {
        /* Tides, so that the table fills and drains. */
        bool flood = (round / 2000) % 2 == 0;
        uint64_t key = a3mi_rng_below(&r, KEYS);

        no_memory = a3mi_rng_below(&r, 4) == 0;
        if (a3mi_rng_below(&r, 8) < (flood ? 6u : 2u)) {
            void *val = &marks[a3mi_rng_below(&r, sizeof marks)];

            if (a3mi_map64_put(&m, key, val) == 0) {
                model[key] = val;
            }
        } else {
            assert_ptr_equal(a3mi_map64_del(&m, key), model[key]);
            model[key] = NULL;
        }
        no_memory = false;
        if (round % 100 == 0) {
            assert_map64_equals(&m, model, KEYS);
        }
    }
    a3mi_map64_fini(&m);
}

/* Deleting some while iterating: the others are seen exactly once. */
static void test_map64_random_deletes_while_iterating(void **state)
{
    (void)state;
    struct a3mi_rng r;

    test_random_init(&r, __func__);
    for (long round = test_rounds(300); round > 0; round--) {
        struct a3mi_map64 m;
        uint64_t n = a3mi_rng_below(&r, 200), seen = 0, kept = 0, key;
        size_t it = 0;

        a3mi_map64_init_seeded(&m, a3mi_rng_u64(&r));
        for (uint64_t k = 0; k < n; k++) {
            assert_int_equal(a3mi_map64_put(&m, k, &marks[k]), 0);
        }
        while (a3mi_map64_next(&m, &it, &key, NULL)) {
            seen++;
            if (a3mi_rng_below(&r, 2) == 0) {
                assert_non_null(a3mi_map64_del(&m, key));
            } else {
                kept++;
            }
        }
        assert_int_equal(seen, n);
        assert_int_equal(a3mi_map64_count(&m), kept);
        a3mi_map64_fini(&m);
    }
}

/* ---- bytes → node ----------------------------------------------------------- */

struct thing {
    struct a3mi_mapb_node node;
    char name[16];
    bool in;
    bool seen;
};

static void name_thing(struct thing *t, unsigned number)
{
    t->node.key_len = (size_t)snprintf(t->name, sizeof t->name, "thing-%u", number);
    t->node.key = t->name;
}

static void test_mapb_fresh_has_nothing(void **state)
{
    (void)state;
    struct a3mi_mapb m;

    a3mi_mapb_init(&m, 7);
    assert_null(a3mi_mapb_get(&m, "a", 1));
    assert_null(a3mi_mapb_next(&m, NULL));
    assert_int_equal(a3mi_mapb_count(&m), 0);
    a3mi_mapb_fini(&m);
}

static void test_mapb_keys_are_bytes_of_any_length(void **state)
{
    (void)state;
    struct a3mi_mapb m;
    struct a3mi_mapb_node empty = {.key = NULL, .key_len = 0};
    struct a3mi_mapb_node a = {.key = "a\0b", .key_len = 3};
    struct a3mi_mapb_node b = {.key = "a\0c", .key_len = 3};
    struct a3mi_mapb_node c = {.key = "a\0", .key_len = 2};

    a3mi_mapb_init(&m, 7);
    assert_int_equal(a3mi_mapb_add(&m, &empty), 0);
    assert_int_equal(a3mi_mapb_add(&m, &a), 0);
    assert_int_equal(a3mi_mapb_add(&m, &b), 0);
    assert_int_equal(a3mi_mapb_add(&m, &c), 0);
    assert_ptr_equal(a3mi_mapb_get(&m, "", 0), &empty);
    assert_ptr_equal(a3mi_mapb_get(&m, "a\0b", 3), &a);
    assert_ptr_equal(a3mi_mapb_get(&m, "a\0c", 3), &b);
    assert_ptr_equal(a3mi_mapb_get(&m, "a\0", 2), &c);
    assert_null(a3mi_mapb_get(&m, "a", 1));
    a3mi_mapb_fini(&m);
}

static void test_mapb_same_key_twice_is_refused(void **state)
{
    (void)state;
    struct a3mi_mapb m;
    struct thing a, b;

    a3mi_mapb_init(&m, 7);
    name_thing(&a, 1);
    name_thing(&b, 1);
    assert_int_equal(a3mi_mapb_add(&m, &a.node), 0);
    assert_int_equal(a3mi_mapb_add(&m, &b.node), A3M_EEXIST);
    assert_ptr_equal(a3mi_mapb_get(&m, b.name, b.node.key_len), &a.node);
    a3mi_mapb_remove(&m, &a.node);
    assert_int_equal(a3mi_mapb_add(&m, &b.node), 0);
    assert_ptr_equal(a3mi_mapb_get(&m, a.name, a.node.key_len), &b.node);
    a3mi_mapb_fini(&m);
}

static void test_mapb_no_memory_fails_only_the_first_time(void **state)
{
    (void)state;
    struct a3mi_mapb m;
    struct thing things[100];

    a3mi_mapb_init(&m, 7);
    name_thing(&things[0], 0);
    no_memory = true;
    assert_int_equal(a3mi_mapb_add(&m, &things[0].node), A3M_ENOMEM);
    assert_int_equal(a3mi_mapb_count(&m), 0);
    no_memory = false;
    assert_int_equal(a3mi_mapb_add(&m, &things[0].node), 0);
    no_memory = true;
    for (unsigned i = 1; i < 100; i++) {
        name_thing(&things[i], i);
        assert_int_equal(a3mi_mapb_add(&m, &things[i].node), 0);
    }
    no_memory = false;
    for (unsigned i = 0; i < 100; i++) {
        assert_ptr_equal(a3mi_mapb_get(&m, things[i].name, things[i].node.key_len), &things[i].node);
    }
    a3mi_mapb_fini(&m);
}

static void test_mapb_grows_and_shrinks(void **state)
{
    (void)state;
    static struct thing things[1000];
    struct a3mi_mapb m;

    a3mi_mapb_init(&m, 7);
    for (unsigned i = 0; i < 1000; i++) {
        name_thing(&things[i], i);
        assert_int_equal(a3mi_mapb_add(&m, &things[i].node), 0);
    }
    assert_true(m.capacity >= 1000);
    for (unsigned i = 0; i < 1000; i++) {
        a3mi_mapb_remove(&m, &things[i].node);
    }
    assert_int_equal(a3mi_mapb_add(&m, &things[0].node), 0);
    assert_true(m.capacity <= 16);
    a3mi_mapb_fini(&m);
    assert_int_equal(m.seed, 7);
}

static void test_mapb_random_operations_match_array(void **state)
{
    (void)state;
    enum { N = 200 };
    static struct thing things[N];
    struct a3mi_mapb m;
    struct a3mi_rng r;
    size_t count = 0;

    test_random_init(&r, __func__);
    a3mi_mapb_init(&m, a3mi_rng_u64(&r));
    for (unsigned i = 0; i < N; i++) {
        name_thing(&things[i], i);
    }
    for (long round = test_rounds(100000); round > 0; round--) {
        struct thing *t = &things[a3mi_rng_below(&r, N)];
        struct a3mi_mapb_node *found = a3mi_mapb_get(&m, t->name, t->node.key_len);

        assert_ptr_equal(found, t->in ? &t->node : NULL);
        if (!t->in) {
            assert_int_equal(a3mi_mapb_add(&m, &t->node), 0);
            count++;
        } else {
            a3mi_mapb_remove(&m, &t->node);
            count--;
        }
        t->in = !t->in;
        assert_int_equal(a3mi_mapb_count(&m), count);
    }
    a3mi_mapb_fini(&m);
}

static void test_mapb_iteration_removing_some_sees_each_once(void **state)
{
    (void)state;
    enum { N = 150 };
    static struct thing things[N];
    struct a3mi_mapb m;
    size_t seen = 0;

    a3mi_mapb_init(&m, 99);
    for (unsigned i = 0; i < N; i++) {
        name_thing(&things[i], i);
        assert_int_equal(a3mi_mapb_add(&m, &things[i].node), 0);
    }
    struct a3mi_mapb_node *next;

    for (struct a3mi_mapb_node *n = a3mi_mapb_next(&m, NULL); n != NULL; n = next) {
        struct thing *t = (struct thing *)(void *)n;

        next = a3mi_mapb_next(&m, n);
        assert_false(t->seen);
        t->seen = true;
        if (seen++ % 3 != 0) {
            a3mi_mapb_remove(&m, n);
        }
    }
    assert_int_equal(seen, N);
    assert_int_equal(a3mi_mapb_count(&m), N / 3);
    a3mi_mapb_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map64_fresh_has_nothing),
        cmocka_unit_test(test_map64_put_get_replace_delete),
        cmocka_unit_test(test_map64_grows_and_shrinks),
        cmocka_unit_test(test_map64_churn_does_not_grow),
        cmocka_unit_test(test_map64_iteration_deleting_all_sees_each_once),
        cmocka_unit_test(test_map64_no_memory_leaves_map_usable),
        cmocka_unit_test(test_map64_seed_changes_order),
        cmocka_unit_test(test_map64_random_operations_match_array),
        cmocka_unit_test(test_map64_random_deletes_while_iterating),
        cmocka_unit_test(test_mapb_fresh_has_nothing),
        cmocka_unit_test(test_mapb_keys_are_bytes_of_any_length),
        cmocka_unit_test(test_mapb_same_key_twice_is_refused),
        cmocka_unit_test(test_mapb_no_memory_fails_only_the_first_time),
        cmocka_unit_test(test_mapb_grows_and_shrinks),
        cmocka_unit_test(test_mapb_random_operations_match_array),
        cmocka_unit_test(test_mapb_iteration_removing_some_sees_each_once),
    };

    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
