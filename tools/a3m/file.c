/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading whole files. They are read, not mapped: a file that is cut while it is
 * being sent would kill the command.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signals.h"

struct contents {
    char *bytes;
    size_t size, room;
};

/* Room for what the file is said to hold, and one byte to see that it ends there. */
static size_t first_room(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        (size_t)st.st_size <= A3M_MESSAGE_CEILING) {
        return (size_t)st.st_size + 1;
    }
    return (size_t)64 * 1024;
}

static int grow(struct contents *contents, size_t room)
{
    char *bytes = realloc(contents->bytes, room);
    if (bytes == NULL) {
        return ENOMEM;
    }
    contents->bytes = bytes;
    contents->room = room;
    return 0;
}

/* One read; *end is set at the end of the file. */
static int read_some(int fd, struct contents *contents, bool *end)
{
    ssize_t n = read(fd, contents->bytes + contents->size, contents->room - contents->size);
    if (n > 0) {
        contents->size += (size_t)n;
        return 0;
    }
    if (n == 0) {
        *end = true;
        return 0;
    }
    if (errno == EAGAIN) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        (void)poll(&ready, 1, -1);
        return 0;
    }
    return errno == EINTR && !cli_signals_stopped() ? 0 : errno;
}

static int read_all(int fd, struct contents *contents)
{
    int error = grow(contents, first_room(fd));
    for (bool end = false; error == 0 && !end;) {
        if (cli_signals_stopped()) {
            return EINTR;
        }
        if (contents->size > A3M_MESSAGE_CEILING) {
            return EFBIG;
        }
        error = contents->size == contents->room ? grow(contents, contents->room * 2) : 0;
        if (error == 0) {
            error = read_some(fd, contents, &end);
        }
    }
    return error;
}

static void free_bytes(void *bytes, void *arg)
{
    (void)arg;
    free(bytes);
}

int cli_file_read(const char *path, a3m_msg **msg)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    struct contents contents = {0};
    int error = read_all(fd, &contents);
    if (!is_stdin) {
        (void)close(fd);
    }
    if (error == 0) {
        *msg = a3m_msg_wrap(contents.bytes, contents.size, free_bytes, NULL);
        error = *msg == NULL ? ENOMEM : 0;
    }
    if (error != 0) {
        free(contents.bytes);
    }
    return error;
}
