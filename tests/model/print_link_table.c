/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the table of core/link_machine.c as Promela: names of states, events
 * and actions, and look_up(state, event), which sets `next` and `actions`. So
 * link.pml has the table that the product has.
 */
#include <stdio.h>

#include "link_names.h"

#define PAIRS (A3MI_LINK_STATES * A3MI_LINK_EVENTS)

int main(void)
{
    printf("/* Of core/link_machine.c, by print_link_table.c. */\n");
#define STATE(name)  printf("#define %s %d\n", #name, A3MI_LINK_##name);
#define EVENT(name)  printf("#define ON_%s %d\n", #name, A3MI_ON_##name);
#define ACTION(name) printf("#define DO_%s %u\n", #name, (unsigned)A3MI_DO_##name);
    EACH_STATE(STATE)
    EACH_EVENT(EVENT)
    EACH_ACTION(ACTION)
    printf("hidden byte next_of[%d];\nhidden short actions_of[%d];\n", PAIRS, PAIRS);
    printf("inline fill_table()\n{\n");
    for (int s = 0; s < A3MI_LINK_STATES; s++) {
        for (int e = 0; e < A3MI_LINK_EVENTS; e++) {
            struct a3mi_link_step step = a3mi_link_machine((enum a3mi_link_state)s, (enum a3mi_link_event)e);
            int pair = s * A3MI_LINK_EVENTS + e;

            printf("    next_of[%d] = %d; actions_of[%d] = %u;\n", pair, (int)step.next, pair,
                   (unsigned)step.actions);
        }
    }
    printf("    skip\n}\n");
    printf("inline look_up(state_, event_)\n{\n    next = next_of[state_ * %d + event_];\n",
           A3MI_LINK_EVENTS);
    printf("    actions = actions_of[state_ * %d + event_]\n}\n", A3MI_LINK_EVENTS);
    return 0;
}
