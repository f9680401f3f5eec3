/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailboxes. Packets stand one behind the other in chunks of 64 KiB, so posting
 * is a copy and taking is a pointer:
 *
 *      first             cursor                       last
 *      [taken …… ] → … → [taken|packet|packet| ] → … → [packet|packet|    ]
 *                              ↑ read                                ↑ fill
 *
 * The taker may still look at what it took last, so that is reused at the next
 * take: chunks before the cursor go back to the spares, and a last chunk that is
 * read to its end starts again at 0. A quiet mailbox thus stays in the same few
 * cache lines.
 *
 * The wake-up, which can cost the poster 12 us, is given outside of the lock:
 *
 *      poster                               taker
 *      lock, append                         lock, take all
 *      signalled was false: set it,         read the eventfd: got it, signalled = false
 *        it is on us to write                 or not yet: signalled stays true, so that
 *      unlock, write the eventfd              posters leave the coming write alone;
 *                                             it wakes us for nothing at worst
 */
#include "transport/inproc_mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

enum {
    CHUNK_BYTES = 65536 - 32, /* a chunk and malloc's own words together fill 64 KiB */
    SPARES_MAX = 16,
};

struct record {
    struct a3m_addr from;
    size_t size; /* the packet's bytes follow */
};

struct chunk {
    struct chunk *next;
    size_t fill;
    _Alignas(16) uint8_t bytes[CHUNK_BYTES];
};

struct a3mi_mailbox {
    _Atomic unsigned refs; /* [atomic: relaxed up, acq_rel down] */
    _Atomic unsigned
        writers; /* [atomic: up under the lock, release down] posts that are going to write the eventfd */
    int fd;      /* [const] until close */
    pthread_mutex_t lock;

    bool closed;                         /* [lock] */
    bool signalled;                      /* [lock] the eventfd was written, or is just going to be */
    struct chunk *first, *cursor, *last; /* [lock] NULL: none */
    size_t read;                         /* [lock] where in `cursor` the oldest packet waits */
    struct chunk *spares;                /* [lock] */
    unsigned spares_count;               /* [lock] */
    size_t packets, bytes;               /* [lock] that wait */
    uint64_t lost;                       /* [lock] */
};

static size_t record_bytes(size_t size)
{
    return (sizeof(struct record) + size + 15) & ~(size_t)15;
}

_Static_assert(sizeof(struct record) + A3MI_MAILBOX_PACKET_MAX + 16 <= CHUNK_BYTES, "a packet fits a chunk");

/* ---- Lifetime --------------------------------------------------------------- */

int a3mi_mailbox_new(struct a3mi_mailbox **out)
{
    struct a3mi_mailbox *m = calloc(1, sizeof *m);

    if (m == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a mailbox");
    }
    m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->fd < 0) {
        int err = errno;

        free(m);
        return a3mi_fail_os(err, "eventfd for a mailbox");
    }
    pthread_mutex_init(&m->lock, NULL);
    atomic_init(&m->refs, 1);
    atomic_init(&m->writers, 0);
    *out = m;
    return 0;
}

void a3mi_mailbox_ref(struct a3mi_mailbox *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}

void a3mi_mailbox_unref(struct a3mi_mailbox *m)
{
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_destroy(&m->lock);
        free(m);
    }
}

static void free_chunks(struct chunk *c)
{
    while (c != NULL) {
        struct chunk *next = c->next;

        free(c);
        c = next;
    }
}

void a3mi_mailbox_close(struct a3mi_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    struct chunk *chunks = m->first;
    struct chunk *spares = m->spares;

    m->first = m->cursor = m->last = m->spares = NULL;
    pthread_mutex_unlock(&m->lock);

    /* Nobody becomes a writer any more. */
    while (atomic_load_explicit(&m->writers, memory_order_acquire) != 0) {
        sched_yield();
    }
    close(m->fd);
    free_chunks(chunks);
    free_chunks(spares);
}

/* ---- Chunks ----------------------------------------------------------------- */

static struct chunk *get_chunk_locked(struct a3mi_mailbox *m)
{
    struct chunk *c = m->spares;

    if (c != NULL) {
        m->spares = c->next;
        m->spares_count--;
        return c;
    }
    return malloc(sizeof *c);
}

static void put_chunk_locked(struct a3mi_mailbox *m, struct chunk *c)
{
    if (m->spares_count == SPARES_MAX) {
        free(c);
        return;
    }
    c->next = m->spares;
    m->spares = c;
    m->spares_count++;
}

/* Room for a record in the last chunk, or in a new one; NULL when there is no memory. */
static struct record *append_locked(struct a3mi_mailbox *m, size_t size)
{
    struct chunk *c = m->last;

    if (c == NULL || CHUNK_BYTES - c->fill < record_bytes(size)) {
        struct chunk *fresh = get_chunk_locked(m);

        if (fresh == NULL) {
            return NULL;
        }
        fresh->next = NULL;
        fresh->fill = 0;
        if (c == NULL) {
            m->first = m->cursor = fresh;
            m->read = 0;
        } else {
            c->next = fresh;
        }
        m->last = c = fresh;
    }
    struct record *record = (struct record *)(void *)(c->bytes + c->fill);

    c->fill += record_bytes(size);
    return record;
}

/* ---- Posting ---------------------------------------------------------------- */

static void post_locked(struct a3mi_mailbox *m, const struct a3m_addr *from,
                        const struct a3m_packet_out *packet)
{
    struct record *record = NULL;

    if (m->packets < A3MI_MAILBOX_PACKETS && m->bytes + packet->size <= A3MI_MAILBOX_BYTES) {
        record = append_locked(m, packet->size);
    }
    if (record == NULL) {
        m->lost++;
        return;
    }
    record->from = *from;
    record->size = packet->size;
    if (packet->size > 0) {
        memcpy(record + 1, packet->bytes, packet->size);
    }
    m->packets++;
    m->bytes += packet->size;
}

bool a3mi_mailbox_post(struct a3mi_mailbox *m, const struct a3m_addr *from,
                       const struct a3m_packet_out *packets, size_t n)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&m->lock);
    if (m->closed) {
        pthread_mutex_unlock(&m->lock);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        post_locked(m, from, &packets[i]);
    }
    bool wake = m->packets > 0 && !m->signalled;

    if (wake) {
        m->signalled = true;
        atomic_fetch_add_explicit(&m->writers, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&m->lock);
    if (wake) {
        /* It cannot fail: the counter is 0 or 1. */
        ssize_t written = write(m->fd, &one, sizeof one);

        (void)written;
        atomic_fetch_sub_explicit(&m->writers, 1, memory_order_release);
    }
    return true;
}

/* ---- Taking ----------------------------------------------------------------- */

/* What was taken before is free now. */
static void reuse_locked(struct a3mi_mailbox *m)
{
    while (m->first != m->cursor) {
        struct chunk *c = m->first;

        m->first = c->next;
        put_chunk_locked(m, c);
    }
    if (m->cursor != NULL && m->cursor == m->last && m->read == m->cursor->fill) {
        m->cursor->fill = 0;
        m->read = 0;
    }
}

/* The oldest packet; there is one. */
static void take_locked(struct a3mi_mailbox *m, struct a3m_packet_in *out)
{
    if (m->read == m->cursor->fill) {
        m->cursor = m->cursor->next;
        m->read = 0;
    }
    struct record *record = (struct record *)(void *)(m->cursor->bytes + m->read);

    out->from = record->from;
    out->bytes = (uint8_t *)(record + 1);
    out->size = record->size;
    out->stamp = (struct a3m_stamp){.source = A3M_STAMP_NONE};
    m->read += record_bytes(record->size);
    m->packets--;
    m->bytes -= record->size;
}

/* The descriptor stops being readable, unless the write is still to come (see above). */
static void unsignal_locked(struct a3mi_mailbox *m)
{
    uint64_t count;

    if (m->signalled && read(m->fd, &count, sizeof count) == sizeof count) {
        m->signalled = false;
    }
}

size_t a3mi_mailbox_take(struct a3mi_mailbox *m, struct a3m_packet_in *out, size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&m->lock);
    reuse_locked(m);
    while (n < max && m->packets > 0) {
        take_locked(m, &out[n++]);
    }
    if (m->packets == 0) {
        unsignal_locked(m);
    }
    pthread_mutex_unlock(&m->lock);
    return n;
}

int a3mi_mailbox_fd(const struct a3mi_mailbox *m)
{
    return m->fd;
}

uint64_t a3mi_mailbox_lost(struct a3mi_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    uint64_t lost = m->lost;

    pthread_mutex_unlock(&m->lock);
    return lost;
}
