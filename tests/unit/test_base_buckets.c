/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets (base/buckets.h): found by hash, in the order of adding, however many there are. */
#include "test_base_random.h"

#include "base/buckets.h"

enum { N = 3000, HASHES = 700 };

struct item {
    struct a3mi_bucketed node;
    unsigned number;
    bool in;
};

/* The items with this hash are there, each once, in the order of their numbers, and no others. */
static void check_hash(struct a3mi_buckets *buckets, const struct item *items, uint64_t hash)
{
    unsigned found = 0, expected = 0, last = 0;
    A3MI_LIST_FOREACH (it, a3mi_buckets_at(buckets, hash)) {
        const struct item *item = a3mi_container_of(it, struct item, node.list);
        if (item->node.hash == hash) {
            assert_true(item->in && (found == 0 || item->number > last));
            last = item->number;
            found++;
        }
    }
    for (unsigned i = 0; i < N; i++) {
        expected += items[i].in && items[i].node.hash == hash;
    }
    assert_int_equal(found, expected);
}

static void test_buckets_random(void **state)
{
    static struct item items[N];
    struct a3mi_rng rng;
    struct a3mi_buckets buckets;
    size_t count = 0;
    (void)state;
    test_random_init(&rng, "buckets");
    a3mi_buckets_init(&buckets);
    for (unsigned i = 0; i < N; i++) {
        items[i].number = i;
        a3mi_list_init(&items[i].node.list);
        a3mi_buckets_add(&buckets, &items[i].node, (a3mi_rng_u64(&rng) % HASHES) * 0x9E3779B97F4A7C15u);
        items[i].in = true;
        count++;
        if (a3mi_rng_u64(&rng) % 3 == 0) {
            struct item *gone = &items[a3mi_rng_u64(&rng) % (i + 1)];
            a3mi_buckets_remove(&buckets, &gone->node); /* it may be gone already */
            count -= gone->in;
            gone->in = false;
        }
        assert_int_equal(buckets.count, count);
    }
    for (uint64_t h = 0; h < HASHES; h++) {
        check_hash(&buckets, items, h * 0x9E3779B97F4A7C15u);
    }
    assert_true(buckets.capacity >= count / 2);
    a3mi_buckets_fini(&buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_buckets_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
