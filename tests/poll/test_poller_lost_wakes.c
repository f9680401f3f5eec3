/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakes that could be lost, each made to happen: on pollables without a node, where
 * a thread's sleep is a function of this test, so that what races with it happens
 * in it; and nobody waits for time.
 * covers P5 P7 P8 P12
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/reader.h"
#include "support/asleep.h"
#include "support/caller.h"
#include "support/pollable_fake.h"

/* Every wait that must end has this one. */
#define FOREVER INT64_MAX

/* ---- The world: two pollers, two things, and a sleep of our own ------------------------------ */

static struct a3mi_poller *one, *two;
static struct fake_pollable x, y;

/* What happens in the sleep of the test's own thread, once, and how the sleep ends. */
static _Thread_local void (*in_sleep)(void);
static _Thread_local int sleep_ends;

static int scripted_sleep(uint64_t home, struct a3mi_parker *parker, const struct a3mi_watch *watch,
                          int64_t deadline, bool eintr)
{
    (void)home;
    if (in_sleep == NULL) {
        return a3mi_reader_wait_watching(NULL, parker, watch, deadline, eintr);
    }
    void (*happens)(void) = in_sleep;
    in_sleep = NULL;
    happens();
    return sleep_ends;
}

static void no_touch(uint64_t home)
{
    (void)home;
}

static const struct a3mi_poller_host scripted_host = {scripted_sleep, no_touch};

static int setup(void **arg)
{
    (void)arg;
    assert_int_equal(a3mi_poller_new(&one, &scripted_host), A3M_OK);
    assert_int_equal(a3mi_poller_new(&two, &scripted_host), A3M_OK);
    fake_pollable_init(&x);
    fake_pollable_init(&y);
    in_sleep = NULL;
    return 0;
}

static int teardown(void **arg)
{
    (void)arg;
    a3mi_poller_close(one);
    a3mi_poller_close(two);
    a3mi_poller_free(one);
    a3mi_poller_free(two);
    fake_pollable_fini(&x);
    fake_pollable_fini(&y);
    return 0;
}

static a3m_pollable name_of(const struct fake_pollable *thing)
{
    return (a3m_pollable){A3M_POLLABLE_SOCKET, thing == &x ? 1 : 2};
}

static void add(struct a3mi_poller *poller, struct fake_pollable *thing, uint32_t events)
{
    assert_int_equal(a3mi_poller_add(poller, name_of(thing), &thing->pollable, events, thing), A3M_OK);
}

static void drop(struct a3mi_poller *poller, struct fake_pollable *thing)
{
    assert_int_equal(a3mi_poller_remove(poller, name_of(thing)), A3M_OK);
}

/* A wait of the test's own thread, and what happens in its first sleep. */
static int wait_while(struct a3mi_poller *poller, void (*happens)(void), int ends, size_t max)
{
    a3m_poll_event events[8];
    in_sleep = happens;
    sleep_ends = ends;
    return a3mi_poller_wait(poller, events, max, FOREVER, true);
}

static int look(struct a3mi_poller *poller)
{
    a3m_poll_event events[8];
    return a3mi_poller_wait(poller, events, 8, 0, false);
}

/* ---- Another thread, asleep in a poller --------------------------------------------------------- */

static int wait_call(void *arg)
{
    a3m_poll_event events[8];
    return a3mi_poller_wait(arg, events, 8, FOREVER, false);
}

static int wait_for_one(void *arg)
{
    a3m_poll_event event;
    return a3mi_poller_wait(arg, &event, 1, FOREVER, false);
}

static void sleep_in_call(struct caller *caller, int (*call)(void *arg), void *arg)
{
    caller_start(caller, call, arg);
    caller_await_sleep(caller);
    await_all_asleep();
}

static void sleep_in(struct caller *caller, struct a3mi_poller *poller)
{
    sleep_in_call(caller, wait_call, poller);
}

static void must_sleep_still(struct caller *caller)
{
    await_all_asleep();
    assert_false(caller_returned(caller));
}

static void end_sleep(struct caller *caller, struct a3mi_poller *poller)
{
    a3mi_poller_close(poller);
    assert_int_equal(caller_join(caller), A3M_ECLOSED);
}

/* ---- An exclusive waiter leaves while it is woken -------------------------------------------------- */

static void raise_x(void)
{
    fake_pollable_raise(&x, 1);
}

static void exclusive_both(void)
{
    add(one, &x, A3M_POLL_IN | A3M_POLL_EXCLUSIVE | A3M_POLL_EDGE);
    add(two, &x, A3M_POLL_IN | A3M_POLL_EXCLUSIVE | A3M_POLL_EDGE);
}

static void test_woken_as_it_times_out_takes_the_event_with_it(void **arg)
{
    struct caller other;
    (void)arg;
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_x, A3M_ETIMEDOUT, 8), 1);
    must_sleep_still(&other);
    end_sleep(&other, two);
}

static void test_woken_as_a_signal_comes_takes_the_event_with_it(void **arg)
{
    struct caller other;
    (void)arg;
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_x, A3M_EINTR, 8), 1);
    must_sleep_still(&other);
    end_sleep(&other, two);
}

static void raise_and_remove(void)
{
    raise_x();
    drop(one, &x);
}

static void test_removed_as_its_thread_is_woken_the_next_is_told(void **arg)
{
    struct caller other;
    (void)arg;
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_and_remove, A3M_ETIMEDOUT, 8), 0);
    assert_int_equal(caller_join(&other), 1);
}

static void raise_and_close(void)
{
    raise_x();
    a3mi_poller_close(one);
}

static void test_poller_closed_as_its_thread_is_woken_the_next_is_told(void **arg)
{
    struct caller other;
    (void)arg;
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_and_close, A3M_OK, 8), A3M_ECLOSED);
    assert_int_equal(caller_join(&other), 1);
}

static void test_told_and_takes_nothing_the_next_is_told_as_it_comes_back(void **arg)
{
    struct caller other;
    (void)arg;
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_x, A3M_OK, 8), 1);
    must_sleep_still(&other);
    assert_int_equal(look(one), 0);
    assert_int_equal(caller_join(&other), 1);
}

static void test_told_and_takes_nothing_the_next_is_told_as_the_poller_closes(void **arg)
{
    struct caller other;
    (void)arg;
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_x, A3M_OK, 8), 1);
    a3mi_poller_close(one);
    assert_int_equal(caller_join(&other), 1);
}

static void test_told_and_takes_it_nobody_is_told(void **arg)
{
    struct caller other;
    (void)arg;
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_x, A3M_OK, 8), 1);
    assert_true(fake_pollable_take(&x));
    assert_int_equal(look(one), 0);
    a3mi_poller_close(one);
    must_sleep_still(&other);
    end_sleep(&other, two);
}

/* ---- A second event while a thread is on its way with the first ------------------------------------- */

static void raise_x_twice(void)
{
    raise_x();
    raise_x();
}

static void test_second_message_wakes_the_next_as_the_first_is_on_its_way(void **arg)
{
    struct caller other;
    (void)arg;
    add(one, &x, A3M_POLL_IN | A3M_POLL_EXCLUSIVE);
    add(two, &x, A3M_POLL_IN | A3M_POLL_EXCLUSIVE);
    sleep_in(&other, two);
    /* The thread of the first poller takes one message, and is busy with it for ever. */
    assert_int_equal(wait_while(one, raise_x_twice, A3M_OK, 8), 1);
    assert_true(fake_pollable_take(&x));
    assert_int_equal(caller_join(&other), 1);
}

/* In the scan that has room for Y only, and has it. */
static void raise_x_in_the_scan(struct fake_pollable *thing)
{
    thing->before_lock = NULL;
    raise_x();
}

static void raise_y_and_x_as_it_is_looked_at(void)
{
    fake_pollable_raise(&y, 1);
    y.before_lock = raise_x_in_the_scan;
}

/*
 *     one's thread                          who raises X
 *     woken for Y, room for one report
 *     takes Y out: nothing is ready
 *                                           X is ready in one: has somebody there room for it?
 *     leaves with Y, and is busy for ever   then the thread in two sleeps for ever
 */
static void test_exclusive_event_is_not_put_upon_who_was_woken_for_another(void **arg)
{
    struct caller other;
    (void)arg;
    add(one, &y, A3M_POLL_IN);
    exclusive_both();
    sleep_in(&other, two);
    assert_int_equal(wait_while(one, raise_y_and_x_as_it_is_looked_at, A3M_OK, 1), 1);
    assert_null(y.before_lock);
    assert_int_equal(caller_join(&other), 1);
}

/* The reader of an object, blocked as a3m_recv is, beside an exclusive poller. */
static int block_in_queue(void *arg)
{
    struct fake_pollable *thing = arg;
    struct a3mi_waiter waiter;
    a3mi_waiter_init(&waiter, A3MI_KEY_IN, true);
    (void)pthread_mutex_lock(&thing->lock);
    a3mi_waitq_add(&thing->pollable.queue, &waiter.entry);
    (void)pthread_mutex_unlock(&thing->lock);
    int result = a3mi_parker_sleep(&waiter.parker, FOREVER, false);
    a3mi_parker_fini(&waiter.parker);
    return result;
}

static void test_blocked_receiver_is_told_what_a_poller_left(void **arg)
{
    struct caller receiver;
    (void)arg;
    add(one, &x, A3M_POLL_IN | A3M_POLL_EXCLUSIVE);
    sleep_in_call(&receiver, block_in_queue, &x);
    assert_int_equal(wait_while(one, raise_x, A3M_OK, 8), 1);
    must_sleep_still(&receiver);
    drop(one, &x);
    assert_int_equal(caller_join(&receiver), A3M_OK);
}

static void test_blocked_receiver_is_told_when_no_thread_is_in_the_poller(void **arg)
{
    struct caller receiver;
    (void)arg;
    add(one, &x, A3M_POLL_IN | A3M_POLL_EXCLUSIVE);
    sleep_in_call(&receiver, block_in_queue, &x);
    raise_x();
    assert_int_equal(caller_join(&receiver), A3M_OK);
}

/* ---- Several threads in one poller ---------------------------------------------------------------------- */

static void raise_both(void)
{
    raise_x();
    fake_pollable_raise(&y, 1);
}

static struct caller second;

/* Each thread has its own: who comes first takes what it has room for. */
static void second_sleeps_then_both(void)
{
    sleep_in_call(&second, wait_for_one, one);
    raise_both();
}

static void test_what_the_first_thread_has_no_room_for_wakes_the_second(void **arg)
{
    (void)arg;
    add(one, &x, A3M_POLL_IN | A3M_POLL_EDGE);
    add(one, &y, A3M_POLL_IN | A3M_POLL_EDGE);
    assert_int_equal(wait_while(one, second_sleeps_then_both, A3M_OK, 1), 1);
    assert_int_equal(caller_join(&second), 1);
}

static void test_what_the_first_thread_has_room_for_wakes_nobody_else(void **arg)
{
    (void)arg;
    add(one, &x, A3M_POLL_IN | A3M_POLL_EDGE);
    add(one, &y, A3M_POLL_IN | A3M_POLL_EDGE);
    assert_int_equal(wait_while(one, second_sleeps_then_both, A3M_OK, 2), 2);
    must_sleep_still(&second); /* it was not even woken */
    end_sleep(&second, one);
}

/* ---- Descriptors ------------------------------------------------------------------------------------------ */

static void test_thread_that_watches_descriptors_leaves_another_watches(void **arg)
{
    struct caller first, next;
    int fd = eventfd(0, EFD_CLOEXEC);
    (void)arg;
    add(one, &x, A3M_POLL_IN | A3M_POLL_EDGE);
    assert_int_equal(a3mi_poller_add_fd(one, fd, A3M_POLL_IN, NULL), A3M_OK);
    sleep_in(&first, one);
    sleep_in(&next, one);
    raise_x();
    await_all_asleep();
    /* The first one watched, and is told; but the one that watches now may have been faster. */
    struct caller *told = caller_returned(&first) ? &first : &next;
    struct caller *left = told == &first ? &next : &first;
    assert_int_equal(caller_join(told), 1);
    must_sleep_still(left);
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(caller_join(left), 1);
    (void)close(fd);
}

static void test_descriptor_added_while_threads_sleep_wakes_one(void **arg)
{
    struct caller first;
    int fd = eventfd(0, EFD_CLOEXEC);
    (void)arg;
    sleep_in(&first, one);
    assert_int_equal(a3mi_poller_add_fd(one, fd, A3M_POLL_IN, NULL), A3M_OK);
    must_sleep_still(&first);
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(caller_join(&first), 1);
    (void)close(fd);
}

static bool readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    return poll(&pfd, 1, 0) == 1;
}

/* The kernel's set keeps what was watched until its last duplicate is closed, and tells of it. */
static void test_descriptor_closed_with_a_duplicate_left_is_forgotten(void **arg)
{
    struct caller sleeper;
    int fd = eventfd(0, EFD_CLOEXEC);
    int other = eventfd(0, EFD_CLOEXEC);
    int shown;
    (void)arg;
    assert_int_equal(a3mi_poller_add_fd(one, fd, A3M_POLL_IN, NULL), A3M_OK);
    assert_int_equal(a3mi_poller_add_fd(one, other, A3M_POLL_IN, NULL), A3M_OK);
    assert_int_equal(a3mi_poller_fd(one, &shown), A3M_OK);
    int duplicate = dup(fd);
    (void)close(fd);
    assert_int_equal(a3mi_poller_remove_fd(one, fd), A3M_ENOENT);
    sleep_in(&sleeper, one);
    assert_int_equal(eventfd_write(duplicate, 1), 0);
    must_sleep_still(&sleeper); /* asleep: it does not turn round and round */
    assert_false(readable(shown));
    assert_int_equal(eventfd_write(other, 1), 0);
    assert_true(readable(shown));
    assert_int_equal(caller_join(&sleeper), 1);
    (void)close(duplicate);
    (void)close(other);
}

static void test_descriptor_number_used_again_reports_are_of_the_new_one(void **arg)
{
    a3m_poll_event event;
    int old_user, new_user;
    int fd = eventfd(0, EFD_CLOEXEC);
    (void)arg;
    assert_int_equal(a3mi_poller_add_fd(one, fd, A3M_POLL_IN, &old_user), A3M_OK);
    int duplicate = dup(fd);
    int fresh = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(dup2(fresh, fd), fd);
    assert_int_equal(a3mi_poller_add_fd(one, fd, A3M_POLL_IN, &new_user), A3M_OK);
    assert_int_equal(eventfd_write(duplicate, 1), 0);
    assert_int_equal(a3mi_poller_wait(one, &event, 1, 0, false), 0);
    assert_int_equal(eventfd_write(fresh, 1), 0);
    assert_int_equal(a3mi_poller_wait(one, &event, 1, 0, false), 1);
    assert_ptr_equal(event.user, &new_user);
    assert_int_equal(a3mi_poller_remove_fd(one, fd), A3M_OK);
    assert_int_equal(look(one), 0);
    (void)close(duplicate);
    (void)close(fresh);
    (void)close(fd);
}

/* ---- The poller's own descriptor ----------------------------------------------------------------------------- */

static void test_descriptor_asked_for_late_shows_what_is_ready(void **arg)
{
    int shown;
    (void)arg;
    add(one, &x, A3M_POLL_IN);
    raise_x();
    assert_int_equal(a3mi_poller_fd(one, &shown), A3M_OK);
    assert_true(readable(shown));
    assert_true(fake_pollable_take(&x));
    assert_false(readable(shown));
    add(two, &x, A3M_POLL_IN);
    raise_x();
    assert_true(fake_pollable_take(&x)); /* stays in the list: nobody knew that it should leave */
    assert_int_equal(a3mi_poller_fd(two, &shown), A3M_OK);
    assert_false(readable(shown));
    raise_x();
    assert_true(readable(shown));
}

static void test_descriptor_is_silent_at_a_false_alarm(void **arg)
{
    int shown;
    (void)arg;
    add(one, &x, A3M_POLL_OUT);
    assert_int_equal(a3mi_poller_fd(one, &shown), A3M_OK);
    fake_pollable_false_alarm(&x);
    assert_false(readable(shown));
    fake_pollable_set_out(&x, true);
    assert_true(readable(shown));
}

static int locks;

/* The second time in a scan: the entry has been popped again, and is about to be put back. */
static void take_before_the_second_lock(struct fake_pollable *thing)
{
    if (++locks == 2) {
        thing->before_lock = NULL;
        (void)fake_pollable_take(thing);
    }
}

static void test_descriptor_is_silent_when_the_event_goes_in_a_scan(void **arg)
{
    int shown;
    (void)arg;
    add(one, &x, A3M_POLL_IN);
    assert_int_equal(a3mi_poller_fd(one, &shown), A3M_OK);
    raise_x();
    locks = 0;
    x.before_lock = take_before_the_second_lock;
    assert_int_equal(look(one), 1);
    assert_null(x.before_lock);
    assert_false(readable(shown));
    assert_int_equal(look(one), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_woken_as_it_times_out_takes_the_event_with_it),
        TEST(test_woken_as_a_signal_comes_takes_the_event_with_it),
        TEST(test_removed_as_its_thread_is_woken_the_next_is_told),
        TEST(test_poller_closed_as_its_thread_is_woken_the_next_is_told),
        TEST(test_told_and_takes_nothing_the_next_is_told_as_it_comes_back),
        TEST(test_told_and_takes_nothing_the_next_is_told_as_the_poller_closes),
        TEST(test_told_and_takes_it_nobody_is_told),
        TEST(test_second_message_wakes_the_next_as_the_first_is_on_its_way),
        TEST(test_exclusive_event_is_not_put_upon_who_was_woken_for_another),
        TEST(test_blocked_receiver_is_told_what_a_poller_left),
        TEST(test_blocked_receiver_is_told_when_no_thread_is_in_the_poller),
        TEST(test_what_the_first_thread_has_no_room_for_wakes_the_second),
        TEST(test_what_the_first_thread_has_room_for_wakes_nobody_else),
        TEST(test_thread_that_watches_descriptors_leaves_another_watches),
        TEST(test_descriptor_added_while_threads_sleep_wakes_one),
        TEST(test_descriptor_closed_with_a_duplicate_left_is_forgotten),
        TEST(test_descriptor_number_used_again_reports_are_of_the_new_one),
        TEST(test_descriptor_asked_for_late_shows_what_is_ready),
        TEST(test_descriptor_is_silent_at_a_false_alarm),
        TEST(test_descriptor_is_silent_when_the_event_goes_in_a_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
