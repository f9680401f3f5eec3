/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: making, reading and printing values. Layout of the bytes, as in
 * <a3m/transport.h>, numbers big-endian:
 *
 *      udp4    ip[4] port[2]               inproc  name[1..62]
 *      udp6    ip[16] port[2] scope[4]     sim     number[4]
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/cursor.h"
#include "base/error.h"

enum {
    UDP4_LEN = 6,
    UDP6_LEN = 22,
    SIM_LEN = 4,
};

struct a3m_addr a3mi_addr_udp4(const uint8_t ip[4], uint16_t port)
{
    struct a3m_addr a = {.kind = A3MI_ADDR_UDP4, .len = UDP4_LEN};

    memcpy(a.b, ip, 4);
    a3mi_store_be16(a.b + 4, port);
    return a;
}

struct a3m_addr a3mi_addr_udp6(const uint8_t ip[16], uint16_t port, uint32_t scope_id)
{
    struct a3m_addr a = {.kind = A3MI_ADDR_UDP6, .len = UDP6_LEN};

    memcpy(a.b, ip, 16);
    a3mi_store_be16(a.b + 16, port);
    a3mi_store_be32(a.b + 18, scope_id);
    return a;
}

struct a3m_addr a3mi_addr_inproc(const char *name)
{
    struct a3m_addr a = {.kind = A3MI_ADDR_NONE};
    size_t len = strlen(name);

    if (len == 0 || len > A3MI_ADDR_INPROC_MAX) {
        return a;
    }
    a.kind = A3MI_ADDR_INPROC;
    a.len = (uint8_t)len;
    memcpy(a.b, name, len);
    return a;
}

struct a3m_addr a3mi_addr_sim(uint32_t n)
{
    struct a3m_addr a = {.kind = A3MI_ADDR_SIM, .len = SIM_LEN};

    a3mi_store_be32(a.b, n);
    return a;
}

uint64_t a3mi_addr_hash(const struct a3m_addr *a)
{
    return a3mi_hash64(a->b, a->len, a->kind);
}

static bool is_udp4(const struct a3m_addr *a)
{
    return a->kind == A3MI_ADDR_UDP4 && a->len == UDP4_LEN;
}

static bool is_udp6(const struct a3m_addr *a)
{
    return a->kind == A3MI_ADDR_UDP6 && a->len == UDP6_LEN;
}

static bool is_sim(const struct a3m_addr *a)
{
    return a->kind == A3MI_ADDR_SIM && a->len == SIM_LEN;
}

const uint8_t *a3mi_addr_ip(const struct a3m_addr *a)
{
    return is_udp4(a) || is_udp6(a) ? a->b : NULL;
}

uint16_t a3mi_addr_port(const struct a3m_addr *a)
{
    if (is_udp4(a)) {
        return a3mi_load_be16(a->b + 4);
    }
    return is_udp6(a) ? a3mi_load_be16(a->b + 16) : 0;
}

uint32_t a3mi_addr_scope(const struct a3m_addr *a)
{
    return is_udp6(a) ? a3mi_load_be32(a->b + 18) : 0;
}

const char *a3mi_addr_inproc_name(const struct a3m_addr *a, size_t *len)
{
    bool is_inproc = a->kind == A3MI_ADDR_INPROC && a->len > 0 && a->len <= A3MI_ADDR_INPROC_MAX;

    *len = is_inproc ? a->len : 0;
    return is_inproc ? (const char *)a->b : NULL;
}

uint32_t a3mi_addr_sim_number(const struct a3m_addr *a)
{
    return is_sim(a) ? a3mi_load_be32(a->b) : 0;
}

static int print_udp4(const struct a3m_addr *a, char *buf, size_t n)
{
    return snprintf(buf, n, "udp://%u.%u.%u.%u:%u", a->b[0], a->b[1], a->b[2], a->b[3], a3mi_addr_port(a));
}

static int print_udp6(const struct a3m_addr *a, char *buf, size_t n)
{
    char ip[INET6_ADDRSTRLEN];
    char zone[16] = "";

    inet_ntop(AF_INET6, a->b, ip, sizeof ip);
    if (a3mi_addr_scope(a) != 0) {
        snprintf(zone, sizeof zone, "%%%" PRIu32, a3mi_addr_scope(a));
    }
    return snprintf(buf, n, "udp://[%s%s]:%u", ip, zone, a3mi_addr_port(a));
}

static int print(const struct a3m_addr *a, char *buf, size_t n)
{
    size_t len;
    const char *name = a3mi_addr_inproc_name(a, &len);

    if (is_udp4(a)) {
        return print_udp4(a, buf, n);
    }
    if (is_udp6(a)) {
        return print_udp6(a, buf, n);
    }
    if (name != NULL) {
        return snprintf(buf, n, "inproc://%.*s", (int)len, name);
    }
    if (is_sim(a)) {
        return snprintf(buf, n, "sim://%" PRIu32, a3mi_addr_sim_number(a));
    }
    return snprintf(buf, n, "%s", a->kind == A3MI_ADDR_NONE ? "none" : "unknown");
}

int a3mi_addr_format(const struct a3m_addr *a, char *buf, size_t n)
{
    int length = print(a, buf, n);

    if (length < 0 || (size_t)length >= n) {
        return a3mi_fail(A3M_EINVAL, "%zu bytes are too few for the address; %d will do", n,
                         A3MI_ADDR_TEXT_SIZE);
    }
    return 0;
}
