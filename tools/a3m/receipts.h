/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting until what was sent has been taken: asks for a receipt of each
 * message, counts them as they are told on the node's threads, and lets the main
 * thread wait for the last one.
 */
#ifndef A3M_CLI_RECEIPTS_H
#define A3M_CLI_RECEIPTS_H

#include <stdatomic.h>
#include <stdint.h>

#include <a3m/a3m.h>

#include "status.h"

struct cli_receipts {
    int fd; /* readable once the last one was told */
    _Atomic uint64_t taken, untaken, told;
    _Atomic uint64_t wanted; /* how many there will be; UINT64_MAX: not known yet */
};

/* Until `fini`, which comes after the node was closed. */
enum cli_status cli_receipts_init(struct cli_receipts *receipts);
void cli_receipts_fini(struct cli_receipts *receipts);

/* Before it is sent. */
enum cli_status cli_receipts_ask(struct cli_receipts *receipts, a3m_msg *msg);

/*
 * Waits until all of `sent` messages have an outcome; two seconds at most once the command was interrupted. Says
 * what is missing at the deadline.
 */
enum cli_status cli_receipts_wait(struct cli_receipts *receipts, uint64_t sent, a3m_time deadline);

/* After the node was closed: says of how many that were accepted nobody knows whether they were taken. */
enum cli_status cli_receipts_judge(const struct cli_receipts *receipts);

#endif
