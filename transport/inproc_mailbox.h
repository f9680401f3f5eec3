/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded mailbox of packets: many threads post, one takes. Its descriptor is
 * readable while something waits. Posting to a full mailbox loses the packet,
 * as a network would, and counts it.
 *
 * Counted references: the owner closes it, and the memory goes with the last
 * reference; after `close` nothing is left of it but a few words that say so.
 * The mutex is a leaf: nothing is locked under it.
 */
#ifndef A3MI_INPROC_MAILBOX_H
#define A3MI_INPROC_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/transport.h>

enum {
    A3MI_MAILBOX_PACKETS = 4096,
    A3MI_MAILBOX_BYTES = 8 << 20,
    A3MI_MAILBOX_PACKET_MAX = 16384 + 256, /* a message of 16 KiB with what is put around it */
};

struct a3mi_mailbox;

/* One reference, the caller's. A3M_ENOMEM, A3M_EMFILE, A3M_EOS. */
int a3mi_mailbox_new(struct a3mi_mailbox **out);

void a3mi_mailbox_ref(struct a3mi_mailbox *m);
void a3mi_mailbox_unref(struct a3mi_mailbox *m);

/*
 * Posts copies of `n` packets, each at most A3MI_MAILBOX_PACKET_MAX bytes. What
 * does not fit, or finds no memory, is lost. False, with nothing done, when the
 * mailbox is closed. Any thread; wakes the taker at most once.
 */
bool a3mi_mailbox_post(struct a3mi_mailbox *m, const struct a3m_addr *from,
                       const struct a3m_packet_out *packets, size_t n);

/*
 * Takes up to `max` packets, oldest first. Their bytes are writable, and valid
 * until the next call or close. One thread at a time.
 */
size_t a3mi_mailbox_take(struct a3mi_mailbox *m, struct a3m_packet_in *out, size_t max);

/* The descriptor; constant until close. */
int a3mi_mailbox_fd(const struct a3mi_mailbox *m);

/* Packets lost so far. Any thread. */
uint64_t a3mi_mailbox_lost(struct a3mi_mailbox *m);

/*
 * Frees the packets and closes the descriptor; waits for posts that are about
 * to wake the taker (a system call of another thread at most). Not while a take
 * is under way. The reference stays the caller's.
 */
void a3mi_mailbox_close(struct a3mi_mailbox *m);

#endif
