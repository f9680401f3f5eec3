/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of transports: an endpoint with the address that others reach it by,
 * and sending and receiving that wait for the descriptor, never for time alone.
 * What is received is copied, so that it can be looked at after the next call.
 */
#ifndef A3M_TEST_TRANSPORT_END_H
#define A3M_TEST_TRANSPORT_END_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <a3m/errors.h>
#include <a3m/transport.h>

#include "base/addr.h"

/* Long enough for the slowest machine; only a failure waits for it. */
#define END_DEADLINE_MS 20000

struct end {
    const a3m_transport_ops *ops;
    void *self;
    int fd;
    size_t mtu;
    struct a3m_addr at; /* where others reach it */
};

static inline struct a3m_addr end_resolve(const a3m_transport_ops *ops, const char *text)
{
    struct a3m_addr a;

    assert_int_equal(ops->resolve(text, &a), 0);
    return a;
}

/* Opens at `text`. `host` is what to put in the place of a wildcard to reach it, or NULL. */
static inline struct end end_open(const a3m_transport_ops *ops, const char *text, const char *host,
                                  size_t receive_buffer)
{
    struct a3m_transport_config config = {.size = sizeof config, .receive_buffer = receive_buffer};
    struct a3m_addr local = end_resolve(ops, text);
    struct a3m_transport_info info;
    struct end e = {.ops = ops};
    int error = ops->open(&local, &config, &e.self);

    if (error != 0) {
        print_error("open %s: %s\n", text, a3m_error_detail());
    }
    assert_int_equal(error, 0);
    e.fd = ops->fd(e.self);
    ops->local(e.self, &e.at);
    ops->info(e.self, &info);
    e.mtu = info.mtu;
    if (host != NULL) {
        char reach[A3MI_ADDR_TEXT_SIZE];

        snprintf(reach, sizeof reach, "%s:%u", host, a3mi_addr_port(&e.at));
        e.at = end_resolve(ops, reach);
    }
    return e;
}

static inline void end_close(struct end *e)
{
    e->ops->close(e->self);
    e->self = NULL;
}

static inline struct a3m_transport_stats end_stats(const struct end *e)
{
    struct a3m_transport_stats stats;

    e->ops->stats(e->self, &stats);
    return stats;
}

static inline bool end_ready(const struct end *e, short events, int timeout_ms)
{
    struct pollfd p = {.fd = e->fd, .events = events};

    return poll(&p, 1, timeout_ms) == 1 && (p.revents & events) != 0;
}

/* Sends all, waiting for room as often as it takes. */
static inline void end_send(struct end *e, const struct a3m_packet_out *packets, size_t n)
{
    while (n > 0) {
        size_t taken = e->ops->send(e->self, packets, n);

        assert_true(taken <= n);
        packets += taken;
        n -= taken;
        if (n > 0) {
            assert_true(end_ready(e, POLLOUT, END_DEADLINE_MS));
        }
    }
}

static inline void end_send_one(struct end *e, const struct a3m_addr *to, const void *bytes, size_t size)
{
    struct a3m_packet_out packet = {.to = to, .bytes = bytes, .size = size};

    end_send(e, &packet, 1);
}

/* ---- A pile of received packets -------------------------------------------- */

struct pile {
    size_t count, capacity;
    struct a3m_packet_in *packets; /* bytes: malloc'ed copies */
};

static inline void pile_add(struct pile *p, const struct a3m_packet_in *packet)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity == 0 ? 256 : p->capacity * 2;
        p->packets = realloc(p->packets, p->capacity * sizeof *p->packets);
        assert_non_null(p->packets);
    }
    struct a3m_packet_in *copy = &p->packets[p->count++];

    *copy = *packet;
    copy->bytes = malloc(packet->size + 1);
    assert_non_null(copy->bytes);
    if (packet->size > 0) {
        memcpy(copy->bytes, packet->bytes, packet->size);
        memset(packet->bytes, 0xdd, packet->size); /* they are the receiver's to write */
    }
}

static inline void pile_clear(struct pile *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->packets[i].bytes);
    }
    free(p->packets);
    *p = (struct pile){0};
}

/* One `receive` of at most `max` onto the pile; returns the number. */
static inline size_t end_receive(struct end *e, struct pile *pile, size_t max)
{
    struct a3m_packet_in in[256];

    assert_true(max <= 256);
    size_t n = e->ops->receive(e->self, in, max);

    assert_true(n <= max);
    for (size_t i = 0; i < n; i++) {
        pile_add(pile, &in[i]);
    }
    return n;
}

/* Receives, `max` at a time, until `count` packets are on the pile. Sleeps only when `receive` gave fewer than `max`. */
static inline void end_receive_count(struct end *e, struct pile *pile, size_t count, size_t max)
{
    while (pile->count < count) {
        if (end_receive(e, pile, max) < max && pile->count < count) {
            if (!end_ready(e, POLLIN, END_DEADLINE_MS)) {
                print_error("%zu of %zu packets came\n", pile->count, count);
            }
            assert_true(end_ready(e, POLLIN, 0));
        }
    }
    assert_int_equal(pile->count, count);
}

/* Receives whatever is there now. */
static inline void end_drain(struct end *e, struct pile *pile)
{
    while (end_receive(e, pile, 64) > 0 || end_ready(e, POLLIN, 0)) {}
}

/* ---- Bytes that can be recognised ------------------------------------------ */

static inline void fill_bytes(uint8_t *bytes, size_t size, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
}

static inline void assert_bytes(const struct a3m_packet_in *packet, size_t size, uint32_t seed)
{
    uint8_t *expected = malloc(size + 1);

    assert_non_null(expected);
    fill_bytes(expected, size, seed);
    assert_int_equal(packet->size, size);
    assert_memory_equal(packet->bytes, expected, size);
    free(expected);
}

#endif
