/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help, put together from the tables, so that it cannot differ from what the
 * parser takes.
 */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include <a3m/a3m.h>

#include "setting.h"

enum { COLUMN = 25 };

/* "  name  text", further lines of the text below its first. */
static void print_row(const char *name, const char *text)
{
    int pad = printf("  %s", name);
    if (pad > COLUMN - 2) {
        (void)putchar('\n');
        pad = 0;
    }
    for (const char *line = text; line != NULL; pad = 0) {
        size_t size = strcspn(line, "\n");
        printf("%*s%.*s\n", COLUMN - pad, "", (int)size, line);
        line = line[size] == '\0' ? NULL : line + size + 1;
    }
}

static void print_options(unsigned command)
{
    for (const struct cli_arg *arg = cli_option_table; arg->name != NULL; arg++) {
        if ((arg->commands & command) == 0) {
            continue;
        }
        char name[64];
        char letter[8] = "";
        if (arg->letter != 0) {
            (void)snprintf(letter, sizeof letter, "-%c, ", arg->letter);
        }
        (void)snprintf(name, sizeof name, "%s--%s%s%s", letter, arg->name, arg->value == NULL ? "" : " ",
                       arg->value == NULL ? "" : arg->value);
        print_row(name, arg->help);
    }
}

static void print_setting(const a3m_option_info *info)
{
    char value[48];
    cli_setting_format(info, info->default_value, value, sizeof value);
    char text[256];
    (void)snprintf(text, sizeof text, "%s (%s)", info->what, value);
    print_row(info->name, text);
}

static void print_synopsis(const struct cli_command *command)
{
    const char *before = "usage:";
    for (const char *line = command->synopsis; line != NULL; before = "      ") {
        size_t size = strcspn(line, "\n");
        printf("%s a3m %s %.*s\n", before, command->name, (int)size, line);
        line = line[size] == '\0' ? NULL : line + size + 1;
    }
}

/* The output is buffered: only the flush at the end says whether it got out. */
static enum cli_status finish(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? CLI_DONE : CLI_OTHER;
}

enum cli_status cli_help_top(void)
{
    printf(
        "usage: a3m COMMAND [OPTION]...\n\nA3M: messages between programs, each delivered exactly once.\n\n"
        "commands:\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        print_row(cli_commands[i]->name, cli_commands[i]->summary);
    }
    printf("\noptions:\n");
    print_options(CLI_TOP);
    printf("\n'a3m COMMAND --help' tells about a command.\n");
    return finish();
}

enum cli_status cli_help_command(const struct cli_command *command)
{
    print_synopsis(command);
    printf("\n%s\noptions:\n", command->about);
    print_options(command->bit);
    printf("\ntimes: a number and a unit: ns us ms s m h. Sizes: bytes, or with KiB, MiB, GiB.\n"
           "\noptions of the socket, for --option (and their defaults):\n");
    for (int i = 1; i < A3M_OPT_LAST_; i++) {
        const a3m_option_info *info = a3m_option_describe((a3m_option)i);
        if (info != NULL && info->option != A3M_OPT_EINTR) {
            print_setting(info);
        }
    }
    printf("\nexit code: 0 done, 1 other failure, 2 usage, 3 timed out, 4 refused,\n"
           "  5 outcome of a message unknown\n\nexamples:\n%s",
           command->examples);
    return finish();
}

enum cli_status cli_help_version(void)
{
    printf("a3m %s\n", a3m_version());
    return finish();
}
