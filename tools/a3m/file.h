/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole file as one message.
 */
#ifndef A3M_CLI_FILE_H
#define A3M_CLI_FILE_H

#include <a3m/message.h>

/*
 * Reads all of `path` ("-": standard input), which may be a pipe. *msg is the
 * caller's. 0 or an errno: EFBIG for more than A3M_MESSAGE_CEILING, EINTR when
 * the command was asked to end. Blocks while reading.
 */
int cli_file_read(const char *path, a3m_msg **msg);

#endif
