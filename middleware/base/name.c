/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: the check that lets bytes from outside become a node id or a tag.
 */
#include "base/name.h"

#include "base/checksum.h"
#include "base/error.h"

static bool is_continuation(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

/*
 * Length of the well-formed UTF-8 sequence at s, which has `left` > 0 bytes; 0 if
 * there is none. RFC 3629 section 4: the limits of the second byte keep out
 * overlong forms, surrogates, and what is beyond U+10FFFF.
 */
static size_t utf8_sequence(const uint8_t *s, size_t left)
{
    uint8_t first = s[0];
    uint8_t low = 0x80, high = 0xbf;
    size_t length = 0;

    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if ((first & 0xf0) == 0xe0) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    }
    if (length == 0 || length > left || s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(s[i])) {
            return 0;
        }
    }
    return length;
}

static int check_bytes(const uint8_t *s, size_t len)
{
    size_t step;

    for (size_t i = 0; i < len; i += step) {
        if (s[i] < 0x20) {
            return a3mi_fail(A3M_EINVAL, "name has a control character (0x%02x) at byte %zu", s[i], i);
        }
        if (s[i] == '/') {
            return a3mi_fail(A3M_EINVAL, "name has a '/' at byte %zu, where none is allowed", i);
        }
        step = utf8_sequence(s + i, len - i);
        if (step == 0) {
            return a3mi_fail(A3M_EINVAL, "name is not valid UTF-8 at byte %zu (0x%02x)", i, s[i]);
        }
    }
    return 0;
}

int a3mi_name_set(struct a3mi_name *n, const char *bytes, size_t len)
{
    if (bytes == NULL || len == 0) {
        return a3mi_fail(A3M_EINVAL, "name is empty; it must have 1 to %d bytes", A3MI_NAME_MAX);
    }
    if (len > A3MI_NAME_MAX) {
        return a3mi_fail(A3M_EINVAL, "name has %zu bytes; it must have 1 to %d", len, A3MI_NAME_MAX);
    }
    int error = check_bytes((const uint8_t *)bytes, len);

    if (error != 0) {
        return error;
    }
    n->len = (uint8_t)len;
    memmove(n->s, bytes, len);
    n->s[len] = '\0';
    return 0;
}

uint64_t a3mi_name_hash(const struct a3mi_name *n)
{
    return a3mi_hash64(n->s, n->len, 0);
}
