/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts of the simulated applications (node_sim.h): what is told of a message is what was asked for, in its
 * order, once; and it is true.
 */
#include <inttypes.h>

#include "node_sim.h"

enum { ACCEPTED = A3M_RECEIPT_ACCEPTED, TAKEN = A3M_RECEIPT_TAKEN };

void sim_receipts(struct sim *sim, uint32_t node, uint32_t index, bool ask)
{
    sim->nodes[node].apps[index].asks = ask;
}

/* Whether this may be told of a message now, of which `told` was before. */
static bool is_in_order(const a3m_receipt *receipt, uint8_t asked, uint8_t told)
{
    bool both = asked == (ACCEPTED | TAKEN);
    switch (receipt->kind) {
    case A3M_RECEIPT_ACCEPTED: return told == 0 && (asked & ACCEPTED) != 0 && receipt->last == !both;
    case A3M_RECEIPT_TAKEN: return told == (both ? ACCEPTED : 0) && (asked & TAKEN) != 0 && receipt->last;
    case A3M_RECEIPT_UNDELIVERED: return told == 0 && receipt->last && !receipt->accepted;
    case A3M_RECEIPT_UNKNOWN:
        return receipt->last && (told == 0 || told == ACCEPTED) && (receipt->accepted || told == 0);
    }
    return false;
}

static void told(void *arg, const a3m_receipt *receipt)
{
    struct sim *sim = sim_current;
    struct sim_life *life = sim->book.lives[receipt->id >> 32];
    uint32_t number = (uint32_t)receipt->id;
    bool bad = receipt->kind == A3M_RECEIPT_UNDELIVERED || receipt->kind == A3M_RECEIPT_UNKNOWN;
    (void)arg;
    if (number >= life->sent || !is_in_order(receipt, life->asked[number], life->told[number]) ||
        bad != (receipt->reason != 0)) {
        sim_fail(
            sim, "of message %u of life %u (asked %u, told %u) this is told: kind %d, last %d, reason %d",
            number, life->id, number < life->sent ? life->asked[number] : 0,
            number < life->sent ? life->told[number] : 0, (int)receipt->kind, receipt->last, receipt->reason);
        return;
    }
    if (receipt->kind == A3M_RECEIPT_TAKEN && life->delivered[number] != 1) {
        sim_fail(sim, "message %u of life %u is said to be taken, and is not", number, life->id);
    }
    life->told[number] |= (uint8_t)receipt->kind;
    life->owner->receipts -= receipt->last;
    sim->receipts[receipt->kind == A3M_RECEIPT_ACCEPTED ? 0
                  : receipt->kind == A3M_RECEIPT_TAKEN  ? 1
                                                        : bad + 1]++;
}

void sim_receipt_ask(struct sim_app *app, a3m_msg *msg)
{
    uint64_t number = app->life->sent;
    unsigned kinds = app->asks ? (unsigned)(1 + number % 3) : 0;
    if (kinds != 0 &&
        a3m_msg_set_receipt(msg, kinds, (uint64_t)app->life->id << 32 | number, told, NULL) != A3M_OK) {
        sim_fail(app->node->sim, "a receipt cannot be asked for");
    }
}

void sim_receipt_sent(struct sim_life *life, unsigned kinds)
{
    life->asked[life->sent - 1] = (uint8_t)kinds;
    life->owner->receipts += kinds != 0;
}

void sim_receipts_check(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->book.count; i++) {
        const struct sim_life *life = sim->book.lives[i];
        for (uint32_t j = 0; j < life->sent; j++) {
            if ((life->told[j] & A3M_RECEIPT_UNDELIVERED) != 0 && life->delivered[j] != 0) {
                sim_fail(sim, "message %u of life %u was delivered, and is said not to be", j, i);
            }
        }
    }
    for (uint32_t i = 0; i < sim->book.owner_count; i++) {
        if (sim->book.owners[i]->receipts != 0 && !sim->nodes[sim->book.owners[i]->node].alive) {
            sim_fail(sim, "node %u is over, and %" PRIu64 " of its messages have no outcome",
                     sim->book.owners[i]->node, sim->book.owners[i]->receipts);
        }
    }
}
