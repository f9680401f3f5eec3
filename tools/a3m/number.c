/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers, sizes, yes and no.
 */
#include "number.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The digits that `text` begins with; returns what stands behind them, NULL when there are none or too many. */
static const char *parse_digits(const char *text, int64_t *out)
{
    int64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n)) {
            return NULL;
        }
    }
    if (p == text) {
        return NULL;
    }
    *out = n;
    return p;
}

bool cli_number_parse(const char *text, int64_t *out)
{
    int64_t n;
    const char *rest = parse_digits(text, &n);
    if (rest == NULL || *rest != '\0') {
        return false;
    }
    *out = n;
    return true;
}

static const struct {
    const char *suffix;
    int64_t bytes;
} suffixes[] = {{"B", 1}, {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

enum { SUFFIXES = sizeof suffixes / sizeof suffixes[0] };

bool cli_size_parse(const char *text, int64_t *out)
{
    int64_t n;
    const char *rest = parse_digits(text, &n);
    if (rest == NULL) {
        return false;
    }
    for (size_t i = 0; i < SUFFIXES; i++) {
        if (strcmp(rest, suffixes[i].suffix) == 0) {
            return !__builtin_mul_overflow(n, suffixes[i].bytes, out);
        }
    }
    return false;
}

void cli_size_format(int64_t bytes, char *buf, unsigned size)
{
    size_t i = SUFFIXES - 1;
    while (suffixes[i].bytes > 1 && (bytes == 0 || bytes % suffixes[i].bytes != 0)) {
        i--;
    }
    (void)snprintf(buf, size, "%" PRId64 "%s", bytes / suffixes[i].bytes, suffixes[i].suffix);
}

bool cli_bool_parse(const char *text, int64_t *out)
{
    static const char *const words[2][4] = {{"0", "no", "false", "off"}, {"1", "yes", "true", "on"}};
    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 4; i++) {
            if (strcmp(text, words[value][i]) == 0) {
                *out = value;
                return true;
            }
        }
    }
    return false;
}
