/* SPDX-License-Identifier: Apache-2.0 */
/* Without the pusher's fence messages are stranded: the fence is needed, and the litmus test would notice. */
#define A3MI_LITMUS_NO_PUSH_FENCE 1
#include "outbox_litmus.h"

int main(void)
{
    return litmus_main("without the pusher's fence", true);
}
