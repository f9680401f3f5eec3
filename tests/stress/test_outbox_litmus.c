/* SPDX-License-Identifier: Apache-2.0 */
/* Both fences in their places: no message is ever stranded. */
#include "outbox_litmus.h"

int main(void)
{
    return litmus_main("both fences", false);
}
