/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the machine's addresses (transport/udp_whereabouts.h). */
#include "transport/udp_whereabouts.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/checksum.h"
#include "transport/udp_address.h"

enum {
    /* The kernel cuts a dump into messages of what is read at a time, and two pages at least. */
    READ_BYTES = 16384,
    /* Devices that are up; the addresses of more all count. */
    DEVICES_MAX = 256,
};

/* What one look gathers. */
struct look {
    const struct a3m_addr *only;
    uint32_t up[DEVICES_MAX]; /* devices that carry packets */
    unsigned up_count;
    bool up_overflow;
    uint64_t sum;
};

/* ---- Reading ------------------------------------------------------------------- */

static int open_netlink(uint32_t groups)
{
    struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* IFF_RUNNING: it has a carrier. A tunnel's state is not known, and IFF_RUNNING is set nevertheless. */
static void take_link(struct look *look, struct nlmsghdr *message)
{
    const struct ifinfomsg *link = NLMSG_DATA(message);

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof *link) ||
        (link->ifi_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING)) {
        return;
    }
    if (look->up_count == DEVICES_MAX) {
        look->up_overflow = true;
        return;
    }
    look->up[look->up_count++] = (uint32_t)link->ifi_index;
}

static bool is_up(const struct look *look, uint32_t device)
{
    for (unsigned i = 0; i < look->up_count; i++) {
        if (look->up[i] == device) {
            return true;
        }
    }
    return look->up_overflow;
}

/* Whether these are the bytes of the address that is bound. */
static bool is_bound(const struct look *look, unsigned family, const void *bytes)
{
    const struct a3m_addr *only = look->only;

    return family == AF_INET ? only->kind == A3M_ADDR_UDP4 && memcmp(only->b, bytes, 4) == 0
                             : only->kind == A3M_ADDR_UDP6 && memcmp(only->b, bytes, 16) == 0;
}

/* One that packets can have as their source; not one that is still being tried out (RFC 4862), say. */
static bool counts(const struct look *look, const struct ifaddrmsg *addr, const void *bytes)
{
    if ((addr->ifa_flags & IFA_F_DADFAILED) != 0 ||
        (addr->ifa_flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE ||
        !is_up(look, addr->ifa_index)) {
        return false;
    }
    return look->only->kind != A3M_ADDR_NONE ? is_bound(look, addr->ifa_family, bytes)
                                             : addr->ifa_scope < RT_SCOPE_LINK;
}

/* Of a sum in any order: addresses are listed in no order that means anything. */
static void add(struct look *look, const struct ifaddrmsg *addr, const void *bytes, size_t size)
{
    uint64_t hash = a3mi_hash64(bytes, size, addr->ifa_index);

    look->sum += hash | 1; /* never 0 for one */
}

static void take_addr(struct look *look, struct nlmsghdr *message)
{
    struct ifaddrmsg *addr = NLMSG_DATA(message);
    const size_t size = addr->ifa_family == AF_INET ? 4 : 16;
    const void *local = NULL;

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof *addr) ||
        (addr->ifa_family != AF_INET && addr->ifa_family != AF_INET6)) {
        return;
    }
    size_t left = message->nlmsg_len - NLMSG_LENGTH(sizeof *addr);

    for (struct rtattr *a = IFA_RTA(addr); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        /* On a point-to-point device IFA_ADDRESS is the other end's, and IFA_LOCAL its own. */
        bool own = a->rta_type == IFA_LOCAL || (a->rta_type == IFA_ADDRESS && local == NULL);

        if (own && RTA_PAYLOAD(a) >= size) {
            local = RTA_DATA(a);
        }
    }
    if (local != NULL && counts(look, addr, local)) {
        add(look, addr, local, size);
    }
}

/* Takes in a message of a dump. False: it was the last one. */
static bool take(struct look *look, struct nlmsghdr *message)
{
    switch (message->nlmsg_type) {
    case RTM_NEWLINK: take_link(look, message); return true;
    case RTM_NEWADDR: take_addr(look, message); return true;
    case NLMSG_DONE:
    case NLMSG_ERROR: return false;
    default: return true;
    }
}

/* Everything of one kind (RTM_GETLINK, RTM_GETADDR). Netlink answers within the system calls. False: it did not. */
static bool dump(int fd, uint16_t type, struct look *look)
{
    struct {
        struct nlmsghdr header;
        struct rtgenmsg body;
    } ask = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof ask.body),
                        .nlmsg_type = type,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .body = {.rtgen_family = AF_UNSPEC}};
    alignas(struct nlmsghdr) char bytes[READ_BYTES];

    if (send(fd, &ask, ask.header.nlmsg_len, 0) < 0) {
        return false;
    }
    for (;;) {
        ssize_t size = recv(fd, bytes, sizeof bytes, 0);
        size_t left = size > 0 ? (size_t)size : 0;

        if (size <= 0) {
            return false;
        }
        for (struct nlmsghdr *m = (void *)bytes; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
            if (!take(look, m)) {
                return m->nlmsg_type == NLMSG_DONE;
            }
        }
    }
}

/* The sum of the addresses there are; 0: none. False: the kernel does not say. */
static bool look_around(const struct a3m_addr *only, uint64_t *sum)
{
    struct look look = {.only = only};
    int fd = open_netlink(0);
    bool good = fd >= 0 && dump(fd, RTM_GETLINK, &look) && dump(fd, RTM_GETADDR, &look);

    if (fd >= 0) {
        (void)close(fd);
    }
    *sum = look.sum;
    return good;
}

/* ---- Noticing ------------------------------------------------------------------- */

void a3mi_udp_whereabouts_init(struct a3mi_udp_whereabouts *w, const struct a3m_addr *local)
{
    *w = (struct a3mi_udp_whereabouts){
        .fd = open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)};
    if (!a3mi_udp_is_wildcard(local)) {
        w->only = *local;
    }
    if (w->fd >= 0 && !look_around(&w->only, &w->known)) {
        (void)close(w->fd);
        w->fd = -1;
    }
}

void a3mi_udp_whereabouts_fini(struct a3mi_udp_whereabouts *w)
{
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
}

/* Reads all announcements, to no end but that no more are there. ENOBUFS: some were lost. True: there were any. */
static bool drain(const struct a3mi_udp_whereabouts *w)
{
    char byte;
    bool any = false;

    while (recv(w->fd, &byte, sizeof byte, MSG_TRUNC) >= 0 || errno == ENOBUFS || errno == EINTR) {
        any = true;
    }
    return any;
}

bool a3mi_udp_whereabouts_moved(struct a3mi_udp_whereabouts *w)
{
    uint64_t sum;

    if (!drain(w) || !look_around(&w->only, &sum) || sum == w->known) {
        return false;
    }
    w->known = sum;
    return sum != 0;
}
