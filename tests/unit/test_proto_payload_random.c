/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MessagePack payloads, many of them: random ones, damaged ones, and all short
 * ones. msgpack-c's own parser is the judge wherever it can be trusted with the
 * input.
 * covers U1
 */
#include "test_base_random.h"
#include "test_proto_payload.h"

#include <msgpack.h>

static uint64_t seed;

/* ---- Against msgpack-c ------------------------------------------------------------------ */

static void pack_object(msgpack_sbuffer *buffer, const msgpack_object *object)
{
    msgpack_packer packer;

    msgpack_sbuffer_init(buffer);
    msgpack_packer_init(&packer, buffer, msgpack_sbuffer_write);
    assert_int_equal(msgpack_pack_object(&packer, *object), 0);
}

/* Compares by what msgpack-c writes of them: that goes by bits, also for NaN. */
static void assert_same_object(const msgpack_object *a, const msgpack_object *b)
{
    msgpack_sbuffer of_a, of_b;

    pack_object(&of_a, a);
    pack_object(&of_b, b);
    assert_int_equal(of_a.size, of_b.size);
    assert_memory_equal(of_a.data, of_b.data, of_a.size);
    msgpack_sbuffer_destroy(&of_a);
    msgpack_sbuffer_destroy(&of_b);
}

/* Arrays and maps inside one another. */
static unsigned depth_of(const a3m_value *value)
{
    unsigned deepest = 0;
    a3m_value inner;

    if (value->type != A3M_VALUE_ARRAY && value->type != A3M_VALUE_MAP) {
        return 0;
    }
    for (uint32_t i = 0; a3m_value_at(value, i, &inner) == 0; i++) {
        unsigned depth = depth_of(&inner);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* Both accept the bytes, as the same value, or both refuse them; but msgpack-c takes no more than 32 levels. */
static void assert_as_msgpack(const uint8_t *bytes, size_t size)
{
    a3m_msg *msg = message(bytes, size);
    a3m_unpack *unpack = NULL;
    a3m_value root;
    msgpack_unpacked result;
    size_t offset = 0;
    int rc = a3m_unpack_new(&unpack, msg, &root);

    msgpack_unpacked_init(&result);
    msgpack_unpack_return theirs = size > 0 ? msgpack_unpack_next(&result, a3m_msg_data(msg), size, &offset)
                                            : MSGPACK_UNPACK_CONTINUE;
    bool accepted = theirs == MSGPACK_UNPACK_SUCCESS && offset == size;
    if (rc == 0 && depth_of(&root) > 32) {
        assert_int_equal(theirs, MSGPACK_UNPACK_NOMEM_ERROR);
    } else {
        assert_int_equal(rc, accepted ? 0 : A3M_EPROTO);
    }
    if (accepted) {
        assert_same_object(root.inner, &result.data);
    }
    msgpack_unpacked_destroy(&result);
    a3m_unpack_free(unpack);
    message_free(msg);
}

static void test_unpack_every_short_payload_is_judged_as_by_msgpack(void **state)
{
    (void)state;
    uint8_t bytes[3] = {0};

    assert_as_msgpack(bytes, 0);
    for (uint32_t i = 0; i < 1u << 8; i++) {
        bytes[0] = (uint8_t)i;
        assert_as_msgpack(bytes, 1);
    }
    for (uint32_t i = 0; i < 1u << 16; i++) {
        bytes[0] = (uint8_t)(i >> 8);
        bytes[1] = (uint8_t)i;
        assert_as_msgpack(bytes, 2);
    }
    for (uint32_t i = 0; i < 1u << 24; i += getenv("A3M_LONG") != NULL ? 1 : 97) {
        bytes[0] = (uint8_t)(i >> 16);
        bytes[1] = (uint8_t)(i >> 8);
        bytes[2] = (uint8_t)i;
        assert_as_msgpack(bytes, 3);
    }
}

static void test_unpack_nesting_is_judged_as_by_msgpack_up_to_its_limit(void **state)
{
    (void)state;
    uint8_t bytes[65];

    for (size_t depth = 1; depth <= 64; depth++) {
        for (uint8_t first = 0x81; first <= 0x91; first += 0x10) { /* a map's value is missing: bad */
            memset(bytes, first, depth);
            bytes[depth] = 0xc0;
            assert_as_msgpack(bytes, depth + 1);
        }
    }
}

/* ---- Random payloads ---------------------------------------------------------------------- */

/*
 * Goes through a random value: writes it to `pack` or, without one, checks that
 * `value` is it. The same numbers make the same value.
 */
static void visit(struct a3mi_rng *rng, unsigned depth, a3m_pack *pack, const a3m_value *value);

/* Values that a random payload may still have before no more arrays and maps are begun. */
static int budget;

static void visit_scalar(struct a3mi_rng *rng, a3m_pack *pack, const a3m_value *value)
{
    uint64_t n = a3mi_rng_u64(rng) >> a3mi_rng_below(rng, 64); /* all sizes alike */
    int64_t negative = -(int64_t)(n >> 1) - 1;
    double d;

    memcpy(&d, &n, sizeof(d));
    switch (a3mi_rng_below(rng, 5)) {
    case 0: pack ? a3m_pack_nil(pack) : assert_int_equal(value->type, A3M_VALUE_NIL); return;
    case 1:
        pack ? a3m_pack_bool(pack, n & 1) : assert_int_equal(value->type, A3M_VALUE_BOOL);
        assert_true(pack || value->via.boolean == (n & 1));
        return;
    case 2:
        pack ? a3m_pack_uint(pack, n) : assert_int_equal(value->type, A3M_VALUE_UINT);
        assert_true(pack || value->via.u64 == n);
        return;
    case 3:
        pack ? a3m_pack_int(pack, negative) : assert_int_equal(value->type, A3M_VALUE_INT);
        assert_true(pack || value->via.i64 == negative);
        return;
    default:
        pack ? a3m_pack_double(pack, d) : assert_int_equal(value->type, A3M_VALUE_DOUBLE);
        assert_true(pack || value->via.u64 == n); /* by bits, also for NaN */
        return;
    }
}

static void visit_bytes(struct a3mi_rng *rng, a3m_pack *pack, const a3m_value *value)
{
    static char bytes[70000];
    size_t size = a3mi_rng_below(rng, a3mi_rng_below(rng, 100) == 0 ? sizeof(bytes) : 300);
    bool text = a3mi_rng_below(rng, 2) == 0;
    char fill = (char)a3mi_rng_u64(rng);

    memset(bytes, fill, size);
    if (pack != NULL) {
        text ? a3m_pack_str(pack, bytes, size) : a3m_pack_bin(pack, bytes, size);
        return;
    }
    assert_int_equal(value->type, text ? A3M_VALUE_STR : A3M_VALUE_BIN);
    assert_int_equal(value->via.bytes.size, size);
    assert_memory_equal(value->via.bytes.data, bytes, size);
}

static void visit_container(struct a3mi_rng *rng, unsigned depth, a3m_pack *pack, const a3m_value *value)
{
    bool map = a3mi_rng_below(rng, 2) == 0;
    uint32_t n = (uint32_t)a3mi_rng_below(rng, a3mi_rng_below(rng, 50) == 0 ? 100 : 4);

    if (pack != NULL) {
        map ? a3m_pack_map(pack, n) : a3m_pack_array(pack, n);
    } else {
        assert_int_equal(value->type, map ? A3M_VALUE_MAP : A3M_VALUE_ARRAY);
        assert_int_equal(value->via.count, n);
    }
    for (uint32_t i = 0; i < (map ? 2 * n : n); i++) {
        a3m_value inner;
        if (pack == NULL) {
            assert_int_equal(a3m_value_at(value, i, &inner), 0);
        }
        visit(rng, depth + 1, pack, &inner);
    }
}

static void visit(struct a3mi_rng *rng, unsigned depth, a3m_pack *pack, const a3m_value *value)
{
    uint64_t choice = a3mi_rng_below(rng, 10);

    budget--;
    if (choice < 5 && depth < 30 && budget > 0) {
        visit_container(rng, depth, pack, value);
    } else if (choice < 7) {
        visit_bytes(rng, pack, value);
    } else {
        visit_scalar(rng, pack, value);
    }
}

static a3m_msg *random_payload(a3m_pack *pack, uint64_t from)
{
    static const a3m_value nothing;
    struct a3mi_rng rng;
    a3m_msg *msg;

    a3mi_rng_init(&rng, from);
    budget = 300;
    visit(&rng, 0, pack, &nothing);
    assert_int_equal(a3m_pack_take(pack, &msg), 0);
    return msg;
}

/* The length that printing tells is the one it needs, and less room gives the beginning. */
static void assert_print_is_bounded(const a3m_value *value, uint64_t cut)
{
    int length = a3m_value_print(value, NULL, 0);
    assert_true(length > 0);
    char *whole = malloc((size_t)length + 1);
    size_t room = 1 + (size_t)cut % (size_t)length;
    char *part = malloc(room);
    assert_non_null(whole);
    assert_non_null(part);

    assert_int_equal(a3m_value_print(value, whole, (size_t)length + 1), length);
    assert_int_equal(strlen(whole), length);
    assert_int_equal(a3m_value_print(value, part, room), length);
    assert_int_equal(strlen(part), room - 1);
    assert_memory_equal(part, whole, room - 1);
    for (int i = 0; i < length; i++) {
        assert_true((uint8_t)whole[i] >= 0x20 && whole[i] != 0x7f);
    }
    free(whole);
    free(part);
}

static void test_payload_random_value_round_trips(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();

    for (long round = 0; round < test_rounds(600); round++) {
        a3m_msg *msg = random_payload(pack, seed + (uint64_t)round);
        a3m_unpack *unpack;
        a3m_value root;
        struct a3mi_rng rng;

        assert_int_equal(a3m_unpack_new(&unpack, msg, &root), 0);
        a3mi_rng_init(&rng, seed + (uint64_t)round);
        budget = 300;
        visit(&rng, 0, NULL, &root);
        assert_print_is_bounded(&root, a3mi_rng_u64(&rng));
        a3m_unpack_free(unpack);
        assert_as_msgpack(a3m_msg_data(msg), a3m_msg_size(msg));
        a3m_msg_free(msg);
    }
    a3m_pack_free(pack);
}

static void test_unpack_payload_cut_at_each_byte_is_refused(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();

    for (unsigned round = 0; round < 30; round++) {
        a3m_msg *msg = random_payload(pack, seed + round);
        size_t size = a3m_msg_size(msg);

        for (size_t cut = 0; cut < size && size < 2000; cut++) {
            assert_unpack_fails(a3m_msg_data(msg), cut);
        }
        a3m_msg_free(msg);
    }
    a3m_pack_free(pack);
}

static void test_unpack_random_damage_is_refused_or_sound(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();
    struct a3mi_rng rng;
    a3mi_rng_init(&rng, seed);

    for (long round = 0; round < test_rounds(3000); round++) {
        a3m_msg *msg = random_payload(pack, seed + (uint64_t)round % 1000);
        uint8_t *bytes = a3m_msg_data(msg);
        size_t size = a3m_msg_size(msg) < 500 ? a3m_msg_size(msg) : 500;

        for (uint64_t n = 1 + a3mi_rng_below(&rng, 4); n > 0; n--) {
            bytes[a3mi_rng_below(&rng, size)] = (uint8_t)a3mi_rng_u64(&rng);
        }
        a3m_msg *damaged = message(bytes, size);
        a3m_unpack *unpack;
        a3m_value root;
        int rc = a3m_unpack_new(&unpack, damaged, &root);
        assert_true(rc == 0 || rc == A3M_EPROTO);
        if (rc == 0) {
            assert_print_is_bounded(&root, a3mi_rng_u64(&rng));
            a3m_unpack_free(unpack);
            assert_as_msgpack(bytes, size);
        }
        message_free(damaged);
        a3m_msg_free(msg);
    }
    a3m_pack_free(pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack_every_short_payload_is_judged_as_by_msgpack),
        cmocka_unit_test(test_unpack_nesting_is_judged_as_by_msgpack_up_to_its_limit),
        cmocka_unit_test(test_payload_random_value_round_trips),
        cmocka_unit_test(test_unpack_payload_cut_at_each_byte_is_refused),
        cmocka_unit_test(test_unpack_random_damage_is_refused_or_sound),
    };
    struct a3mi_rng rng;

    test_random_init(&rng, "payload");
    seed = a3mi_rng_u64(&rng);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
