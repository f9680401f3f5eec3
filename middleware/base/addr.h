/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as values, and how people write them. The struct is the public one
 * of <a3m/transport.h>: kind, length and bytes; bytes past the length mean
 * nothing. The parser of URLs looks up no name and knows of no interface: it
 * only takes text apart. No locks, no allocation.
 */
#ifndef A3MI_ADDR_H
#define A3MI_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <a3m/transport.h>

/* Inside, the type goes by either name: one type, so that values cross the transport interface as they are. */
#define a3mi_addr a3m_addr

enum {
    A3MI_ADDR_NONE = A3M_ADDR_NONE,
    A3MI_ADDR_UDP4 = A3M_ADDR_UDP4,
    A3MI_ADDR_UDP6 = A3M_ADDR_UDP6,
    A3MI_ADDR_INPROC = A3M_ADDR_INPROC,
    A3MI_ADDR_SIM = A3M_ADDR_SIM,
};

/* Bytes of the longest in-process name. */
#define A3MI_ADDR_INPROC_MAX sizeof(((struct a3m_addr *)0)->b)

/* Bytes that a3mi_addr_format needs at most, final NUL included. */
#define A3MI_ADDR_TEXT_SIZE 80

/* ---- Values ----------------------------------------------------------------- */

/* `ip` in network byte order, `port` and `scope_id` in the host's. */
struct a3m_addr a3mi_addr_udp4(const uint8_t ip[4], uint16_t port);
struct a3m_addr a3mi_addr_udp6(const uint8_t ip[16], uint16_t port, uint32_t scope_id);

/* Kind A3MI_ADDR_NONE when the name is empty or longer than A3MI_ADDR_INPROC_MAX bytes. */
struct a3m_addr a3mi_addr_inproc(const char *name);

struct a3m_addr a3mi_addr_sim(uint32_t n);

/* Same kind, same length, same bytes. */
static inline bool a3mi_addr_eq(const struct a3m_addr *a, const struct a3m_addr *b)
{
    return a->kind == b->kind && a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* A 64-bit hash (XXH3) that equal addresses share, the same in every process. */
uint64_t a3mi_addr_hash(const struct a3m_addr *a);

/* The IP address, 4 or 16 bytes inside of `a`, network byte order; NULL for other kinds. */
const uint8_t *a3mi_addr_ip(const struct a3m_addr *a);

/* The UDP port, host byte order; 0 for other kinds. */
uint16_t a3mi_addr_port(const struct a3m_addr *a);

/* The IPv6 scope id (index of an interface); 0 when there is none, and for other kinds. */
uint32_t a3mi_addr_scope(const struct a3m_addr *a);

/* The in-process name, inside of `a`, *len bytes without final NUL; NULL and 0 for other kinds. */
const char *a3mi_addr_inproc_name(const struct a3m_addr *a, size_t *len);

/* The number of a simulated address; 0 for other kinds. */
uint32_t a3mi_addr_sim_number(const struct a3m_addr *a);

/*
 * Writes "udp://192.0.2.7:7000", "udp://[fe80::1%2]:7000", "inproc://name",
 * "sim://7"; "none" for A3MI_ADDR_NONE, and "unknown" for what is malformed. Always terminated
 * when n > 0. 0; A3M_EINVAL when it does not fit (cut at the end).
 */
int a3mi_addr_format(const struct a3m_addr *a, char *buf, size_t n);

/* ---- Text ------------------------------------------------------------------- */

struct a3mi_url {
    char scheme[16]; /* lower case; "" for a node id */
    char host[256];  /* "192.0.2.7", "host.example", "fe80::1%eth0" (no brackets), in-process name */
    uint16_t port;
    bool has_port;
    char tag[256];
    bool has_tag;
    char node[256]; /* "server" of "server/echo" */
    bool is_node;
    char address[272]; /* what a transport's `resolve` takes: host and port as written, "[::1]:7000" */
};

/*
 * Takes apart
 *
 *      udp://HOST:PORT[/TAG]       udp://[IPV6%ZONE]:PORT[/TAG]
 *      inproc://NAME[/TAG]         NODE-ID/TAG
 *
 * HOST may be anything that the transport can make sense of. The port of `udp`
 * is required, 0 to 65535. Of other schemes, known only to their transports,
 * `address` is all that counts: host and port are taken from it when it has the
 * form of udp's.
 *
 * 0; A3M_EINVAL when the text is not well formed (the detail text says what is
 * wrong and shows a right one), with *out undefined.
 */
int a3mi_url_parse(const char *s, struct a3mi_url *out);

#endif
