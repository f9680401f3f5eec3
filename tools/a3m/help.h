/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of --help and --version, on standard output. All return CLI_DONE, or
 * CLI_OTHER when they cannot be written.
 */
#ifndef A3M_CLI_HELP_H
#define A3M_CLI_HELP_H

#include "command.h"
#include "status.h"

enum cli_status cli_help_top(void);
enum cli_status cli_help_command(const struct cli_command *command);
enum cli_status cli_help_version(void);

#endif
