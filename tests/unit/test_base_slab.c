/* SPDX-License-Identifier: Apache-2.0 */
/* The object pool (base/slab.h), with an allocator that can be told to fail. */
#include "test_base_random.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool no_memory;
static int chunks_allocated;

static void *failing_aligned_alloc(size_t align, size_t size)
{
    if (no_memory) {
        return NULL;
    }
    chunks_allocated++;
    return aligned_alloc(align, size);
}

#define aligned_alloc failing_aligned_alloc
#include "base/slab.c" /* NOLINT(bugprone-suspicious-include) */
#undef aligned_alloc

static void test_slab_objects_are_aligned_and_apart(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 63, 64, 65, 200};
    enum { N = 10 };

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct a3mi_slab slab;
        uint8_t *obj[N];

        a3mi_slab_init(&slab, sizes[s], 4, 0);
        for (int i = 0; i < N; i++) {
            obj[i] = a3mi_slab_get(&slab);
            assert_int_equal((uintptr_t)obj[i] % 64, 0);
            memset(obj[i], i, sizes[s]);
        }
        assert_int_equal(a3mi_slab_used(&slab), N);
        for (int i = 0; i < N; i++) {
            for (size_t b = 0; b < sizes[s]; b++) {
                assert_int_equal(obj[i][b], i);
            }
            a3mi_slab_put(&slab, obj[i]);
        }
        assert_int_equal(a3mi_slab_used(&slab), 0);
        a3mi_slab_fini(&slab);
    }
}

static void test_slab_put_object_is_got_next_without_new_chunk(void **state)
{
    (void)state;
    struct a3mi_slab slab;

    a3mi_slab_init(&slab, 100, 2, 0);
    chunks_allocated = 0;
    void *a = a3mi_slab_get(&slab);
    void *b = a3mi_slab_get(&slab);
    assert_int_equal(chunks_allocated, 1);
    a3mi_slab_put(&slab, a);
    assert_ptr_equal(a3mi_slab_get(&slab), a);
    void *c = a3mi_slab_get(&slab);
    assert_int_equal(chunks_allocated, 2);
    a3mi_slab_put(&slab, a);
    a3mi_slab_put(&slab, b);
    a3mi_slab_put(&slab, c);
    a3mi_slab_put(&slab, NULL);
    a3mi_slab_fini(&slab);
}

static void test_slab_limit_refuses_until_one_is_put(void **state)
{
    (void)state;
    struct a3mi_slab slab;

    a3mi_slab_init(&slab, 10, 16, 2);
    void *a = a3mi_slab_get(&slab);
    void *b = a3mi_slab_get(&slab);
    assert_null(a3mi_slab_get(&slab));
    assert_int_equal(a3mi_slab_used(&slab), 2);
    a3mi_slab_put(&slab, b);
    b = a3mi_slab_get(&slab);
    assert_non_null(b);
    a3mi_slab_put(&slab, a);
    a3mi_slab_put(&slab, b);
    a3mi_slab_fini(&slab);
}

static void test_slab_no_memory_gives_null_and_recovers(void **state)
{
    (void)state;
    struct a3mi_slab slab, huge;

    a3mi_slab_init(&slab, 10, 1, 0);
    no_memory = true;
    assert_null(a3mi_slab_get(&slab));
    assert_int_equal(a3mi_slab_used(&slab), 0);
    no_memory = false;
    void *a = a3mi_slab_get(&slab);
    assert_non_null(a);
    a3mi_slab_put(&slab, a);
    a3mi_slab_fini(&slab);

    a3mi_slab_init(&huge, SIZE_MAX / 4, 8, 0);
    assert_null(a3mi_slab_get(&huge));
    a3mi_slab_fini(&huge);
}

static void test_slab_fini_abandon_frees_objects_in_use(void **state)
{
    (void)state;
    struct a3mi_slab slab;

    a3mi_slab_init(&slab, 10, 2, 0);
    for (int i = 0; i < 5; i++) {
        assert_non_null(a3mi_slab_get(&slab));
    }
    a3mi_slab_fini_abandon(&slab);
    assert_int_equal(a3mi_slab_used(&slab), 0);
    /* It is as after init. */
    void *a = a3mi_slab_get(&slab);
    assert_non_null(a);
    a3mi_slab_put(&slab, a);
    a3mi_slab_fini(&slab);
}

/* Runs `f` in a child, quietly; whether it ended otherwise than by returning. */
static bool dies(void (*f)(void))
{
    fflush(stdout);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        close(STDERR_FILENO);
        f();
        _exit(0);
    }
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void fini_with_object_in_use(void)
{
    struct a3mi_slab slab;

    a3mi_slab_init(&slab, 10, 2, 0);
    a3mi_slab_get(&slab);
    a3mi_slab_fini(&slab);
}

static void test_slab_fini_with_object_in_use_asserts(void **state)
{
    (void)state;
    assert_true(dies(fini_with_object_in_use));
}

static void use_after_put(void)
{
    struct a3mi_slab slab;

    a3mi_slab_init(&slab, 100, 2, 0);
    volatile char *obj = a3mi_slab_get(&slab);
    a3mi_slab_put(&slab, (char *)(uintptr_t)obj);
    obj[50] = 1;
    a3mi_slab_fini(&slab);
}

static void put_twice(void)
{
    struct a3mi_slab slab;

    a3mi_slab_init(&slab, 100, 2, 0);
    void *keep = a3mi_slab_get(&slab);
    void *obj = a3mi_slab_get(&slab);
    a3mi_slab_put(&slab, obj);
    a3mi_slab_put(&slab, obj);
    a3mi_slab_put(&slab, keep);
}

static void test_slab_misuse_is_caught_by_address_sanitizer(void **state)
{
    (void)state;
#ifdef WITH_ASAN
    assert_true(dies(use_after_put));
    assert_true(dies(put_twice));
#else
    (void)use_after_put;
    (void)put_twice;
    skip();
#endif
}

/* Each object in use holds its own number; no two may share bytes. */
static void test_slab_random_operations_keep_contents(void **state)
{
    (void)state;
    enum { N = 100 };
    uint64_t *obj[N] = {0};
    struct a3mi_slab slab;
    struct a3mi_rng r;
    size_t used = 0;

    test_random_init(&r, __func__);
    a3mi_slab_init(&slab, 3 * sizeof(uint64_t), 7, 80);
    for (long round = test_rounds(200000); round > 0; round--) {
        size_t i = a3mi_rng_below(&r, N);

        if (obj[i] != NULL) {
            assert_true(obj[i][0] == i && obj[i][1] == ~i && obj[i][2] == i);
            a3mi_slab_put(&slab, obj[i]);
            obj[i] = NULL;
            used--;
        } else {
            obj[i] = a3mi_slab_get(&slab);
            assert_int_equal(obj[i] != NULL, used < 80);
            if (obj[i] != NULL) {
                obj[i][0] = i;
                obj[i][1] = ~i;
                obj[i][2] = i;
                used++;
            }
        }
        assert_int_equal(a3mi_slab_used(&slab), used);
    }
    a3mi_slab_fini_abandon(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slab_objects_are_aligned_and_apart),
        cmocka_unit_test(test_slab_put_object_is_got_next_without_new_chunk),
        cmocka_unit_test(test_slab_limit_refuses_until_one_is_put),
        cmocka_unit_test(test_slab_no_memory_gives_null_and_recovers),
        cmocka_unit_test(test_slab_fini_abandon_frees_objects_in_use),
        cmocka_unit_test(test_slab_fini_with_object_in_use_asserts),
        cmocka_unit_test(test_slab_misuse_is_caught_by_address_sanitizer),
        cmocka_unit_test(test_slab_random_operations_keep_contents),
    };

    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
