/* SPDX-License-Identifier: Apache-2.0 */
/* The table of in-process names: a hash map behind a mutex. */
#include "transport/inproc_directory.h"

#include <pthread.h>

#include "base/list.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct a3mi_mapb
    names; /* [lock]; all zeros is an empty map: the names are the program's own, no seed */

/* ---- Fork ------------------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    a3mi_mapb_init(&names, 0); /* the old table is left alone: it cannot be freed safely here */
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- The table -------------------------------------------------------------- */

int a3mi_directory_add(struct a3mi_directory_entry *entry)
{
    pthread_once(&once, watch_forks);
    entry->node.key = entry->name.b;
    entry->node.key_len = entry->name.len;
    pthread_mutex_lock(&lock);
    int error = a3mi_mapb_add(&names, &entry->node);

    pthread_mutex_unlock(&lock);
    return error;
}

void a3mi_directory_remove(struct a3mi_directory_entry *entry)
{
    pthread_mutex_lock(&lock);
    if (a3mi_mapb_get(&names, entry->name.b, entry->name.len) == &entry->node) {
        a3mi_mapb_remove(&names, &entry->node);
    }
    if (a3mi_mapb_count(&names) == 0) {
        a3mi_mapb_fini(&names); /* nothing is left behind when the last endpoint closes */
    }
    pthread_mutex_unlock(&lock);
}

struct a3mi_mailbox *a3mi_directory_find(const struct a3m_addr *name)
{
    struct a3mi_mailbox *found = NULL;

    pthread_mutex_lock(&lock);
    struct a3mi_mapb_node *node = a3mi_mapb_get(&names, name->b, name->len);

    if (node != NULL) {
        found = a3mi_container_of(node, struct a3mi_directory_entry, node)->mailbox;
        a3mi_mailbox_ref(found);
    }
    pthread_mutex_unlock(&lock);
    return found;
}
