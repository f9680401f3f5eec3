/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays and maps of a payload as msgpack-c has them, looked at alike: a map is
 * its keys and values in turns. Between payload.c, which makes them, and
 * payload_print.c.
 */
#ifndef A3MI_PAYLOAD_OBJECT_H
#define A3MI_PAYLOAD_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#define MSGPACK_SBUFFER_INIT_SIZE 256 /* most payloads are small, and the buffer is the message */
#include <msgpack.h>

/* Arrays and maps inside one another, empty ones included. */
#define A3MI_PAYLOAD_DEPTH_MAX 64

_Static_assert(sizeof(msgpack_object_kv) == 2 * sizeof(msgpack_object),
               "a map is an array of keys and values");

static inline bool a3mi_object_is_container(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_ARRAY || object->type == MSGPACK_OBJECT_MAP;
}

/* Values inside; 0 for what is no container. */
static inline uint64_t a3mi_object_count(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_ARRAY: return object->via.array.size;
    case MSGPACK_OBJECT_MAP: return 2 * (uint64_t)object->via.map.size;
    default: return 0;
    }
}

/* The first of the values inside, which the others follow; there is at least one. */
static inline const msgpack_object *a3mi_object_inside(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_MAP ? &object->via.map.ptr->key : object->via.array.ptr;
}

#endif
