/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_campaign: plans for simulated nodes, one per seed, in as many processes as
 * one likes. Exits with 1 when a plan failed; prints the failing seeds, each with
 * what it failed with. See docs/testing.md.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node_shrink.h"

#define JOBS_MAX     64
#define FAILURES_MAX 16
#define RUN_SECONDS  60 /* of one plan */

static const char usage[] = "usage: sim_campaign [--seeds N] [--first SEED] [--jobs J] [--seconds S]\n"
                            "       sim_campaign --replay SEED | --shrink SEED | --print SEED\n"
                            "       sim_campaign --schedule FILE [--shrink]\n"
                            "--seeds N     so many plans (20000), with the seeds from --first on (1)\n"
                            "--jobs J      in so many processes (1)\n"
                            "--seconds S   stop after S seconds, but not before a tenth is done (0: do not)\n"
                            "--replay      play one seed twice, and compare the packets\n"
                            "--shrink      find a short plan that fails as well\n"
                            "--print       print the plan of a seed\n"
                            "--schedule    play the plan in FILE\n";

struct failure {
    uint64_t seed;
    char text[400];
};

/* Shared by all processes. */
struct board {
    _Atomic uint64_t next;
    _Atomic uint64_t done, turns, messages, packets, lost;
    _Atomic uint64_t failed;
    _Atomic uint64_t slowest_us, slowest_seed;
    _Atomic uint64_t current[JOBS_MAX];
    struct failure failures[FAILURES_MAX];
};

struct campaign {
    uint64_t first, seeds, jobs, seconds;
    time_t start;
    struct board *board;
};

/* ---- One plan ------------------------------------------------------------------------- */

static void report(const struct sim_outcome *outcome)
{
    printf("%s%s\n", outcome->failed ? "failed: " : "passed", outcome->failure);
    printf("hash %016" PRIx64 ", %" PRIu64 " turns, %" PRIu64 " packets (%" PRIu64 " lost), %" PRIu64
           " messages\n",
           outcome->hash, outcome->turns, outcome->packets, outcome->lost, outcome->messages);
}

static int replay(const struct sim_plan *plan)
{
    struct sim_outcome first, second;
    sim_outcome_apart(plan, RUN_SECONDS, &first);
    report(&first);
    sim_outcome_of(plan, &second, stdout);
    if (first.hash != second.hash || first.turns != second.turns) {
        printf("and another time: hash %016" PRIx64 ", %" PRIu64 " turns\n", second.hash, second.turns);
        return 1;
    }
    return first.failed;
}

static int shrink(struct sim_plan *plan)
{
    struct sim_outcome outcome;
    sim_outcome_apart(plan, RUN_SECONDS, &outcome);
    report(&outcome);
    if (!outcome.failed) {
        return 0;
    }
    unsigned tried = sim_shrink(plan, outcome.failure, RUN_SECONDS);
    sim_outcome_apart(plan, RUN_SECONDS, &outcome);
    printf("after %u plans, the shortest:\n", tried);
    sim_plan_print(plan, stdout, "        \"", "\\n\"");
    report(&outcome);
    return 1;
}

static bool read_file(const char *name, struct sim_plan *plan)
{
    static char text[1 << 20];
    int line = 0;
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        fprintf(stderr, "sim_campaign: %s: %s\n", name, strerror(errno));
        return false;
    }
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    if (!sim_plan_read(plan, text, &line)) {
        fprintf(stderr, "sim_campaign: %s:%d: not a line of a plan\n", name, line);
        return false;
    }
    return true;
}

/* ---- Many ------------------------------------------------------------------------------ */

static void note_failure(struct board *board, uint64_t seed, const char *text)
{
    uint64_t n = atomic_fetch_add(&board->failed, 1);
    if (n < FAILURES_MAX) {
        board->failures[n].seed = seed;
        (void)snprintf(board->failures[n].text, sizeof(board->failures[n].text), "%s", text);
    }
}

static uint64_t real_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void one(struct board *board, uint64_t seed)
{
    struct sim_plan plan;
    struct sim_outcome outcome;
    uint64_t begin = real_us();
    (void)alarm(RUN_SECONDS);
    sim_plan_draw(&plan, seed);
    sim_outcome_of(&plan, &outcome, NULL);
    sim_plan_fini(&plan);
    (void)alarm(0);
    uint64_t us = real_us() - begin;
    if (us > atomic_load(&board->slowest_us)) { /* two at once: either is slow */
        atomic_store(&board->slowest_us, us);
        atomic_store(&board->slowest_seed, seed);
    }
    if (outcome.failed) {
        note_failure(board, seed, outcome.failure);
    }
    atomic_fetch_add(&board->turns, outcome.turns);
    atomic_fetch_add(&board->messages, outcome.messages);
    atomic_fetch_add(&board->packets, outcome.packets);
    atomic_fetch_add(&board->lost, outcome.lost);
    atomic_fetch_add(&board->done, 1);
}

static bool time_is_up(const struct campaign *campaign)
{
    return campaign->seconds > 0 && time(NULL) - campaign->start >= (time_t)campaign->seconds &&
           atomic_load(&campaign->board->done) >= campaign->seeds / 10;
}

static _Noreturn void work(const struct campaign *campaign, size_t job)
{
    struct board *board = campaign->board;
    while (!time_is_up(campaign) && atomic_load(&board->failed) < FAILURES_MAX) {
        uint64_t i = atomic_fetch_add(&board->next, 1);
        if (i >= campaign->seeds) {
            break;
        }
        atomic_store(&board->current[job], campaign->first + i);
        one(board, campaign->first + i);
    }
    (void)fflush(NULL);
    exit(0); /* not _exit: leaks are looked for */
}

static pid_t hire(const struct campaign *campaign, size_t job)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        work(campaign, job);
    }
    return pid;
}

/* A worker that crashed is replaced by one that goes on behind its plan. */
static void oversee(const struct campaign *campaign)
{
    struct board *board = campaign->board;
    pid_t pids[JOBS_MAX];
    size_t left = campaign->jobs;
    for (size_t i = 0; i < campaign->jobs; i++) {
        pids[i] = hire(campaign, i);
    }
    while (left > 0) {
        int status;
        pid_t pid = wait(&status);
        size_t job = 0;
        while (job < campaign->jobs && pids[job] != pid) {
            job++;
        }
        if (pid < 0 || job == campaign->jobs) {
            break;
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            left--;
            continue;
        }
        note_failure(board, atomic_load(&board->current[job]),
                     WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "it does not end" : "it crashed");
        pids[job] = hire(campaign, job);
    }
}

static int run_campaign(struct campaign *campaign)
{
    void *shared = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0);
    if (shared == MAP_FAILED) {
        perror("sim_campaign: mmap");
        return 2;
    }
    struct board *board = campaign->board = shared;
    campaign->start = time(NULL);
    oversee(campaign);
    uint64_t failed = atomic_load(&board->failed);
    printf("%" PRIu64 " plans from seed %" PRIu64 ": %" PRIu64 " turns, %" PRIu64 " packets (%" PRIu64
           " lost), %" PRIu64 " messages; the slowest took %" PRIu64 " us (seed %" PRIu64 "); %" PRIu64
           " failed\n",
           atomic_load(&board->done), campaign->first, atomic_load(&board->turns),
           atomic_load(&board->packets), atomic_load(&board->lost), atomic_load(&board->messages),
           atomic_load(&board->slowest_us), atomic_load(&board->slowest_seed), failed);
    for (uint64_t i = 0; i < failed && i < FAILURES_MAX; i++) {
        struct sim_plan plan;
        printf("\nseed %" PRIu64 ": %s\n", board->failures[i].seed, board->failures[i].text);
        if (i == 0) {
            sim_plan_draw(&plan, board->failures[i].seed);
            sim_plan_print(&plan, stdout, "", "");
            sim_plan_fini(&plan);
        }
    }
    return failed > 0 || atomic_load(&board->done) == 0;
}

/* ---- Arguments ---------------------------------------------------------------------------- */

enum mode { CAMPAIGN, REPLAY, SHRINK, PRINT };

struct request {
    enum mode mode;
    uint64_t seed;
    const char *file;
    struct campaign campaign;
};

static uint64_t number(const char *text)
{
    char *rest;
    errno = 0;
    uint64_t value = text != NULL ? strtoull(text, &rest, 0) : 0;
    if (text == NULL || errno != 0 || *rest != '\0' || rest == text) {
        fprintf(stderr, "sim_campaign: '%s' is not a number\n%s", text, usage);
        exit(2);
    }
    return value;
}

static void read_arguments(int argc, char **argv, struct request *request)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},    {"first", required_argument, NULL, 'f'},
        {"jobs", required_argument, NULL, 'j'},     {"seconds", required_argument, NULL, 't'},
        {"replay", required_argument, NULL, 'r'},   {"shrink", optional_argument, NULL, 's'},
        {"schedule", required_argument, NULL, 'p'}, {"print", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'n': request->campaign.seeds = number(optarg); break;
        case 'f': request->campaign.first = number(optarg); break;
        case 'j': request->campaign.jobs = number(optarg); break;
        case 't': request->campaign.seconds = number(optarg); break;
        case 'p': request->file = optarg; break;
        case 'r':
        case 'l':
            request->mode = option == 'r' ? REPLAY : PRINT;
            request->seed = number(optarg);
            break;
        case 's':
            request->mode = SHRINK;
            if (optarg == NULL && optind < argc && argv[optind][0] != '-') {
                optarg = argv[optind++];
            }
            request->seed = optarg != NULL ? number(optarg) : 0;
            break;
        default: (void)fputs(usage, option == 'h' ? stdout : stderr); exit(option == 'h' ? 0 : 2);
        }
    }
    if (optind < argc || request->campaign.jobs == 0 || request->campaign.jobs > JOBS_MAX) {
        (void)fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct request request = {.campaign = {.first = 1, .seeds = 20000, .jobs = 1}};
    struct sim_plan plan = {0};
    int result = 0;
    read_arguments(argc, argv, &request);
    if (request.file != NULL) {
        if (!read_file(request.file, &plan)) {
            return 2;
        }
        request.mode = request.mode == SHRINK ? SHRINK : REPLAY;
    } else if (request.mode != CAMPAIGN) {
        sim_plan_draw(&plan, request.seed);
    }
    switch (request.mode) {
    case CAMPAIGN: result = run_campaign(&request.campaign); break;
    case REPLAY: result = replay(&plan); break;
    case SHRINK: result = shrink(&plan); break;
    case PRINT: sim_plan_print(&plan, stdout, "", ""); break;
    }
    sim_plan_fini(&plan);
    return result;
}
