/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of the UDP transport: as text, as values, and as the kernel takes
 * them. A v4-mapped IPv6 address (::ffff:192.0.2.7) never leaves this file: as a
 * value it is always the IPv4 one, so that a peer has one address however the
 * socket was bound. No state; any thread.
 */
#ifndef A3MI_UDP_ADDRESS_H
#define A3MI_UDP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include <a3m/transport.h>

union a3mi_udp_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* AF_INET or AF_INET6: the family of a socket bound to `a`; AF_UNSPEC when it is no UDP address. */
int a3mi_udp_family(const struct a3m_addr *a);

/* Whether it is 0.0.0.0 or ::. */
bool a3mi_udp_is_wildcard(const struct a3m_addr *a);

/*
 * Writes `a` as a socket of `family` takes it and returns the size; 0 when such
 * a socket cannot reach it (another kind of address, IPv6 from an IPv4 socket).
 */
socklen_t a3mi_udp_to_sockaddr(const struct a3m_addr *a, int family, union a3mi_udp_sockaddr *out);

/* `in` is of AF_INET or AF_INET6; of any other family comes A3M_ADDR_NONE. */
void a3mi_udp_from_sockaddr(const union a3mi_udp_sockaddr *in, struct a3m_addr *out);

/* The slots `resolve` and `format` of the transport. */
int a3mi_udp_resolve(const char *text, struct a3m_addr *out);
void a3mi_udp_format(const struct a3m_addr *addr, char *buf, size_t size);

#endif
