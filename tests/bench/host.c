/* SPDX-License-Identifier: Apache-2.0 */
/* The machine, and its noise; see host.h. */
#include "bench/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/clock.h"

static int64_t rusage_ns(int who)
{
    struct rusage use;
    (void)getrusage(who, &use);
    return ((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000 +
           ((int64_t)use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000;
}

/* The line "cpu user nice system idle iowait irq softirq steal", in ticks; proc(5). */
static void read_stat(struct bench_host *host)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    char line[256] = "";
    int64_t ticks[FIELDS] = {0};
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL) {
        return;
    }
    char *at = fgets(line, sizeof(line), file) == NULL ? line : line + strlen("cpu");
    for (int i = 0; i < FIELDS; i++) {
        ticks[i] = strtoll(at, &at, 10);
    }
    (void)fclose(file);
    int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
    host->busy_ns = tick_ns * (ticks[USER] + ticks[NICE] + ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ]);
    host->stolen_ns = tick_ns * ticks[STEAL];
}

void bench_host_begin(struct bench_host *host)
{
    *host = (struct bench_host){.wall_ns = bench_clock_wall()};
    host->own_ns = rusage_ns(RUSAGE_SELF) + rusage_ns(RUSAGE_CHILDREN);
    read_stat(host);
}

static void print_machine(FILE *to)
{
    struct utsname name = {0};
    char line[256];
    char model[128] = "unknown processor";
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1) {
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)uname(&name);
    (void)fprintf(to, "# %ld processors, %s; %s %s\n", sysconf(_SC_NPROCESSORS_ONLN), model, name.sysname,
                  name.release);
}

/* Shares of the machine since then. */
static void shares(const struct bench_host *since, double *others, double *stolen)
{
    struct bench_host now;
    bench_host_begin(&now);
    double all = (double)(now.wall_ns - since->wall_ns) * (double)sysconf(_SC_NPROCESSORS_ONLN);
    double own = (double)(now.own_ns - since->own_ns);
    *others = ((double)(now.busy_ns - since->busy_ns) - own) / all;
    *others = *others < 0 ? 0 : *others;
    *stolen = (double)(now.stolen_ns - since->stolen_ns) / all;
}

double bench_host_noise(const struct bench_host *since)
{
    double others;
    double stolen;
    shares(since, &others, &stolen);
    return others + stolen;
}

bool bench_host_await_quiet(int64_t deadline)
{
    const struct timespec moment = {.tv_nsec = 400000000};
    while (bench_clock_wall() < deadline) {
        struct bench_host begin;
        bench_host_begin(&begin);
        (void)nanosleep(&moment, NULL);
        if (bench_host_noise(&begin) < BENCH_HOST_NOISY) {
            return true;
        }
    }
    return false;
}

void bench_host_print(const struct bench_host *begin, FILE *to)
{
    double load[3] = {0};
    double others;
    double stolen;
    shares(begin, &others, &stolen);
    (void)getloadavg(load, 3);
    print_machine(to);
    (void)fprintf(to,
                  "# %.0f s; others used %.1f %% of the processors, the hypervisor took %.1f %%; load %.2f\n",
                  (double)(bench_clock_wall() - begin->wall_ns) / 1e9, 100 * others, 100 * stolen, load[0]);
}
