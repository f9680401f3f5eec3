/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For authors of transports: what a node needs of whatever carries its packets.
 *
 * A transport moves datagrams of up to `mtu` bytes between addresses. It may
 * lose, repeat, reorder and damage them: the layer above repairs all that. It
 * keeps no state for peers that this layer could see.
 *
 * Threads: every slot is called by one thread at a time, the one that holds the
 * node's engine lock, unless its contract says otherwise. No slot blocks, but
 * `open` and `resolve`. No slot may call back into the node.
 */
#ifndef A3M_TRANSPORT_H
#define A3M_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/time.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

enum {
    A3M_ADDR_NONE = 0,
    A3M_ADDR_UDP4 = 1,   /* b: 4 bytes of address, 2 of port (big-endian) */
    A3M_ADDR_UDP6 = 2,   /* b: 16 bytes of address, 2 of port, 4 of scope id (big-endian) */
    A3M_ADDR_INPROC = 3, /* b: the name */
    A3M_ADDR_SIM = 4,    /* b: 4 bytes */
};

/* An address of any transport, as a value: equal when kind, len and the first len bytes are. */
struct a3m_addr {
    uint8_t kind;
    uint8_t len;
    uint8_t b[62];
};

/* Where a stamp comes from. */
enum a3m_stamp_source {
    A3M_STAMP_NONE = 0,
    A3M_STAMP_DELIVERY, /* read by the node when it had the packet */
    A3M_STAMP_RING,     /* by the kernel, in a packet ring */
    A3M_STAMP_SOFTWARE, /* by the kernel's receive or transmit path */
    A3M_STAMP_HARDWARE, /* by the device */
};

enum a3m_stamp_clock {
    A3M_CLOCK_MONOTONIC = 0,
    A3M_CLOCK_REALTIME,
    A3M_CLOCK_PHC, /* the clock of a device */
};

/* A time with its origin. Stamps of different clocks are not comparable. */
struct a3m_stamp {
    int64_t ns;
    uint8_t source; /* enum a3m_stamp_source */
    uint8_t clock;  /* enum a3m_stamp_clock */
    uint16_t clock_index;
    bool super; /* of a super-packet that several packets travelled in */
};

/* A packet to send. The bytes stay the caller's and unchanged until `send` returns. */
struct a3m_packet_out {
    const struct a3m_addr *to;
    const uint8_t *bytes;
    size_t size;
    uint64_t cookie; /* comes back with the packet's transmit stamps; 0: none wanted */
    uint32_t flags;  /* A3M_PACKET_… */
};

/* It arrives whole, or not at all: it may not be fragmented on the way, and is lost where it is too large. */
#define A3M_PACKET_WHOLE 1u

/*
 * A received packet. The bytes are the transport's, writable by the receiver,
 * and valid until the next `receive` on it.
 */
struct a3m_packet_in {
    struct a3m_addr from;
    uint8_t *bytes;
    size_t size;
    struct a3m_stamp stamp;
};

/* Counters since `open`; all only grow. */
struct a3m_transport_stats {
    uint64_t tx_packets, tx_bytes;
    uint64_t rx_packets, rx_bytes;
    uint64_t tx_calls, rx_calls; /* system calls made, or what stands for them */
    uint64_t tx_again;           /* times `send` could not take all because a queue was full */
    uint64_t tx_errors;          /* packets that the system refused for another reason: they are lost */
    uint64_t rx_dropped;         /* lost between the device and `receive`, as far as is known */
    uint64_t rx_truncated;       /* larger than a packet can be: dropped */
};

struct a3m_transport_info {
    size_t mtu;       /* the largest packet `send` takes */
    size_t rx_window; /* bytes that can wait in its receive buffers, in packets of 1,400 bytes or more */
    bool needs_privilege;
};

struct a3m_transport_config {
    size_t size;           /* sizeof(struct a3m_transport_config) */
    size_t receive_buffer; /* bytes asked of the system; 0: as much as an unprivileged process gets */
    size_t send_buffer;    /* likewise */
};

typedef struct a3m_transport_ops {
    size_t size;        /* sizeof(a3m_transport_ops), so that later members can be added */
    const char *scheme; /* "udp": the first part of its addresses as people write them */

    /*
     * The address in a URL as people write it, without scheme and tag:
     * "192.0.2.7:7000", "[::1]:7000", "name". Any thread. May block for a name
     * look-up when it is not a number. A3M_EINVAL (the detail text says why),
     * A3M_ENOADDR.
     */
    int (*resolve)(const char *text, struct a3m_addr *out);

    /* Writes what `resolve` reads, always terminated. Any thread. */
    void (*format)(const struct a3m_addr *addr, char *buf, size_t size);

    /*
     * Opens an endpoint bound to `local` (port 0: any). May block. On success
     * *self is the transport's own, ended by `close`. A3M_EADDRINUSE,
     * A3M_EADDRNOTAVAIL, A3M_EACCES, A3M_EMFILE, A3M_ENOMEM, A3M_EOS, A3M_EINVAL
     * (an address of another kind).
     */
    int (*open)(const struct a3m_addr *local, const struct a3m_transport_config *config, void **self);

    void (*close)(void *self);

    /* The address bound, with the port that was given. */
    void (*local)(void *self, struct a3m_addr *out);

    void (*info)(void *self, struct a3m_transport_info *out);

    /*
     * The descriptor to wait on: readable when `receive` has something,
     * writable when `send` has room again. Constant from open to close. After a
     * `receive` that returned `max`, call `receive` again before waiting.
     */
    int (*fd)(void *self);

    /*
     * Takes as many of `n` packets as it can, from the first on, and returns
     * their number; fewer than `n` when a queue is full: the caller keeps the
     * rest and waits for the descriptor to be writable. A packet that cannot
     * be sent at all (no route) counts as taken and as a tx_error.
     */
    size_t (*send)(void *self, const struct a3m_packet_out *packets, size_t n);

    /*
     * Fills `out` with up to `max` packets that have arrived and returns their
     * number, 0 when there are none. `max` is at least 64.
     */
    size_t (*receive)(void *self, struct a3m_packet_in *out, size_t max);

    void (*stats)(void *self, struct a3m_transport_stats *out);

    /*
     * Prepares the way to a peer, so that the first packet need not wait for
     * address resolution. May be NULL.
     */
    int (*solicit)(void *self, const struct a3m_addr *peer);

    /*
     * A second descriptor, readable when the addresses of this machine, or the
     * links that carry them, may have changed; -1: there is none. Constant from
     * open to close. May be NULL, as may `moved`.
     */
    int (*notice_fd)(void *self);

    /*
     * Takes in all that is to be read there. True: packets may come from another
     * address than before, so peers should be told where we are now.
     */
    bool (*moved)(void *self);
} a3m_transport_ops;

A3M_END_DECLS

#endif
