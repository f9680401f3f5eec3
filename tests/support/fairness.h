/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How evenly threads that send through a slow receiver are served: half of them on one link, half on any, which is
 * that link as well, so that all compete for the same credit. Shared by the benchmark and the test; on its own feet.
 */
#ifndef A3M_TEST_FAIRNESS_H
#define A3M_TEST_FAIRNESS_H

#include <stdbool.h>
#include <stdint.h>

enum { FAIRNESS_THREADS = 8 };

struct fairness_plan {
    bool fair; /* A3M_OPT_FAIR */
    uint64_t sends;
    int64_t credit;  /* messages */
    int64_t work_ns; /* of the receiver, for each message */
};

struct fairness_result {
    uint64_t shares[FAIRNESS_THREADS]; /* sends of each thread: even ones on one link, odd ones on any */
    int64_t ns;
    double worst; /* how far the share of a thread is from an even one, at most: 0.05 are 5 % */
};

/* 0, or an error code of A3M. */
int fairness_run(const struct fairness_plan *plan, struct fairness_result *result);

#endif
