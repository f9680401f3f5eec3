/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transports that the same tests run over: UDP on IPv4, on IPv6, on a socket for both, and in process.
 */
#ifndef A3M_TEST_TRANSPORT_KINDS_H
#define A3M_TEST_TRANSPORT_KINDS_H

#include "conform/test_transport_end.h"

#include "transport/registry.h"

/* ---- The transports ------------------------------------------------------------ */

struct kind {
    const char *name;
    const a3m_transport_ops *ops;
    const char *bind; /* with a %u where a fresh number makes it unique */
    const char *host; /* to reach a wildcard, or NULL */
};

static const struct kind kinds[] = {
    {"udp4", &a3mi_transport_udp, "127.0.0.1:0", NULL},
    {"udp4-any", &a3mi_transport_udp, "0.0.0.0:0", "127.0.0.1"},
    {"udp6", &a3mi_transport_udp, "[::1]:0", NULL},
    {"udp46-over-4", &a3mi_transport_udp, "[::]:0", "127.0.0.1"},
    {"udp46-over-6", &a3mi_transport_udp, "[::]:0", "[::1]"},
    {"inproc", &a3mi_transport_inproc, "conform-%u", NULL},
};

static const struct kind *kind; /* the one under test */

static inline struct end open_end_with(size_t receive_buffer)
{
    static unsigned number;
    char text[64];

    if (strchr(kind->bind, '%') != NULL) {
        snprintf(text, sizeof text, "conform-%u", number++);
    } else {
        snprintf(text, sizeof text, "%s", kind->bind);
    }
    return end_open(kind->ops, text, kind->host, receive_buffer);
}

static inline struct end open_end(void)
{
    return open_end_with(0);
}

/* `n` packets of `size`, numbered by their seed from `first` on, in one batch. */
static inline void send_equal(struct end *from, const struct end *to, unsigned first, unsigned n, size_t size)
{
    struct a3m_packet_out *out = calloc(n, sizeof *out);
    uint8_t *bytes = malloc(n * size);

    assert_non_null(out);
    assert_non_null(bytes);
    for (unsigned i = 0; i < n; i++) {
        fill_bytes(bytes + i * size, size, first + i);
        out[i] = (struct a3m_packet_out){.to = &to->at, .bytes = bytes + i * size, .size = size};
    }
    end_send(from, out, n);
    free(bytes);
    free(out);
}

static inline bool is_available(const struct kind *k)
{
    struct a3m_transport_config config = {.size = sizeof config};
    struct a3m_addr local;
    void *self;

    kind = k;
    if (k->ops == &a3mi_transport_inproc) {
        return true;
    }
    if (k->ops->resolve(k->bind, &local) != 0 || k->ops->open(&local, &config, &self) != 0) {
        return false;
    }
    k->ops->close(self);
    return true;
}

/* Puts the next transport that this machine has under test; false: there are no more. */
static inline bool next_kind(void)
{
    const size_t n = sizeof kinds / sizeof kinds[0];

    for (size_t i = kind == NULL ? 0 : (size_t)(kind - kinds) + 1; i < n; i++) {
        if (is_available(&kinds[i])) {
            return true;
        }
        print_message("[  SKIPPED ] %s: %s\n", kinds[i].name, a3m_error_detail());
    }
    return false;
}

#endif
