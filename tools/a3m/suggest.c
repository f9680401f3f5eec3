/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearness: the number of insertions, deletions, replacements and swaps of
 * neighbours (optimal string alignment), or one being the beginning of the other.
 */
#include "suggest.h"

#include <stddef.h>
#include <string.h>

enum { LONGEST = 40 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance_between(const char *a, size_t n, const char *b, size_t m)
{
    /* Row i is the distance of a's first i bytes to each beginning of b; only three rows are alive. */
    unsigned rows[3][LONGEST + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i - 1) % 3];
        const unsigned *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[n % 3][m];
}

void cli_suggest_init(struct cli_suggest *suggest, const char *word)
{
    *suggest = (struct cli_suggest){.word = word, .best = NULL, .distance = 0};
}

void cli_suggest_consider(struct cli_suggest *suggest, const char *candidate)
{
    size_t n = strlen(suggest->word);
    size_t m = strlen(candidate);
    if (n == 0 || n > LONGEST || m > LONGEST) {
        return;
    }
    unsigned distance = distance_between(suggest->word, n, candidate, m);
    size_t shorter = n < m ? n : m;
    int begins = shorter >= 2 && strncmp(suggest->word, candidate, shorter) == 0;
    if (!begins && distance > (shorter >= 5 ? 2U : 1U)) {
        return;
    }
    if (suggest->best == NULL || distance < suggest->distance) {
        suggest->best = candidate;
        suggest->distance = distance;
    }
}
