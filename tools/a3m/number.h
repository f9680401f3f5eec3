/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as people write them: whole numbers, sizes in bytes with a suffix
 * ("4096", "64KiB", "16MiB", "1GiB"), and yes or no. Pure. All return whether
 * the whole text was one, and leave *out alone when it was not.
 */
#ifndef A3M_CLI_NUMBER_H
#define A3M_CLI_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* 0 to INT64_MAX. */
bool cli_number_parse(const char *text, int64_t *out);

/* The same with an optional suffix B, KiB, MiB or GiB. */
bool cli_size_parse(const char *text, int64_t *out);

/* "64MiB": in the largest of these units that holds `bytes` exactly. `size` of 32 suffices. */
void cli_size_format(int64_t bytes, char *buf, unsigned size);

/* 1 or 0 for: 1 0, yes no, true false, on off. */
bool cli_bool_parse(const char *text, int64_t *out);

#endif
