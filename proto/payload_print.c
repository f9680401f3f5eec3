/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of a payload as text for people: JSON (RFC 8259) as far as it goes.
 * What JSON lacks: bytes are h'00ff' as in CBOR's diagnostic notation (RFC 8949,
 * section 8), extensions ext(5, h'00'), bytes of a text that are no UTF-8 \xff;
 * numbers with a point are doubles; keys need not be texts. No control character
 * gets through. No locks, no allocation.
 */
#include <a3m/payload.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "proto/payload_object.h"
#include "proto/text.h"

/* A text of which only the beginning may fit. */
struct printer {
    char *buf;
    size_t size;
    size_t length; /* of all of it */
};

static void put(struct printer *p, const char *text, size_t n)
{
    if (p->length < p->size) {
        size_t room = p->size - p->length;
        memcpy(p->buf + p->length, text, n < room ? n : room);
    }
    p->length += n;
}

__attribute__((format(printf, 2, 3))) static void put_format(struct printer *p, const char *format, ...)
{
    char text[64]; /* numbers only */
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(p, text, n < 0 ? 0 : (size_t)n);
}

/* The shortest digits that read back as the same number; with a point, or it would look like an integer. */
static void put_number(struct printer *p, double value, bool single)
{
    char text[40];
    int digits = single ? FLT_DIG : DBL_DIG, most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;

    if (!isfinite(value)) {
        const char *name = isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
        put(p, name, strlen(name));
        return;
    }
    for (;; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        double again = strtod(text, NULL);
        if (digits >= most || (single ? (float)again == (float)value : again == value)) {
            break;
        }
    }
    /* The process may have a locale with another decimal point. */
    size_t integer = strspn(text, "-0123456789");
    size_t point = strcspn(text + integer, "0123456789e");
    put(p, text, integer);
    put(p,
        point > 0               ? "."
        : text[integer] == '\0' ? ".0"
                                : "",
        point > 0               ? 1
        : text[integer] == '\0' ? 2
                                : 0);
    put(p, text + integer + point, strlen(text + integer + point));
}

/* What JSON has a short escape for, and the escapes. */
static const char escaped[] = "\"\\\b\f\n\r\t";
static const char escapes[] = "\"\\bfnrt";

static void put_text(struct printer *p, const char *text, uint32_t size)
{
    const uint8_t *s = (const uint8_t *)text;

    put(p, "\"", 1);
    for (uint32_t i = 0; i < size;) {
        const char *short_form = s[i] != 0 ? strchr(escaped, s[i]) : NULL;
        size_t n = a3mi_text_sequence(s + i, size - i);
        if (short_form != NULL) {
            put_format(p, "\\%c", escapes[short_form - escaped]);
            n = 1;
        } else if (n > 0) {
            put(p, text + i, n);
        } else if (s[i] < 0x80) {
            put_format(p, "\\u%04x", s[i]);
            n = 1;
        } else {
            put_format(p, "\\x%02x", s[i]); /* not JSON's: it has no bytes */
            n = 1;
        }
        i += (uint32_t)n;
    }
    put(p, "\"", 1);
}

static void put_hex(struct printer *p, const char *bytes, uint32_t size)
{
    put(p, "h'", 2);
    for (uint32_t i = 0; i < size; i++) {
        put_format(p, "%02x", (uint8_t)bytes[i]);
    }
    put(p, "'", 1);
}

static void put_value(struct printer *p, const msgpack_object *object);

/* Calls itself A3MI_PAYLOAD_DEPTH_MAX deep at most. */
static void put_container(struct printer *p, const msgpack_object *object)
{
    bool map = object->type == MSGPACK_OBJECT_MAP;
    uint64_t n = a3mi_object_count(object);

    put(p, map ? "{" : "[", 1);
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0) {
            put(p, map && i % 2 == 1 ? ": " : ", ", 2);
        }
        put_value(p, a3mi_object_inside(object) + i);
    }
    put(p, map ? "}" : "]", 1);
}

static void put_value(struct printer *p, const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL: put(p, "null", 4); return;
    case MSGPACK_OBJECT_BOOLEAN:
        put(p, object->via.boolean ? "true" : "false", object->via.boolean ? 4 : 5);
        return;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: put_format(p, "%llu", (unsigned long long)object->via.u64); return;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: put_format(p, "%lld", (long long)object->via.i64); return;
    case MSGPACK_OBJECT_FLOAT32: put_number(p, object->via.f64, true); return;
    case MSGPACK_OBJECT_FLOAT64: put_number(p, object->via.f64, false); return;
    case MSGPACK_OBJECT_STR: put_text(p, object->via.str.ptr, object->via.str.size); return;
    case MSGPACK_OBJECT_BIN: put_hex(p, object->via.bin.ptr, object->via.bin.size); return;
    case MSGPACK_OBJECT_EXT:
        put_format(p, "ext(%d, ", object->via.ext.type);
        put_hex(p, object->via.ext.ptr, object->via.ext.size);
        put(p, ")", 1);
        return;
    case MSGPACK_OBJECT_ARRAY:
    case MSGPACK_OBJECT_MAP: put_container(p, object); return;
    }
}

int a3m_value_print(const a3m_value *value, char *buf, size_t size)
{
    struct printer p = {.buf = buf, .size = size > 0 ? size - 1 : 0};

    if (value->inner == NULL) {
        return a3mi_fail(A3M_EINVAL, "not a value of a payload");
    }
    put_value(&p, value->inner);
    if (size > 0) {
        buf[p.length < p.size ? p.length : p.size] = '\0';
    }
    if (p.length > INT_MAX) {
        return a3mi_fail(A3M_EMSGSIZE, "a text of %zu bytes", p.length);
    }
    return (int)p.length;
}
