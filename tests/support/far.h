/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of its own for the other end of a link: it can be killed, and it
 * shares no processor time, lock or socket with the test. Forked before the
 * test makes its first node, without exec. Both sides talk in lines over a pair
 * of sockets, and wait for one another as long as the other lives.
 */
#ifndef A3M_TEST_FAR_H
#define A3M_TEST_FAR_H

#include <stddef.h>
#include <sys/types.h>

struct far {
    pid_t pid;
    int fd; /* this process's end */
};

/* Runs body(fd) in a child, which ends with it, or with this process. */
void far_start(struct far *far, void (*body)(int fd));

/* One line, without its newline; at most 511 bytes. */
void far_say(int fd, const char *line);
void far_hear(int fd, char *line, size_t size);

/* Kills the process, and returns once it is gone. Nothing to do when it is already. */
void far_kill(struct far *far);

#endif
