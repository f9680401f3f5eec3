/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of the UDP transport. Text is taken apart by a3mi_url_parse, so that
 * a bind address and a peer's URL are read by the same rules; numbers are turned
 * into values here, and only what is not a number goes to the name service.
 */
#include "transport/udp_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"

#define SCHEME "udp://"

/* ---- Values ----------------------------------------------------------------- */

static const uint8_t mapped_prefix[12] = {
    [10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */

static bool is_mapped(const uint8_t ip[16])
{
    return memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

/* fe80::/10 and ff02::/16: addresses that mean something on one interface only. */
static bool is_link_local(const uint8_t ip[16])
{
    return (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) || (ip[0] == 0xff && (ip[1] & 0x0f) == 0x02);
}

/* An IPv6 address in its one form: mapped as IPv4, and a scope only where it means something. */
static struct a3m_addr normal6(const uint8_t ip[16], uint16_t port, uint32_t scope_id)
{
    if (is_mapped(ip)) {
        return a3mi_addr_udp4(ip + sizeof mapped_prefix, port);
    }
    return a3mi_addr_udp6(ip, port, is_link_local(ip) ? scope_id : 0);
}

int a3mi_udp_family(const struct a3m_addr *a)
{
    const uint8_t *ip = a3mi_addr_ip(a);

    if (ip == NULL) {
        return AF_UNSPEC;
    }
    return a->kind == A3M_ADDR_UDP4 || is_mapped(ip) ? AF_INET : AF_INET6;
}

bool a3mi_udp_is_wildcard(const struct a3m_addr *a)
{
    static const uint8_t zero[16];
    const uint8_t *ip = a3mi_addr_ip(a);

    return ip != NULL && memcmp(ip, zero, a->kind == A3M_ADDR_UDP4 ? 4 : 16) == 0;
}

static socklen_t to_sockaddr4(const uint8_t ip[4], uint16_t port, union a3mi_udp_sockaddr *out)
{
    out->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&out->v4.sin_addr, ip, 4);
    return sizeof out->v4;
}

socklen_t a3mi_udp_to_sockaddr(const struct a3m_addr *a, int family, union a3mi_udp_sockaddr *out)
{
    const uint8_t *ip = a3mi_addr_ip(a);
    uint16_t port = a3mi_addr_port(a);

    if (ip == NULL) {
        return 0;
    }
    bool v4 = a->kind == A3M_ADDR_UDP4;

    if (family == AF_INET) {
        if (!v4 && !is_mapped(ip)) {
            return 0;
        }
        return to_sockaddr4(v4 ? ip : ip + sizeof mapped_prefix, port, out);
    }
    out->v6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = a3mi_addr_scope(a)};
    if (v4) {
        memcpy(out->v6.sin6_addr.s6_addr, mapped_prefix, sizeof mapped_prefix);
        memcpy(out->v6.sin6_addr.s6_addr + sizeof mapped_prefix, ip, 4);
    } else {
        memcpy(out->v6.sin6_addr.s6_addr, ip, 16);
    }
    return sizeof out->v6;
}

void a3mi_udp_from_sockaddr(const union a3mi_udp_sockaddr *in, struct a3m_addr *out)
{
    if (in->any.sa_family == AF_INET) {
        uint8_t ip[4];

        memcpy(ip, &in->v4.sin_addr, sizeof ip);
        *out = a3mi_addr_udp4(ip, ntohs(in->v4.sin_port));
    } else if (in->any.sa_family == AF_INET6) {
        *out = normal6(in->v6.sin6_addr.s6_addr, ntohs(in->v6.sin6_port), in->v6.sin6_scope_id);
    } else {
        out->kind = A3M_ADDR_NONE;
        out->len = 0;
    }
}

/* ---- Text ------------------------------------------------------------------- */

/* The interface behind '%', by number or by name; 0 when there is none. */
static uint32_t parse_zone(const char *zone)
{
    char *end;
    unsigned long number = strtoul(zone, &end, 10);

    if (zone[0] >= '0' && zone[0] <= '9' && *end == '\0' && number <= UINT32_MAX) {
        return (uint32_t)number;
    }
    return if_nametoindex(zone);
}

/* What stood in brackets: "::1", "fe80::1%eth0". */
static int resolve6(const char *text, const struct a3mi_url *url, struct a3m_addr *out)
{
    char number[sizeof url->host];
    const char *percent = strchr(url->host, '%');
    size_t len = percent != NULL ? (size_t)(percent - url->host) : strlen(url->host);
    uint8_t ip[16];
    uint32_t scope = 0;

    memcpy(number, url->host, len);
    number[len] = '\0';
    if (inet_pton(AF_INET6, number, ip) != 1) {
        return a3mi_fail(
            A3M_EINVAL,
            "\"%s\": %s is not an IPv6 address; a right one is [::1]:7000, and names go without brackets",
            text, number);
    }
    if (percent != NULL) {
        scope = parse_zone(percent + 1);
        if (scope == 0) {
            return a3mi_fail(A3M_EINVAL, "\"%s\": this machine has no network interface %s", text,
                             percent + 1);
        }
    } else if (is_link_local(ip)) {
        return a3mi_fail(A3M_EINVAL, "\"%s\": a link-local address needs its interface, as in [%s%%eth0]:%u",
                         text, number, url->port);
    }
    *out = normal6(ip, url->port, scope);
    return 0;
}

static int look_up(const char *text, const struct a3mi_url *url, struct a3m_addr *out)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    union a3mi_udp_sockaddr address;
    int error = getaddrinfo(url->host, NULL, &hints, &found);

    if (error == EAI_SYSTEM) {
        return a3mi_fail(A3M_ENOADDR, "\"%s\": the name %s cannot be looked up: %m", text, url->host);
    }
    if (error != 0) {
        return a3mi_fail(A3M_ENOADDR, "\"%s\": no address for the name %s: %s", text, url->host,
                         gai_strerror(error));
    }
    memset(&address, 0, sizeof address);
    memcpy(&address, found->ai_addr, found->ai_addrlen < sizeof address ? found->ai_addrlen : sizeof address);
    freeaddrinfo(found);
    if (address.any.sa_family == AF_INET) {
        address.v4.sin_port = htons(url->port);
    } else {
        address.v6.sin6_port = htons(url->port);
    }
    a3mi_udp_from_sockaddr(&address, out);
    return 0;
}

static int resolve4_or_name(const char *text, const struct a3mi_url *url, struct a3m_addr *out)
{
    uint8_t ip[4];

    if (inet_pton(AF_INET, url->host, ip) == 1) {
        *out = a3mi_addr_udp4(ip, url->port);
        return 0;
    }
    /* The look-up would take 127.1 and 0177.1, which inet_aton(3) knows and nobody means. */
    if (strspn(url->host, "0123456789.") == strlen(url->host)) {
        return a3mi_fail(A3M_EINVAL, "\"%s\": %s is not an IPv4 address; a right one is 192.0.2.7:7000", text,
                         url->host);
    }
    return look_up(text, url, out);
}

int a3mi_udp_resolve(const char *text, struct a3m_addr *out)
{
    struct a3mi_url url;
    char full[sizeof SCHEME + sizeof url.address];

    if (strlen(text) >= sizeof url.address) {
        return a3mi_fail(A3M_EINVAL, "\"%.64s…\": an address is not longer than %zu bytes", text,
                         sizeof url.address - 1);
    }
    if (strchr(text, '/') != NULL) {
        return a3mi_fail(A3M_EINVAL, "\"%s\": an address has no '/'; a right one is 192.0.2.7:7000", text);
    }
    snprintf(full, sizeof full, SCHEME "%s", text);
    int error = a3mi_url_parse(full, &url);

    if (error != 0) {
        return error;
    }
    return url.address[0] == '[' ? resolve6(text, &url, out) : resolve4_or_name(text, &url, out);
}

void a3mi_udp_format(const struct a3m_addr *addr, char *buf, size_t size)
{
    char full[A3MI_ADDR_TEXT_SIZE];
    size_t prefix = strlen(SCHEME);

    a3mi_addr_format(addr, full, sizeof full);
    snprintf(buf, size, "%s", strncmp(full, SCHEME, prefix) == 0 ? full + prefix : full);
}
