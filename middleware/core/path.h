/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the other end of a record is. Records are found by id, so packets may
 * come from anywhere; one that is newer than all before and comes from a new
 * address starts a CHALLENGE there, and the RESPONSE moves the record. One that is
 * newer and comes from where the record is ends the CHALLENGE, and so does a
 * move for another reason: a RESPONSE that comes late would move the record back
 * to where its other end was before. Private to core.
 */
#ifndef A3MI_PATH_H
#define A3MI_PATH_H

#include "core/state.h"

/* No CHALLENGE is repeated sooner. */
#define A3MI_CHALLENGE_GAP INT64_C(100000000)

struct a3mi_path {
    struct a3m_addr addr;
    uint64_t newest; /* transmission number received on this record */
    struct a3m_addr candidate;
    uint64_t nonce; /* of the CHALLENGE to `candidate`; 0: none */
    int64_t challenged_at;
};

void a3mi_path_init(struct a3mi_path *path, const struct a3m_addr *addr);

/*
 * A packet that fits the record came: `own` and `other` are the ids of the two
 * ends of the half-connection, `own` being this node's.
 */
void a3mi_path_heard(struct a3mi_assoc *assoc, struct a3mi_path *path, const struct a3m_addr *from,
                     uint64_t number, uint64_t own, uint64_t other);

/* The other end is there: nobody is asked any more. */
void a3mi_path_move(struct a3mi_path *path, const struct a3m_addr *addr);

/* A RESPONSE: true when it answers the CHALLENGE; the caller then moves the records of that incarnation. */
bool a3mi_path_answered(struct a3mi_path *path, const struct a3m_addr *from, uint64_t nonce);

#endif
