/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MessagePack payloads (a3m/payload.h). Format:
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 *
 * Writing is msgpack-c's packer into a buffer that becomes the message's bytes;
 * what is added here is the count of the values still missing in each array and
 * map that is open. Reading makes msgpack-c's objects in one of its zones, but
 * parses by itself: msgpack-c's parser allocates as many objects as an array
 * says it has before it sees one of them, and ends at 32 levels
 * (MSGPACK_EMBED_STACK_SIZE of the library). Here one pass checks and counts, then
 * one allocation of 24 bytes a value is made, and a second pass fills it. Tests
 * compare the outcome with msgpack-c's. payload_print.c shows values to people.
 *
 * No locks: a writer, and a reader with its values, belong to one thread at a
 * time. A reader borrows strings from the message.
 */
#include <a3m/payload.h>

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "proto/payload_object.h"

/* ---- Writing ------------------------------------------------------------------ */

struct a3m_pack {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    int error;                             /* the first one; stays until a3m_pack_take */
    bool complete;                         /* the payload's one value is there */
    unsigned depth;                        /* of what is open */
    uint64_t left[A3MI_PAYLOAD_DEPTH_MAX]; /* values missing, outermost first */
};

static int pack_write(void *arg, const char *bytes, size_t size)
{
    a3m_pack *pack = arg;

    if (size > A3M_MESSAGE_CEILING - pack->buffer.size ||
        msgpack_sbuffer_write(&pack->buffer, bytes, size) != 0) {
        pack->error = A3M_ENOMEM;
        return -1;
    }
    return 0;
}

static void pack_reset(a3m_pack *pack)
{
    msgpack_sbuffer_init(&pack->buffer);
    pack->error = 0;
    pack->complete = false;
    pack->depth = 0;
}

a3m_pack *a3m_pack_new(void)
{
    a3m_pack *pack = malloc(sizeof(*pack));

    if (pack != NULL) {
        pack_reset(pack);
        msgpack_packer_init(&pack->packer, pack, pack_write);
    }
    return pack;
}

void a3m_pack_free(a3m_pack *pack)
{
    if (pack != NULL) {
        msgpack_sbuffer_destroy(&pack->buffer);
        free(pack);
    }
}

/* A value begins, with `inside` values in it. False when it cannot: then nothing is to be written. */
static bool pack_begin(a3m_pack *pack, bool container, uint64_t inside)
{
    if (pack->error != 0) {
        return false;
    }
    if (pack->complete || (container && pack->depth == A3MI_PAYLOAD_DEPTH_MAX)) {
        pack->error = A3M_ESTATE;
        return false;
    }
    if (pack->depth > 0) {
        pack->left[pack->depth - 1]--;
    }
    if (inside > 0) {
        pack->left[pack->depth++] = inside;
        return true;
    }
    while (pack->depth > 0 && pack->left[pack->depth - 1] == 0) {
        pack->depth--;
    }
    pack->complete = pack->depth == 0;
    return true;
}

void a3m_pack_nil(a3m_pack *pack)
{
    if (pack_begin(pack, false, 0)) {
        (void)msgpack_pack_nil(&pack->packer);
    }
}

void a3m_pack_bool(a3m_pack *pack, bool value)
{
    if (pack_begin(pack, false, 0)) {
        (void)(value ? msgpack_pack_true(&pack->packer) : msgpack_pack_false(&pack->packer));
    }
}

void a3m_pack_int(a3m_pack *pack, int64_t value)
{
    if (pack_begin(pack, false, 0)) {
        (void)msgpack_pack_int64(&pack->packer, value);
    }
}

void a3m_pack_uint(a3m_pack *pack, uint64_t value)
{
    if (pack_begin(pack, false, 0)) {
        (void)msgpack_pack_uint64(&pack->packer, value);
    }
}

void a3m_pack_double(a3m_pack *pack, double value)
{
    if (pack_begin(pack, false, 0)) {
        (void)msgpack_pack_double(&pack->packer, value);
    }
}

/* Begins a text or bytes, which must be there and fit into a message. */
static bool pack_begin_bytes(a3m_pack *pack, const void *bytes, size_t size)
{
    if (pack->error == 0 && size > A3M_MESSAGE_CEILING) {
        pack->error = A3M_ENOMEM;
    } else if (pack->error == 0 && bytes == NULL && size > 0) {
        pack->error = A3M_ESTATE;
    }
    return pack_begin(pack, false, 0);
}

void a3m_pack_str(a3m_pack *pack, const char *text, size_t size)
{
    if (pack_begin_bytes(pack, text, size)) {
        (void)msgpack_pack_str(&pack->packer, size);
        (void)(size > 0 && msgpack_pack_str_body(&pack->packer, text, size));
    }
}

void a3m_pack_bin(a3m_pack *pack, const void *bytes, size_t size)
{
    if (pack_begin_bytes(pack, bytes, size)) {
        (void)msgpack_pack_bin(&pack->packer, size);
        (void)(size > 0 && msgpack_pack_bin_body(&pack->packer, bytes, size));
    }
}

void a3m_pack_array(a3m_pack *pack, uint32_t n)
{
    if (pack_begin(pack, true, n)) {
        (void)msgpack_pack_array(&pack->packer, n);
    }
}

void a3m_pack_map(a3m_pack *pack, uint32_t n)
{
    if (pack_begin(pack, true, 2 * (uint64_t)n)) {
        (void)msgpack_pack_map(&pack->packer, n);
    }
}

static void free_bytes(void *bytes, void *arg)
{
    (void)arg;
    free(bytes);
}

/* Why there is no message in the writer; 0 when there is one. */
static int pack_check(const a3m_pack *pack)
{
    if (pack->error == A3M_ENOMEM) {
        return a3mi_fail(A3M_ENOMEM, "no memory for the payload, or it is larger than a message can be");
    }
    if (pack->error != 0) {
        return a3mi_fail(pack->error,
                         "a second value, a text without bytes, or arrays and maps nested more than %d deep",
                         A3MI_PAYLOAD_DEPTH_MAX);
    }
    if (pack->depth > 0) {
        return a3mi_fail(A3M_ESTATE, "%llu values are missing in the innermost of %u open arrays and maps",
                         (unsigned long long)pack->left[pack->depth - 1], pack->depth);
    }
    return pack->complete ? 0 : a3mi_fail(A3M_ESTATE, "nothing was written");
}

int a3m_pack_take(a3m_pack *pack, a3m_msg **msg)
{
    int rc = pack_check(pack);

    if (rc == 0) {
        *msg = a3m_msg_wrap(pack->buffer.data, pack->buffer.size, free_bytes, NULL);
        rc = *msg != NULL ? 0 : a3mi_fail(A3M_ENOMEM, "no memory for the message");
    }
    if (rc != 0) {
        free(pack->buffer.data);
    }
    pack_reset(pack);
    return rc;
}

/* ---- Reading: one value ------------------------------------------------------- */

static uint64_t read_uint(struct a3mi_rd *rd, unsigned log2_size)
{
    switch (log2_size) {
    case 0: return a3mi_rd_u8(rd);
    case 1: return a3mi_rd_u16(rd);
    case 2: return a3mi_rd_u32(rd);
    default: return a3mi_rd_u64(rd);
    }
}

static void set_int(msgpack_object *object, int64_t value)
{
    object->type = value < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER : MSGPACK_OBJECT_POSITIVE_INTEGER;
    object->via.i64 = value;
}

static void read_int(struct a3mi_rd *rd, unsigned log2_size, msgpack_object *object)
{
    unsigned shift = 64 - (8u << log2_size);

    set_int(object, (int64_t)(read_uint(rd, log2_size) << shift) >> shift);
}

static void read_float(struct a3mi_rd *rd, msgpack_object *object)
{
    uint32_t bits = a3mi_rd_u32(rd);
    float value;

    memcpy(&value, &bits, sizeof(value));
    object->type = MSGPACK_OBJECT_FLOAT32;
    object->via.f64 = (double)value;
}

static void read_double(struct a3mi_rd *rd, msgpack_object *object)
{
    uint64_t bits = a3mi_rd_u64(rd);

    object->type = MSGPACK_OBJECT_FLOAT64;
    memcpy(&object->via.f64, &bits, sizeof(bits));
}

static void read_str(struct a3mi_rd *rd, uint32_t size, msgpack_object *object)
{
    object->type = MSGPACK_OBJECT_STR;
    object->via.str.size = size;
    object->via.str.ptr = (const char *)a3mi_rd_bytes(rd, size);
}

static void read_bin(struct a3mi_rd *rd, uint32_t size, msgpack_object *object)
{
    object->type = MSGPACK_OBJECT_BIN;
    object->via.bin.size = size;
    object->via.bin.ptr = (const char *)a3mi_rd_bytes(rd, size);
}

static void read_ext(struct a3mi_rd *rd, uint32_t size, msgpack_object *object)
{
    object->type = MSGPACK_OBJECT_EXT;
    object->via.ext.type = (int8_t)a3mi_rd_u8(rd);
    object->via.ext.size = size;
    object->via.ext.ptr = (const char *)a3mi_rd_bytes(rd, size);
}

static void set_array(msgpack_object *object, uint32_t n)
{
    object->type = MSGPACK_OBJECT_ARRAY;
    object->via.array = (msgpack_object_array){.size = n};
}

static void set_map(msgpack_object *object, uint32_t n)
{
    object->type = MSGPACK_OBJECT_MAP;
    object->via.map = (msgpack_object_map){.size = n};
}

static void set_bool(msgpack_object *object, bool value)
{
    object->type = MSGPACK_OBJECT_BOOLEAN;
    object->via.boolean = value;
}

/* The values whose first byte is 0xc0 to 0xdf. */
static void read_wide(struct a3mi_rd *rd, uint8_t first, msgpack_object *object)
{
    switch (first) {
    case 0xc0: object->type = MSGPACK_OBJECT_NIL; return;
    case 0xc2: set_bool(object, false); return;
    case 0xc3: set_bool(object, true); return;
    case 0xc4: read_bin(rd, a3mi_rd_u8(rd), object); return;
    case 0xc5: read_bin(rd, a3mi_rd_u16(rd), object); return;
    case 0xc6: read_bin(rd, a3mi_rd_u32(rd), object); return;
    case 0xc7: read_ext(rd, a3mi_rd_u8(rd), object); return;
    case 0xc8: read_ext(rd, a3mi_rd_u16(rd), object); return;
    case 0xc9: read_ext(rd, a3mi_rd_u32(rd), object); return;
    case 0xca: read_float(rd, object); return;
    case 0xcb: read_double(rd, object); return;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        object->type = MSGPACK_OBJECT_POSITIVE_INTEGER;
        object->via.u64 = read_uint(rd, first - 0xccu);
        return;
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: read_int(rd, first - 0xd0u, object); return;
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8: read_ext(rd, 1u << (first - 0xd4u), object); return;
    case 0xd9: read_str(rd, a3mi_rd_u8(rd), object); return;
    case 0xda: read_str(rd, a3mi_rd_u16(rd), object); return;
    case 0xdb: read_str(rd, a3mi_rd_u32(rd), object); return;
    case 0xdc: set_array(object, a3mi_rd_u16(rd)); return;
    case 0xdd: set_array(object, a3mi_rd_u32(rd)); return;
    case 0xde: set_map(object, a3mi_rd_u16(rd)); return;
    case 0xdf: set_map(object, a3mi_rd_u32(rd)); return;
    default: rd->bad = true; return; /* 0xc1 is never used */
    }
}

/* Reads a value; of an array or map, only how much it holds. */
static void read_value(struct a3mi_rd *rd, msgpack_object *object)
{
    uint8_t first = a3mi_rd_u8(rd);

    if (first < 0x80 || first >= 0xe0) {
        set_int(object, (int8_t)first);
    } else if (first < 0x90) {
        set_map(object, first & 0x0fu);
    } else if (first < 0xa0) {
        set_array(object, first & 0x0fu);
    } else if (first < 0xc0) {
        read_str(rd, first & 0x1fu, object);
    } else {
        read_wide(rd, first, object);
    }
}

/* ---- Reading: a payload -------------------------------------------------------- */

struct a3m_unpack {
    msgpack_zone zone;
    msgpack_object root;
};

/* An array or map of which values are missing. */
struct level {
    msgpack_object *next; /* where the next goes; NULL in the pass that only counts */
    uint64_t left;
};

/* Gives an array or map its memory, of which a map's keys and values take turns. NULL: none left. */
static msgpack_object *place_inside(msgpack_zone *zone, msgpack_object *object, uint64_t inside)
{
    void *place = msgpack_zone_malloc(zone, (size_t)inside * sizeof(msgpack_object));

    if (object->type == MSGPACK_OBJECT_ARRAY) {
        object->via.array.ptr = place;
    } else {
        object->via.map.ptr = place;
    }
    return place;
}

/*
 * Reads one whole value, and counts the values inside its arrays and maps. With
 * a zone it also keeps them there, below *root; without one it only counts.
 */
static int walk(struct a3mi_rd *rd, msgpack_zone *zone, msgpack_object *root, uint64_t *count)
{
    struct level levels[A3MI_PAYLOAD_DEPTH_MAX];
    unsigned depth = 0;
    msgpack_object spare;
    msgpack_object *at = root;

    *count = 0;
    for (;;) {
        read_value(rd, at);
        if (rd->bad) {
            return a3mi_fail(A3M_EPROTO, "the payload is not MessagePack, or cut short");
        }
        if (a3mi_object_is_container(at) && depth == A3MI_PAYLOAD_DEPTH_MAX) {
            return a3mi_fail(A3M_EPROTO, "the payload is nested more than %d deep", A3MI_PAYLOAD_DEPTH_MAX);
        }
        uint64_t inside = a3mi_object_count(at);
        if (inside > 0) {
            levels[depth++] = (struct level){.next = zone ? place_inside(zone, at, inside) : NULL,
                                             .left = inside};
            *count += inside;
            if (zone != NULL && levels[depth - 1].next == NULL) {
                return a3mi_fail(A3M_ENOMEM, "no memory for the payload's values");
            }
        }
        while (depth > 0 && levels[depth - 1].left == 0) {
            depth--;
        }
        if (depth == 0) {
            return 0;
        }
        levels[depth - 1].left--;
        at = zone != NULL ? levels[depth - 1].next++ : &spare;
    }
}

/* Checks all of a payload. Nothing was allocated yet, so its lengths may say what they like. */
static int measure(const a3m_msg *msg, uint64_t *count)
{
    struct a3mi_rd rd;
    msgpack_object root;

    a3mi_rd_init(&rd, a3m_msg_data(msg), a3m_msg_size(msg));
    int rc = walk(&rd, NULL, &root, count);
    if (rc == 0 && a3mi_rd_left(&rd) > 0) {
        return a3mi_fail(A3M_EPROTO, "%zu bytes follow the payload's value", a3mi_rd_left(&rd));
    }
    return rc;
}

static void show(const msgpack_object *object, a3m_value *value);

int a3m_unpack_new(a3m_unpack **unpack, const a3m_msg *msg, a3m_value *root)
{
    uint64_t count;
    struct a3mi_rd rd;
    int rc = measure(msg, &count);

    if (rc != 0) {
        return rc;
    }
    a3m_unpack *made = malloc(sizeof(*made));
    /* One chunk takes it all: zone pieces are whole objects, aligned as they are. */
    if (made == NULL || count > SIZE_MAX / sizeof(msgpack_object) - 1 ||
        !msgpack_zone_init(&made->zone, (size_t)count * sizeof(msgpack_object))) {
        free(made);
        return a3mi_fail(A3M_ENOMEM, "no memory for the payload's %llu values",
                         (unsigned long long)count + 1);
    }
    a3mi_rd_init(&rd, a3m_msg_data(msg), a3m_msg_size(msg));
    rc = walk(&rd, &made->zone, &made->root, &count);
    if (rc != 0) {
        a3m_unpack_free(made);
        return rc;
    }
    show(&made->root, root);
    *unpack = made;
    return 0;
}

void a3m_unpack_free(a3m_unpack *unpack)
{
    if (unpack != NULL) {
        msgpack_zone_destroy(&unpack->zone);
        free(unpack);
    }
}

/* ---- Values --------------------------------------------------------------------- */

static void show_bytes(a3m_value *value, a3m_value_type type, const char *data, uint32_t size)
{
    value->type = type;
    value->via.bytes.data = data;
    value->via.bytes.size = size;
}

static void show(const msgpack_object *object, a3m_value *value)
{
    *value = (a3m_value){.type = A3M_VALUE_NIL, .inner = object};
    switch (object->type) {
    case MSGPACK_OBJECT_NIL: return;
    case MSGPACK_OBJECT_BOOLEAN:
        value->type = A3M_VALUE_BOOL;
        value->via.boolean = object->via.boolean;
        return;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        value->type = A3M_VALUE_UINT;
        value->via.u64 = object->via.u64;
        return;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        value->type = A3M_VALUE_INT;
        value->via.i64 = object->via.i64;
        return;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        value->type = A3M_VALUE_DOUBLE;
        value->via.f64 = object->via.f64;
        return;
    case MSGPACK_OBJECT_STR:
        show_bytes(value, A3M_VALUE_STR, object->via.str.ptr, object->via.str.size);
        return;
    case MSGPACK_OBJECT_BIN:
        show_bytes(value, A3M_VALUE_BIN, object->via.bin.ptr, object->via.bin.size);
        return;
    case MSGPACK_OBJECT_EXT:
        show_bytes(value, A3M_VALUE_EXT, object->via.ext.ptr, object->via.ext.size);
        return;
    case MSGPACK_OBJECT_ARRAY:
        value->type = A3M_VALUE_ARRAY;
        value->via.count = object->via.array.size;
        return;
    case MSGPACK_OBJECT_MAP:
        value->type = A3M_VALUE_MAP;
        value->via.count = object->via.map.size;
        return;
    }
}

int a3m_value_at(const a3m_value *value, uint32_t i, a3m_value *out)
{
    const msgpack_object *object = value->inner;

    if (object == NULL || !a3mi_object_is_container(object)) {
        return a3mi_fail(A3M_EINVAL, "the value is no array or map");
    }
    if (i >= a3mi_object_count(object)) {
        return a3mi_fail(A3M_ENOENT, "no value %u: there are %llu", i,
                         (unsigned long long)a3mi_object_count(object));
    }
    show(a3mi_object_inside(object) + i, out);
    return 0;
}

int a3m_value_find(const a3m_value *value, const char *key, a3m_value *out)
{
    const msgpack_object *object = value->inner;

    if (object == NULL || object->type != MSGPACK_OBJECT_MAP || key == NULL) {
        return a3mi_fail(A3M_EINVAL, "the value is no map, or there is no key");
    }
    size_t size = strlen(key);
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        const msgpack_object_kv *pair = &object->via.map.ptr[i];
        if (pair->key.type == MSGPACK_OBJECT_STR && pair->key.via.str.size == size &&
            memcmp(pair->key.via.str.ptr, key, size) == 0) {
            show(&pair->val, out);
            return 0;
        }
    }
    return a3mi_fail(A3M_ENOENT, "no key \"%s\"", key);
}
