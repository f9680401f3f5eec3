/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node id for commands that are not given one: host name, process number and
 * a random part, so that two of them never meet.
 */
#ifndef A3M_CLI_NODEID_H
#define A3M_CLI_NODEID_H

#include <stddef.h>

/* "host-4711-9f3a51c2", at most 100 bytes. */
void cli_nodeid_make(char *buf, size_t size);

#endif
