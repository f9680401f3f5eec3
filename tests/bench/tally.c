/* SPDX-License-Identifier: Apache-2.0 */
/* The turns of a one-way measurement; see tally.h. */
#include "bench/tally.h"

void bench_tally_turn(struct bench_tally *tally, const struct bench_mark *mark)
{
    switch (mark->kind) {
    case BENCH_MARK_WARM: break;
    case BENCH_MARK_DATA: tally->begun = true; break;
    case BENCH_MARK_END:
        tally->ended = true;
        tally->sent = mark->sent;
        break;
    default: tally->wrong++; break;
    }
}
