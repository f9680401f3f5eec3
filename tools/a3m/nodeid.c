/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up node ids. The process number alone would recur in containers, where
 * it tends to be 1.
 */
#include "nodeid.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint32_t random_part(void)
{
    uint32_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == (ssize_t)sizeof number) {
        return number;
    }
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint32_t)now.tv_nsec * UINT32_C(2654435761); /* early in the boot, without entropy */
}

void cli_nodeid_make(char *buf, size_t size)
{
    char host[65] = "";
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        host[0] = 'a';
        host[1] = '\0';
    }
    for (char *p = host; *p != '\0'; p++) {
        /* What a name may not hold (and what no host name should). */
        if (*p == '/' || (unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f) {
            *p = '-';
        }
    }
    (void)snprintf(buf, size, "%s-%ld-%08x", host, (long)getpid(), random_part());
}
