/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exit codes: one table from the library's errors, one order of gravity.
 */
#include "status.h"

#include <stddef.h>

#include <a3m/a3m.h>

static const struct {
    int code;
    enum cli_status status;
} table[] = {
    {A3M_OK, CLI_DONE},
    {A3M_EINVAL, CLI_USAGE},
    {A3M_ETIMEDOUT, CLI_TIMED_OUT},
    {A3M_EREFUSED, CLI_REFUSED},
    {A3M_EINCOMPATIBLE, CLI_REFUSED},
    {A3M_ENOTREADY, CLI_REFUSED},
    {A3M_ERESTARTED, CLI_UNKNOWN},
    {A3M_ESILENT, CLI_UNKNOWN},
};

enum cli_status cli_status_of(int code)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code) {
            return table[i].status;
        }
    }
    return CLI_OTHER;
}

enum cli_status cli_status_worse(enum cli_status a, enum cli_status b)
{
    static const int gravity[] = {
        [CLI_DONE] = 0,    [CLI_OTHER] = 1, [CLI_TIMED_OUT] = 2,
        [CLI_REFUSED] = 3, [CLI_USAGE] = 4, [CLI_UNKNOWN] = 5,
    };
    return gravity[a] >= gravity[b] ? a : b;
}
