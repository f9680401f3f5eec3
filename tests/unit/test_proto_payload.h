/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of payloads: writers that exist, and messages over bytes given.
 */
#ifndef TEST_PROTO_PAYLOAD_H
#define TEST_PROTO_PAYLOAD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <a3m/payload.h>

static inline a3m_pack *new_pack(void)
{
    a3m_pack *pack = a3m_pack_new();

    assert_non_null(pack);
    return pack;
}

/* A message of its own allocation, so that a sanitizer sees what reads beyond it. */
static inline a3m_msg *message(const void *bytes, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    a3m_msg *msg = a3m_msg_wrap(copy, size, NULL, NULL);
    assert_non_null(msg);
    return msg;
}

static inline void message_free(a3m_msg *msg)
{
    free(a3m_msg_data(msg));
    a3m_msg_free(msg);
}

static inline void assert_unpack_fails(const void *bytes, size_t size)
{
    a3m_msg *msg = message(bytes, size);
    a3m_unpack *unpack = NULL;
    a3m_value root;

    assert_int_equal(a3m_unpack_new(&unpack, msg, &root), A3M_EPROTO);
    assert_null(unpack);
    message_free(msg);
}

#endif
