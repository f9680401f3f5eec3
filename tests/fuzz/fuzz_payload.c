/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MessagePack payloads of a hostile peer: what unpacks can be walked and
 * printed, is what msgpack-c makes of it, and survives being packed again.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include <a3m/payload.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* msgpack-c's own parser ends there. */
#define THEIR_DEPTH 32

/* Packs a value again, and returns how deep it is nested; the writer has no EXT: nil stands for it. */
static unsigned copy(a3m_pack *pack, const a3m_value *value)
{
    unsigned deepest = 0;
    uint32_t n = value->type == A3M_VALUE_MAP ? 2 * value->via.count : value->via.count;

    switch (value->type) {
    case A3M_VALUE_NIL: a3m_pack_nil(pack); return 0;
    case A3M_VALUE_BOOL: a3m_pack_bool(pack, value->via.boolean); return 0;
    case A3M_VALUE_INT:
        assert(value->via.i64 < 0);
        a3m_pack_int(pack, value->via.i64);
        return 0;
    case A3M_VALUE_UINT: a3m_pack_uint(pack, value->via.u64); return 0;
    case A3M_VALUE_DOUBLE: a3m_pack_double(pack, value->via.f64); return 0;
    case A3M_VALUE_STR: a3m_pack_str(pack, value->via.bytes.data, value->via.bytes.size); return 0;
    case A3M_VALUE_BIN: a3m_pack_bin(pack, value->via.bytes.data, value->via.bytes.size); return 0;
    case A3M_VALUE_EXT: a3m_pack_nil(pack); return 0;
    case A3M_VALUE_ARRAY: a3m_pack_array(pack, n); break;
    case A3M_VALUE_MAP: a3m_pack_map(pack, n / 2); break;
    }
    for (uint32_t i = 0; i < n; i++) {
        a3m_value inner;
        assert(a3m_value_at(value, i, &inner) == 0);
        unsigned depth = copy(pack, &inner);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* Two trips through writer and reader give the same bytes. */
static unsigned check_copy(const a3m_value *root)
{
    a3m_pack *pack = a3m_pack_new();
    a3m_msg *first, *second;
    a3m_unpack *unpack;
    a3m_value again;

    assert(pack != NULL);
    unsigned depth = copy(pack, root);
    assert(a3m_pack_take(pack, &first) == 0);
    assert(a3m_unpack_new(&unpack, first, &again) == 0);
    assert(copy(pack, &again) == depth);
    assert(a3m_pack_take(pack, &second) == 0);
    assert(a3m_msg_size(first) == a3m_msg_size(second));
    assert(memcmp(a3m_msg_data(first), a3m_msg_data(second), a3m_msg_size(first)) == 0);
    a3m_unpack_free(unpack);
    a3m_msg_free(first);
    a3m_msg_free(second);
    a3m_pack_free(pack);
    return depth;
}

static void check_print(const a3m_value *root)
{
    int length = a3m_value_print(root, NULL, 0);
    assert(length > 0);
    char *text = malloc((size_t)length + 1);
    assert(text != NULL);
    assert(a3m_value_print(root, text, (size_t)length + 1) == length);
    assert(strlen(text) == (size_t)length);
    free(text);
}

/* Both as msgpack-c writes them: that goes by bits, also for NaN. */
static void check_same(const msgpack_object *ours, const msgpack_object *theirs)
{
    const msgpack_object *objects[2] = {ours, theirs};
    msgpack_sbuffer buffers[2];

    for (int i = 0; i < 2; i++) {
        msgpack_packer packer;
        msgpack_sbuffer_init(&buffers[i]);
        msgpack_packer_init(&packer, &buffers[i], msgpack_sbuffer_write);
        assert(msgpack_pack_object(&packer, *objects[i]) == 0);
    }
    assert(buffers[0].size == buffers[1].size);
    assert(memcmp(buffers[0].data, buffers[1].data, buffers[0].size) == 0);
    msgpack_sbuffer_destroy(&buffers[0]);
    msgpack_sbuffer_destroy(&buffers[1]);
}

/* Only for what was found good: msgpack-c allocates what a bad payload says that it needs. */
static void check_against_msgpack(const a3m_value *root, const uint8_t *data, size_t size)
{
    msgpack_unpacked result;
    size_t offset = 0;

    msgpack_unpacked_init(&result);
    assert(msgpack_unpack_next(&result, (const char *)data, size, &offset) == MSGPACK_UNPACK_SUCCESS);
    assert(offset == size);
    check_same(root->inner, &result.data);
    msgpack_unpacked_destroy(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    a3m_msg *msg = a3m_msg_wrap((void *)(uintptr_t)data, size, NULL, NULL);
    a3m_unpack *unpack;
    a3m_value root;

    assert(msg != NULL);
    int rc = a3m_unpack_new(&unpack, msg, &root);
    assert(rc == 0 || rc == A3M_EPROTO);
    if (rc == 0) {
        check_print(&root);
        if (check_copy(&root) <= THEIR_DEPTH) {
            check_against_msgpack(&root, data, size);
        }
        a3m_unpack_free(unpack);
    }
    a3m_msg_free(msg);
    return 0;
}
