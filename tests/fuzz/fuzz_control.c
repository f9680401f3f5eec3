/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages of a hostile peer: whatever decodes keeps the promises of
 * proto/control.h, and is the same after another trip.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <a3m/errors.h>

#include "proto/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct a3mi_control *control)
{
    assert(control->metadata_size <= A3MI_CONTROL_METADATA_MAX);
    assert((control->metadata == NULL) == (control->metadata_size == 0));
    assert(memchr(control->type, '\0', sizeof(control->type)) != NULL);
    assert(memchr(control->text, '\0', sizeof(control->text)) != NULL);
    assert(control->kind == A3MI_CONTROL_UNHEARD || control->author_link != 0 ||
           control->addressee_link != 0);
    if (control->kind == A3MI_CONTROL_REQUEST) {
        struct a3mi_name name;
        assert(a3mi_name_set(&name, control->author_tag.s, control->author_tag.len) == 0);
        assert(a3mi_name_set(&name, control->addressee_tag.s, control->addressee_tag.len) == 0);
    }
    if (control->kind == A3MI_CONTROL_REQUEST || control->kind == A3MI_CONTROL_ACCEPT) {
        assert(control->index != 0 && control->type[0] != '\0');
    }
    assert(control->range_count <= A3MI_CONTROL_RANGES_MAX);
    for (size_t i = 0; i < control->range_count; i++) {
        assert(control->ranges[i].first < control->ranges[i].end);
        assert(i == 0 || control->ranges[i - 1].end < control->ranges[i].first);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t scratch[A3MI_CONTROL_METADATA_MAX], scratch_again[A3MI_CONTROL_METADATA_MAX];
    uint8_t bytes[A3MI_CONTROL_MAX], bytes_again[A3MI_CONTROL_MAX];
    struct a3mi_control control, again;
    int rc = a3mi_control_decode(data, size, scratch, &control);

    assert(rc == 0 || rc == A3M_EPROTO || rc == A3M_ENOMEM);
    if (rc != 0) {
        return 0;
    }
    check(&control);
    size_t length = a3mi_control_encode(&control, bytes, sizeof(bytes));
    assert(length > 0);
    assert(a3mi_control_decode(bytes, length, scratch_again, &again) == 0);
    assert(a3mi_control_encode(&again, bytes_again, sizeof(bytes_again)) == length);
    assert(memcmp(bytes, bytes_again, length) == 0);
    return 0;
}
