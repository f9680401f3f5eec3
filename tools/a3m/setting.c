/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --option NAME=VALUE.
 */
#include "setting.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <a3m/a3m.h>

#include "duration.h"
#include "number.h"
#include "report.h"
#include "suggest.h"

static enum cli_status unknown(const char *name)
{
    struct cli_suggest suggest;
    cli_suggest_init(&suggest, name);
    for (int i = 1; i < A3M_OPT_LAST_; i++) {
        const a3m_option_info *info = a3m_option_describe((a3m_option)i);
        if (info != NULL) {
            cli_suggest_consider(&suggest, info->name);
        }
    }
    if (suggest.best != NULL) {
        return cli_usage("--option '%s': there is no such option; did you mean '%s'?", name, suggest.best);
    }
    return cli_usage("--option '%s': there is no such option; 'a3m %s --help' lists them", name,
                     cli_report_command());
}

static enum cli_status parse(const a3m_option_info *info, const char *text, int64_t *value)
{
    a3m_duration duration = {0};
    enum cli_duration_fault fault;
    switch (info->kind) {
    case A3M_OPTION_INT:
        if (!cli_number_parse(text, value)) {
            return cli_usage("--option %s='%s': not a whole number", info->name, text);
        }
        return CLI_DONE;
    case A3M_OPTION_BYTES:
        if (!cli_size_parse(text, value)) {
            return cli_usage("--option %s='%s': not a size; write for example 4096, 64KiB, 16MiB or 1GiB",
                             info->name, text);
        }
        return CLI_DONE;
    case A3M_OPTION_DURATION:
        fault = cli_duration_parse(text, &duration);
        if (fault != CLI_DURATION_OK) {
            return cli_usage("--option %s='%s': %s", info->name, text, cli_duration_explain(fault));
        }
        *value = duration.ns;
        return CLI_DONE;
    case A3M_OPTION_BOOL:
        if (!cli_bool_parse(text, value)) {
            return cli_usage("--option %s='%s': write yes or no", info->name, text);
        }
        return CLI_DONE;
    }
    return cli_usage("--option %s: of a kind that this command does not know", info->name);
}

void cli_setting_format(const a3m_option_info *info, int64_t value, char *buf, unsigned size)
{
    switch (info->kind) {
    case A3M_OPTION_DURATION: cli_duration_format(a3m_ns(value), buf, size); return;
    case A3M_OPTION_BYTES: cli_size_format(value, buf, size); return;
    case A3M_OPTION_BOOL: (void)snprintf(buf, size, "%s", value != 0 ? "yes" : "no"); return;
    case A3M_OPTION_INT: break;
    }
    (void)snprintf(buf, size, "%" PRId64, value);
}

static enum cli_status check_range(const a3m_option_info *info, const char *text, int64_t value)
{
    if (value >= info->min && value <= info->max) {
        return CLI_DONE;
    }
    char min[48];
    char max[48];
    cli_setting_format(info, info->min, min, sizeof min);
    cli_setting_format(info, info->max, max, sizeof max);
    return cli_usage("--option %s=%s: out of range; from %s to %s", info->name, text, min, max);
}

enum cli_status cli_setting_apply(a3m_socket socket, const char *text)
{
    char name[64];
    size_t size = strcspn(text, "=");
    if (size == 0 || text[size] == '\0') {
        return cli_usage("--option '%s': write NAME=VALUE, as in credit-messages=100", text);
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)size, text);
    const a3m_option_info *info = size < sizeof name ? a3m_option_find(name) : NULL;
    if (info == NULL) {
        return unknown(name);
    }
    if (info->option == A3M_OPT_EINTR) {
        return cli_usage("--option %s: this command sets it itself", name);
    }
    const char *value_text = text + size + 1;
    int64_t value = 0;
    enum cli_status status = parse(info, value_text, &value);
    if (status == CLI_DONE) {
        status = check_range(info, value_text, value);
    }
    if (status != CLI_DONE) {
        return status;
    }
    int code = a3m_socket_set(socket, info->option, value);
    return code == 0 ? CLI_DONE : cli_failed(code, "--option %s=%s", name, value_text);
}
