/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handle table (base/handle.h), with an allocator that can be told to fail,
 * and with threads for ThreadSanitizer.
 */
#include "test_base_random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

static bool no_memory;

static void *failing_aligned_alloc(size_t align, size_t size)
{
    return no_memory ? NULL : aligned_alloc(align, size);
}

#define aligned_alloc failing_aligned_alloc
#include "base/handle.c" /* NOLINT(bugprone-suspicious-include) */
#undef aligned_alloc

enum { KIND_A = 1, KIND_B = 2 };

static void count_up(void *obj)
{
    ++*(int *)obj;
}

static uint32_t index_of(uint64_t handle)
{
    return (uint32_t)handle;
}

static void test_handles_of_nothing_are_answered_with_null(void **state)
{
    (void)state;
    static const uint64_t handles[] = {0, 1, (uint64_t)1 << 32, UINT64_MAX, 0xffffffff, 0x1ffffffc0, 64};
    struct a3mi_handles t;
    int obj = 0;

    assert_int_equal(a3mi_handles_init(&t), 0);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
            assert_null(a3mi_handles_get(&t, handles[i] + (turn == 1 ? (uint64_t)5 << 32 : 0), 0));
            assert_int_equal(a3mi_handles_retire(&t, handles[i] + ((uint64_t)5 << 32), NULL), A3M_EHANDLE);
        }
        /* The second time with slots that exist. */
        assert_int_not_equal(a3mi_handles_add(&t, &obj, KIND_A), 0);
    }
    a3mi_handles_fini(&t);
}

static void test_handle_leads_to_its_object_until_retired(void **state)
{
    (void)state;
    struct a3mi_handles t;
    int obj = 0;

    assert_int_equal(a3mi_handles_init(&t), 0);
    uint64_t h = a3mi_handles_add(&t, &obj, KIND_A);
    assert_int_not_equal(h >> 32, 0);
    assert_ptr_equal(a3mi_handles_get(&t, h, KIND_A), &obj);
    a3mi_handles_put(&t, h);
    assert_int_equal(a3mi_handles_retire(&t, h, count_up), 0);
    assert_int_equal(obj, 1);
    assert_null(a3mi_handles_get(&t, h, KIND_A));
    assert_int_equal(a3mi_handles_retire(&t, h, count_up), A3M_EHANDLE);
    assert_int_equal(obj, 1);
    a3mi_handles_fini(&t);
}

static void test_handle_of_other_kind_is_answered_with_null(void **state)
{
    (void)state;
    struct a3mi_handles t;
    int obj = 0;

    assert_int_equal(a3mi_handles_init(&t), 0);
    uint64_t h = a3mi_handles_add(&t, &obj, KIND_A);
    assert_null(a3mi_handles_get(&t, h, KIND_B));
    assert_int_equal(a3mi_handles_retire(&t, h, count_up), 0);
    assert_int_equal(obj, 1);
    a3mi_handles_fini(&t);
}

static void test_handle_retired_with_references_ends_at_the_last_put(void **state)
{
    (void)state;
    struct a3mi_handles t;
    int obj = 0;

    assert_int_equal(a3mi_handles_init(&t), 0);
    uint64_t h = a3mi_handles_add(&t, &obj, KIND_A);
    assert_non_null(a3mi_handles_get(&t, h, KIND_A));
    assert_non_null(a3mi_handles_get(&t, h, KIND_A));
    assert_int_equal(a3mi_handles_retire(&t, h, count_up), 0);
    assert_null(a3mi_handles_get(&t, h, KIND_A));
    assert_int_equal(a3mi_handles_retire(&t, h, count_up), A3M_EHANDLE);
    /* The index is not used again while somebody holds the object. */
    assert_int_not_equal(index_of(a3mi_handles_add(&t, &obj, KIND_A)), index_of(h));
    a3mi_handles_put(&t, h);
    assert_int_equal(obj, 0);
    a3mi_handles_put(&t, h);
    assert_int_equal(obj, 1);
    a3mi_handles_fini(&t);
}

static void test_handle_reused_index_has_new_generation(void **state)
{
    (void)state;
    struct a3mi_handles t;
    int a = 0, b = 0;

    assert_int_equal(a3mi_handles_init(&t), 0);
    uint64_t old = a3mi_handles_add(&t, &a, KIND_A);
    assert_int_equal(a3mi_handles_retire(&t, old, NULL), 0);
    uint64_t new = a3mi_handles_add(&t, &b, KIND_A);
    assert_int_equal(index_of(new), index_of(old));
    assert_int_equal(new >> 32, (old >> 32) + 1);
    assert_null(a3mi_handles_get(&t, old, KIND_A));
    assert_int_equal(a3mi_handles_retire(&t, old, count_up), A3M_EHANDLE);
    assert_ptr_equal(a3mi_handles_get(&t, new, KIND_A), &b);
    a3mi_handles_put(&t, new);
    assert_int_equal(a3mi_handles_retire(&t, new, count_up), 0);
    assert_int_equal(a, 0);
    assert_int_equal(b, 1);
    a3mi_handles_fini(&t);
}

static void test_handle_index_with_last_generation_is_not_reused(void **state)
{
    (void)state;
    struct a3mi_handles t;
    int obj = 0;

    assert_int_equal(a3mi_handles_init(&t), 0);
    uint64_t h = a3mi_handles_add(&t, &obj, KIND_A);
    assert_int_equal(a3mi_handles_retire(&t, h, NULL), 0);
    /* Four billion reuses later. */
    struct a3mi_handle_slot *slot = a3mi_handles_slot(&t, h);
    atomic_store(&slot->word, (uint64_t)0xfffffffe << 32 | A3MI_HANDLE_CLOSED);

    uint64_t last = a3mi_handles_add(&t, &obj, KIND_A);
    assert_int_equal(last, (uint64_t)0xffffffff << 32 | index_of(h));
    assert_ptr_equal(a3mi_handles_get(&t, last, KIND_A), &obj);
    a3mi_handles_put(&t, last);
    assert_int_equal(a3mi_handles_retire(&t, last, count_up), 0);
    assert_int_equal(obj, 1);
    uint64_t next = a3mi_handles_add(&t, &obj, KIND_A);
    assert_int_not_equal(index_of(next), index_of(h));
    assert_null(a3mi_handles_get(&t, last, KIND_A));
    a3mi_handles_fini(&t);
}

static void test_handles_in_many_chunks_are_all_found(void **state)
{
    (void)state;
    enum { N = 20000 };
    static int objs[N];
    static uint64_t handles[N];
    struct a3mi_handles t;

    assert_int_equal(a3mi_handles_init(&t), 0);
    for (int i = 0; i < N; i++) {
        handles[i] = a3mi_handles_add(&t, &objs[i], KIND_A);
        assert_int_equal(index_of(handles[i]), i);
    }
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(a3mi_handles_get(&t, handles[i], KIND_A), &objs[i]);
        a3mi_handles_put(&t, handles[i]);
        assert_int_equal(a3mi_handles_retire(&t, handles[i], count_up), 0);
        assert_int_equal(objs[i], 1);
    }
    a3mi_handles_fini(&t);
}

static void test_handles_without_memory_give_0_and_recover(void **state)
{
    (void)state;
    struct a3mi_handles t;
    uint64_t h[64];
    int obj = 0;

    assert_int_equal(a3mi_handles_init(&t), 0);
    no_memory = true;
    assert_int_equal(a3mi_handles_add(&t, &obj, KIND_A), 0);
    no_memory = false;
    for (int i = 0; i < 64; i++) {
        h[i] = a3mi_handles_add(&t, &obj, KIND_A);
        assert_int_not_equal(h[i], 0);
    }
    no_memory = true;
    assert_int_equal(a3mi_handles_add(&t, &obj, KIND_A), 0);
    assert_int_equal(a3mi_handles_retire(&t, h[7], NULL), 0);
    assert_int_equal(index_of(a3mi_handles_add(&t, &obj, KIND_A)), 7);
    no_memory = false;
    assert_int_equal(index_of(a3mi_handles_add(&t, &obj, KIND_A)), 64);
    a3mi_handles_fini(&t);
}

static struct a3mi_handles nested;
static uint64_t nested_handle;

static void add_another(void *obj)
{
    nested_handle = a3mi_handles_add(&nested, obj, KIND_B);
}

static void test_handles_last_may_use_the_table(void **state)
{
    (void)state;
    int obj = 0;

    assert_int_equal(a3mi_handles_init(&nested), 0);
    uint64_t h = a3mi_handles_add(&nested, &obj, KIND_A);
    assert_int_equal(a3mi_handles_retire(&nested, h, add_another), 0);
    assert_int_not_equal(nested_handle, 0);
    assert_int_not_equal(index_of(nested_handle), index_of(h));
    assert_ptr_equal(a3mi_handles_get(&nested, nested_handle, KIND_B), &obj);
    a3mi_handles_fini(&nested);
}

/* ---- Random operations against a model ------------------------------------- */

struct model {
    uint64_t handle;
    unsigned kind;
    int refs;
    bool retired;
    int ended; /* what `last` counts */
};

static void model_get(struct a3mi_handles *t, struct model *m, unsigned kind)
{
    void *obj = a3mi_handles_get(t, m->handle, kind);
    bool expected = !m->retired && kind == m->kind;

    assert_ptr_equal(obj, expected ? &m->ended : NULL);
    m->refs += obj != NULL;
}

static void test_handles_random_operations_match_model(void **state)
{
    (void)state;
    enum { N = 3000 };
    static struct model models[N];
    struct a3mi_handles t;
    struct a3mi_rng r;
    size_t n = 0;

    test_random_init(&r, __func__);
    assert_int_equal(a3mi_handles_init(&t), 0);
    for (long round = 0; round < 100000; round++) {
        struct model *m = n > 0 ? &models[a3mi_rng_below(&r, n)] : NULL;

        switch (a3mi_rng_below(&r, 8)) {
        case 0:
            if (n < N) {
                m = &models[n++];
                *m = (struct model){.kind = (unsigned)a3mi_rng_below(&r, 3)};
                m->handle = a3mi_handles_add(&t, &m->ended, m->kind);
                assert_int_not_equal(m->handle, 0);
            }
            break;
        case 1:
            if (m != NULL) {
                assert_int_equal(a3mi_handles_retire(&t, m->handle, count_up), m->retired ? A3M_EHANDLE : 0);
                m->retired = true;
            }
            break;
        case 2:
        case 3:
        case 4:
            if (m != NULL && m->refs > 0) {
                a3mi_handles_put(&t, m->handle);
                m->refs--;
            }
            break;
        default:
            if (m != NULL) {
                model_get(&t, m, (unsigned)a3mi_rng_below(&r, 3));
            }
            break;
        }
        if (m != NULL) {
            assert_int_equal(m->ended, m->retired && m->refs == 0);
        }
    }
    a3mi_handles_fini(&t);
}

/* ---- Threads ---------------------------------------------------------------- */

enum { THREADS = 4, PLACES = 8 };

/* Its members are plain on purpose: only the table keeps threads from racing on them. */
struct shared_obj {
    uint64_t check;
    unsigned kind;
};

static struct a3mi_handles shared;
static _Atomic uint64_t places[PLACES];
static atomic_long added, ended, seen;

static void end_obj(void *obj)
{
    struct shared_obj *o = obj;

    if (o->check != (uint64_t)(uintptr_t)o) {
        abort();
    }
    o->check = 0;
    free(o);
    atomic_fetch_add(&ended, 1);
}

static uint64_t new_obj(unsigned kind)
{
    struct shared_obj *o = malloc(sizeof *o);

    *o = (struct shared_obj){.check = (uint64_t)(uintptr_t)o, .kind = kind};
    atomic_fetch_add(&added, 1);
    return a3mi_handles_add(&shared, o, kind);
}

static void look(uint64_t handle, unsigned kind)
{
    struct shared_obj *o = a3mi_handles_get(&shared, handle, kind);

    if (o == NULL) {
        return;
    }
    if (o->check != (uint64_t)(uintptr_t)o || o->kind != kind) {
        abort();
    }
    atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed);
    a3mi_handles_put(&shared, handle);
}

static void *hammer(void *arg)
{
    struct a3mi_rng *r = arg;
    uint64_t stale[16] = {0};

    for (long round = test_rounds(60000); round > 0; round--) {
        _Atomic uint64_t *place = &places[a3mi_rng_below(r, PLACES)];
        uint64_t handle = atomic_load_explicit(place, memory_order_relaxed);
        unsigned kind = (unsigned)a3mi_rng_below(r, 2);

        switch (a3mi_rng_below(r, 16)) {
        case 0: /* replaces it; whoever retires first wins */
            if (a3mi_handles_retire(&shared, handle, end_obj) == 0) {
                atomic_store_explicit(place, new_obj(kind), memory_order_relaxed);
                stale[round % 16] = handle;
            }
            break;
        case 1: look(stale[round % 16], kind); break;
        default: look(handle, kind); break;
        }
    }
    return NULL;
}

static void test_handles_threads_see_only_living_objects(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct a3mi_rng r, rngs[THREADS];

    test_random_init(&r, __func__);
    assert_int_equal(a3mi_handles_init(&shared), 0);
    for (unsigned i = 0; i < PLACES; i++) {
        atomic_store(&places[i], new_obj(i % 2));
    }
    for (int i = 0; i < THREADS; i++) {
        a3mi_rng_init(&rngs[i], a3mi_rng_u64(&r));
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &rngs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < PLACES; i++) {
        assert_int_equal(a3mi_handles_retire(&shared, atomic_load(&places[i]), end_obj), 0);
    }
    assert_int_equal(atomic_load(&ended), atomic_load(&added));
    assert_true(atomic_load(&added) > PLACES);
    assert_true(atomic_load(&seen) > 0);
    a3mi_handles_fini(&shared);
}

static pthread_barrier_t gate;
static _Atomic uint64_t contested;
static atomic_int winners;

static void *retire_contested(void *arg)
{
    (void)arg;
    for (int round = 0; round < 2000; round++) {
        pthread_barrier_wait(&gate);
        uint64_t handle = atomic_load(&contested);

        look(handle, KIND_A);
        if (a3mi_handles_retire(&shared, handle, end_obj) == 0) {
            atomic_fetch_add(&winners, 1);
        }
        look(handle, KIND_A);
        pthread_barrier_wait(&gate);
    }
    return NULL;
}

static void test_handles_of_threads_that_retire_one_wins(void **state)
{
    (void)state;
    pthread_t threads[2];

    assert_int_equal(a3mi_handles_init(&shared), 0);
    assert_int_equal(pthread_barrier_init(&gate, NULL, 3), 0);
    atomic_store(&added, 0);
    atomic_store(&ended, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, retire_contested, NULL), 0);
    }
    for (int round = 0; round < 2000; round++) {
        atomic_store(&contested, new_obj(KIND_A));
        pthread_barrier_wait(&gate);
        pthread_barrier_wait(&gate);
        assert_int_equal(atomic_load(&winners), round + 1);
        assert_int_equal(atomic_load(&ended), round + 1);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    pthread_barrier_destroy(&gate);
    a3mi_handles_fini(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handles_of_nothing_are_answered_with_null),
        cmocka_unit_test(test_handle_leads_to_its_object_until_retired),
        cmocka_unit_test(test_handle_of_other_kind_is_answered_with_null),
        cmocka_unit_test(test_handle_retired_with_references_ends_at_the_last_put),
        cmocka_unit_test(test_handle_reused_index_has_new_generation),
        cmocka_unit_test(test_handle_index_with_last_generation_is_not_reused),
        cmocka_unit_test(test_handles_in_many_chunks_are_all_found),
        cmocka_unit_test(test_handles_without_memory_give_0_and_recover),
        cmocka_unit_test(test_handles_last_may_use_the_table),
        cmocka_unit_test(test_handles_random_operations_match_model),
        cmocka_unit_test(test_handles_threads_see_only_living_objects),
        cmocka_unit_test(test_handles_of_threads_that_retire_one_wins),
    };

    return cmocka_run_group_tests_name("handle", tests, NULL, NULL);
}
