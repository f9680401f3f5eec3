/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest program on an installed A3M: uses the headers, and calls into the library. */
#include <a3m/a3m.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    char headers[32];
    (void)snprintf(headers, sizeof headers, "%d.%d.%d", A3M_VERSION_MAJOR, A3M_VERSION_MINOR,
                   A3M_VERSION_PATCH);
    printf("headers %s, library %s\n", headers, a3m_version());
    return strcmp(headers, a3m_version()) != 0;
}
