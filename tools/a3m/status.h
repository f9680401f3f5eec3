/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exit codes of the command. They are part of its interface: a3m(1) lists them
 * and scripts rely on them. Pure; no state.
 */
#ifndef A3M_CLI_STATUS_H
#define A3M_CLI_STATUS_H

enum cli_status {
    CLI_DONE = 0,
    CLI_OTHER = 1,     /* any failure that has no code of its own */
    CLI_USAGE = 2,     /* the command line is wrong */
    CLI_TIMED_OUT = 3, /* a time limit that was given has passed */
    CLI_REFUSED = 4,   /* the peer refused */
    CLI_UNKNOWN = 5,   /* a message may have been delivered, or not */
};

/* The exit code for an A3M_E… code (0: CLI_DONE). */
enum cli_status cli_status_of(int code);

/* The one of the two that says more: unknown, usage, refused, timed out, other, done. */
enum cli_status cli_status_worse(enum cli_status a, enum cli_status b);

#endif
