/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages between the struct of proto/control.h and the bytes of
 * link.proto. Neither way allocates: encoding packs into the caller's buffer,
 * decoding lets protobuf-c have an arena on the stack, and copies what is kept.
 * No locks; any thread.
 *
 * Invariant: what decode returns 0 for has valid names, a valid type name and
 * text, and every number that its kind needs.
 */
#include "proto/control.h"

#include <stddef.h>
#include <string.h>

#include <a3m/errors.h>

#include "base/error.h"
#include "link.pb-c.h"
#include "proto/text.h"

/*
 * What protobuf-c may use for one message. The largest message of known fields
 * takes about 5 KiB; the rest is for fields of later versions, which it keeps
 * at some 100 bytes each.
 */
#define ARENA_SIZE ((size_t)16 * 1024)

/* What a kind of message consists of, besides the link numbers. */
enum {
    NUMBER_AUTHOR = 1u << 0,    /* the author's link number must be there */
    NUMBER_ADDRESSEE = 1u << 1, /* the addressee's must */
    NUMBER_ANY = 1u << 2,       /* at least one of them must */
    PART_TAGS = 1u << 3,
    PART_OFFER = 1u << 4,  /* type, index, credit */
    PART_REASON = 1u << 5, /* refusal and text */
    REASON_NEEDED = 1u << 6,
    PART_COUNTS = 1u << 7,
    PART_CREDIT = 1u << 8,
    PART_RANGES = 1u << 9,
    PART_METADATA = 1u << 10,
};

static const uint16_t forms[] = {
    [A3MI_CONTROL_REQUEST] = NUMBER_AUTHOR | PART_TAGS | PART_OFFER | PART_METADATA,
    [A3MI_CONTROL_ACCEPT] = NUMBER_AUTHOR | NUMBER_ADDRESSEE | PART_OFFER | PART_METADATA,
    [A3MI_CONTROL_REFUSE] = NUMBER_ADDRESSEE | PART_REASON | REASON_NEEDED,
    [A3MI_CONTROL_END] = NUMBER_ANY | PART_REASON | PART_COUNTS,
    [A3MI_CONTROL_ENDED] = NUMBER_ANY | PART_COUNTS,
    [A3MI_CONTROL_CAPACITY] = NUMBER_AUTHOR | NUMBER_ADDRESSEE | PART_CREDIT,
    [A3MI_CONTROL_TAKEN] = NUMBER_AUTHOR | NUMBER_ADDRESSEE | PART_RANGES,
    [A3MI_CONTROL_UNHEARD] = PART_RANGES,
    [A3MI_CONTROL_METADATA] = NUMBER_AUTHOR | NUMBER_ADDRESSEE | PART_METADATA,
};

_Static_assert((int)A3MI_CONTROL_REQUEST == (int)A3M__LINK__KIND__KIND_REQUEST, "link.proto");
_Static_assert((int)A3MI_CONTROL_ACCEPT == (int)A3M__LINK__KIND__KIND_ACCEPT, "link.proto");
_Static_assert((int)A3MI_CONTROL_REFUSE == (int)A3M__LINK__KIND__KIND_REFUSE, "link.proto");
_Static_assert((int)A3MI_CONTROL_END == (int)A3M__LINK__KIND__KIND_END, "link.proto");
_Static_assert((int)A3MI_CONTROL_ENDED == (int)A3M__LINK__KIND__KIND_ENDED, "link.proto");
_Static_assert((int)A3MI_CONTROL_CAPACITY == (int)A3M__LINK__KIND__KIND_CAPACITY, "link.proto");
_Static_assert((int)A3MI_CONTROL_TAKEN == (int)A3M__LINK__KIND__KIND_TAKEN, "link.proto");
_Static_assert((int)A3MI_CONTROL_UNHEARD == (int)A3M__LINK__KIND__KIND_UNHEARD, "link.proto");
_Static_assert((int)A3MI_CONTROL_METADATA == (int)A3M__LINK__KIND__KIND_METADATA, "link.proto");
_Static_assert((int)A3MI_REFUSAL_NO_SOCKET == (int)A3M__LINK__REFUSAL__REFUSAL_NO_SOCKET, "link.proto");
_Static_assert((int)A3MI_REFUSAL_NOT_READY == (int)A3M__LINK__REFUSAL__REFUSAL_NOT_READY, "link.proto");
_Static_assert((int)A3MI_REFUSAL_LINK_LIMIT == (int)A3M__LINK__REFUSAL__REFUSAL_LINK_LIMIT, "link.proto");
_Static_assert((int)A3MI_REFUSAL_INCOMPATIBLE == (int)A3M__LINK__REFUSAL__REFUSAL_INCOMPATIBLE, "link.proto");
_Static_assert((int)A3MI_REFUSAL_NOT_ACCEPTED == (int)A3M__LINK__REFUSAL__REFUSAL_NOT_ACCEPTED, "link.proto");
_Static_assert((int)A3MI_REFUSAL_CANCELED == (int)A3M__LINK__REFUSAL__REFUSAL_CANCELED, "link.proto");
_Static_assert((int)A3MI_REFUSAL_CLOSED == (int)A3M__LINK__REFUSAL__REFUSAL_CLOSED, "link.proto");

/* 0 for a kind that is not known. */
static unsigned form_of(int kind)
{
    return kind > 0 && (size_t)kind < sizeof(forms) / sizeof(forms[0]) ? forms[kind] : 0;
}

/* ---- Texts ------------------------------------------------------------------ */

/*
 * Copies a text for people, cut at a character, and returns its length. What is
 * no printable UTF-8 becomes '?': it ends up on terminals and in logs.
 */
static size_t copy_text(char out[A3MI_CONTROL_TEXT_MAX + 1], const void *text, size_t size)
{
    const uint8_t *s = text;
    size_t length = 0;

    for (size_t i = 0; i < size;) {
        size_t n = a3mi_text_sequence(s + i, size - i);
        size_t room = A3MI_CONTROL_TEXT_MAX - length;
        if (room == 0 || n > room) {
            break;
        }
        if (n == 0) {
            out[length++] = '?';
            i++;
            continue;
        }
        memcpy(out + length, s + i, n);
        length += n;
        i += n;
    }
    out[length] = '\0';
    return length;
}

/* ---- Encoding ---------------------------------------------------------------- */

/* protobuf-c's type has no const; packing does not write. */
static ProtobufCBinaryData borrow(const void *bytes, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)bytes};
}

/* Gaps and lengths: small numbers, so few bytes. */
static size_t pack_ranges(uint64_t *out, const struct a3mi_control *control)
{
    uint64_t before = 0;
    size_t n = 0;

    for (size_t i = 0; i < control->range_count; i++) {
        out[n++] = control->ranges[i].first - before;
        out[n++] = control->ranges[i].end - control->ranges[i].first;
        before = control->ranges[i].end;
    }
    return n;
}

size_t a3mi_control_encode(const struct a3mi_control *control, uint8_t *buf, size_t size)
{
    A3m__Link__Control wire = A3M__LINK__CONTROL__INIT;
    char text[A3MI_CONTROL_TEXT_MAX + 1];
    uint64_t ranges[2 * A3MI_CONTROL_RANGES_MAX];
    unsigned form = form_of((int)control->kind);

    if (form == 0 || control->metadata_size > A3MI_CONTROL_METADATA_MAX ||
        control->range_count > A3MI_CONTROL_RANGES_MAX) {
        return 0;
    }
    wire.kind = (A3m__Link__Kind)control->kind;
    wire.author_link = control->author_link;
    wire.addressee_link = control->addressee_link;
    if (form & PART_TAGS) {
        wire.author_tag = borrow(control->author_tag.s, control->author_tag.len);
        wire.addressee_tag = borrow(control->addressee_tag.s, control->addressee_tag.len);
    }
    if (form & PART_OFFER) {
        wire.type = borrow(control->type, strnlen(control->type, sizeof(control->type) - 1));
        wire.index = control->index;
        wire.credit_messages = control->credit_messages;
        wire.credit_bytes = control->credit_bytes;
        wire.max_message = control->max_message;
    }
    if (form & PART_METADATA) {
        wire.metadata = borrow(control->metadata, control->metadata_size);
    }
    if (form & PART_CREDIT) {
        wire.credit_messages = control->credit_messages;
        wire.credit_bytes = control->credit_bytes;
    }
    if (form & PART_REASON) {
        wire.refusal = (A3m__Link__Refusal)control->refusal;
        wire.text = borrow(text,
                           copy_text(text, control->text, strnlen(control->text, sizeof(control->text))));
    }
    if (form & PART_COUNTS) {
        wire.count = control->count;
        wire.received = control->received;
    }
    if (form & PART_RANGES) {
        wire.n_ranges = pack_ranges(ranges, control);
        wire.ranges = ranges;
    }
    if (a3m__link__control__get_packed_size(&wire) > size) {
        return 0;
    }
    return a3m__link__control__pack(&wire, buf);
}

/* ---- Decoding ---------------------------------------------------------------- */

struct arena {
    size_t used;
    bool exhausted;
    _Alignas(max_align_t) uint8_t bytes[ARENA_SIZE];
};

static void *arena_alloc(void *self, size_t size)
{
    struct arena *arena = self;
    size_t left = sizeof(arena->bytes) - arena->used;

    if (size > left) {
        arena->exhausted = true;
        return NULL;
    }
    void *at = arena->bytes + arena->used;
    size_t padded = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    arena->used += padded < left ? padded : left;
    return at;
}

/* The arena goes as a whole. */
static void arena_free(void *self, void *at)
{
    (void)self;
    (void)at;
}

static int bad(const char *what)
{
    return a3mi_fail(A3M_EPROTO, "control message: %s", what);
}

static int take_name(struct a3mi_name *name, const ProtobufCBinaryData *from, const char *what)
{
    if (a3mi_name_set(name, (const char *)from->data, from->len) != 0) {
        return a3mi_fail(A3M_EPROTO, "control message: %s: %s", what, a3m_error_detail());
    }
    return 0;
}

static int take_type(char type[32], const ProtobufCBinaryData *from)
{
    if (from->len == 0 || from->len > 31) {
        return bad("a socket type's name has 1 to 31 bytes");
    }
    for (size_t i = 0; i < from->len; i++) {
        if (from->data[i] < 0x20 || from->data[i] > 0x7E) {
            return bad("a socket type's name is printable ASCII");
        }
    }
    memcpy(type, from->data, from->len); /* the rest is 0 */
    return 0;
}

static int take_metadata(struct a3mi_control *control, const A3m__Link__Control *wire, uint8_t *scratch)
{
    if (wire->metadata.len > A3MI_CONTROL_METADATA_MAX) {
        return bad("metadata of more than 1,024 bytes");
    }
    if (wire->metadata.len > 0) {
        memcpy(scratch, wire->metadata.data, wire->metadata.len);
        control->metadata = scratch;
        control->metadata_size = wire->metadata.len;
    }
    return 0;
}

static int take_offer(struct a3mi_control *control, const A3m__Link__Control *wire)
{
    if (wire->index == 0) {
        return bad("no index"); /* 0 is that of control messages */
    }
    control->index = wire->index;
    control->credit_messages = wire->credit_messages;
    control->credit_bytes = wire->credit_bytes;
    control->max_message = wire->max_message;
    return take_type(control->type, &wire->type);
}

static int take_numbers(struct a3mi_control *control, const A3m__Link__Control *wire, unsigned form)
{
    bool author = wire->author_link != 0, addressee = wire->addressee_link != 0;

    if (((form & NUMBER_AUTHOR) && !author) || ((form & NUMBER_ADDRESSEE) && !addressee) ||
        ((form & NUMBER_ANY) && !author && !addressee)) {
        return bad("a link number is missing");
    }
    control->author_link = wire->author_link;
    control->addressee_link = wire->addressee_link;
    return 0;
}

static int take_ranges(struct a3mi_control *control, const A3m__Link__Control *wire)
{
    uint64_t at = 0;

    if (wire->n_ranges == 0 || wire->n_ranges % 2 != 0 || wire->n_ranges / 2 > A3MI_CONTROL_RANGES_MAX) {
        return bad("1 to 32 ranges are told");
    }
    for (size_t i = 0; i < wire->n_ranges; i += 2) {
        uint64_t gap = wire->ranges[i], length = wire->ranges[i + 1];
        if (length == 0 || (gap == 0 && i > 0) || gap > UINT64_MAX - at || length > UINT64_MAX - at - gap) {
            return bad("an impossible range");
        }
        control->ranges[i / 2] = (struct a3mi_numbers){at + gap, at + gap + length};
        at += gap + length;
    }
    control->range_count = wire->n_ranges / 2;
    return 0;
}

static int take(struct a3mi_control *control, const A3m__Link__Control *wire, uint8_t *scratch)
{
    unsigned form = form_of((int)wire->kind);
    int rc;

    if (form == 0) {
        return bad("of a kind not known");
    }
    control->kind = (enum a3mi_control_kind)wire->kind;
    if ((rc = take_numbers(control, wire, form)) != 0) {
        return rc;
    }
    if ((form & PART_TAGS) &&
        ((rc = take_name(&control->author_tag, &wire->author_tag, "author's tag")) != 0 ||
         (rc = take_name(&control->addressee_tag, &wire->addressee_tag, "addressee's tag")) != 0)) {
        return rc;
    }
    if (((form & PART_METADATA) && (rc = take_metadata(control, wire, scratch)) != 0) ||
        ((form & PART_OFFER) && (rc = take_offer(control, wire)) != 0)) {
        return rc;
    }
    if ((form & REASON_NEEDED) && wire->refusal == A3M__LINK__REFUSAL__REFUSAL_UNSPECIFIED) {
        return bad("no reason");
    }
    if (form & PART_REASON) {
        control->refusal = (uint32_t)wire->refusal;
        (void)copy_text(control->text, wire->text.data, wire->text.len);
    }
    if (form & PART_CREDIT) {
        control->credit_messages = wire->credit_messages;
        control->credit_bytes = wire->credit_bytes;
    }
    if (form & PART_COUNTS) {
        control->count = wire->count;
        control->received = wire->received;
    }
    return form & PART_RANGES ? take_ranges(control, wire) : 0;
}

int a3mi_control_decode(const uint8_t *bytes, size_t size, uint8_t *scratch, struct a3mi_control *control)
{
    struct arena arena;
    ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = &arena};

    *control = (struct a3mi_control){0};
    if (size > A3MI_CONTROL_MAX) {
        return bad("longer than 4,096 bytes");
    }
    arena.used = 0; /* its bytes are left alone */
    arena.exhausted = false;
    const A3m__Link__Control *wire = a3m__link__control__unpack(&allocator, size, bytes);
    if (wire == NULL && arena.exhausted) {
        return a3mi_fail(A3M_ENOMEM, "control message: too many fields");
    }
    if (wire == NULL) {
        return bad("not in the form of link.proto");
    }
    return take(control, wire, scratch);
}
