/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be shown to people of bytes that others wrote: printable UTF-8. Pure.
 */
#ifndef A3MI_TEXT_H
#define A3MI_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes (1 to 4) of the UTF-8 sequence at `s`, of which `left` (> 0) are there:
 * RFC 3629, section 4. 0 when it is none, or that of a control character (C0,
 * DEL, C1): those steer terminals.
 */
static inline size_t a3mi_text_sequence(const uint8_t *s, size_t left)
{
    uint8_t low = 0x80, high = 0xBF; /* of the second byte */
    size_t size;

    if (s[0] < 0x80) {
        return s[0] >= 0x20 && s[0] != 0x7F;
    }
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        size = 2;
        low = s[0] == 0xC2 ? 0xA0 : low;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        size = 3;
        low = s[0] == 0xE0 ? 0xA0 : low;
        high = s[0] == 0xED ? 0x9F : high;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        size = 4;
        low = s[0] == 0xF0 ? 0x90 : low;
        high = s[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (left < size || s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF) {
            return 0;
        }
    }
    return size;
}

#endif
