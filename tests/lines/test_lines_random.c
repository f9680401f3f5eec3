/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that lines have to do with, at random: after each step nobody sleeps who could be served, nobody was woken for
 * nothing, nobody was passed, and nothing is lost (lines.h). A3M_SEED=n runs one seed, and prints its steps; A3M_FIRST=n
 * those from n; A3M_LONG a hundred times as many, and as long. Of a seed that fails, steps are left out as long as it fails.
 * covers F5 F6 F7 F8 F9 F10
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lines.h"

enum { SEEDS = 4000, SECONDS = 8, SHRUNK = 3 };

static struct lines_world world;

/* One run, without the steps that are left out. True: everything held. */
static bool play(uint64_t seed, const bool *left_out)
{
    struct stage_actor *actors[LINES_ACTORS];
    memset(&world, 0, sizeof(world));
    for (size_t i = 0; i < LINES_ACTORS; i++) {
        actors[i] = &world.calls[i].actor;
    }
    stage_open(actors, LINES_ACTORS);
    lines_make(&world, seed);
    for (uint32_t step = 1; step <= LINES_STEPS && world.fault[0] == '\0'; step++) {
        if (!left_out[step]) {
            lines_step(&world, step);
        }
    }
    lines_end(&world);
    stage_close();
    return world.fault[0] == '\0';
}

static void print(uint64_t seed)
{
    (void)printf("A3M_SEED=%" PRIu64 ": %s\n", seed, world.fault);
    for (uint32_t step = 0; step <= LINES_STEPS; step++) {
        if (world.log[step][0] != '\0') {
            (void)printf("%3u %s\n", step, world.log[step]);
        }
    }
}

/* Leaves out what the failure does not need. */
static void shrink(uint64_t seed)
{
    bool left_out[LINES_STEPS + 1] = {false};
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t step = 1; step <= LINES_STEPS; step++) {
            if (left_out[step]) {
                continue;
            }
            left_out[step] = true;
            bool needed = play(seed, left_out);
            left_out[step] = !needed;
            again |= !needed;
        }
    }
    (void)play(seed, left_out);
    print(seed);
}

/* True: it held. */
static bool run(uint64_t seed, bool is_first)
{
    static const bool nothing[LINES_STEPS + 1];
    bool good = play(seed, nothing);
    if (!good && is_first) {
        shrink(seed);
    } else if (!good) {
        (void)printf("A3M_SEED=%" PRIu64 ": %s\n", seed, world.fault);
    }
    return good;
}

static double seconds_since(a3m_time begin)
{
    return (double)(a3m_now().ns - begin.ns) / 1e9;
}

static void test_lines_hold_whatever_happens(void **arg)
{
    (void)arg;
    const char *one = getenv("A3M_SEED");
    const char *first = getenv("A3M_FIRST");
    bool is_long = getenv("A3M_LONG") != NULL;
    uint64_t seed = first != NULL ? strtoull(first, NULL, 0) : 1;
    uint64_t times = is_long ? 100 : 1;
    uint64_t done = 0;
    unsigned failed = 0;
    a3m_time begin = a3m_now();
    if (one != NULL) {
        seed = strtoull(one, NULL, 0);
        bool good = run(seed, true);
        print(seed);
        assert_true(good);
        return;
    }
    while (done < times * SEEDS && seconds_since(begin) < (double)(times * SECONDS)) {
        failed += !run(seed + done, failed < SHRUNK);
        done++;
    }
    (void)printf("seeds %" PRIu64 " to %" PRIu64 " in %.1f s, %u failed\n", seed, seed + done - 1,
                 seconds_since(begin), failed);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines_hold_whatever_happens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
