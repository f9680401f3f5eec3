/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend.h"

#define QUIT UINT64_MAX

static int sets[POLLERS], quits[POLLERS], things[THINGS], others[THINGS];

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void begin(const char *kinds)
{
    for (int i = 0; i < POLLERS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = QUIT}};
        sets[i] = epoll_create1(EPOLL_CLOEXEC);
        quits[i] = eventfd(0, EFD_CLOEXEC);
        must(epoll_ctl(sets[i], EPOLL_CTL_ADD, quits[i], &event) == 0);
    }
    for (int i = 0; i < THINGS; i++) {
        things[i] = others[i] = -1;
    }
    for (int i = 0; kinds[i] != '\0'; i++) {
        if (kinds[i] == 'i') {
            things[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
            must(things[i] >= 0);
        } else {
            int ends[2];
            must(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
            must(fcntl(ends[1], F_SETPIPE_SZ, 4096) == 4096);
            things[i] = ends[1];
            others[i] = ends[0];
        }
    }
}

static void shut(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

static void end(void)
{
    for (int i = 0; i < POLLERS; i++) {
        shut(&sets[i]);
        shut(&quits[i]);
    }
    for (int i = 0; i < THINGS; i++) {
        shut(&things[i]);
        shut(&others[i]);
    }
}

static enum outcome control(int poller, int op, int thing, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.u64 = (uint64_t)thing}};
    if (epoll_ctl(sets[poller], op, things[thing], &event) == 0) {
        return DONE;
    }
    switch (errno) {
    case EEXIST: return EXISTS;
    case ENOENT: return ABSENT;
    case EINVAL: return INVALID;
    case EBADF: return GONE;
    default: return OTHER;
    }
}

static enum outcome add(int poller, int thing, uint32_t events)
{
    return control(poller, EPOLL_CTL_ADD, thing, events);
}

static enum outcome modify(int poller, int thing, uint32_t events)
{
    return control(poller, EPOLL_CTL_MOD, thing, events);
}

static enum outcome take_out(int poller, int thing)
{
    return control(poller, EPOLL_CTL_DEL, thing, 0);
}

static int wait_in(int poller, struct report *reports, int max, bool forever)
{
    struct epoll_event events[REPORTS];
    int n = epoll_wait(sets[poller], events, max, forever ? -1 : 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == QUIT) {
            return -1;
        }
        reports[i] = (struct report){(int)events[i].data.u64, events[i].events};
    }
    return n;
}

static void quit(int poller)
{
    must(eventfd_write(quits[poller], 1) == 0);
}

static void raise_in(int thing)
{
    must(eventfd_write(things[thing], 1) == 0);
}

static void take(int thing)
{
    eventfd_t value;
    (void)eventfd_read(things[thing], &value);
}

static void fill(int thing)
{
    static const char page[4096];
    (void)!write(things[thing], page, sizeof page);
}

static void drain(int thing)
{
    static char page[4096];
    (void)!read(others[thing], page, sizeof page);
}

static void end_thing(int thing)
{
    shut(&things[thing]);
}

const struct backend backend_epoll = {
    "epoll", begin, end, add, modify, take_out, wait_in, quit, raise_in, take, fill, drain, end_thing,
};
