/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of CUBIC, RFC 9438 (core/congestion.h has the interface). Windows in
 * bytes, times in nanoseconds but for K. Private to the controller.
 */
#ifndef A3MI_CUBIC_H
#define A3MI_CUBIC_H

#include "core/hystart.h"

/* What one congestion event changes, so that one that was none can be taken back (4.9). */
struct a3mi_cubic_epoch {
    uint64_t threshold; /* slow start below it */
    uint64_t w_max;     /* the plateau: the window before the event, or less (fast convergence) */
    uint64_t w_est;     /* what Reno would have */
    uint64_t prior;     /* the window before the event */
    int64_t begin;      /* of congestion avoidance; INT64_MIN: not yet */
    int64_t k;          /* from then until the plateau, in 1/1024 s */
};

struct a3mi_cubic {
    struct a3mi_cubic_epoch epoch;
    struct a3mi_hystart hystart;
    uint64_t growth;     /* bytes times bytes of window, not yet added to the window */
    uint64_t est_growth; /* the same for w_est */
    int64_t last_ack;
    int64_t recovery_at; /* what was sent before belongs to a loss that was answered */
    bool after_collapse; /* the next congestion avoidance begins at its plateau (4.8) */

    struct a3mi_cubic_epoch undo; /* before the last event */
    uint64_t undo_window;
    uint32_t undo_losses; /* of the last event that may still turn out to be none; 0: nothing to undo */
};

#endif
