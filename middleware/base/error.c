/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts for error codes, and the thread's detail text. The detail lives in
 * thread-local storage of fixed size, so that failing cannot fail.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of the thread's calls, and of what it does besides. */
static _Thread_local char details[2][A3MI_ERROR_DETAIL_SIZE];
static _Thread_local bool is_aside;

bool a3mi_detail_aside(bool aside)
{
    bool before = is_aside;

    is_aside = aside;
    return before;
}

const char *a3m_strerror(int code)
{
    switch (code) {
    case A3M_OK: return "success";
    case A3M_EAGAIN: return "would block";
    case A3M_ENOCREDIT: return "no credit";
    case A3M_ENOWINDOW: return "outbox full";
    case A3M_ENOLINK: return "no link";
    case A3M_EREFUSED: return "refused by the peer";
    case A3M_ECLOSED: return "closed";
    case A3M_ETIMEDOUT: return "timed out";
    case A3M_ESTATE: return "not possible in this state";
    case A3M_ENOTSUP: return "not supported";
    case A3M_EDEADLK: return "would deadlock";
    case A3M_ERESTARTED: return "peer restarted";
    case A3M_ESILENT: return "peer silent";
    case A3M_EMSGSIZE: return "message too large";
    case A3M_EFORKED: return "handle inherited through fork";
    case A3M_EINTR: return "interrupted by a signal";
    case A3M_EINVAL: return "invalid argument";
    case A3M_EHANDLE: return "stale or invalid handle";
    case A3M_ENOMEM: return "out of memory";
    case A3M_EEXIST: return "exists already";
    case A3M_ENOENT: return "no such thing";
    case A3M_EADDRINUSE: return "address in use";
    case A3M_EADDRNOTAVAIL: return "address not available on this machine";
    case A3M_EACCES: return "permission denied";
    case A3M_ENOADDR: return "address unknown";
    case A3M_ECANCELED: return "canceled";
    case A3M_EINCOMPATIBLE: return "incompatible socket types";
    case A3M_ENOTREADY: return "peer socket not ready";
    case A3M_EMFILE: return "too many open files";
    case A3M_EPROTO: return "protocol error";
    case A3M_EDUPLICATE: return "duplicate node id";
    case A3M_EOS: return "operating system error";
    case A3M_ELINKDOWN: return "link ended";
    }
    return "unknown error";
}

const char *a3m_error_detail(void)
{
    return details[is_aside];
}

int a3mi_fail(int code, const char *fmt, ...)
{
    /* By way of a second buffer, since the old text may be an argument of the new one. */
    char text[A3MI_ERROR_DETAIL_SIZE];
    int saved_errno = errno;
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0) {
        text[0] = '\0';
    }
    memcpy(details[is_aside], text, strlen(text) + 1);
    errno = saved_errno;
    return code;
}

int a3mi_fail_plain(int code)
{
    details[is_aside][0] = '\0';
    return code;
}

int a3mi_fail_os(int err, const char *what)
{
    int code;

    switch (err) {
    case EMFILE:
    case ENFILE: code = A3M_EMFILE; break;
    case ENOMEM:
    case ENOBUFS: code = A3M_ENOMEM; break;
    case EPERM:
    case EACCES: code = A3M_EACCES; break;
    default: code = A3M_EOS; break;
    }
    errno = err;
    return a3mi_fail(code, "%s: %m", what);
}
