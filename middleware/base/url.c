/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of URLs (addr.h). What is wrong is told by functions that return the
 * complaint, or NULL when all is well; one place turns a complaint into an error
 * with the text it is about and a right one beside it.
 */
#include "base/addr.h"

#include "base/error.h"
#include "base/name.h"

#define EXAMPLE_UDP    "udp://192.0.2.7:7000/echo"
#define EXAMPLE_UDP6   "udp://[::1]:7000/echo"
#define EXAMPLE_INPROC "inproc://name/echo"
#define EXAMPLE_NODE   "server/echo"

static int complain(const char *s, const char *what, const char *example)
{
    return a3mi_fail(A3M_EINVAL, "\"%.128s\": %s; a right one is %s", s, what, example);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What may follow the first letter of a scheme. */
static bool is_scheme_char(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

/* Scheme as in RFC 3986 section 3.1, into lower case. */
static const char *take_scheme(const char *s, size_t len, struct a3mi_url *out)
{
    if (len == 0) {
        return "there is nothing before \"://\"";
    }
    if (len >= sizeof out->scheme) {
        return "what stands before \"://\" is longer than 15 bytes";
    }
    for (size_t i = 0; i < len; i++) {
        if (!(i == 0 ? is_letter(s[i]) : is_scheme_char(s[i]))) {
            return "what stands before \"://\" is not the name of a transport";
        }
        out->scheme[i] = is_letter(s[i]) ? (char)(s[i] | 0x20) : s[i];
    }
    return NULL;
}

static const char *take_port(const char *s, struct a3mi_url *out)
{
    uint32_t port = 0;

    if (*s == '\0') {
        return "the port after ':' is missing";
    }
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9') {
            return "the port is not a number";
        }
        port = port * 10 + (uint32_t)(*s - '0');
        if (port > UINT16_MAX) {
            return "the port is out of range (0 to 65535)";
        }
    }
    out->port = (uint16_t)port;
    out->has_port = true;
    return NULL;
}

static const char *take_host(const char *s, size_t len, struct a3mi_url *out)
{
    if (len == 0) {
        return "the host before the port is empty";
    }
    if (len >= sizeof out->host) {
        return "the host is longer than 255 bytes";
    }
    memcpy(out->host, s, len);
    out->host[len] = '\0';
    return NULL;
}

/* "[v6%zone]:port" */
static const char *split_bracketed(const char *s, struct a3mi_url *out)
{
    const char *close = strchr(s, ']');

    if (close == NULL) {
        return "the ']' after the IPv6 address is missing";
    }
    if (close == s + 1) {
        return "there is no IPv6 address in the brackets";
    }
    if (close[1] == '\0') {
        return "the port is missing";
    }
    if (close[1] != ':') {
        return "after ']' must come ':' and the port";
    }
    const char *complaint = take_host(s + 1, (size_t)(close - s - 1), out);

    return complaint != NULL ? complaint : take_port(close + 2, out);
}

/* "host:port" */
static const char *split_plain(const char *s, struct a3mi_url *out)
{
    const char *colon = strchr(s, ':');

    if (colon == NULL) {
        return "the port is missing";
    }
    if (strchr(colon + 1, ':') != NULL) {
        return "an IPv6 address must stand in brackets";
    }
    if (strpbrk(s, "[]") != NULL) {
        return "the '[' before the IPv6 address is missing";
    }
    const char *complaint = take_host(s, (size_t)(colon - s), out);

    return complaint != NULL ? complaint : take_port(colon + 1, out);
}

static const char *split_address(struct a3mi_url *out)
{
    return out->address[0] == '[' ? split_bracketed(out->address, out) : split_plain(out->address, out);
}

/* Host and port of `address`, as strictly as its scheme asks for. */
static const char *take_host_and_port(struct a3mi_url *out)
{
    if (strcmp(out->scheme, "inproc") == 0) {
        return take_host(out->address, strlen(out->address), out);
    }
    const char *complaint = split_address(out);

    if (complaint == NULL || strcmp(out->scheme, "udp") == 0) {
        return complaint;
    }
    out->has_port = false;
    return take_host(out->address, strlen(out->address), out);
}

static const char *take_address(const char *s, size_t len, struct a3mi_url *out)
{
    if (len == 0) {
        return "the address after \"://\" is empty";
    }
    if (len >= sizeof out->address) {
        return "the address after \"://\" is longer than 271 bytes";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f) {
            return "the address has a blank or a control character";
        }
    }
    memcpy(out->address, s, len);
    out->address[len] = '\0';
    return take_host_and_port(out);
}

/* Checks a tag or node id and copies it to `to`; `what` names it. */
static int take_name(const char *s, const char *what, const char *name, size_t len, const char *example,
                     char to[A3MI_NAME_MAX + 1])
{
    struct a3mi_name checked;

    if (a3mi_name_set(&checked, name, len) != 0) {
        return a3mi_fail(A3M_EINVAL, "\"%.128s\": %s: %s; a right one is %s", s, what, a3m_error_detail(),
                         example);
    }
    memcpy(to, checked.s, (size_t)checked.len + 1);
    return 0;
}

static int take_tag(const char *s, const char *tag, const char *example, struct a3mi_url *out)
{
    if (*tag == '\0') {
        return complain(s, "the tag after '/' is empty", example);
    }
    if (strchr(tag, '/') != NULL) {
        return complain(s, "there is a second '/', but a tag has none", example);
    }
    out->has_tag = true;
    return take_name(s, "tag", tag, strlen(tag), example, out->tag);
}

/* "node/tag" */
static int parse_node(const char *s, struct a3mi_url *out)
{
    const char *slash = strchr(s, '/');

    if (slash == NULL) {
        return complain(s, "it is neither an address nor a node id with a tag",
                        EXAMPLE_UDP ", or for a known node " EXAMPLE_NODE);
    }
    if (slash == s) {
        return complain(s, "the node id before '/' is empty", EXAMPLE_NODE);
    }
    out->is_node = true;
    int error = take_name(s, "node id", s, (size_t)(slash - s), EXAMPLE_NODE, out->node);

    return error != 0 ? error : take_tag(s, slash + 1, EXAMPLE_NODE, out);
}

static const char *example_of(const struct a3mi_url *url)
{
    if (strcmp(url->scheme, "inproc") == 0) {
        return EXAMPLE_INPROC;
    }
    bool colons = strchr(url->address, ':') != strrchr(url->address, ':');

    return colons || strpbrk(url->address, "[]") != NULL ? EXAMPLE_UDP6 : EXAMPLE_UDP;
}

int a3mi_url_parse(const char *s, struct a3mi_url *out)
{
    *out = (struct a3mi_url){0};
    if (s == NULL || *s == '\0') {
        return complain("", "the address is empty", EXAMPLE_UDP);
    }
    const char *slash = strchr(s, '/');

    /* A node id has no '/', so only the first one can be that of "://". */
    if (slash == NULL || slash == s || slash[-1] != ':' || slash[1] != '/') {
        return parse_node(s, out);
    }
    const char *complaint = take_scheme(s, (size_t)(slash - 1 - s), out);

    if (complaint != NULL) {
        return complain(s, complaint, EXAMPLE_UDP);
    }
    const char *address = slash + 2;
    size_t len = strcspn(address, "/");

    complaint = take_address(address, len, out);
    if (complaint != NULL) {
        return complain(s, complaint, example_of(out));
    }
    return address[len] == '/' ? take_tag(s, address + len + 1, example_of(out), out) : 0;
}
