/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing of durations, in integers throughout: a decimal such as
 * 0.1s has no exact double.
 */
#include "duration.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
};

static const struct unit *find_unit(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].name, name) == 0) {
            return &units[i];
        }
    }
    return strcmp(name, "\xc2\xb5s") == 0 ? &units[1] : NULL; /* µs */
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits after the point, as nanoseconds of `unit`. */
static enum cli_duration_fault parse_fraction(const char *digits, size_t n, int64_t unit, int64_t *ns)
{
    *ns = 0;
    int64_t scale = unit;
    for (size_t i = 0; i < n; i++) {
        int64_t digit = digits[i] - '0';
        if (digit != 0 && (scale == 0 || scale % 10 != 0)) {
            /* Below a nanosecond; and minutes and hours divide by ten ten times, then nothing is exact. */
            return CLI_DURATION_TOO_FINE;
        }
        scale /= 10;
        *ns += digit * scale;
    }
    return CLI_DURATION_OK;
}

enum cli_duration_fault cli_duration_parse(const char *text, a3m_duration *out)
{
    size_t whole = 0;
    while (is_digit(text[whole])) {
        whole++;
    }
    const char *fraction = text + whole;
    size_t decimals = 0;
    if (*fraction == '.') {
        fraction++;
        while (is_digit(fraction[decimals])) {
            decimals++;
        }
    }
    const char *unit_name = fraction + decimals;
    if (whole == 0 || (fraction != text + whole && decimals == 0)) {
        return CLI_DURATION_BAD;
    }
    if (*unit_name == '\0') {
        return CLI_DURATION_NO_UNIT;
    }
    const struct unit *unit = find_unit(unit_name);
    if (unit == NULL) {
        return CLI_DURATION_BAD;
    }
    int64_t n = 0;
    for (size_t i = 0; i < whole; i++) {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, text[i] - '0', &n)) {
            return CLI_DURATION_TOO_LONG;
        }
    }
    int64_t part;
    enum cli_duration_fault fault = parse_fraction(fraction, decimals, unit->ns, &part);
    if (fault != CLI_DURATION_OK) {
        return fault;
    }
    if (__builtin_mul_overflow(n, unit->ns, &n) || __builtin_add_overflow(n, part, &n)) {
        return CLI_DURATION_TOO_LONG;
    }
    *out = a3m_ns(n);
    return CLI_DURATION_OK;
}

const char *cli_duration_explain(enum cli_duration_fault fault)
{
    switch (fault) {
    case CLI_DURATION_OK: return "fine";
    case CLI_DURATION_NO_UNIT: return "the unit is missing; write for example 500us, 20ms, 2s or 1m";
    case CLI_DURATION_BAD: return "not a duration; write for example 500us, 20ms, 2s or 1m";
    case CLI_DURATION_TOO_LONG: return "too long; at most 292 years";
    case CLI_DURATION_TOO_FINE: return "finer than a nanosecond";
    }
    return "";
}

void cli_duration_format(a3m_duration d, char *buf, unsigned size)
{
    static const struct unit shown[] = {{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
    size_t i = 0;
    while (i < 3 && d.ns < shown[i].ns) {
        i++;
    }
    int64_t whole = d.ns / shown[i].ns;
    int64_t rest = d.ns % shown[i].ns;
    if (rest == 0) {
        (void)snprintf(buf, size, "%lld%s", (long long)whole, shown[i].name);
        return;
    }
    int width = 0;
    for (int64_t unit = shown[i].ns; unit > 1; unit /= 10) {
        width++;
    }
    while (rest % 10 == 0) {
        rest /= 10;
        width--;
    }
    (void)snprintf(buf, size, "%lld.%0*lld%s", (long long)whole, width, (long long)rest, shown[i].name);
}
