/* SPDX-License-Identifier: Apache-2.0 */
/* The table lives as long as the process: a stale handle can be asked about at any time. */
#include "node/registry.h"

#include <pthread.h>
#include <stdatomic.h>

#include <a3m/errors.h>

#include "base/error.h"
#include "base/handle.h"

static struct a3mi_handles handles;
static int handles_error;
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* [atomic] Handles below this index were made by a process that this one is a child of. */
static _Atomic uint32_t inherited;

static void before_fork(void)
{
    pthread_mutex_lock(&handles.lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&handles.lock);
}

/* The parent's slots are never used again, so that what the child makes has indices of its own. */
static void in_child(void)
{
    handles.free_list = NULL;
    atomic_store(&inherited, handles.fresh);
    pthread_mutex_unlock(&handles.lock);
}

static void make(void)
{
    handles_error = a3mi_handles_init(&handles);
    if (handles_error == A3M_OK) {
        pthread_atfork(before_fork, in_parent, in_child);
    }
}

uint64_t a3mi_registry_add(void *obj, enum a3mi_handle_kind kind)
{
    pthread_once(&once, make);
    if (handles_error != A3M_OK) {
        return 0;
    }
    return a3mi_handles_add(&handles, obj, kind);
}

int a3mi_registry_get(uint64_t handle, enum a3mi_handle_kind kind, void **obj)
{
    static const char *const names[] = {[A3MI_KIND_NODE] = "node",
                                        [A3MI_KIND_SOCKET] = "socket",
                                        [A3MI_KIND_LINK] = "link",
                                        [A3MI_KIND_POLLER] = "poller",
                                        [A3MI_KIND_SCHEDULED] = "scheduled message"};
    if (handle != 0 && (uint32_t)handle < atomic_load_explicit(&inherited, memory_order_relaxed)) {
        return a3mi_fail(A3M_EFORKED, "handles do not survive fork(): make a new node in the child");
    }
    pthread_once(&once, make);
    *obj = handles_error == A3M_OK ? a3mi_handles_get(&handles, handle, kind) : NULL;
    if (*obj == NULL) {
        return a3mi_fail(A3M_EHANDLE, "not the handle of an open %s", names[kind]);
    }
    return a3mi_fail_plain(A3M_OK); /* what the call returns from here on says its own, or nothing */
}

void a3mi_registry_put(uint64_t handle)
{
    a3mi_handles_put(&handles, handle);
}

void a3mi_registry_retire(uint64_t handle, void (*last)(void *obj))
{
    a3mi_handles_retire(&handles, handle, last);
}
