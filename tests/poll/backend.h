/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What scripts of polling run on: the kernel's epoll over eventfds and pipes, or
 * A3M's pollers over pollables without a node, or over sockets of a node.
 */
#ifndef POLL_BACKEND_H
#define POLL_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/poller.h>

enum { THINGS = 3, POLLERS = 4, REPORTS = 8 };

/* How a change ended. */
enum outcome { DONE, EXISTS, ABSENT, INVALID, GONE, OTHER };

struct report {
    int thing;
    uint32_t events;
};

struct backend {
    const char *name;
    /*
     * Pollers, and things: 'i' something to read from, with nothing in it; 'o' something to write to, with room.
     * All of them are new.
     */
    void (*begin)(const char *kinds);
    void (*end)(void);

    enum outcome (*add)(int poller, int thing, uint32_t events);
    enum outcome (*modify)(int poller, int thing, uint32_t events);
    enum outcome (*remove)(int poller, int thing);
    /* Returns how many; -1: the poller is closed, or its waits are to end. */
    int (*wait)(int poller, struct report *reports, int max, bool forever);
    void (*quit)(int poller);

    void (*raise)(int thing); /* one more to read */
    void (*take)(int thing);  /* one less */
    void (*fill)(int thing);  /* no room */
    void (*drain)(int thing); /* room */
    void (*close)(int thing);
};

extern const struct backend backend_epoll, backend_fake, backend_node;

#endif
