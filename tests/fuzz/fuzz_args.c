/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines of a3m (tools/a3m/args.c with the real table of options), and
 * what the values of options are read by: durations, numbers, sizes, "ID=URL".
 * An input is arguments that end at NUL bytes; the first byte chooses the
 * command. What would be said on standard error is formatted and thrown away.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_input.h"
#include "tools/a3m/duration.h"
#include "tools/a3m/endpoint.h"
#include "tools/a3m/number.h"
#include "tools/a3m/options.h"
#include "tools/a3m/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARGS_MAX 24

/* ---- In place of tools/a3m/report.c ----------------------------------------------- */

static unsigned said;

static __attribute__((format(printf, 1, 0))) void say(const char *fmt, va_list args)
{
    static char line[8192];
    int length = vsnprintf(line, sizeof(line), fmt, args);

    assert(length > 0);
    said++;
}

void cli_error(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
}

enum cli_status cli_usage(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
    return CLI_USAGE;
}

const char *cli_report_command(void)
{
    return "req";
}

/* ---- Values ----------------------------------------------------------------------- */

static const struct {
    const char *name;
    int64_t ns;
} units[] = {{"ns", 1},
             {"us", 1000},
             {"\xc2\xb5s", 1000},
             {"ms", 1000000},
             {"s", 1000000000},
             {"m", INT64_C(60000000000)},
             {"h", INT64_C(3600000000000)}};

/* The duration as a fraction of whole numbers; -1: it is none that this can tell (nor too long). */
static __int128 exact_ns(const char *text)
{
    __int128 digits = 0, divisor = 1;
    bool point = false;

    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        if (divisor > INT64_MAX / 10 || digits > INT64_MAX) {
            return -1;
        }
        digits = digits * 10 + (*text - '0');
        divisor = point ? divisor * 10 : divisor;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, text) == 0) {
            return digits * units[i].ns % divisor == 0 ? digits * units[i].ns / divisor : -2;
        }
    }
    return -1;
}

static void check_duration(const char *text)
{
    a3m_duration d = {-1}, again = {-1};
    char shown[32];
    enum cli_duration_fault fault = cli_duration_parse(text, &d);

    assert(cli_duration_explain(fault)[0] != '\0');
    if (fault != CLI_DURATION_OK) {
        return;
    }
    __int128 exact = exact_ns(text);

    assert(d.ns >= 0 && exact != -2 && (exact == -1 || exact == d.ns));
    cli_duration_format(d, shown, sizeof(shown));
    assert(cli_duration_parse(shown, &again) == CLI_DURATION_OK && again.ns == d.ns);
}

static void check_numbers(const char *text)
{
    int64_t n = -1, again = -1;
    char shown[32];

    if (cli_number_parse(text, &n)) {
        assert(n >= 0 && n == strtoll(text, NULL, 10));
    }
    if (cli_size_parse(text, &n)) {
        assert(n >= 0);
        cli_size_format(n, shown, sizeof(shown));
        assert(cli_size_parse(shown, &again) && again == n);
    }
    if (cli_bool_parse(text, &n)) {
        assert(n == 0 || n == 1);
    }
}

static void check_peer(const char *text)
{
    char id[A3M_NAME_MAX + 1];
    const char *url = NULL;

    if (cli_endpoint_split_peer(text, id, &url) == CLI_DONE) {
        size_t size = strlen(id);

        assert(size > 0 && strncmp(text, id, size) == 0 && url == text + size + 1 && url[0] != '\0');
    }
}

/* ---- Command lines ------------------------------------------------------------------ */

static bool is_borrowed(const char *text, const char *from, const char *end)
{
    return text == NULL || (text >= from && text < end);
}

static void check_options(const struct cli_options *options, const char *from, const char *end)
{
    assert(is_borrowed(options->bind, from, end) && is_borrowed(options->socket, from, end));
    assert(is_borrowed(options->data, from, end) && is_borrowed(options->file, from, end));
    assert(is_borrowed(options->node, from, end));
    for (size_t i = 0; i < options->links.n; i++) {
        assert(options->links.items[i] != NULL && is_borrowed(options->links.items[i], from, end));
    }
    assert(options->count >= -1 && options->timeout.ns >= -1 && options->interval.ns >= -1);
}

static void run(unsigned command, int argc, char **argv, const char *from, const char *end)
{
    struct cli_options options;

    cli_options_init(&options);
    said = 0;
    enum cli_status status = cli_args_parse(cli_option_table, command, argc, argv, &options);

    assert((status == CLI_DONE) == (said == 0) && (status == CLI_DONE || status == CLI_USAGE));
    check_options(&options, from, end);
    if (status == CLI_DONE) {
        status = cli_endpoint_check(&options);
        assert((status == CLI_DONE) == (said == 0));
    }
    cli_options_fini(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned command = 1u << (fuzz_u8(&in) % 5);
    char *text = malloc(in.left + 1);
    char *argv[ARGS_MAX + 1] = {0};
    static char program[] = "a3m";
    int argc = 1;

    assert(text != NULL);
    memcpy(text, in.p, in.left);
    text[in.left] = '\0';
    argv[0] = program;
    for (char *at = text; at < text + in.left && argc < ARGS_MAX; at += strlen(at) + 1) {
        argv[argc++] = at;
        check_duration(at);
        check_numbers(at);
        check_peer(at);
    }
    run(command, argc, argv, text, text + in.left + 1);
    free(text);
    return 0;
}
