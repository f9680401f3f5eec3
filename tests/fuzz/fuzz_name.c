/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names from outside (base/name.c), against a decoder of UTF-8 that goes by
 * code points instead of tables of bytes (RFC 3629 section 3).
 */
#include <stdlib.h>

#include <a3m/errors.h>

#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The smallest code point that needs so many bytes. */
static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

static size_t length_of(uint8_t first)
{
    for (size_t n = 2; n <= 4; n++) {
        if ((unsigned)first >> (7 - n) == (0xffu >> (7 - n) & ~1u)) {
            return n;
        }
    }
    return first < 0x80 ? 1 : 0;
}

/* The bytes of the code point that begins here; 0: none does. */
static size_t step(const uint8_t *s, size_t left)
{
    size_t n = length_of(s[0]);
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    if (n == 0 || n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;

    return code < smallest[n] || code > 0x10ffff || surrogate || code < 0x20 || code == '/' ? 0 : n;
}

static bool is_good(const uint8_t *s, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i += n) {
        n = step(s + i, size - i);
        if (n == 0) {
            return false;
        }
    }
    return size > 0 && size <= A3MI_NAME_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct a3mi_name name, before;

    memset(&name, 0x5a, sizeof(name));
    before = name;
    int rc = a3mi_name_set(&name, (const char *)data, size);

    assert((rc == 0) == is_good(data, size) && (rc == 0 || rc == A3M_EINVAL));
    if (rc != 0) {
        assert(memcmp(&name, &before, sizeof(name)) == 0);
        return 0;
    }
    assert(name.len == size && memcmp(name.s, data, size) == 0 && name.s[size] == '\0');
    assert(a3mi_name_eq(&name, &name) && a3mi_name_cmp(&name, &name) == 0);
    return 0;
}
