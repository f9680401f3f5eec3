/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room in the outbox that comes about in two ways at one time: a call gives back what it took and cannot use, and the
 * engine has less in units. Together, and only together, or each alone: who stands in line has it. A race of a few
 * nanoseconds, which some of so many rounds meet.
 * covers F6 F9
 */
#include "room_line.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ROUNDS = 8000, GIVEN = 1000, UNITS = 4500 };

struct giver {
    struct a3mi_socket *socket;
    _Atomic int round, ready, done; /* of the rounds: begun, both are there, over */
};

static void meet(_Atomic int *there, int all)
{
    (void)atomic_fetch_add(there, 1);
    for (int i = 1; atomic_load(there) < all; i++) {
        if (i % 4096 == 0) {
            (void)sched_yield();
        }
    }
}

/* Neither is always the faster. */
static void dawdle(int n)
{
    for (volatile int i = 0; i < n; i++) {}
}

static void *give_back(void *arg)
{
    struct giver *giver = arg;
    for (int i = 1; i <= ROUNDS; i++) {
        while (atomic_load(&giver->round) < i) {
            (void)sched_yield();
        }
        a3mi_socket_lock(giver->socket);
        meet(&giver->ready, 2 * i);
        dawdle(i % 64);
        a3mi_window_give_back(giver->socket, GIVEN - A3MI_MESSAGE_COST);
        a3mi_socket_unlock(giver->socket);
        atomic_store(&giver->done, i);
    }
    return NULL;
}

static void one_round(struct world *w, struct giver *giver, int i)
{
    struct waiter waiter = {.specific = false};
    a3mi_window_units(w->inside, UNITS);
    leave(w, -500);
    (void)tell(w);
    stand(w, &waiter, 4, SOON);
    atomic_store(&giver->round, i);
    meet(&giver->ready, 2 * i);
    dawdle(i / 64 % 64);
    a3mi_window_units(w->inside, UNITS - GIVEN - 500);
    (void)tell(w);
    while (atomic_load(&giver->done) < i) {
        (void)sched_yield();
    }
    if (caller_join(&waiter.caller) != A3M_OK) {
        fail_msg("nobody was told in round %d", i);
    }
}

static void test_room_given_back_while_the_engine_has_less_reaches_who_waits(void **arg)
{
    (void)arg;
    struct world w = make(false);
    struct giver giver = {0};
    pthread_t thread;
    void *socket;
    set(w.pulls[0], A3M_OPT_CREDIT_MESSAGES, 2 * ROUNDS);
    settle(&w);
    assert_int_equal(a3mi_registry_get(w.other.v, A3MI_KIND_SOCKET, &socket), A3M_OK);
    giver.socket = socket;
    assert_int_equal(pthread_create(&thread, NULL, give_back, &giver), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        one_round(&w, &giver, i);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    a3mi_registry_put(w.other.v);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_given_back_while_the_engine_has_less_reaches_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
