/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process-wide table of handles, and the check that a handle was not
 * inherited through fork. A call of the public interface holds a reference to
 * its object between a3mi_registry_get and _put; retiring a handle makes new
 * calls fail, and tells when the last call has left.
 */
#ifndef A3MI_REGISTRY_H
#define A3MI_REGISTRY_H

#include <stdint.h>

enum a3mi_handle_kind {
    A3MI_KIND_NODE = 1,
    A3MI_KIND_SOCKET,
    A3MI_KIND_LINK,
    A3MI_KIND_POLLER,
    A3MI_KIND_SCHEDULED,
};

/* The handle; 0 when there is no memory. */
uint64_t a3mi_registry_add(void *obj, enum a3mi_handle_kind kind);
/* 0 and *obj, held until put; A3M_EHANDLE, A3M_EFORKED. */
int a3mi_registry_get(uint64_t handle, enum a3mi_handle_kind kind, void **obj);
void a3mi_registry_put(uint64_t handle);
/* No get succeeds any more; `last` is called once, when the last reference is put. */
void a3mi_registry_retire(uint64_t handle, void (*last)(void *obj));

#endif
