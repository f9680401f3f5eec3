/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include <stdatomic.h>
#include <stdio.h>

#include <a3m/a3m.h>

enum { PRINTED = 20 };

static _Atomic unsigned failures;

bool verdict_check(bool good, const char *what, const char *file, int line)
{
    if (!good && atomic_fetch_add(&failures, 1) < PRINTED) {
        (void)fprintf(stderr, "%s:%d: not %s (%s)\n", file, line, what, a3m_error_detail());
    }
    return good;
}

unsigned verdict_failures(void)
{
    return atomic_load(&failures);
}

int verdict_forget(void **state)
{
    (void)state;
    atomic_store(&failures, 0);
    return 0;
}
