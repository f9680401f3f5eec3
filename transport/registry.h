/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transports that are built in, found by the first part of an address. The
 * table is constant: any thread, no locks, nothing to free.
 */
#ifndef A3MI_TRANSPORT_REGISTRY_H
#define A3MI_TRANSPORT_REGISTRY_H

#include <a3m/transport.h>

/* Datagrams of the kernel's UDP, IPv4 and IPv6. No privilege. */
extern const a3m_transport_ops a3mi_transport_udp;

/* Between nodes of one process, by name. */
extern const a3m_transport_ops a3mi_transport_inproc;

/* The transport with this scheme ("udp", in lower case as a3mi_url_parse gives it), or NULL. */
const a3m_transport_ops *a3mi_transport_find(const char *scheme);

/* The known schemes, for error texts: "udp, inproc". Static storage. */
const char *a3mi_transport_schemes(void);

#endif
