/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that says where something is: URLs (base/url.c), addresses of the UDP
 * transport (transport/udp_address.c), and addresses as values, however
 * malformed (base/addr.c). The name service and the list of interfaces are
 * replaced by fixed ones here, so that a run depends on its input alone.
 */
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include <a3m/errors.h>

#include "base/addr.h"
#include "fuzz_input.h"
#include "transport/udp_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- What the machine would answer ---------------------------------------------- */

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved names */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)res;
    return EAI_NONAME;
}

unsigned if_nametoindex(const char *name)
{
    return strcmp(name, "eth0") == 0 ? 7 : 0;
}

/* ---- Values ------------------------------------------------------------------------ */

static void check_value(const struct a3m_addr *addr)
{
    char text[A3MI_ADDR_TEXT_SIZE], cut[8];
    size_t len;

    assert(a3mi_addr_format(addr, text, sizeof(text)) == 0 && strlen(text) < sizeof(text));
    int rc = a3mi_addr_format(addr, cut, sizeof(cut));

    assert((rc == 0) == (strlen(text) < sizeof(cut)) && strlen(cut) < sizeof(cut));
    assert(a3mi_addr_eq(addr, addr));
    (void)a3mi_addr_port(addr);
    (void)a3mi_addr_scope(addr);
    (void)a3mi_addr_sim_number(addr);
    (void)a3mi_udp_family(addr);
    (void)a3mi_udp_is_wildcard(addr);
    assert((a3mi_addr_inproc_name(addr, &len) != NULL) == (len > 0));
}

/* Whatever a transport could have left in the struct; a length is never above what there is room for. */
static void run_value(struct fuzz_input *in)
{
    struct a3m_addr addr = {0};
    size_t got;

    addr.kind = fuzz_u8(in);
    addr.len = fuzz_u8(in) % (sizeof(addr.b) + 1);
    const uint8_t *bytes = fuzz_bytes(in, sizeof(addr.b), &got);

    if (got > 0) {
        memcpy(addr.b, bytes, got);
    }
    check_value(&addr);
}

/* ---- Text -------------------------------------------------------------------------- */

/* Through the kernel's form and through text, and back. */
static void check_resolved(const struct a3m_addr *addr)
{
    union a3mi_udp_sockaddr sa;
    struct a3m_addr again;
    char text[A3MI_ADDR_TEXT_SIZE];

    assert(addr->kind == A3M_ADDR_UDP4 || addr->kind == A3M_ADDR_UDP6);
    check_value(addr);
    assert(a3mi_udp_to_sockaddr(addr, AF_INET6, &sa) == sizeof(sa.v6));
    a3mi_udp_from_sockaddr(&sa, &again);
    assert(a3mi_addr_eq(addr, &again));
    socklen_t size = a3mi_udp_to_sockaddr(addr, AF_INET, &sa);

    assert((size == sizeof(sa.v4)) == (addr->kind == A3M_ADDR_UDP4));
    a3mi_udp_format(addr, text, sizeof(text));
    assert(a3mi_udp_resolve(text, &again) == 0 && a3mi_addr_eq(addr, &again));
}

static void run_resolve(const char *text)
{
    struct a3m_addr addr;
    int rc = a3mi_udp_resolve(text, &addr);

    assert(rc == 0 || rc == A3M_EINVAL || rc == A3M_ENOADDR);
    if (rc == 0) {
        check_resolved(&addr);
    }
}

static void check_name(const char *name)
{
    struct a3mi_name checked;

    assert(a3mi_name_set(&checked, name, strlen(name)) == 0);
}

static bool same_url(const struct a3mi_url *a, const struct a3mi_url *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 && a->port == b->port &&
           a->has_port == b->has_port && strcmp(a->tag, b->tag) == 0 && a->has_tag == b->has_tag &&
           strcmp(a->node, b->node) == 0 && a->is_node == b->is_node && strcmp(a->address, b->address) == 0;
}

/* What was taken apart, put together again, is taken apart the same. */
static void check_url(const struct a3mi_url *url)
{
    char text[sizeof(struct a3mi_url) + 8];
    struct a3mi_url again;

    if (url->is_node) {
        assert(url->scheme[0] == '\0' && url->has_tag);
        check_name(url->node);
        snprintf(text, sizeof(text), "%s/%s", url->node, url->tag);
    } else {
        assert(url->scheme[0] != '\0' && url->address[0] != '\0' && strchr(url->address, '/') == NULL);
        snprintf(text, sizeof(text), "%s://%s%s%s", url->scheme, url->address, url->has_tag ? "/" : "",
                 url->tag);
    }
    if (url->has_tag) {
        check_name(url->tag);
    }
    assert(a3mi_url_parse(text, &again) == 0 && same_url(url, &again));
    if (strcmp(url->scheme, "udp") == 0) {
        assert(url->has_port);
        run_resolve(url->address);
    }
}

static void run_url(const char *text)
{
    struct a3mi_url url;
    int rc = a3mi_url_parse(text, &url);

    assert(rc == 0 || rc == A3M_EINVAL);
    if (rc == 0) {
        check_url(&url);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t mode = fuzz_u8(&in);

    if (mode == 0) {
        run_value(&in);
        return 0;
    }
    char *text = malloc(in.left + 1);

    assert(text != NULL);
    memcpy(text, in.p, in.left);
    text[in.left] = '\0';
    if (mode % 2 == 1) {
        run_url(text);
    } else {
        run_resolve(text);
    }
    free(text);
    return 0;
}
