/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes of plans, and shrinking (node_shrink.h). */
#include "node_shrink.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct search {
    const char *failure;
    unsigned seconds, tried;
};

void sim_outcome_of(const struct sim_plan *plan, struct sim_outcome *out, FILE *dump)
{
    static struct sim sim;
    sim_plan_play(plan, &sim);
    *out = (struct sim_outcome){.failed = sim.failed,
                                .hash = sim.net.hash,
                                .turns = sim.turns,
                                .messages = sim.messages,
                                .packets = sim.net.sent,
                                .lost = sim.net.lost};
    memcpy(out->failure, sim.failure, sizeof(out->failure));
    if (sim.failed && dump != NULL) {
        sim_dump(&sim, dump);
    }
    sim_fini(&sim);
}

static _Noreturn void be_child(const struct sim_plan *plan, unsigned seconds, int fd)
{
    struct sim_outcome outcome;
    (void)alarm(seconds);
    sim_outcome_of(plan, &outcome, NULL);
    _exit(write(fd, &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome) ? 0 : 1);
}

void sim_outcome_apart(const struct sim_plan *plan, unsigned seconds, struct sim_outcome *out)
{
    int fds[2], status = 0;
    *out = (struct sim_outcome){.failed = true, .failure = "no child process could be made"};
    if (pipe(fds) != 0) {
        return;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        be_child(plan, seconds, fds[1]);
    }
    (void)close(fds[1]);
    ssize_t n = child > 0 ? read(fds[0], out, sizeof(*out)) : 0;
    (void)close(fds[0]);
    if (child > 0 && waitpid(child, &status, 0) == child && n != (ssize_t)sizeof(*out)) {
        *out = (struct sim_outcome){.failed = true};
        (void)snprintf(out->failure, sizeof(out->failure),
                       WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "it ran for more than %u s"
                                                                          : "it crashed",
                       seconds);
    }
}

/* Whether two texts are the same but for their numbers. */
static bool same_kind(const char *a, const char *b)
{
    for (;;) {
        a += strspn(a, "0123456789");
        b += strspn(b, "0123456789");
        if (*a != *b) {
            return false;
        }
        if (*a == '\0') {
            return true;
        }
        a++;
        b++;
    }
}

/* Another failure than the one that is looked for does not count. */
static bool fails(const struct sim_plan *plan, struct search *search)
{
    struct sim_outcome outcome;
    search->tried++;
    sim_outcome_apart(plan, search->seconds, &outcome);
    return outcome.failed && same_kind(outcome.failure, search->failure);
}

/* Leaves out `n` events from `first`; false: it would not fail then, and nothing changed. */
static bool leave_out(struct sim_plan *plan, size_t first, size_t n, struct search *search)
{
    struct sim_plan less;
    sim_plan_copy(&less, plan);
    memmove(less.events + first, less.events + first + n, (less.count - first - n) * sizeof(less.events[0]));
    less.count -= n;
    bool smaller = fails(&less, search);
    if (smaller) {
        struct sim_plan whole = *plan;
        *plan = less;
        less = whole;
    }
    sim_plan_fini(&less);
    return smaller;
}

/* Halves one argument of one event, if it fails all the same. */
static bool halve(struct sim_plan *plan, size_t event, int arg, struct search *search)
{
    int64_t *value = &plan->events[event].args[arg];
    int64_t before = *value;
    if (before < 2) {
        return false;
    }
    *value = before / 2;
    if (fails(plan, search)) {
        return true;
    }
    *value = before;
    return false;
}

unsigned sim_shrink(struct sim_plan *plan, const char *failure, unsigned seconds)
{
    struct search search = {.failure = failure, .seconds = seconds};
    bool again = true;
    while (again) {
        again = false;
        for (size_t n = plan->count / 2 > 0 ? plan->count / 2 : 1; n > 0; n /= 2) {
            for (size_t i = 0; i + n <= plan->count;) {
                bool left_out = leave_out(plan, i, n, &search);
                again |= left_out;
                i += left_out ? 0 : n;
            }
        }
        for (size_t i = 0; i < plan->count; i++) {
            if (strcmp(sim_event_name(&plan->events[i]), "send") == 0) {
                while (halve(plan, i, 2, &search)) {}
                while (halve(plan, i, 3, &search)) {}
            }
        }
    }
    return search.tried;
}
