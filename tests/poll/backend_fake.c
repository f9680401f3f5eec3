/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "backend.h"
#include "support/pollable_fake.h"

static struct a3mi_poller *pollers[POLLERS];
static struct fake_pollable things[THINGS];

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void begin(const char *kinds)
{
    for (int i = 0; i < POLLERS; i++) {
        must(a3mi_poller_new(&pollers[i], &fake_poller_host) == A3M_OK);
    }
    for (int i = 0; i < THINGS; i++) {
        fake_pollable_init(&things[i]);
    }
    for (int i = 0; kinds[i] != '\0'; i++) {
        things[i].out = kinds[i] == 'o';
    }
}

static void end(void)
{
    for (int i = 0; i < POLLERS; i++) {
        a3mi_poller_free(pollers[i]);
    }
    for (int i = 0; i < THINGS; i++) {
        fake_pollable_fini(&things[i]);
    }
}

static enum outcome outcome_of(int result)
{
    switch (result) {
    case A3M_OK: return DONE;
    case A3M_EEXIST: return EXISTS;
    case A3M_ENOENT: return ABSENT;
    case A3M_EINVAL: return INVALID;
    case A3M_ECLOSED: return GONE;
    default: return OTHER;
    }
}

static a3m_pollable name_of(int thing)
{
    return (a3m_pollable){A3M_POLLABLE_SOCKET, (uint64_t)thing + 1};
}

static enum outcome add(int poller, int thing, uint32_t events)
{
    if ((events & A3M_POLL_EXCLUSIVE) != 0 && (events & A3M_POLL_ONESHOT) != 0) {
        return INVALID; /* the public call's check */
    }
    return outcome_of(
        a3mi_poller_add(pollers[poller], name_of(thing), &things[thing].pollable, events, NULL));
}

static enum outcome modify(int poller, int thing, uint32_t events)
{
    return outcome_of(a3mi_poller_modify(pollers[poller], name_of(thing), events, NULL));
}

static enum outcome take_out(int poller, int thing)
{
    return outcome_of(a3mi_poller_remove(pollers[poller], name_of(thing)));
}

static int wait_in(int poller, struct report *reports, int max, bool forever)
{
    a3m_poll_event events[REPORTS];
    int n = a3mi_poller_wait(pollers[poller], events, (size_t)max, forever ? A3M_FOREVER.ns : A3M_NOW.ns,
                             false);
    for (int i = 0; i < n; i++) {
        reports[i] = (struct report){(int)events[i].what.v - 1, events[i].events};
    }
    return n < 0 ? -1 : n;
}

static void quit(int poller)
{
    a3mi_poller_close(pollers[poller]);
}

static void raise_in(int thing)
{
    fake_pollable_raise(&things[thing], 1);
}

static void take(int thing)
{
    (void)fake_pollable_take(&things[thing]);
}

static void fill(int thing)
{
    fake_pollable_set_out(&things[thing], false);
}

static void drain(int thing)
{
    fake_pollable_set_out(&things[thing], true);
}

static void end_thing(int thing)
{
    fake_pollable_end(&things[thing], false);
}

const struct backend backend_fake = {
    "poller", begin, end, add, modify, take_out, wait_in, quit, raise_in, take, fill, drain, end_thing,
};
