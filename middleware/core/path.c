/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of records (core/path.h). */
#include "core/path.h"

#include "base/addr.h"
#include "core/answer.h"
#include "core/mutation.h"

void a3mi_path_init(struct a3mi_path *path, const struct a3m_addr *addr)
{
    *path = (struct a3mi_path){.addr = *addr};
}

static void challenge(struct a3mi_assoc *assoc, struct a3mi_path *path, const struct a3m_addr *from,
                      uint64_t own, uint64_t other)
{
    bool again = path->nonce != 0 && a3mi_addr_eq(&path->candidate, from);

    if (again && assoc->now - path->challenged_at < A3MI_CHALLENGE_GAP) {
        return;
    }
    struct a3mi_answer *answer = a3mi_answer_new(assoc, from);

    if (answer == NULL) {
        return;
    }
    if (!again) {
        path->candidate = *from;
        path->nonce = a3mi_assoc_hide(assoc, a3mi_assoc_tick_clock(assoc));
    }
    path->challenged_at = assoc->now;
    struct a3mi_challenge body = {.author = own, .nonce = path->nonce};

    a3mi_answer_send(assoc, answer, A3MI_PACKET_CHALLENGE, other,
                     a3mi_challenge_write(answer->bytes + A3MI_PACKET_HEADER, &body));
}

void a3mi_path_heard(struct a3mi_assoc *assoc, struct a3mi_path *path, const struct a3m_addr *from,
                     uint64_t number, uint64_t own, uint64_t other)
{
    if (number <= path->newest) {
        return;
    }
    path->newest = number;
    if (a3mi_addr_eq(&path->addr, from)) {
        path->nonce = A3MI_MUTATE(LATE_RESPONSE, path->nonce, 0);
    } else if (A3MI_MUTATE(NOT_FOLLOWED, false, true)) {
        challenge(assoc, path, from, own, other);
    }
}

void a3mi_path_move(struct a3mi_path *path, const struct a3m_addr *addr)
{
    path->addr = *addr;
    path->nonce = A3MI_MUTATE(LATE_RESPONSE, path->nonce, 0);
}

bool a3mi_path_answered(struct a3mi_path *path, const struct a3m_addr *from, uint64_t nonce)
{
    if (path->nonce == 0 || nonce != path->nonce ||
        A3MI_MUTATE(ANY_RESPONSE, false, !a3mi_addr_eq(&path->candidate, from))) {
        return false;
    }
    path->nonce = 0;
    return true;
}
