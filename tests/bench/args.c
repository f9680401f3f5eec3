/* SPDX-License-Identifier: Apache-2.0 */
/* The command line; see args.h. */
#include "bench/args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/mark.h"

static const char help[] = "\n"
                           "  --runs N        repetitions of each measurement, interleaved (%zu)\n"
                           "  --seconds S     how long one takes (%.2f)\n"
                           "  --patience S    waits up to S seconds in all for the machine to be quiet, and\n"
                           "                  measures again what was disturbed; 0: does not (%.0f)\n"
                           "  --pin LIST      of same, split, free: where the two processes run\n"
                           "  --size LIST     of message sizes in bytes, where the benchmark varies them\n"
                           "  --peer LIST     only these, as in a3m-call,zmq-call\n"
                           "  --csv           the table as CSV\n";

static _Noreturn void invalid(const char *option, const char *value)
{
    (void)fprintf(stderr, "bench: %s %s is not valid; see --help\n", option, value);
    exit(2);
}

static size_t parse_size(const char *option, const char *text, size_t min, size_t max)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || value < min || value > max) {
        invalid(option, text);
    }
    return (size_t)value;
}

static int64_t parse_seconds(const char *option, const char *text, double min, double max)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds >= min && seconds <= max)) {
        invalid(option, text);
    }
    return (int64_t)(seconds * 1e9);
}

static void parse_pins(struct bench_args *args, char *list)
{
    char *rest = NULL;
    memset(args->pins, 0, sizeof(args->pins));
    for (char *name = strtok_r(list, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        enum bench_pin pin;
        if (!bench_pin_parse(name, &pin)) {
            invalid("--pin", name);
        }
        args->pins[pin] = true;
    }
}

static void parse_sizes(struct bench_args *args, char *list)
{
    char *rest = NULL;
    args->n_sizes = 0;
    for (char *text = strtok_r(list, ",", &rest); text != NULL; text = strtok_r(NULL, ",", &rest)) {
        if (args->n_sizes == BENCH_ARGS_SIZES_MAX) {
            invalid("--size", text);
        }
        args->sizes[args->n_sizes++] = parse_size("--size", text, BENCH_MARK_SIZE, 60000);
    }
}

void bench_args_parse(struct bench_args *args, int argc, char **argv, const char *what)
{
    static const struct option options[] = {
        {"runs", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"pin", required_argument, NULL, 'p'},
        {"size", required_argument, NULL, 'z'},
        {"peer", required_argument, NULL, 'e'},
        {"csv", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"patience", required_argument, NULL, 'a'},
        {NULL, 0, NULL, 0},
    };
    struct bench_args defaults = *args;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'r': args->runs = parse_size("--runs", optarg, 1, BENCH_ARGS_RUNS_MAX); break;
        case 's': args->duration_ns = parse_seconds("--seconds", optarg, 0.01, 600); break;
        case 'a': args->patience_ns = parse_seconds("--patience", optarg, 0, 86400); break;
        case 'p': parse_pins(args, optarg); break;
        case 'z': parse_sizes(args, optarg); break;
        case 'e': args->peers = optarg; break;
        case 'c': args->csv = true; break;
        case 'h':
            (void)printf("%s: %s\n", argv[0], what);
            (void)printf(help, defaults.runs, (double)defaults.duration_ns / 1e9,
                         (double)defaults.patience_ns / 1e9);
            exit(EXIT_SUCCESS);
        default: exit(2);
        }
    }
    if (optind < argc) {
        invalid("argument", argv[optind]);
    }
}

bool bench_args_want_peer(const struct bench_args *args, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = args->peers; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return args->peers == NULL;
}
