/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of socket options. */
#include "node/node.h"

#include <string.h>

#include "base/error.h"

#define MS      INT64_C(1000000)
#define MIB     (INT64_C(1) << 20)
#define LONGEST (INT64_C(365) * 24 * 3600 * 1000 * MS)

static const a3m_option_info table[] = {
    {A3M_OPT_LINK_RETRY_MIN, "link-retry-min", A3M_OPTION_DURATION, 50 * MS, MS / 10, LONGEST,
     "first interval between requests for a link"},
    {A3M_OPT_LINK_RETRY_MAX, "link-retry-max", A3M_OPTION_DURATION, 2000 * MS, 0, LONGEST,
     "the interval doubles up to this; 0: it stays at the minimum"},
    {A3M_OPT_LINK_ATTEMPTS, "link-attempts", A3M_OPTION_INT, 0, 0, UINT32_MAX,
     "give a link up after so many requests; 0: never"},
    {A3M_OPT_CREDIT_MESSAGES, "credit-messages", A3M_OPTION_INT, 1000, 1, INT64_C(1) << 40,
     "messages granted to the peer of each link"},
    {A3M_OPT_CREDIT_BYTES, "credit-bytes", A3M_OPTION_BYTES, MIB, 1, INT64_C(1) << 40,
     "bytes granted to the peer of each link"},
    {A3M_OPT_MAX_MESSAGE, "max-message", A3M_OPTION_BYTES, 64 * MIB, 0, 1024 * MIB,
     "the largest message this socket takes"},
    {A3M_OPT_MAX_LINKS, "max-links", A3M_OPTION_INT, 0, 0, UINT32_MAX,
     "refuse further links for now when there are so many; 0: no limit"},
    {A3M_OPT_INCOMING, "incoming", A3M_OPTION_BOOL, 1, 0, 1, "whether peers may ask for links"},
    {A3M_OPT_EINTR, "eintr", A3M_OPTION_BOOL, 0, 0, 1, "whether blocking calls return after a signal"},
    {A3M_OPT_HEARTBEAT, "heartbeat", A3M_OPTION_DURATION, 1000 * MS, 0, LONGEST,
     "how often a peer whose answer is awaited is asked whether it is there; 0: never"},
    {A3M_OPT_ORDERED, "ordered", A3M_OPTION_BOOL, 1, 0, 1,
     "whether what is sent on a link arrives in order; REQ and REP: 0"},
    {A3M_OPT_FAIR, "fair", A3M_OPTION_BOOL, 0, 0, 1,
     "whether threads that wait are served in their order, and not passed"},
    {A3M_OPT_CREDIT_BATCH, "credit-batch", A3M_OPTION_INT, 25, 1, 100,
     "percent of the credit that are taken before it is returned"},
    {A3M_OPT_EVENTS, "events", A3M_OPTION_INT, 0, 0, 4096,
     "how many events of links are kept until they are read; 0: none"},
    {A3M_OPT_LINK_RETRY_JITTER, "link-retry-jitter", A3M_OPTION_INT, 0, 0, 100,
     "each interval is longer by up to so many percent, at random"},
};

#define ROWS (sizeof(table) / sizeof(table[0]))

const a3m_option_info *a3m_option_describe(a3m_option option)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (table[i].option == option) {
            return &table[i];
        }
    }
    return NULL;
}

const a3m_option_info *a3m_option_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

void a3mi_options_init(struct a3mi_options *options)
{
    memset(options, 0, sizeof(*options));
    for (size_t i = 0; i < ROWS; i++) {
        options->values[table[i].option] = table[i].default_value;
    }
}

int a3mi_options_set(struct a3mi_options *options, a3m_option option, int64_t value)
{
    const a3m_option_info *info = a3m_option_describe(option);
    if (info == NULL) {
        return a3mi_fail(A3M_EINVAL, "there is no option number %d", (int)option);
    }
    if (value < info->min || value > info->max) {
        return a3mi_fail(A3M_EINVAL, "option %s: %lld is not in %lld to %lld", info->name, (long long)value,
                         (long long)info->min, (long long)info->max);
    }
    options->values[option] = value;
    return A3M_OK;
}

int a3mi_options_get(const struct a3mi_options *options, a3m_option option, int64_t *value)
{
    if (a3m_option_describe(option) == NULL) {
        return a3mi_fail(A3M_EINVAL, "there is no option number %d", (int)option);
    }
    *value = options->values[option];
    return A3M_OK;
}
