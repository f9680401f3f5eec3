/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MessagePack payloads (https://msgpack.org, the msgpack-c library): a writer
 * that grows a message, and a reader that walks one. For applications that want
 * structured payloads; A3M itself takes payloads as bytes.
 */
#ifndef A3M_PAYLOAD_H
#define A3M_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/errors.h>
#include <a3m/message.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

/*
 * Writes one payload, value after value. Not thread-safe. Errors latch, and a3m_pack_take says the first: no
 * memory, or more than A3M_MESSAGE_CEILING (A3M_ENOMEM); a second value beside the first, arrays and maps nested
 * more than 64 deep, NULL for bytes that are not empty (A3M_ESTATE).
 */
typedef struct a3m_pack a3m_pack;

/* NULL when there is no memory. */
A3M_API a3m_pack *a3m_pack_new(void);
A3M_API void a3m_pack_free(a3m_pack *pack);

A3M_API void a3m_pack_nil(a3m_pack *pack);
A3M_API void a3m_pack_bool(a3m_pack *pack, bool value);
A3M_API void a3m_pack_int(a3m_pack *pack, int64_t value);
A3M_API void a3m_pack_uint(a3m_pack *pack, uint64_t value);
A3M_API void a3m_pack_double(a3m_pack *pack, double value);
A3M_API void a3m_pack_str(a3m_pack *pack, const char *text, size_t size);
A3M_API void a3m_pack_bin(a3m_pack *pack, const void *bytes, size_t size);
/* `n` values follow, or `n` pairs of key and value. */
A3M_API void a3m_pack_array(a3m_pack *pack, uint32_t n);
A3M_API void a3m_pack_map(a3m_pack *pack, uint32_t n);

/*
 * Moves what was written into a new message, the caller's, and empties the
 * writer, also on error. A3M_ENOMEM, A3M_ESTATE (an array or map is not complete,
 * nothing was written, or one of the errors above).
 */
A3M_API int a3m_pack_take(a3m_pack *pack, a3m_msg **msg);

typedef enum a3m_value_type {
    A3M_VALUE_NIL,
    A3M_VALUE_BOOL,
    A3M_VALUE_INT, /* negative; what is not negative is UINT */
    A3M_VALUE_UINT,
    A3M_VALUE_DOUBLE,
    A3M_VALUE_STR,
    A3M_VALUE_BIN,
    A3M_VALUE_ARRAY,
    A3M_VALUE_MAP,
    A3M_VALUE_EXT,
} a3m_value_type;

/* A value of an unpacked payload; borrowed from the reader. */
typedef struct a3m_value {
    a3m_value_type type;
    union {
        bool boolean;
        int64_t i64;
        uint64_t u64;
        double f64;
        struct {
            const char *data; /* not terminated */
            uint32_t size;
        } bytes;        /* STR, BIN, EXT */
        uint32_t count; /* of an array's elements, of a map's pairs */
    } via;
    const void *inner; /* for a3m_value_at and a3m_value_find */
} a3m_value;

typedef struct a3m_unpack a3m_unpack;

/*
 * Unpacks the whole payload of `msg`, which must stay as it is for as long as
 * the reader is used. A3M_EPROTO (not exactly one MessagePack value, nested more
 * than 64 deep, or larger than it can be), A3M_ENOMEM.
 */
A3M_API int a3m_unpack_new(a3m_unpack **unpack, const a3m_msg *msg, a3m_value *root);
A3M_API void a3m_unpack_free(a3m_unpack *unpack);

/* Element `i` of an array; key (2 i) or value (2 i + 1) of a map's pair i. A3M_EINVAL, A3M_ENOENT. */
A3M_API int a3m_value_at(const a3m_value *value, uint32_t i, a3m_value *out);
/* The value of the string key `key` of a map. A3M_EINVAL, A3M_ENOENT. */
A3M_API int a3m_value_find(const a3m_value *value, const char *key, a3m_value *out);

/*
 * The payload as text for people, JSON-like; returns the length that it needs, as snprintf does. A3M_EINVAL (no
 * value), A3M_EMSGSIZE (its text is longer than INT_MAX).
 */
A3M_API int a3m_value_print(const a3m_value *value, char *buf, size_t size);

A3M_END_DECLS

#endif
