/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A structured payload: written, shown, and read. Needs no node; the message is
 * one like any other, to be sent with a3m_send or to be had from a3m_recv.
 *
 *     msgpack_payload
 */
#include <a3m/a3m.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

static void pack_text(a3m_pack *pack, const char *text)
{
    a3m_pack_str(pack, text, strlen(text));
}

/* {"sensor": "boiler 3", "celsius": [71.5, 71.25, 72.0], "alarm": false} */
static a3m_msg *write_reading(void)
{
    static const double celsius[] = {71.5, 71.25, 72.0};
    a3m_msg *msg;
    a3m_pack *pack = a3m_pack_new();

    check(pack != NULL ? 0 : A3M_ENOMEM, "writer");
    a3m_pack_map(pack, 3); /* three pairs follow */
    pack_text(pack, "sensor");
    pack_text(pack, "boiler 3");
    pack_text(pack, "celsius");
    a3m_pack_array(pack, 3);
    for (size_t i = 0; i < 3; i++) {
        a3m_pack_double(pack, celsius[i]);
    }
    pack_text(pack, "alarm");
    a3m_pack_bool(pack, false);
    check(a3m_pack_take(pack, &msg), "payload"); /* tells also what went wrong before */
    a3m_pack_free(pack);
    return msg;
}

int main(void)
{
    char text[256];
    double sum = 0;
    a3m_msg *msg = write_reading();
    a3m_unpack *unpack;
    a3m_value root, celsius, value;

    /* Whatever arrives may be anything: types are looked at before values. */
    check(a3m_unpack_new(&unpack, msg, &root), "unpack");
    check(a3m_value_print(&root, text, sizeof(text)), "print");
    printf("%zu bytes: %s\n", a3m_msg_size(msg), text);

    check(a3m_value_find(&root, "celsius", &celsius), "celsius");
    for (uint32_t i = 0; a3m_value_at(&celsius, i, &value) == 0; i++) {
        sum += value.type == A3M_VALUE_DOUBLE ? value.via.f64 : 0;
    }
    if (celsius.type == A3M_VALUE_ARRAY && celsius.via.count > 0) {
        printf("mean: %.2f\n", sum / celsius.via.count);
    }
    a3m_unpack_free(unpack);
    a3m_msg_free(msg);
    return 0;
}
