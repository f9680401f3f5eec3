/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean": finds, among names, the one that a mistyped word is nearest
 * to. Pure; feed it the candidates one by one.
 */
#ifndef A3M_CLI_SUGGEST_H
#define A3M_CLI_SUGGEST_H

struct cli_suggest {
    const char *word; /* borrowed, as all candidates */
    const char *best; /* NULL as long as nothing is near enough to be meant */
    unsigned distance;
};

void cli_suggest_init(struct cli_suggest *suggest, const char *word);
void cli_suggest_consider(struct cli_suggest *suggest, const char *candidate);

#endif
