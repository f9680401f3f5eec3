/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser. Single-valued options may be given once: of two values one would
 * be dropped without a word. The text after an option is its value even when it
 * begins with a dash, unless it is itself an option of this command: then a
 * value was forgotten, far more likely than meant.
 */
#include "args.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <a3m/a3m.h>

#include "duration.h"
#include "number.h"
#include "report.h"
#include "suggest.h"

struct parser {
    const struct cli_arg *table;
    unsigned command;
    int argc, at; /* argv[at] comes next */
    char **argv;
    char *out;
};

static const struct cli_arg *find_name(const struct parser *p, const char *name, size_t size)
{
    for (const struct cli_arg *arg = p->table; arg->name != NULL; arg++) {
        if ((arg->commands & p->command) != 0 && strncmp(arg->name, name, size) == 0 &&
            arg->name[size] == '\0') {
            return arg;
        }
    }
    return NULL;
}

static const struct cli_arg *find_letter(const struct parser *p, char letter)
{
    for (const struct cli_arg *arg = p->table; arg->name != NULL; arg++) {
        if ((arg->commands & p->command) != 0 && arg->letter == letter) {
            return arg;
        }
    }
    return NULL;
}

/* The option that `text` ("--name", "--name=value", "-x") names, or NULL. */
static const struct cli_arg *find(const struct parser *p, const char *text)
{
    if (text[0] != '-' || text[1] == '\0') {
        return NULL;
    }
    if (text[1] == '-') {
        return find_name(p, text + 2, strcspn(text + 2, "="));
    }
    return text[2] == '\0' ? find_letter(p, text[1]) : NULL;
}

static const char *space_if_named(void)
{
    return cli_report_command()[0] == '\0' ? "" : " ";
}

static enum cli_status unknown(const struct parser *p, const char *text)
{
    struct cli_suggest suggest;
    int size = (int)strcspn(text, "=");
    char word[64] = "";
    if (strncmp(text, "--", 2) == 0 && (size_t)size < sizeof word) {
        memcpy(word, text + 2, (size_t)size - 2);
    }
    cli_suggest_init(&suggest, word);
    for (const struct cli_arg *arg = p->table; arg->name != NULL; arg++) {
        if ((arg->commands & p->command) != 0) {
            cli_suggest_consider(&suggest, arg->name);
        }
    }
    if (suggest.best != NULL) {
        return cli_usage("unknown option '%.*s'; did you mean '--%s'?", size, text, suggest.best);
    }
    return cli_usage("unknown option '%.*s'; 'a3m%s%s --help' lists the options", size, text,
                     space_if_named(), cli_report_command());
}

static enum cli_status append(struct cli_texts *texts, const char *text)
{
    const char **items = realloc(texts->items, (texts->n + 1) * sizeof *items);
    if (items == NULL) {
        cli_error("no memory");
        return CLI_OTHER;
    }
    items[texts->n++] = text;
    texts->items = items;
    return CLI_DONE;
}

static enum cli_status twice(const struct cli_arg *arg)
{
    return cli_usage("--%s is given twice; it takes one value", arg->name);
}

static enum cli_status store_text(const struct cli_arg *arg, const char **member, const char *value)
{
    if (*member != NULL) {
        return twice(arg);
    }
    *member = value;
    return CLI_DONE;
}

static enum cli_status store_count(const struct cli_arg *arg, int64_t *member, const char *value)
{
    if (*member >= 0) {
        return twice(arg);
    }
    if (!cli_number_parse(value, member)) {
        return cli_usage("--%s '%s': not a whole number; write for example 10", arg->name, value);
    }
    return CLI_DONE;
}

static enum cli_status store_duration(const struct cli_arg *arg, a3m_duration *member, const char *value)
{
    if (member->ns >= 0) {
        return twice(arg);
    }
    enum cli_duration_fault fault = cli_duration_parse(value, member);
    if (fault != CLI_DURATION_OK) {
        return cli_usage("--%s '%s': %s", arg->name, value, cli_duration_explain(fault));
    }
    return CLI_DONE;
}

static enum cli_status store(struct parser *p, const struct cli_arg *arg, const char *value)
{
    void *member = p->out + arg->offset;
    switch (arg->kind) {
    case CLI_ARG_FLAG: *(bool *)member = true; return CLI_DONE;
    case CLI_ARG_TEXT: return store_text(arg, member, value);
    case CLI_ARG_TEXTS: return append(member, value);
    case CLI_ARG_COUNT: return store_count(arg, member, value);
    case CLI_ARG_DURATION: return store_duration(arg, member, value);
    }
    return CLI_OTHER;
}

/* The value behind an option, from the same argument or the next. */
static enum cli_status take_value(struct parser *p, const struct cli_arg *arg, const char *text,
                                  const char **value)
{
    const char *equals = text[1] == '-' ? strchr(text, '=') : NULL;
    *value = NULL;
    if (arg->kind == CLI_ARG_FLAG) {
        return equals == NULL ? CLI_DONE : cli_usage("--%s takes no value", arg->name);
    }
    if (equals != NULL) {
        *value = equals + 1;
        return CLI_DONE;
    }
    if (p->at == p->argc) {
        return cli_usage("--%s needs a value: --%s %s", arg->name, arg->name, arg->value);
    }
    const char *next = p->argv[p->at];
    if (find(p, next) != NULL) {
        return cli_usage("--%s needs a value: --%s %s (if '%s' is the value, write --%s=%s)", arg->name,
                         arg->name, arg->value, next, arg->name, next);
    }
    p->at++;
    *value = next;
    return CLI_DONE;
}

enum cli_status cli_args_parse(const struct cli_arg *table, unsigned command, int argc, char **argv,
                               void *out)
{
    struct parser p = {.table = table, .command = command, .argc = argc, .at = 1, .argv = argv, .out = out};
    while (p.at < argc) {
        const char *text = argv[p.at++];
        if (text[0] != '-' || text[1] == '\0') {
            return cli_usage("unexpected argument '%s'; 'a3m%s%s --help' shows what is expected", text,
                             space_if_named(), cli_report_command());
        }
        if (strcmp(text, "--") == 0) {
            if (p.at == argc) {
                break;
            }
            return cli_usage("unexpected argument '%s'", argv[p.at]);
        }
        const struct cli_arg *arg = find(&p, text);
        if (arg == NULL) {
            return unknown(&p, text);
        }
        const char *value;
        enum cli_status status = take_value(&p, arg, text, &value);
        if (status == CLI_DONE) {
            status = store(&p, arg, value);
        }
        if (status != CLI_DONE) {
            return status;
        }
    }
    return CLI_DONE;
}
