/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process-wide table of in-process names and their mailboxes. Any thread;
 * the mutex is a leaf. A child of fork begins with an empty table, since the
 * endpoints it inherited are its parent's.
 */
#ifndef A3MI_INPROC_DIRECTORY_H
#define A3MI_INPROC_DIRECTORY_H

#include <a3m/transport.h>

#include "base/map.h"
#include "transport/inproc_mailbox.h"

/* Embedded in an endpoint; stays where it is until it is removed. */
struct a3mi_directory_entry {
    struct a3mi_mapb_node node;
    struct a3m_addr name;         /* [const] */
    struct a3mi_mailbox *mailbox; /* [const] */
};

/* `name` and `mailbox` are set. A3M_EEXIST, A3M_ENOMEM. */
int a3mi_directory_add(struct a3mi_directory_entry *entry);

/* Harmless for an entry that a fork left behind. */
void a3mi_directory_remove(struct a3mi_directory_entry *entry);

/* The mailbox with a reference for the caller, or NULL. */
struct a3mi_mailbox *a3mi_directory_find(const struct a3m_addr *name);

#endif
