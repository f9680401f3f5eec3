/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breaks one rule at a time (core/mutation.h) and sees whether the simulations
 * notice: for each rule the named schedules, the crossing requests and random
 * schedules run in a child process each until one fails. With no rule broken all
 * of them must pass. A rule that can be broken unnoticed has no test: then this
 * one fails. docs/models.md has the table.
 *
 * usage: mutants [--half-connections | --links | NAME…]
 *
 * The schedules are the programs of tests/sim and tests/unit, with their main
 * renamed. covers core
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "core/mutation.h"
#include "core/sender.h"
#include "mutants.h"

/* A child that takes longer goes round in circles. */
#define CHILD_SECONDS 240u

struct program {
    const char *name;
    int (*main)(void);
    bool of_links, is_long;
};

/* Tried in this order: the quick ones first. */
static const struct program programs[] = {
    {"named schedules", core_named_main, false, false},
    {"nodes that move", core_move_main, false, false},
    {"control beside data", core_control_main, false, false},
    {"schedules with restarts", core_restarts_main, false, false},
    {"schedules with addresses", core_addresses_main, false, false},
    {"hostile packets", core_hostile_records_main, false, false},
    {"crossing requests", node_crossing_main, true, false},
    {"what the campaign found", node_found_main, true, false},
    {"random schedules", core_random_main, false, false},
    {"many random schedules", core_random_main, false, true},
};

#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static const struct {
    const char *name, *text;
} mutations[A3MI_MUTATIONS_END] = {{"NONE", "no rule broken"},
#define ENTRY(name, text) {#name, text},
                                   A3MI_MUTATION_LIST(ENTRY)
#undef ENTRY
};

static bool is_of_links(enum a3mi_mutation mutation)
{
    return mutation >= A3MI_MUTATION_LINK_BOTH_ANSWER;
}

/* ---- What core asks for -------------------------------------------------------------- */

enum a3mi_mutation a3mi_mutation;

uint64_t a3mi_mutation_first(struct a3mi_assoc *assoc, uint64_t records)
{
    return records == 0 && assoc->ck > 0 ? 1 : a3mi_assoc_tick_clock(assoc);
}

static struct a3mi_sender *first_open(const struct a3mi_peer *peer)
{
    A3MI_LIST_FOREACH (it, &peer->senders) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (sender->state == A3MI_SENDER_OPEN && !sender->ended) {
            return sender;
        }
    }
    return NULL;
}

struct a3mi_peer *a3mi_mutation_peer(struct a3mi_assoc *assoc, uint64_t r)
{
    A3MI_LIST_FOREACH (it, &assoc->peers) {
        struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);
        const struct a3mi_sender *sender = first_open(peer);

        if (sender != NULL && sender->r == r) {
            return peer;
        }
    }
    return NULL;
}

struct a3mi_sender *a3mi_mutation_sender(struct a3mi_assoc *assoc, const struct a3m_addr *from)
{
    A3MI_LIST_FOREACH (it, &assoc->peers) {
        struct a3mi_sender *sender = first_open(a3mi_container_of(it, struct a3mi_peer, all));

        if (sender != NULL && a3mi_addr_eq(&sender->path.addr, from)) {
            return sender;
        }
    }
    return NULL;
}

/* ---- Children ---------------------------------------------------------------------------- */

_Noreturn static void child(enum a3mi_mutation mutation, const struct program *program, FILE *out)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)dup2(fileno(out), STDOUT_FILENO);
    (void)dup2(fileno(out), STDERR_FILENO);
    (void)alarm(CHILD_SECONDS);
    a3mi_mutation = mutation;
    if (program->is_long) {
        (void)setenv("A3M_LONG", "1", 1);
    } else {
        (void)unsetenv("A3M_LONG");
    }
    int failed = program->main();

    (void)fflush(NULL);
    _exit(failed != 0 ? 1 : 0);
}

/* The first line that tells what broke. */
static void tell_why(FILE *out, char *why, size_t size)
{
    static const char *const marks[] = {"A3M_SIM_SEED=", "Assertion", "ERROR: ", "runtime error",
                                        "FAILED  ] test"};
    char line[512];

    (void)snprintf(why, size, "died without a word");
    rewind(out);
    while (fgets(line, sizeof(line), out) != NULL) {
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
            const char *at = strstr(line, marks[i]);

            if (at != NULL) {
                (void)snprintf(why, size, "%.*s", (int)strcspn(at, "\n"), at);
                return;
            }
        }
    }
}

/* Whether the program fails under the mutation. */
static bool fails(enum a3mi_mutation mutation, const struct program *program, char *why, size_t size)
{
    FILE *out = tmpfile();
    int status = 0;

    if (out == NULL) {
        perror("tmpfile");
        exit(2);
    }
    (void)fflush(NULL);
    pid_t pid = fork();

    if (pid == 0) {
        child(mutation, program, out);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("fork");
        exit(2);
    }
    tell_why(out, why, size);
    (void)fclose(out);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        (void)snprintf(why, size, "does not end in %u s", CHILD_SECONDS);
    }
    return status != 0;
}

/* ---- All of them --------------------------------------------------------------------------- */

/* Whether a program has anything to do with a mutation. */
static bool applies(const struct program *program, enum a3mi_mutation mutation)
{
    if (mutation == A3MI_MUTATION_NONE) {
        return !program->is_long;
    }
    return program->of_links == is_of_links(mutation);
}

/* True: something noticed. */
static bool try_mutation(enum a3mi_mutation mutation)
{
    char why[256];

    printf("%-19s  %s\n", mutations[mutation].name, mutations[mutation].text);
    for (size_t i = 0; i < PROGRAMS; i++) {
        if (applies(&programs[i], mutation) && fails(mutation, &programs[i], why, sizeof(why))) {
            printf("  by %s: %s\n", programs[i].name, why);
            return true;
        }
    }
    printf("  by nothing\n");
    return false;
}

static bool is_chosen(int m, int argc, char **argv)
{
    bool link = is_of_links((enum a3mi_mutation)m);

    if (argc < 2) {
        return true;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], mutations[m].name) == 0 || (link && strcmp(argv[i], "--links") == 0) ||
            (!link && strcmp(argv[i], "--half-connections") == 0)) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    int wrong = 0, tried = 0;

    if (try_mutation(A3MI_MUTATION_NONE)) {
        return 1;
    }
    for (int m = A3MI_MUTATION_NONE + 1; m < A3MI_MUTATIONS_END; m++) {
        if (is_chosen(m, argc, argv)) {
            tried++;
            wrong += !try_mutation((enum a3mi_mutation)m);
        }
    }
    printf("%d rules broken, %d of them not as expected\n", tried, wrong);
    return wrong > 0 || tried == 0;
}
