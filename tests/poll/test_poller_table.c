/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same scripts (script.h) on the kernel's epoll, on pollers over pollables
 * without a node, and on pollers over sockets. Rows of the table that differ from
 * epoll say how, and by which difference of docs/decisions/0009-pollers.md.
 * Besides them, all combinations of flags, threads, pollers and what happens then.
 * covers P1 P2 P3 P4 P5 P6 P7 P8
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* ---- Rows written by hand ------------------------------------------------------------------ */

struct row {
    const char *kinds;
    const char *script;
    const char *epoll; /* what comes of it */
    int difference;    /* 0, or that of the decision */
    const char *a3m;   /* NULL: as epoll */
};

static const struct row rows[] = {
#include "rows.inc"
};

static unsigned compare(const struct row *row, const struct backend *backend, const char *wanted)
{
    char line[SCRIPT_LINE];
    script_run(backend, row->kinds, row->script, line);
    if (strcmp(line, wanted) == 0) {
        return 0;
    }
    print_error("%s: %s\n  wanted %s\n  saw    %s\n", backend->name, row->script, wanted, line);
    return 1;
}

static void test_rows_epoll_does_as_written(void **arg)
{
    (void)arg;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wrong += compare(&rows[i], &backend_epoll, rows[i].epoll);
    }
    assert_int_equal(wrong, 0);
}

static void test_rows_pollers_do_as_written(void **arg)
{
    (void)arg;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        assert_int_equal(row->a3m != NULL, row->difference != 0);
        wrong += compare(row, &backend_fake, row->a3m != NULL ? row->a3m : row->epoll);
        wrong += compare(row, &backend_node, row->a3m != NULL ? row->a3m : row->epoll);
    }
    assert_int_equal(wrong, 0);
}

/* ---- All combinations ------------------------------------------------------------------------ */

enum { SCRIPT = 256 };

/* One script: how things are watched, who waits, when the event comes, and what happens then. */
struct combination {
    const char *flags;
    int pollers, threads; /* threads in each */
    bool before;          /* the event comes before the waits */
    int max;
    const char *then;
};

static const char *const all_flags[] = {"i", "iE", "i1", "iE1", "iX", "iXE"};
static const char *const all_thens[] = {
    "", "+0 r", "-0 r", "+0 r -0 r -0", "m00iE r", "m00i1 +0 r", "d00 r +0 r", "-0 +0 r", "+1 r", "+1 -0 r",
};

static void __attribute__((format(printf, 2, 3))) word(char *script, const char *format, ...)
{
    size_t n = strlen(script);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(script + n, SCRIPT - n, format, args);
    va_end(args);
}

static void write_script(const struct combination *c, char script[SCRIPT])
{
    int thread = 0;
    script[0] = '\0';
    for (int p = 0; p < c->pollers; p++) {
        word(script, "a%d0%s a%d1i ", p, c->flags, p);
    }
    word(script, "%s", c->before ? "+0 " : "");
    for (int p = 0; p < c->pollers; p++) {
        for (int t = 0; t < c->threads; t++) {
            word(script, "t%d%d%d ", thread++, p, c->max);
        }
    }
    word(script, "%s%s", c->before ? "r " : "r +0 r ", c->then);
    for (int p = 0; p < c->pollers; p++) {
        word(script, " n%d n%d", p, p);
    }
}

/* Where pollers may do otherwise than epoll: an exclusive event that is not the first finds them in another order. */
static bool may_differ(const struct combination *c)
{
    return c->pollers > 1 && strchr(c->flags, 'X') != NULL;
}

struct tally {
    unsigned scripts, differ, wrong;
};

static void run_combination(const struct combination *c, struct tally *tally)
{
    char script[SCRIPT], kernel[SCRIPT_LINE], fake[SCRIPT_LINE], node[SCRIPT_LINE];
    write_script(c, script);
    script_run(&backend_epoll, "ii", script, kernel);
    script_run(&backend_fake, "ii", script, fake);
    memcpy(node, fake, sizeof node);
    /* Nodes take their time; what they add is the same for all scripts. */
    if (tally->scripts % 8 == 0) {
        script_run(&backend_node, "ii", script, node);
    }
    bool same = strcmp(kernel, fake) == 0;
    tally->scripts++;
    tally->differ += !same;
    if (strcmp(fake, node) != 0 || (!same && !may_differ(c))) {
        tally->wrong++;
        print_error("%s\n  epoll  %s\n  poller %s\n  a3m    %s\n", script, kernel, fake, node);
    } else if (!same && getenv("A3M_VERBOSE") != NULL) {
        print_message("%s\n  epoll  %s\n  poller %s\n", script, kernel, fake);
    }
}

static void test_combinations_pollers_do_as_epoll(void **arg)
{
    (void)arg;
    struct tally tally = {0};
    for (size_t f = 0; f < sizeof all_flags / sizeof all_flags[0]; f++) {
        for (int pollers = 1; pollers <= 3; pollers++) {
            for (int threads = 0; threads * pollers <= SCRIPT_THREADS; threads++) {
                for (size_t t = 0; t < sizeof all_thens / sizeof all_thens[0]; t++) {
                    for (int i = 0; i < 4; i++) {
                        struct combination c = {all_flags[f], pollers,       threads,
                                                i % 2 == 0,   i < 2 ? 8 : 1, all_thens[t]};
                        run_combination(&c, &tally);
                    }
                }
            }
        }
    }
    print_message("%u scripts, %u with another outcome than epoll's\n", tally.scripts, tally.differ);
    assert_int_equal(tally.wrong, 0);
}

static int setup(void **arg)
{
    (void)arg;
    script_setup();
    return 0;
}

static int teardown(void **arg)
{
    (void)arg;
    script_teardown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_epoll_does_as_written),
        cmocka_unit_test(test_rows_pollers_do_as_written),
        cmocka_unit_test(test_combinations_pollers_do_as_epoll),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
