/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of endpoints. "SCHEME://REST" is an address, what has no "://" is
 * "ID/TAG".
 */
#include "endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "report.h"

/* What stands behind the host and port of a udp URL: "" or "/…". NULL for other schemes. */
static const char *udp_path(const char *url)
{
    if (strncmp(url, "udp://", 6) != 0) {
        return NULL;
    }
    return url + 6 + strcspn(url + 6, "/");
}

/* An address without a socket's name, for --bind and --peer. */
static enum cli_status check_address(const char *option, const char *url)
{
    if (strstr(url, "://") == NULL) {
        return cli_usage("%s '%s': an address begins with its transport; write udp://%s", option, url,
                         url[0] == '\0' ? "HOST:PORT" : url);
    }
    const char *path = udp_path(url);
    if (path != NULL && path[0] == '/') {
        return cli_usage("%s '%s': an address ends with its port; write %.*s%s", option, url,
                         (int)(path - url), url,
                         path[1] == '\0'                 ? ""
                         : strcmp(option, "--bind") == 0 ? ", and the name with --socket"
                                                         : "");
    }
    return CLI_DONE;
}

static bool has_peer(const struct cli_options *options, const char *id, size_t size)
{
    for (size_t i = 0; i < options->peers.n; i++) {
        const char *peer = options->peers.items[i];
        if (strncmp(peer, id, size) == 0 && peer[size] == '=') {
            return true;
        }
    }
    return false;
}

static enum cli_status check_link(const struct cli_options *options, const char *peer)
{
    if (strstr(peer, "://") != NULL) {
        const char *path = udp_path(peer);
        if (path != NULL && (path[0] == '\0' || path[1] == '\0')) {
            return cli_usage("--link '%s': the name of the peer's socket is missing; write %.*s/TAG", peer,
                             (int)(path - peer), peer);
        }
        return CLI_DONE;
    }
    const char *slash = strchr(peer, '/');
    if (slash == NULL || slash == peer || slash[1] == '\0') {
        return cli_usage("--link '%s': write udp://HOST:PORT/TAG, or ID/TAG", peer);
    }
    size_t size = (size_t)(slash - peer);
    if (strchr(peer, ':') != NULL && !has_peer(options, peer, size)) {
        return cli_usage("--link '%s': an address begins with its transport; write udp://%s", peer, peer);
    }
    if (!has_peer(options, peer, size)) {
        return cli_usage(
            "--link '%s': the address of node '%.*s' is not known; add --peer %.*s=udp://HOST:PORT, or "
            "write --link udp://HOST:PORT%s",
            peer, (int)size, peer, (int)size, peer, slash);
    }
    return CLI_DONE;
}

enum cli_status cli_endpoint_split_peer(const char *text, char *id, const char **url)
{
    /* An id may hold '=': the last one before the scheme is the one that divides. */
    const char *scheme = strstr(text, "://");
    const char *end = scheme == NULL ? text + strlen(text) : scheme;
    const char *equals = memrchr(text, '=', (size_t)(end - text));
    if (equals == NULL || equals == text || equals[1] == '\0') {
        return cli_usage("--peer '%s': write ID=URL, as in server=udp://192.0.2.7:7101", text);
    }
    size_t size = (size_t)(equals - text);
    if (size > A3M_NAME_MAX) {
        return cli_usage("--peer: the id has %zu bytes; at most %d", size, A3M_NAME_MAX);
    }
    memcpy(id, text, size);
    id[size] = '\0';
    *url = equals + 1;
    return check_address("--peer", *url);
}

enum cli_status cli_endpoint_check(const struct cli_options *options)
{
    enum cli_status status = CLI_DONE;
    if (options->bind == NULL && options->links.n == 0) {
        return cli_usage(
            "no peer can be reached; give --link PEER to link to one, or --bind URL to be found by some");
    }
    if (options->bind != NULL) {
        status = check_address("--bind", options->bind);
    }
    for (size_t i = 0; i < options->peers.n && status == CLI_DONE; i++) {
        char id[A3M_NAME_MAX + 1];
        const char *url;
        status = cli_endpoint_split_peer(options->peers.items[i], id, &url);
    }
    for (size_t i = 0; i < options->links.n && status == CLI_DONE; i++) {
        status = check_link(options, options->links.items[i]);
    }
    return status;
}
