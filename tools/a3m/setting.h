/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of the socket as text, "credit-bytes=4MiB": found in the library's
 * table, read in its unit, checked against its range, set. Reports what is wrong.
 */
#ifndef A3M_CLI_SETTING_H
#define A3M_CLI_SETTING_H

#include <stdint.h>

#include <a3m/handles.h>
#include <a3m/options.h>

#include "status.h"

enum cli_status cli_setting_apply(a3m_socket socket, const char *text);

/* An option's value as it would be written. `size` of 48 suffices. */
void cli_setting_format(const a3m_option_info *info, int64_t value, char *buf, unsigned size);

#endif
