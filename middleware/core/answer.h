/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small packets on their way out: answers, acknowledgements, probes, which are
 * built when they are due and wait for the next output, and partings, the last
 * words of records that are gone, which are said several times. Private to core.
 */
#ifndef A3MI_ANSWER_H
#define A3MI_ANSWER_H

#include "core/state.h"

struct a3mi_answer {
    struct a3mi_fifo_node node;
    struct a3m_addr to;
    size_t size; /* of the packet */
    bool large;  /* it has room for A3MI_PACKET_MAX bytes, others for A3MI_CONTROL_PACKET_MAX */
    uint8_t bytes[];
};

/*
 * Begins a packet: its body goes to bytes + A3MI_PACKET_HEADER. NULL when too
 * many wait, or there is no memory: it is then as if it had been lost.
 */
struct a3mi_answer *a3mi_answer_new(struct a3mi_assoc *assoc, const struct a3m_addr *to);
/* The same with a body of zeros, for a packet of `size` bytes. */
struct a3mi_answer *a3mi_answer_new_of(struct a3mi_assoc *assoc, const struct a3m_addr *to, size_t size);
/* Ends it: seals it under a new transmission number and queues it. */
void a3mi_answer_send(struct a3mi_assoc *assoc, struct a3mi_answer *answer, enum a3mi_packet_type type,
                      uint64_t addressee, size_t body_size);
/* The same, given back to the caller instead of queued; it is spent. */
void a3mi_answer_spend(struct a3mi_assoc *assoc, struct a3mi_answer *answer, enum a3mi_packet_type type,
                       uint64_t addressee, size_t body_size);
/* As _send, for a packet of `asked` bytes from an unproven address: dropped when it is longer than three times that. */
void a3mi_answer_reply(struct a3mi_assoc *assoc, struct a3mi_answer *answer, enum a3mi_packet_type type,
                       uint64_t addressee, size_t body_size, size_t asked);
/* Frees what the last output lent out. */
void a3mi_answers_free_spent(struct a3mi_assoc *assoc);
void a3mi_answer_free(struct a3mi_assoc *assoc, struct a3mi_answer *answer);

/* The pools of small packets. */
void a3mi_answer_slabs_init(struct a3mi_assoc *assoc);
/* The pool of partings. */
void a3mi_parting_slab_init(struct a3mi_slab *slab);
/* Says CLOSE(s, r) to the receiver at `to`: now, and once more in a while. */
void a3mi_parting_close(struct a3mi_assoc *assoc, const struct a3m_addr *to, uint64_t s, uint64_t r);
/*
 * Says RESET(r, unknown) likewise, with the record's last acknowledgement: one that is lost is not repeated any
 * more, and its sender would not know what became of its last messages.
 */
void a3mi_parting_reset(struct a3mi_assoc *assoc, const struct a3m_addr *to, uint64_t r, uint64_t cumulative);
/* Makes a packet of the next parting that is due; NULL when none is. */
struct a3mi_answer *a3mi_parting_next(struct a3mi_assoc *assoc);
/* An output is over: when the node is leaving, what is said again is due at the next. */
void a3mi_partings_renew(struct a3mi_assoc *assoc);
void a3mi_partings_free(struct a3mi_assoc *assoc);

#endif
