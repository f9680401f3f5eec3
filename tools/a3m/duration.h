/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths of time as people write them: a number, decimals allowed, and a unit:
 * "500us", "20ms", "1.5s", "1m". Units: ns us ms s m h. Pure, exact to the
 * nanosecond.
 */
#ifndef A3M_CLI_DURATION_H
#define A3M_CLI_DURATION_H

#include <a3m/time.h>

enum cli_duration_fault {
    CLI_DURATION_OK,
    CLI_DURATION_NO_UNIT, /* a plain number */
    CLI_DURATION_BAD,     /* no duration */
    CLI_DURATION_TOO_LONG,
    CLI_DURATION_TOO_FINE, /* parts of a nanosecond */
};

enum cli_duration_fault cli_duration_parse(const char *text, a3m_duration *out);

/* What is wrong and what to write instead, for a message that has quoted the text. Static storage. */
const char *cli_duration_explain(enum cli_duration_fault fault);

/* "2s", "1.5ms": the largest unit that fits, without zeros at the end. `size` of 32 suffices. */
void cli_duration_format(a3m_duration d, char *buf, unsigned size);

#endif
