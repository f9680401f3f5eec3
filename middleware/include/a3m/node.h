/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node: an instance of the middleware, with an id, an address and one reader
 * thread. Applications make sockets on it (a3m/socket.h).
 *
 * Every function is thread-safe and does not block, unless it says otherwise.
 * The errors of all functions that take a handle: A3M_EHANDLE, A3M_EFORKED;
 * they are not repeated below.
 */
#ifndef A3M_NODE_H
#define A3M_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/errors.h>
#include <a3m/handles.h>
#include <a3m/time.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

/* Longest node id and longest tag, in bytes of UTF-8; neither may contain '/'. */
#define A3M_NAME_MAX 255

/*
 * How a node is made. Zero it, set `size`, set what matters; a member left 0
 * has its default. Members that a later version adds come after these.
 */
typedef struct a3m_node_config {
    size_t size; /* sizeof(a3m_node_config) */

    uint64_t
        outbox_bytes; /* what may wait to be sent or acknowledged before a send blocks with "no window"; 64 MiB */
    size_t receive_buffer;   /* bytes for the transport's receive buffer; what an unprivileged process gets */
    size_t send_buffer;      /* likewise for sending */
    a3m_duration lease;      /* how long a caller that read the network keeps that role; 1 ms */
    a3m_duration spin;       /* how long a waiting caller polls, yielding, before it sleeps; 50 us */
    bool no_spin;            /* never poll before sleeping */
    bool no_lending;         /* only the reader thread reads the network */
    const char *reader_name; /* the reader thread's name, at most 15 bytes; "a3m:" and the id */
    int reader_cpu;          /* run the reader thread on processor reader_cpu - 1 only; 0: any */
    int reader_priority;     /* SCHED_FIFO priority 1 to 99 of the reader thread; 0: the normal class */
    a3m_duration
        peer_timeout;    /* give a silent peer up after this; 0: never, a partition of any length heals */
    a3m_duration linger; /* how long an idle half-connection is kept; 2 s */
    /*
     * Told about what no call can return: A3M_EDUPLICATE (another live node uses an
     * id), A3M_ESILENT and A3M_ENOMEM (a peer was given up, after `peer_timeout` or by
     * `memory_ceiling`; the text says what with it). `text` is one line for people. Any thread of this node, no lock held;
     * must return soon. NULL: only counted.
     */
    void (*report)(void *arg, int code, const char *text);
    void *report_arg;
    /*
     * Carry every message in the send that takes it. Otherwise a thread that sends message after message,
     * with less than 2 us between them, bundles them: a message may be held until 32 KiB are, for 25 us,
     * until the thread waits for anything, or, when it goes off to something else, for 40 us; at the end
     * of a stream that lasted longer for as long as it lasted, 500 us at most.
     */
    bool no_bundling;
    /*
     * What decides how much may be under way to a peer: "cubic" (RFC 9438), which NULL stands for; "newreno"
     * (RFC 9002); or "bbr", which measures what the path delivers and goes on at that: for paths that lose
     * packets without being full, radio for one.
     */
    const char *congestion;
    /*
     * How many packets a peer may have under way to this node, of up to 1,384 bytes, 262,144 at most: no more
     * than these in a round trip. They may all arrive at once. 0: what fits into the receive buffer, from 256
     * to 2,048.
     */
    uint32_t window;
    /*
     * Bytes for what arrived and cannot be taken yet, outside of the credit of its link: messages that wait for
     * one before them, and the records of peers; 256 MiB. What does not fit is not accepted, and comes again;
     * nothing that was accepted is dropped. docs/memory.md says what else bounds what.
     */
    uint64_t receive_memory;
    uint64_t peer_memory; /* the same, of one peer; 0: a quarter of receive_memory */
    /*
     * When all of that together with the messages that are being put together is more than this, the peer that
     * has most of it is given up: its links end with A3M_ENOMEM, what it had sent and was not told of has an
     * unknown outcome to it. Counted and reported. 0: never.
     */
    uint64_t memory_ceiling;
    uint32_t
        max_peers; /* beyond, strangers are put off, or take the place of idle ones without links; 16,384 */
    uint32_t max_peer_links; /* that another node may ask for; beyond, it is refused for now; 1,024 */
    /*
     * Asked where the node `id` is, when a link is asked for by node id and no address is known, or nobody answers
     * at the one that is: writes "udp://192.0.2.7:7101" into `address` (`size` bytes) and returns 0, or
     * A3M_ENOADDR. Any thread, no lock held; must return soon, as it keeps that thread from the network. NULL:
     * nobody is asked. a3m_hosts_resolve reads a file.
     */
    int (*resolve)(void *arg, const char *id, char *address, size_t size);
    void *resolve_arg;
} a3m_node_config;

/*
 * Makes a node and binds its address: "udp://192.0.2.7:7101", "udp://[::]:0",
 * "inproc://name". Port 0 asks for any free one. NULL stands for any free UDP
 * port on all addresses. `config` may be NULL. Nothing is received until
 * a3m_node_start; sockets can be made before.
 *
 * A3M_EINVAL (id, address or config: the detail text says what), A3M_EADDRINUSE,
 * A3M_EADDRNOTAVAIL, A3M_EACCES, A3M_EMFILE, A3M_ENOMEM, A3M_EOS.
 */
A3M_API int a3m_node_new(a3m_node *node, const char *id, const char *address, const a3m_node_config *config);

/* Starts the reader thread. A3M_ESTATE when it was started before; A3M_EOS, A3M_EACCES (priority). */
A3M_API int a3m_node_start(a3m_node node);

/* The node's id and the address that it is bound to, as text. A3M_EINVAL when `size` is too small. */
A3M_API int a3m_node_id(a3m_node node, char *buf, size_t size);
A3M_API int a3m_node_address(a3m_node node, char *buf, size_t size);

/*
 * Says by hand where the node `id` is to be found: "udp://192.0.2.7:7101".
 * Replaces what was said before; addresses learned from traffic that is newer
 * win. Resolving a name may block. A3M_EINVAL, A3M_ENOADDR, A3M_EDEADLK (in an accept hook).
 */
A3M_API int a3m_node_set_peer(a3m_node node, const char *id, const char *address);

/*
 * A resolver for a3m_node_config.resolve that reads a file of lines "ID ADDRESS" ('#' begins a comment), and, when
 * it is asked, reads it again if it has changed; a file that is bad by then leaves what was read before. Any
 * number of nodes may use one; it is closed after them. A3M_EINVAL (the detail text names the line), A3M_ENOMEM,
 * A3M_ENOENT and other errors of the file.
 */
typedef struct a3m_hosts a3m_hosts;
A3M_API int a3m_hosts_open(a3m_hosts **hosts, const char *path);
A3M_API int a3m_hosts_resolve(void *hosts, const char *id, char *address, size_t size);
A3M_API void a3m_hosts_close(a3m_hosts *hosts);

/*
 * What became of a node's messages that did not go the usual way: of all those of
 * its life, also those of links and sockets that ended long before it closed.
 */
typedef struct a3m_close_report {
    size_t size;               /* sizeof(a3m_close_report), set by the caller */
    uint64_t undelivered;      /* sent, and certainly not delivered: never transmitted */
    uint64_t unknown;          /* sent, transmitted, not acknowledged: delivered once, or not at all */
    uint64_t unread;           /* received (perhaps not acknowledged), but not taken by this application */
    uint64_t links_unfinished; /* links whose peer did not confirm the end */
} a3m_close_report;

/*
 * Closes the node and its sockets. Until everything sent has been acknowledged
 * and every link ended, but not past `deadline`, it goes on retransmitting and
 * acknowledging; then it tells the peers, stops the reader thread, and frees
 * everything. Blocks. `report` may be NULL. The handle is invalid afterwards;
 * calls under way in other threads return A3M_ECLOSED.
 *
 * A3M_EDEADLK on the reader thread (the node stays open). A3M_ETIMEDOUT when the
 * deadline passed with something unfinished: the node is closed all the same,
 * and the report says what.
 */
A3M_API int a3m_node_close(a3m_node node, a3m_time deadline, a3m_close_report *report);

/* What a node has counted since it was made. All members only grow, but where it says "now". */
typedef struct a3m_node_stats {
    size_t size; /* sizeof(a3m_node_stats), set by the caller */

    uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
    uint64_t tx_calls, rx_calls;
    uint64_t tx_messages, rx_messages;
    uint64_t retransmitted; /* units sent again */
    uint64_t duplicates;    /* units received again, and dropped */
    uint64_t rx_lost;       /* packets the system dropped before the node saw them */

    uint64_t bad_version;    /* dropped: of a version that this node does not speak */
    uint64_t bad_checksum;   /* dropped: damaged */
    uint64_t bad_packet;     /* dropped: malformed or of an unknown type */
    uint64_t bad_frame;      /* units with a malformed frame */
    uint64_t stray;          /* dropped: for no record of this node */
    uint64_t duplicate_id;   /* signs of another live node with this node's id */
    uint64_t bad_control;    /* link control that is malformed, or that a conforming peer does not send */
    uint64_t opens_deferred; /* strangers told to come again with proof of their address, as too many wait */
    uint64_t bad_credit;     /* messages dropped for which their sender had no credit */

    uint64_t opens_refused;       /* strangers put off, as there are as many peers as there may be */
    uint64_t peers_evicted;       /* idle peers without a link that made way for others */
    uint64_t peers_silent;        /* peers given up: after peer_timeout, */
    uint64_t peers_over_memory;   /* and by memory_ceiling */
    uint64_t requests_unanswered; /* by a peer that does not take the answers it has */
    uint64_t orphaned;       /* messages accepted for links that are gone; in `unread` of the close report */
    uint64_t held_bytes_now; /* of receive_memory */
    uint64_t assembled_bytes_now; /* messages that are being put together, within the credit of their links */
    uint64_t unit_bytes_now;      /* sent, not acknowledged */

    uint64_t records_now; /* half-connections, both directions */
    uint64_t peers_now;
    uint64_t links_now; /* up */
    uint64_t outbox_bytes_now;

    uint64_t turns;                /* engine turns */
    uint64_t reader_wakeups;       /* times the reader thread woke */
    uint64_t reader_rx_wakeups;    /* of these, for arrived packets */
    uint64_t reader_timer_wakeups; /* for timers of the protocol, timed events and bundles */
    uint64_t reader_lease_wakeups; /* to see whether a lease of the reader role is over */
    uint64_t leader_sleeps;        /* times a waiting caller slept on the network */
    uint64_t waiter_sleeps;        /* times a waiting caller slept without the reader role */
    uint64_t wakes;                /* sleeping threads woken by this node's threads */
    uint64_t role_transfers;       /* times the reader role changed hands */

    uint64_t bad_resolutions;   /* answers of the resolver that are no address of this transport */
    uint64_t scheduled_dropped; /* messages of a3m_send_at that could not be sent when their time came */
} a3m_node_stats;

/* A3M_EINVAL (stats->size), A3M_EDEADLK (in an accept hook). */
A3M_API int a3m_node_get_stats(a3m_node node, a3m_node_stats *stats);

A3M_END_DECLS

#endif
