/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where peers are, as the command line says it: --bind, --link and --peer.
 * Finds the mistakes that are made at a shell, and says what to write instead;
 * the finer grammar of addresses is the library's. Reports what is wrong.
 */
#ifndef A3M_CLI_ENDPOINT_H
#define A3M_CLI_ENDPOINT_H

#include <a3m/a3m.h>

#include "options.h"
#include "status.h"

/* Checks all of them, and that there is any. */
enum cli_status cli_endpoint_check(const struct cli_options *options);

/* "ID=URL" in two. `id` has A3M_NAME_MAX + 1 bytes; *url points into `text`. */
enum cli_status cli_endpoint_split_peer(const char *text, char *id, const char **url);

#endif
