/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd(2) as a bell: non-blocking, close-on-exec, any number of rings is one.
 * Ringing and silencing are raw system calls: no cancellation points.
 */
#ifndef A3MI_EVENTFD_H
#define A3MI_EVENTFD_H

/* A3M_EMFILE, A3M_ENOMEM, A3M_EOS; *fd is -1 then. */
int a3mi_eventfd_open(int *fd);

/* Makes it readable. */
void a3mi_eventfd_write(int fd);

/* Makes it unreadable. */
void a3mi_eventfd_drain(int fd);

/*
 * The calling thread's own bell, opened at its first use and closed when the thread ends; silent between
 * two sleeps. A3M_EMFILE, A3M_ENOMEM, A3M_EOS.
 */
int a3mi_eventfd_of_thread(int *fd);

#endif
