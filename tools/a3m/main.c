/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The a3m command: finds the command in the table, reads its options, runs it.
 * One thread of its own; the library adds a reader thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <a3m/a3m.h>

#include "command.h"
#include "help.h"
#include "report.h"
#include "signals.h"
#include "suggest.h"

const struct cli_command *const cli_commands[] = {
    &cli_command_rep, &cli_command_req, &cli_command_push, &cli_command_pull, NULL,
};

/*
 * A standard descriptor that the caller closed would be given to the next file
 * or socket that is opened, and output would go there. A descriptor that can
 * neither be read nor written stands in for it.
 */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            (void)open("/", O_PATH); /* takes the lowest free number, which is fd */
        }
    }
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

static enum cli_status unknown_command(const char *name)
{
    struct cli_suggest suggest;
    cli_suggest_init(&suggest, name);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        cli_suggest_consider(&suggest, cli_commands[i]->name);
    }
    if (suggest.best != NULL) {
        return cli_usage("unknown command '%s'; did you mean '%s'?", name, suggest.best);
    }
    return cli_usage("unknown command '%s'; 'a3m --help' lists the commands", name);
}

static enum cli_status run_command(const struct cli_command *command, const struct cli_options *options)
{
    if (options->help) {
        return cli_help_command(command);
    }
    if (options->version) {
        return cli_help_version();
    }
    int error = cli_signals_init();
    if (error != 0) {
        cli_error("cannot handle signals: %s", strerror(error));
        return CLI_OTHER;
    }
    return command->run(options);
}

static enum cli_status run_top(int argc, char **argv)
{
    struct cli_options options;
    cli_options_init(&options);
    enum cli_status status = cli_args_parse(cli_option_table, CLI_TOP, argc, argv, &options);
    if (status != CLI_DONE) {
        return status;
    }
    return options.version ? cli_help_version() : cli_help_top();
}

/* "a3m help push" is "a3m push --help". */
static enum cli_status run_help(int argc, char **argv)
{
    if (argc < 3) {
        return cli_help_top();
    }
    const struct cli_command *command = find_command(argv[2]);
    return command == NULL ? unknown_command(argv[2]) : cli_help_command(command);
}

static enum cli_status dispatch(int argc, char **argv)
{
    if (argc < 2) {
        return cli_usage("a command is missing; 'a3m --help' lists the commands");
    }
    if (argv[1][0] == '-') {
        return run_top(argc, argv);
    }
    if (strcmp(argv[1], "help") == 0) {
        return run_help(argc, argv);
    }
    const struct cli_command *command = find_command(argv[1]);
    if (command == NULL) {
        return unknown_command(argv[1]);
    }
    struct cli_options options;
    cli_options_init(&options);
    cli_report_begin(command->name, false);
    enum cli_status status = cli_args_parse(cli_option_table, command->bit, argc - 1, argv + 1, &options);
    if (status == CLI_DONE) {
        cli_report_begin(command->name, options.quiet);
        status = run_command(command, &options);
    }
    cli_options_fini(&options);
    return status;
}

int main(int argc, char **argv)
{
    hold_standard_descriptors();
    cli_report_begin("", false);
    return (int)dispatch(argc, argv);
}
