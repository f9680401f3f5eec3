/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes. A function that can fail returns 0 (or a count) on success and
 * one of these negative codes otherwise. A code never changes its number.
 * Each thread has a detail text that says more about its last failure.
 */
#ifndef A3M_ERRORS_H
#define A3M_ERRORS_H

#include <a3m/version.h>

A3M_BEGIN_DECLS

enum {
    A3M_OK = 0,
    A3M_EAGAIN = -1,      /* it would block, and was asked not to; for no reason named below */
    A3M_ENOCREDIT = -2,   /* try form: the link is up, but its receiver granted no more credit */
    A3M_ENOWINDOW = -3,   /* try form: the node's outbox is full */
    A3M_ENOLINK = -4,     /* there is no link: up where one is needed, or coming up where that would do */
    A3M_EREFUSED = -5,    /* the peer refused for good */
    A3M_ECLOSED = -6,     /* the object was closed, before the call or while it waited */
    A3M_ETIMEDOUT = -7,   /* the deadline passed */
    A3M_ESTATE = -8,      /* not in a state where this can be done */
    A3M_ENOTSUP = -9,     /* this type of socket (or this build, or this kernel) cannot do it */
    A3M_EDEADLK = -10,    /* a blocking call on the reader thread or in a hook, which would wait for itself */
    A3M_ERESTARTED = -11, /* the peer restarted: what it had not acknowledged has an unknown outcome */
    A3M_ESILENT = -12,    /* nothing was heard from the peer for its timeout */
    A3M_EMSGSIZE = -13,   /* larger than the peer takes, or than a message may be */
    A3M_EFORKED = -14,    /* the handle was inherited through fork(); make a new node in the child */
    A3M_EINTR = -15,      /* a signal arrived, and the socket asked to be told */
    A3M_EINVAL = -16,     /* an argument is not valid; the detail text says which and why */
    A3M_EHANDLE = -17,    /* not a handle, or one whose object is gone */
    A3M_ENOMEM = -18,     /* no memory; as the end of a link: its peer held too much */
    A3M_EEXIST = -19,     /* the name or the link exists already */
    A3M_ENOENT = -20,     /* there is no such thing */
    A3M_EADDRINUSE = -21, /* the address is in use */
    A3M_EADDRNOTAVAIL = -22, /* the address is not one of this machine's */
    A3M_EACCES = -23,        /* the operating system does not permit it */
    A3M_ENOADDR = -24,       /* no address is known for this node id, or its name cannot be resolved */
    A3M_ECANCELED = -25,     /* cancelled, here or by the peer */
    A3M_EINCOMPATIBLE = -26, /* the peer's socket is of a type that this one cannot be linked with */
    A3M_ENOTREADY = -27,     /* refused for now: the peer's socket does not exist yet, or is not ready */
    A3M_EMFILE = -28,        /* the process or the system has no more file descriptors */
    A3M_EPROTO = -29,        /* what arrived cannot be understood */
    A3M_EDUPLICATE = -30,    /* another live node uses the same node id */
    A3M_EOS = -31,           /* another error of the operating system; the detail text has it */
    A3M_ELINKDOWN = -32, /* the link ended while the call waited on it; a3m_link_get_info has the reason */
};

/*
 * A short text for a code, in English, without newline: "timed out". Static
 * storage; any int is accepted.
 */
A3M_API const char *a3m_strerror(int code);

/*
 * What the calling thread's last failed call had to say: which argument, which
 * address, what to do about it. Valid until the thread's next failing call;
 * "" when there was nothing to say. Never NULL.
 */
A3M_API const char *a3m_error_detail(void);

A3M_END_DECLS

#endif
