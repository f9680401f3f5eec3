/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-process transport: packets between nodes of one process, by name. An
 * endpoint is a mailbox and its entry in the directory of names; sending looks
 * the peer's mailbox up and posts copies. A few mailboxes are remembered, so
 * that a stream of packets does not go through the directory.
 *
 * Packets between two endpoints keep their order. They are lost when the peer's
 * mailbox is full, and refused when there is no such peer. A peer may close at
 * any time: what it had not taken is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"
#include "transport/inproc_directory.h"
#include "transport/inproc_mailbox.h"
#include "transport/registry.h"

#define SCHEME "inproc://"

enum {
    REMEMBERED = 64, /* peers; a power of two */
    RUN_MAX = 16,    /* packets posted under one lock, so that the taker gets its turn */
};

struct peer {
    struct a3m_addr name;
    struct a3mi_mailbox *mailbox; /* a reference, or NULL: this place is free */
};

struct endpoint {
    struct a3mi_directory_entry entry;
    struct a3m_transport_stats stats;
    struct peer peers[REMEMBERED]; /* each at the place that its hash says */
};

/* ---- Addresses -------------------------------------------------------------- */

static int inproc_resolve(const char *text, struct a3m_addr *out)
{
    struct a3mi_url url;
    char full[sizeof SCHEME + sizeof url.address];

    if (*text == '\0') {
        return a3mi_fail(A3M_EINVAL, "the name is empty; a right address is " SCHEME "name");
    }
    if (strlen(text) > A3MI_ADDR_INPROC_MAX) {
        return a3mi_fail(A3M_EINVAL, "\"%.64s…\": a name is not longer than %zu bytes", text,
                         A3MI_ADDR_INPROC_MAX);
    }
    if (strchr(text, '/') != NULL) {
        return a3mi_fail(A3M_EINVAL, "\"%s\": a name has no '/'", text);
    }
    snprintf(full, sizeof full, SCHEME "%s", text);
    int error = a3mi_url_parse(full, &url);

    if (error == 0) {
        *out = a3mi_addr_inproc(text);
    }
    return error;
}

static void inproc_format(const struct a3m_addr *addr, char *buf, size_t size)
{
    char full[A3MI_ADDR_TEXT_SIZE];
    size_t prefix = strlen(SCHEME);

    a3mi_addr_format(addr, full, sizeof full);
    snprintf(buf, size, "%s", strncmp(full, SCHEME, prefix) == 0 ? full + prefix : full);
}

/* ---- Opening ---------------------------------------------------------------- */

static int inproc_open(const struct a3m_addr *local, const struct a3m_transport_config *config, void **self)
{
    char text[A3MI_ADDR_TEXT_SIZE];

    (void)config; /* mailboxes have one size */
    a3mi_addr_format(local, text, sizeof text);
    if (local->kind != A3M_ADDR_INPROC || local->len == 0 || local->len > A3MI_ADDR_INPROC_MAX) {
        return a3mi_fail(A3M_EINVAL, "%s is not an in-process address; a right one is " SCHEME "name", text);
    }
    struct endpoint *e = calloc(1, sizeof *e);

    if (e == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for an in-process endpoint");
    }
    e->entry.name = *local;
    int error = a3mi_mailbox_new(&e->entry.mailbox);

    if (error != 0) {
        goto fail_mailbox;
    }
    error = a3mi_directory_add(&e->entry);
    if (error != 0) {
        error = error != A3M_EEXIST
                    ? a3mi_fail(error, "no memory for the name %s", text)
                    : a3mi_fail(A3M_EADDRINUSE,
                                "%s is in use by another node of this process; choose another name", text);
        goto fail_name;
    }
    *self = e;
    return 0;

fail_name:
    a3mi_mailbox_close(e->entry.mailbox);
    a3mi_mailbox_unref(e->entry.mailbox);
fail_mailbox:
    free(e);
    return error;
}

static void inproc_close(void *self)
{
    struct endpoint *e = self;

    a3mi_directory_remove(&e->entry);
    a3mi_mailbox_close(e->entry.mailbox);
    a3mi_mailbox_unref(e->entry.mailbox);
    for (size_t i = 0; i < REMEMBERED; i++) {
        if (e->peers[i].mailbox != NULL) {
            a3mi_mailbox_unref(e->peers[i].mailbox);
        }
    }
    free(e);
}

/* ---- Telling about it ------------------------------------------------------- */

static void inproc_local(void *self, struct a3m_addr *out)
{
    const struct endpoint *e = self;

    *out = e->entry.name;
}

static void inproc_info(void *self, struct a3m_transport_info *out)
{
    size_t most = (size_t)A3MI_MAILBOX_BYTES / A3MI_MAILBOX_PACKET_MAX;

    (void)self;
    *out = (struct a3m_transport_info){
        .mtu = A3MI_MAILBOX_PACKET_MAX,
        .rx_window = (most < A3MI_MAILBOX_PACKETS ? most : A3MI_MAILBOX_PACKETS) * A3MI_MAILBOX_PACKET_MAX,
    };
}

static int inproc_fd(void *self)
{
    const struct endpoint *e = self;

    return a3mi_mailbox_fd(e->entry.mailbox);
}

static void inproc_stats(void *self, struct a3m_transport_stats *out)
{
    struct endpoint *e = self;

    e->stats.rx_dropped = a3mi_mailbox_lost(e->entry.mailbox);
    *out = e->stats;
}

/* ---- Moving packets --------------------------------------------------------- */

static void forget(struct peer *peer)
{
    if (peer->mailbox != NULL) {
        a3mi_mailbox_unref(peer->mailbox);
        peer->mailbox = NULL;
    }
}

/* Where `to` is, or would be, remembered. */
static struct peer *place_of(struct endpoint *e, const struct a3m_addr *to)
{
    return &e->peers[a3mi_addr_hash(to) % REMEMBERED];
}

/* Looks `to` up and remembers it in `peer`; false when there is nobody of that name. */
static bool meet(struct peer *peer, const struct a3m_addr *to)
{
    forget(peer);
    if (to->kind != A3M_ADDR_INPROC) {
        return false;
    }
    peer->name = *to;
    peer->mailbox = a3mi_directory_find(to);
    return peer->mailbox != NULL;
}

/* Posts `n` packets to one peer; false when there is nobody of that name. */
static bool post(struct endpoint *e, const struct a3m_packet_out *packets, size_t n)
{
    const struct a3m_addr *to = packets[0].to;
    struct peer *peer = place_of(e, to);

    e->stats.tx_calls++;
    if (peer->mailbox != NULL && a3mi_addr_eq(&peer->name, to) &&
        a3mi_mailbox_post(peer->mailbox, &e->entry.name, packets, n)) {
        return true;
    }
    /* Not met before, or closed since; another one may have the name now. */
    if (!meet(peer, to)) {
        return false;
    }
    if (a3mi_mailbox_post(peer->mailbox, &e->entry.name, packets, n)) {
        return true;
    }
    forget(peer);
    return false;
}

/* How many of the `n` packets, at least one that is not too large, go to the same peer in one go. */
static size_t run_length(const struct a3m_packet_out *packets, size_t n)
{
    size_t run = 1;

    while (run < n && run < RUN_MAX && packets[run].size <= A3MI_MAILBOX_PACKET_MAX &&
           (packets[run].to == packets[0].to || a3mi_addr_eq(packets[run].to, packets[0].to))) {
        run++;
    }
    return run;
}

static void count_run(struct endpoint *e, const struct a3m_packet_out *packets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        e->stats.tx_bytes += packets[i].size;
    }
    e->stats.tx_packets += n;
}

static size_t inproc_send(void *self, const struct a3m_packet_out *packets, size_t n)
{
    struct endpoint *e = self;

    for (size_t done = 0; done < n;) {
        if (packets[done].size > A3MI_MAILBOX_PACKET_MAX) {
            e->stats.tx_errors++;
            done++;
            continue;
        }
        size_t run = run_length(packets + done, n - done);

        if (post(e, packets + done, run)) {
            count_run(e, packets + done, run);
        } else {
            e->stats.tx_errors += run;
        }
        done += run;
    }
    return n;
}

static size_t inproc_receive(void *self, struct a3m_packet_in *out, size_t max)
{
    struct endpoint *e = self;
    size_t n = a3mi_mailbox_take(e->entry.mailbox, out, max);

    e->stats.rx_calls++;
    e->stats.rx_packets += n;
    for (size_t i = 0; i < n; i++) {
        e->stats.rx_bytes += out[i].size;
    }
    return n;
}

const a3m_transport_ops a3mi_transport_inproc = {
    .size = sizeof(a3m_transport_ops),
    .scheme = "inproc",
    .resolve = inproc_resolve,
    .format = inproc_format,
    .open = inproc_open,
    .close = inproc_close,
    .local = inproc_local,
    .info = inproc_info,
    .fd = inproc_fd,
    .send = inproc_send,
    .receive = inproc_receive,
    .stats = inproc_stats,
};
