/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/asleep.h"

/* A thread that waits in pollers when it is told to. */
struct worker {
    pthread_t thread;
    sem_t go;
    const struct backend *backend; /* NULL: end */
    int poller, max;
    _Atomic bool waiting; /* told to wait, and not back */
    bool told;            /* what it got has been shown */
    struct report reports[REPORTS];
    int n;
};

static struct worker workers[SCRIPT_THREADS];

static void *worker_main(void *arg)
{
    struct worker *self = arg;
    for (;;) {
        while (sem_wait(&self->go) != 0) {}
        if (self->backend == NULL) {
            return NULL;
        }
        self->n = self->backend->wait(self->poller, self->reports, self->max, true);
        atomic_store(&self->waiting, false);
    }
}

void script_setup(void)
{
    for (int i = 0; i < SCRIPT_THREADS; i++) {
        workers[i].told = true;
        if (sem_init(&workers[i].go, 0, 0) != 0 ||
            pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) {
            abort();
        }
    }
}

void script_teardown(void)
{
    for (int i = 0; i < SCRIPT_THREADS; i++) {
        workers[i].backend = NULL;
        (void)sem_post(&workers[i].go);
        (void)pthread_join(workers[i].thread, NULL);
        (void)sem_destroy(&workers[i].go);
    }
}

/* ---- The line ------------------------------------------------------------------------- */

struct line {
    char *text;
    size_t n;
};

static void say(struct line *line, const char *text)
{
    size_t n = strlen(text);
    if (line->n + n >= SCRIPT_LINE) {
        abort();
    }
    memcpy(line->text + line->n, text, n + 1);
    line->n += n;
}

/* Sorted: the order of reports is the business of scripts that take one at a time. */
static void say_reports(struct line *line, struct report *reports, int n)
{
    char text[48];
    for (int i = 0; i < n; i++) {
        int first = i;
        for (int j = i + 1; j < n; j++) {
            first = reports[j].thing < reports[first].thing ? j : first;
        }
        struct report report = reports[first];
        reports[first] = reports[i];
        (void)snprintf(
            text, sizeof text, "%s%d%s%s%s%s", i > 0 ? "," : "", report.thing,
            (report.events & A3M_POLL_IN) != 0 ? "i" : "", (report.events & A3M_POLL_OUT) != 0 ? "o" : "",
            (report.events & A3M_POLL_ERR) != 0 ? "e" : "", (report.events & A3M_POLL_HUP) != 0 ? "h" : "");
        say(line, text);
    }
}

static void say_worker(struct line *line, struct worker *worker, bool number)
{
    char text[48];
    (void)snprintf(text, sizeof text,
                   number ? " t%d:" : " %d:", number ? (int)(worker - workers) : worker->poller);
    say(line, text);
    if (worker->n < 0) {
        say(line, "end");
    } else {
        say_reports(line, worker->reports, worker->n);
    }
    worker->told = true;
}

/* Who returned and who sleeps, poller by poller. */
static void observe(struct line *line, bool numbers)
{
    char text[48];
    say(line, " r[");
    for (int p = 0; p < POLLERS; p++) {
        for (int i = 0; i < SCRIPT_THREADS; i++) {
            struct worker *worker = &workers[i];
            if (worker->poller == p && !worker->told && !atomic_load(&worker->waiting)) {
                say_worker(line, worker, numbers);
            }
        }
    }
    for (int p = 0; p < POLLERS; p++) {
        for (int i = 0; i < SCRIPT_THREADS; i++) {
            if (workers[i].poller == p && atomic_load(&workers[i].waiting)) {
                (void)snprintf(text, sizeof text, " /%d", p);
                say(line, text);
            }
        }
    }
    say(line, " ]");
}

/* ---- Words ------------------------------------------------------------------------------ */

static int digit(const char *word, int at)
{
    if (word[at] < '0' || word[at] > '9') {
        abort();
    }
    return word[at] - '0';
}

static int max_at(const char *word, int at)
{
    return word[at] != '\0' ? digit(word, at) : REPORTS;
}

static uint32_t flags_of(const char *letters)
{
    uint32_t flags = 0;
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'i': flags |= A3M_POLL_IN; break;
        case 'o': flags |= A3M_POLL_OUT; break;
        case 'E': flags |= A3M_POLL_EDGE; break;
        case 'X': flags |= A3M_POLL_EXCLUSIVE; break;
        case '1': flags |= A3M_POLL_ONESHOT; break;
        default: abort();
        }
    }
    return flags;
}

static void say_outcome(struct line *line, char what, enum outcome outcome)
{
    static const char *const names[] = {"", "EXISTS", "ABSENT", "INVALID", "GONE", "OTHER"};
    char text[48];
    if (outcome != DONE) {
        (void)snprintf(text, sizeof text, " %c!%s", what, names[outcome]);
        say(line, text);
    }
}

static void begin_wait(const struct backend *backend, struct worker *worker, int poller, int max)
{
    if (atomic_load(&worker->waiting) || !worker->told) {
        abort(); /* the script is wrong */
    }
    worker->backend = backend;
    worker->poller = poller;
    worker->max = max;
    worker->told = false;
    atomic_store(&worker->waiting, true);
    (void)sem_post(&worker->go);
}

static void wait_now(const struct backend *backend, struct line *line, const char *word)
{
    struct report reports[REPORTS];
    char text[48];
    int n = backend->wait(digit(word, 1), reports, max_at(word, 2), false);
    (void)snprintf(text, sizeof text, " n%c[", word[1]);
    say(line, text);
    say_reports(line, reports, n);
    say(line, "]");
}

static void run_word(const struct backend *backend, struct line *line, const char *word)
{
    switch (word[0]) {
    case 'a': say_outcome(line, 'a', backend->add(digit(word, 1), digit(word, 2), flags_of(word + 3))); break;
    case 'm':
        say_outcome(line, 'm', backend->modify(digit(word, 1), digit(word, 2), flags_of(word + 3)));
        break;
    case 'd': say_outcome(line, 'd', backend->remove(digit(word, 1), digit(word, 2))); break;
    case 't': begin_wait(backend, &workers[digit(word, 1)], digit(word, 2), max_at(word, 3)); break;
    case 'n': wait_now(backend, line, word); break;
    case '+': backend->raise(digit(word, 1)); break;
    case '-': backend->take(digit(word, 1)); break;
    case 'f': backend->fill(digit(word, 1)); break;
    case 'v': backend->drain(digit(word, 1)); break;
    case 'c': backend->close(digit(word, 1)); break;
    case 'r': observe(line, false); break;
    case 'R': observe(line, true); break;
    default: abort();
    }
}

void script_run(const struct backend *backend, const char *kinds, const char *script, char text[SCRIPT_LINE])
{
    struct line line = {text, 0};
    char word[16];
    int length;
    text[0] = '\0';
    backend->begin(kinds);
    while (sscanf(script, " %15s%n", word, &length) == 1) {
        script += length;
        run_word(backend, &line, word);
        await_all_asleep();
    }
    for (int p = 0; p < POLLERS; p++) {
        backend->quit(p);
    }
    await_all_asleep();
    for (int i = 0; i < SCRIPT_THREADS; i++) {
        if (atomic_load(&workers[i].waiting)) {
            (void)fprintf(stderr, "%s: a thread is stuck at the end of its script; %s\n", backend->name,
                          text);
            abort();
        }
        workers[i].told = true;
    }
    backend->end();
}
