/* SPDX-License-Identifier: Apache-2.0 */
/* The reader role changes hands: its descriptor, its line, its lease. Time is given, nothing runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/clock.h"
#include "runtime/role.h"

#define MS 1000000ll

enum { TAG = 7 };

struct fixture {
    struct a3mi_role role;
    int epfd, fd;
    int64_t now;
};

/* The descriptor is readable and writable from the beginning. */
static void set_up(struct fixture *fx, int64_t lease_ns)
{
    fx->epfd = epoll_create1(EPOLL_CLOEXEC);
    fx->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(fx->epfd >= 0 && fx->fd >= 0);
    assert_int_equal(a3mi_role_init(&fx->role, fx->epfd, fx->fd, TAG, lease_ns), 0);
    fx->now = a3mi_clock_now() + 3600000 * MS; /* far ahead, so that no alarm goes off by itself */
}

static void tear_down(struct fixture *fx)
{
    a3mi_role_fini(&fx->role);
    (void)close(fx->fd);
    (void)close(fx->epfd);
}

/* What the reader thread would be told of: 0 when it does not watch the descriptor. */
static uint32_t watched(const struct fixture *fx)
{
    struct epoll_event ev = {.events = 0};

    return epoll_wait(fx->epfd, &ev, 1, 0) == 1 && ev.data.u64 == TAG ? ev.events : 0;
}

static void test_role_at_first_is_the_readers(void **state)
{
    struct fixture fx;

    (void)state;
    set_up(&fx, MS);
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_READER);
    assert_int_equal(watched(&fx), EPOLLIN);
    assert_false(a3mi_role_reclaim(&fx.role));
    assert_false(a3mi_role_expire(&fx.role, fx.now));
    tear_down(&fx);
}

static void test_role_taken_from_the_reader_is_not_watched_any_more(void **state)
{
    struct fixture fx;
    struct a3mi_parker parker, other;

    (void)state;
    set_up(&fx, MS);
    a3mi_parker_init(&parker);
    a3mi_parker_init(&other);
    assert_true(a3mi_role_take(&fx.role, &parker));
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_HELD);
    assert_int_equal(watched(&fx), 0);
    assert_false(a3mi_role_take(&fx.role, &other));
    assert_false(a3mi_role_expire(&fx.role, fx.now)); /* held: not the reader's */
    tear_down(&fx);
}

static void test_role_left_is_leased_and_taken_without_a_system_call(void **state)
{
    struct fixture fx;
    struct a3mi_parker parker;

    (void)state;
    set_up(&fx, MS);
    a3mi_parker_init(&parker);
    (void)a3mi_role_take(&fx.role, &parker);
    a3mi_role_leave(&fx.role, fx.now);
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_LEASED);
    assert_int_equal(watched(&fx), 0);
    assert_true(fx.role.lease.at > fx.now + MS && fx.role.lease.at <= fx.now + 2 * MS);
    uint64_t transfers = fx.role.transfers;
    assert_true(a3mi_role_take(&fx.role, &parker));
    assert_int_equal(fx.role.transfers, transfers); /* nothing changed hands */
    tear_down(&fx);
}

static void test_role_lease_over_is_the_readers_again(void **state)
{
    struct fixture fx;
    struct a3mi_parker parker;

    (void)state;
    set_up(&fx, MS);
    a3mi_parker_init(&parker);
    (void)a3mi_role_take(&fx.role, &parker);
    a3mi_role_leave(&fx.role, fx.now);
    int64_t at = fx.role.lease.at;
    a3mi_role_renew(&fx.role, at - MS / 2 + 1); /* in use: the alarm moves on */
    assert_true(fx.role.lease.at > at);
    assert_false(a3mi_role_expire(&fx.role, at)); /* went off all the same, with the lease in use */
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_LEASED);
    assert_true(fx.role.lease.at > at && fx.role.lease.at != INT64_MAX);
    assert_true(a3mi_role_expire(&fx.role, fx.role.lease.at));
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_READER);
    assert_int_equal(watched(&fx), EPOLLIN);
    tear_down(&fx);
}

static void test_role_steady_use_sets_the_alarm_further_ahead_until_a_lease_runs_out(void **state)
{
    struct fixture fx;
    struct a3mi_parker parker;
    int sets = 0;

    (void)state;
    set_up(&fx, MS);
    a3mi_parker_init(&parker);
    (void)a3mi_role_take(&fx.role, &parker);
    for (int i = 0; i < 1000; i++, fx.now += 10000) {
        int64_t before = fx.role.lease.at;
        a3mi_role_leave(&fx.role, fx.now);
        sets += fx.role.lease.at != before ? 1 : 0;
        assert_true(fx.role.lease.at - fx.now >= MS / 2); /* never close */
        assert_true(a3mi_role_take(&fx.role, &parker));
    }
    assert_true(sets <= 5); /* in 10 ms */
    assert_true(fx.role.lease.at - fx.now > 5 * MS);

    a3mi_role_leave(&fx.role, fx.now);
    assert_true(a3mi_role_expire(&fx.role, fx.role.lease.at));
    (void)a3mi_role_take(&fx.role, &parker);
    fx.now += 20 * MS;
    a3mi_role_leave(&fx.role, fx.now);
    assert_true(fx.role.lease.at - fx.now <= 2 * MS);
    tear_down(&fx);
}

static void test_role_without_lease_goes_back_at_once(void **state)
{
    struct fixture fx;
    struct a3mi_parker parker;

    (void)state;
    set_up(&fx, 0);
    a3mi_parker_init(&parker);
    (void)a3mi_role_take(&fx.role, &parker);
    a3mi_role_leave(&fx.role, fx.now);
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_READER);
    assert_int_equal(watched(&fx), EPOLLIN);
    assert_int_equal(fx.role.lease.at, INT64_MAX);
    a3mi_role_claim(&fx.role, fx.now);
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_READER);
    tear_down(&fx);
}

static void test_role_left_with_others_in_line_goes_to_the_first(void **state)
{
    struct fixture fx;
    struct a3mi_parker leader, a, b;

    (void)state;
    set_up(&fx, MS);
    a3mi_parker_init(&leader);
    a3mi_parker_init(&a);
    a3mi_parker_init(&b);
    assert_false(a3mi_role_queue(&fx.role, &a)); /* to be had: no line */
    (void)a3mi_role_take(&fx.role, &leader);
    assert_true(a3mi_role_queue(&fx.role, &a));
    assert_true(a3mi_role_queue(&fx.role, &b));
    assert_false(a3mi_role_granted(&fx.role, &a));
    assert_true(a3mi_parker_lie_down(&a, A3MI_PARKER_FUTEX));
    a3mi_role_leave(&fx.role, fx.now);
    assert_int_equal(a.state, A3MI_PARKER_IDLE); /* got up, not signalled */
    assert_false(a3mi_parker_take(&a));
    assert_true(a3mi_role_granted(&fx.role, &a));
    assert_false(a3mi_role_granted(&fx.role, &b));
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_HELD);

    assert_false(a3mi_role_unqueue(&fx.role, &b)); /* its time is up: it just goes */
    assert_true(a3mi_role_unqueue(&fx.role, &a));  /* had it been, it would have to leave */
    a3mi_role_leave(&fx.role, fx.now);
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_LEASED);
    tear_down(&fx);
}

static void test_role_claimed_is_leased(void **state)
{
    struct fixture fx;

    (void)state;
    set_up(&fx, MS);
    a3mi_role_claim(&fx.role, fx.now);
    assert_int_equal(a3mi_role_now(&fx.role), A3MI_ROLE_LEASED);
    assert_int_equal(watched(&fx), 0);
    a3mi_role_claim(&fx.role, fx.now); /* nothing to claim */
    assert_true(a3mi_role_expire(&fx.role, fx.role.lease.at));
    tear_down(&fx);
}

static void test_role_hushed_alarm_is_off_until_the_next_lease(void **state)
{
    struct fixture fx;
    struct a3mi_parker parker;

    (void)state;
    set_up(&fx, MS);
    a3mi_parker_init(&parker);
    (void)a3mi_role_take(&fx.role, &parker);
    a3mi_role_leave(&fx.role, fx.now);
    (void)a3mi_role_take(&fx.role, &parker);
    a3mi_role_hush(&fx.role);
    assert_int_equal(fx.role.lease.at, INT64_MAX);
    a3mi_role_leave(&fx.role, fx.now);
    assert_true(fx.role.lease.at <= fx.now + 2 * MS);
    tear_down(&fx);
}

static void test_role_interest_reaches_whoever_waits(void **state)
{
    struct fixture fx;
    struct a3mi_parker parker;
    uint64_t times;

    (void)state;
    set_up(&fx, MS);
    a3mi_parker_init(&parker);
    parker.network_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    atomic_store(&fx.role.want_write, true);
    assert_false(a3mi_role_interest(&fx.role)); /* the reader: its set */
    assert_int_equal(watched(&fx), EPOLLIN | EPOLLOUT);
    atomic_store(&fx.role.want_write, false);
    assert_false(a3mi_role_interest(&fx.role));
    assert_int_equal(watched(&fx), EPOLLIN);

    (void)a3mi_role_take(&fx.role, &parker);
    atomic_store(&fx.role.want_write, true);
    assert_false(a3mi_role_interest(&fx.role)); /* a leader that is awake: nothing to do */
    assert_int_equal(read(parker.network_fd, &times, sizeof times), -1);
    assert_true(a3mi_parker_lie_down(&parker, A3MI_PARKER_NETWORK));
    assert_false(a3mi_role_interest(&fx.role)); /* asleep: woken, not signalled */
    assert_int_equal(read(parker.network_fd, &times, sizeof times), sizeof times);
    assert_false(a3mi_parker_take(&parker));

    a3mi_role_leave(&fx.role, fx.now);
    assert_true(a3mi_role_interest(&fx.role)); /* leased: nobody, so the reader must come */
    assert_true(a3mi_role_reclaim(&fx.role));
    assert_int_equal(watched(&fx), EPOLLIN | EPOLLOUT);
    (void)close(parker.network_fd);
    tear_down(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_role_at_first_is_the_readers),
        cmocka_unit_test(test_role_taken_from_the_reader_is_not_watched_any_more),
        cmocka_unit_test(test_role_left_is_leased_and_taken_without_a_system_call),
        cmocka_unit_test(test_role_lease_over_is_the_readers_again),
        cmocka_unit_test(test_role_steady_use_sets_the_alarm_further_ahead_until_a_lease_runs_out),
        cmocka_unit_test(test_role_without_lease_goes_back_at_once),
        cmocka_unit_test(test_role_left_with_others_in_line_goes_to_the_first),
        cmocka_unit_test(test_role_claimed_is_leased),
        cmocka_unit_test(test_role_hushed_alarm_is_off_until_the_next_lease),
        cmocka_unit_test(test_role_interest_reaches_whoever_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
