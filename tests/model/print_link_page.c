/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/state-machines.md from the table of core/link_machine.c. The test check/state_machines compares the two. */
#include <stdbool.h>
#include <stdio.h>

#include "link_names.h"

static const char *const meanings[A3MI_LINK_STATES] = {
    [A3MI_LINK_REQUESTING] = "REQUEST was sent; no answer yet",
    [A3MI_LINK_RETRYING] = "waits for its interval to pass; where every link begins",
    [A3MI_LINK_UP] = "messages go both ways",
    [A3MI_LINK_ENDING] = "END was sent; the peer's answer is awaited",
    [A3MI_LINK_FINISHING] = "both have said their last number; data is still on its way",
    [A3MI_LINK_CANCELLING] = "END was sent before the link was up; the peer's answer is awaited",
    [A3MI_LINK_ABORTING] = "END was sent and the channels cut off; the peer's answer is awaited",
    [A3MI_LINK_CLOSED] = "over",
};

static struct a3mi_link_step step(int state, int event)
{
    return a3mi_link_machine((enum a3mi_link_state)state, (enum a3mi_link_event)event);
}

static const char *state_name(int state)
{
    return a3mi_link_state_name((enum a3mi_link_state)state);
}

static const char *event_name(int event)
{
    return a3mi_link_event_name((enum a3mi_link_event)event);
}

static void print_states(void)
{
    printf("| state | |\n|---|---|\n");
    for (int s = 0; s < A3MI_LINK_STATES; s++) {
        printf("| %s | %s |\n", state_name(s), meanings[s]);
    }
}

/* One arrow for all events that lead from one state to another. */
static void print_arrow(int from, int to)
{
    bool first = true;

    for (int e = 0; e < A3MI_LINK_EVENTS; e++) {
        if ((int)step(from, e).next != to) {
            continue;
        }
        if (first) {
            printf("    %s --> %s: ", state_name(from), state_name(to));
        }
        printf("%s%s", first ? "" : ", ", event_name(e));
        first = false;
    }
    if (!first) {
        printf("\n");
    }
}

static void print_diagram(void)
{
    printf("```mermaid\nstateDiagram-v2\n    [*] --> RETRYING\n");
    for (int from = 0; from < A3MI_LINK_STATES; from++) {
        for (int to = 0; to < A3MI_LINK_STATES; to++) {
            if (from != to) {
                print_arrow(from, to);
            }
        }
    }
    printf("    CLOSED --> [*]\n```\n");
}

static void print_actions(uint32_t actions)
{
    bool first = true;

#define PRINT_ACTION(name)                     \
    if ((actions & A3MI_DO_##name) != 0) {     \
        printf("%s" #name, first ? "" : ", "); \
        first = false;                         \
    }
    EACH_ACTION(PRINT_ACTION)
}

/* The events of a state that have this action and no other. */
static void print_those(int state, uint32_t action, const char *what)
{
    bool first = true;

    for (int e = 0; e < A3MI_LINK_EVENTS; e++) {
        if (step(state, e).actions == action) {
            printf("%s%s", first ? what : ", ", event_name(e));
            first = false;
        }
    }
    if (!first) {
        printf(".\n");
    }
}

static bool acts(int state, int event)
{
    return (step(state, event).actions & (A3MI_DO_IGNORE | A3MI_DO_COUNT_ODD)) == 0;
}

static void print_state(int state)
{
    bool first = true;

    printf("\n### %s\n\n", state_name(state));
    for (int e = 0; e < A3MI_LINK_EVENTS; e++) {
        if (!acts(state, e)) {
            continue;
        }
        printf("%s| %s | %s | ", first ? "| event | next | actions |\n|---|---|---|\n" : "", event_name(e),
               state_name((int)step(state, e).next));
        print_actions(step(state, e).actions);
        printf(" |\n");
        first = false;
    }
    printf("%s", first ? "" : "\n");
    print_those(state, A3MI_DO_IGNORE, "Nothing to do: ");
    print_those(state, A3MI_DO_COUNT_ODD, "Not done by a peer that conforms, and counted: ");
}

int main(void)
{
    printf(
        "# State machines\n\n"
        "Printed by `tests/model/print_link_page.c` from the table that runs; a test fails when this page is "
        "another.\nAfter a change of the table: `build/dev/tests/model/print_link_page > "
        "docs/state-machines.md`.\n\n"
        "## A link\n\n"
        "`core/link_machine.c`; what the actions are is in `core/link_machine.h`, why the table is as it is "
        "in "
        "the head of the .c file.\n\n");
    print_states();
    printf("\n");
    print_diagram();
    for (int s = 0; s < A3MI_LINK_STATES; s++) {
        print_state(s);
    }
    return 0;
}
