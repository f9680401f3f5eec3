/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices that the machine's addresses changed: a netlink socket (rtnetlink(7))
 * that hears of addresses and links, and the sum of what it knew last. What the
 * kernel announces is only taken as a reason to look: announcements repeat
 * themselves, get lost when there are many, and most are about other things.
 *
 * No privilege is needed. Where there is no netlink (`fd` is -1) nothing is
 * noticed. One thread at a time; never blocks.
 */
#ifndef A3MI_UDP_WHEREABOUTS_H
#define A3MI_UDP_WHEREABOUTS_H

#include <stdbool.h>
#include <stdint.h>

#include <a3m/transport.h>

struct a3mi_udp_whereabouts {
    int fd;               /* [const] to wait on; -1: none */
    struct a3m_addr only; /* [const] the address that is bound; kind NONE: all of the machine's */
    uint64_t known;       /* sum of the addresses known; 0: none */
};

/* `local` is what the socket is bound to. */
void a3mi_udp_whereabouts_init(struct a3mi_udp_whereabouts *w, const struct a3m_addr *local);
void a3mi_udp_whereabouts_fini(struct a3mi_udp_whereabouts *w);

/*
 * Takes in what is to be read. True: the addresses that packets can come from are
 * others than before, and there are some. Those that are good within the machine
 * or a link only do not count, unless it is the address that is bound.
 */
bool a3mi_udp_whereabouts_moved(struct a3mi_udp_whereabouts *w);

#endif
