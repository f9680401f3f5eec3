/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary datagrams from arbitrary addresses at an association that is in the
 * midst of traffic with a good one (support/hostile.h). The input is a row of
 * actions; most make a packet of a chosen type whose checksum is right and whose
 * members come from the input, or from what the strangers were told before, so
 * that the fuzzer gets behind the door: it opens half-connections, is answered,
 * links, sends, acknowledges, all of it wrong.
 *
 * Asserted: good messages arrive once and in order and are acknowledged; records
 * keep their invariants (a3mi_assoc_check); an address that proved nothing is
 * never sent more than three times what it sent; the memory that one packet
 * costs is bounded by what the packet announced, and no message is larger than
 * its link allows.
 *
 * Left out, because only authentication could help: strangers who have read the
 * ids of the good nodes' records, and those who use the name of a good node at
 * an address where they hear the answer.
 */
#include "core/frame.h"
#include "fuzz_input.h"
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACTIONS_MAX 150
#define KNOWN_MAX   32u
/* What a packet may cost beyond what its frames announce: chunks of the pools. */
#define MEMORY_FIXED ((size_t)1 << 20)

struct attack {
    struct hostile h;
    struct fuzz_input in;
    uint64_t known[KNOWN_MAX]; /* numbers that strangers were told */
    uint64_t known_count, caught_seen;
    uint64_t number;  /* of the strangers' last transmission */
    bool impatient;   /* silence ends what was made: then nothing good is lost */
    size_t announced; /* bytes of messages, by the frames of the packet being made */
};

static const char *const names[] = {"mallory", "eve", "m", "alice", "bob"};

/* ---- What strangers know -------------------------------------------------------------- */

static uint64_t load64(const uint8_t *p)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* Addressee and the first four members of every body that was sent to strangers. */
static void learn(struct attack *a)
{
    static const size_t at[] = {8, 24, 32, 40, 48};

    if (a->h.caught_count > a->caught_seen + HOSTILE_CAUGHT) {
        a->caught_seen = a->h.caught_count - HOSTILE_CAUGHT;
    }
    for (; a->caught_seen < a->h.caught_count; a->caught_seen++) {
        const struct hostile_packet *packet = &a->h.caught[a->caught_seen % HOSTILE_CAUGHT];

        for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
            if (at[i] + 8 <= packet->size) {
                a->known[a->known_count++ % KNOWN_MAX] = load64(packet->bytes + at[i]);
            }
        }
    }
}

/* An id, an incarnation: told, small, or anything. */
static uint64_t take_id(struct attack *a)
{
    uint8_t how = fuzz_u8(&a->in);
    uint64_t have = a->known_count < KNOWN_MAX ? a->known_count : KNOWN_MAX;

    if (how >= 0x40 && have > 0) {
        return a->known[(a->known_count - 1 - how % have) % KNOWN_MAX];
    }
    return how == 0x3f ? fuzz_u64(&a->in) : how;
}

/* A sequence number, a limit, a count: small, huge or anything. */
static uint64_t take_number(struct attack *a)
{
    uint8_t n = fuzz_u8(&a->in);

    if (n < 0xf8) {
        return n;
    }
    return n == 0xf8 ? fuzz_u64(&a->in) : UINT64_MAX - (0xff - n);
}

static struct a3mi_name take_name(struct attack *a, size_t choices)
{
    struct a3mi_name name;
    const char *s = names[fuzz_u8(&a->in) % choices];

    (void)a3mi_name_set(&name, s, strlen(s));
    return name;
}

/* Strangers hear at 3 to 10; blind are those far up, and those that use a good node's address. */
static uint32_t take_address(struct attack *a)
{
    uint8_t n = fuzz_u8(&a->in);

    if (n < 0xc0) {
        return 3 + n % 8u;
    }
    return n < 0xf0 ? HOSTILE_BLIND + n : 1 + n % 2u;
}

/* ---- Bodies ----------------------------------------------------------------------------- */

static size_t make_open(struct attack *a, uint8_t *body, bool blind)
{
    struct a3mi_open open = {.s = take_id(a), .order = take_number(a), .time = fuzz_u32(&a->in)};
    uint8_t flags = fuzz_u8(&a->in);

    open.source_incarnation = blind ? (uint64_t)fuzz_u8(&a->in) + 1 : take_id(a) | 1;
    open.destination_incarnation = (flags & 1) != 0 ? take_id(a) : 0;
    open.afresh = (flags & 2) != 0;
    open.source = take_name(a, blind ? 5 : 3);
    if ((flags & 4) != 0) {
        open.destination = take_name(a, 5);
    }
    open.has_cookie = (flags & 8) != 0;
    for (unsigned i = 0; i < A3MI_COOKIE_SIZE && open.has_cookie; i++) {
        open.cookie[i] = fuzz_u8(&a->in);
    }
    return a3mi_open_write(body, &open);
}

static void make_ack(struct attack *a, struct a3mi_ack *ack, uint64_t s)
{
    *ack = (struct a3mi_ack){.s = s, .r = take_id(a), .cumulative = take_number(a), .limit = take_number(a)};
    ack->echo = take_number(a);
    ack->echo_time = fuzz_u32(&a->in);
    ack->delay = fuzz_u16(&a->in);
    ack->count = fuzz_u8(&a->in) % (A3MI_ACK_RANGES + 1);
    for (unsigned i = 0; i < ack->count; i++) {
        ack->ranges[i].gap = fuzz_u8(&a->in);
        ack->ranges[i].length = fuzz_u8(&a->in);
    }
}

/* One frame: of link control, of a stranger's link, of any. */
static uint8_t *make_frame(struct attack *a, uint8_t *p, const uint8_t *end, unsigned node)
{
    static const uint8_t filling[256] = {0};
    uint8_t head = fuzz_u8(&a->in), link = fuzz_u8(&a->in);
    const struct hostile_guest *guest = &a->h.nodes[node].guests[link % HOSTILE_GUESTS];
    struct a3mi_frame frame = {.flags = head & 31u};

    frame.link = link < 0x60 ? 0 : link < 0xe0 ? guest->rx.index : link - 0xe0u;
    frame.number = take_number(a);
    frame.credit_link = frame.link;
    frame.epoch = (uint32_t)frame.number;
    if ((head & 0xe0) == 0xe0 && p + A3MI_FRAME_CREDIT_SIZE <= end) {
        return a3mi_frame_write_credit(p, &frame);
    }
    frame.offset = (uint32_t)take_number(a);
    frame.size = fuzz_u8(&a->in);
    frame.total = (head & 0x20) != 0 ? fuzz_u32(&a->in) : frame.offset + frame.size;
    frame.total += (frame.flags & A3MI_FRAME_LAST) == 0 && (head & 0x20) == 0;
    if (p + a3mi_frame_data_header(frame.flags) + frame.size > end) {
        return p;
    }
    p = a3mi_frame_write_data(p, &frame);
    memcpy(p, filling, frame.size);
    a->announced += frame.total <= 2 * HOSTILE_MAX_MESSAGE ? frame.total : 0;
    a->announced += (size_t)4096 + 512;
    return p + frame.size;
}

/* Returns where the packet begins: a DATA is written backwards from its frames. */
static uint8_t *make_data(struct attack *a, uint8_t *bytes, unsigned node, size_t *body_size)
{
    uint8_t *frames = bytes + A3MI_PACKET_HEADER + A3MI_DATA_FIXED + A3MI_ACK_MAX;
    const uint8_t *end = bytes + A3MI_PACKET_BASE;
    uint8_t *p = frames;
    struct a3mi_data data = {.seq = take_number(a), .count = 1, .time = fuzz_u32(&a->in)};
    unsigned count = fuzz_u8(&a->in) % 32u;
    struct a3mi_ack ack;

    data.flags = fuzz_u8(&a->in);
    if ((data.flags & A3MI_DATA_HAS_ACK) != 0) {
        uint64_t s = take_id(a);

        make_ack(a, &ack, s);
    }
    for (unsigned i = 0; i < count; i++) {
        p = make_frame(a, p, end, node);
    }
    uint8_t *body = a3mi_data_write_before(frames, &data,
                                           (data.flags & A3MI_DATA_HAS_ACK) != 0 ? &ack : NULL);

    *body_size = (size_t)(p - body);
    return body - A3MI_PACKET_HEADER;
}

static size_t make_accept(struct attack *a, uint8_t *body)
{
    struct a3mi_accept accept = {.r = take_id(a),
                                 .limit = take_number(a),
                                 .source_incarnation = take_id(a),
                                 .incarnation = take_id(a) | 1,
                                 .time = fuzz_u32(&a->in)};

    accept.source = take_name(a, 5);
    accept.author = take_name(a, 5);
    return a3mi_accept_write(body, &accept);
}

static size_t make_small(struct attack *a, uint8_t *body, enum a3mi_packet_type type, uint64_t addressee)
{
    union {
        struct a3mi_refuse refuse;
        struct a3mi_ack ack;
        struct a3mi_close close;
        struct a3mi_probe probe;
        struct a3mi_reset reset;
    } u;
    uint8_t choice = fuzz_u8(&a->in);
    uint64_t first = take_id(a), second = take_id(a);

    switch (type) {
    case A3MI_PACKET_RETRY: return a3mi_retry_write(body, &(struct a3mi_retry){.cookie = {choice}});
    case A3MI_PACKET_REFUSE:
        u.refuse = (struct a3mi_refuse){.reason = choice % 5,
                                        .source_incarnation = first,
                                        .destination_incarnation = second,
                                        .incarnation = take_id(a),
                                        .author = take_name(a, 5)};
        return a3mi_refuse_write(body, &u.refuse);
    case A3MI_PACKET_ACK:
        make_ack(a, &u.ack, choice != 0 ? addressee : first);
        return a3mi_ack_write(body, &u.ack);
    case A3MI_PACKET_PING: return a3mi_ping_write(body, &(struct a3mi_ping){.s = first, .time = choice});
    case A3MI_PACKET_CLOSE:
        u.close = (struct a3mi_close){.s = first, .incarnation = second, .author = take_name(a, 5)};
        return a3mi_close_write(body, &u.close);
    case A3MI_PACKET_PROBE:
        u.probe = (struct a3mi_probe){.r = first, .incarnation = second, .destination = take_name(a, 5)};
        return a3mi_probe_write(body, &u.probe);
    case A3MI_PACKET_ALIVE: return a3mi_alive_write(body, &(struct a3mi_alive){.s = first});
    case A3MI_PACKET_RESET:
        u.reset = (struct a3mi_reset){.kind = choice % 4, .incarnation = first, .author = take_name(a, 5)};
        return a3mi_reset_write(body, &u.reset);
    case A3MI_PACKET_CHALLENGE:
        return a3mi_challenge_write(body, &(struct a3mi_challenge){.author = first, .nonce = second});
    case A3MI_PACKET_RESPONSE: return a3mi_response_write(body, &(struct a3mi_response){.nonce = first});
    default: return a3mi_version_write(body);
    }
}

/* ---- Actions ------------------------------------------------------------------------------- */

static void inject(struct attack *a, unsigned node, uint32_t from, const uint8_t *bytes, size_t size)
{
    size_t before = hostile_memory();

    hostile_inject(&a->h, node, from, bytes, size);
    if (hostile_memory() > before + a->announced + MEMORY_FIXED) {
        hostile_fail(&a->h, "a packet cost more memory than it announced");
    }
    a3mi_assoc_check(a->h.nodes[node].assoc);
    learn(a);
}

static void packet(struct attack *a)
{
    uint8_t bytes[A3MI_PACKET_BASE] = {0};
    uint8_t what = fuzz_u8(&a->in), damage = fuzz_u8(&a->in);
    enum a3mi_packet_type type = (enum a3mi_packet_type)(what % 14);
    unsigned node = what >> 7;
    uint32_t from = take_address(a);
    uint64_t addressee = take_id(a);
    uint8_t *begin = bytes;
    size_t body_size;

    a->announced = 0;
    if (type == A3MI_PACKET_OPEN) {
        body_size = make_open(a, bytes + A3MI_PACKET_HEADER, from >= HOSTILE_BLIND || from < 3);
    } else if (type == A3MI_PACKET_DATA) {
        begin = make_data(a, bytes, node, &body_size);
    } else if (type == A3MI_PACKET_ACCEPT) {
        body_size = make_accept(a, bytes + A3MI_PACKET_HEADER);
    } else {
        body_size = make_small(a, bytes + A3MI_PACKET_HEADER, type, addressee);
    }
    if (damage >= 0xf0) {
        body_size = body_size * (damage & 15u) / 16; /* cut, with a checksum that fits */
    }
    a->number = damage == 0xef ? fuzz_u64(&a->in) : a->number + 1;
    a3mi_packet_seal(begin, A3MI_PACKET_HEADER + body_size, type, addressee, a->number);
    if (damage == 0xee) {
        begin[fuzz_u8(&a->in) % A3MI_PACKET_HEADER] ^= (uint8_t)(fuzz_u8(&a->in) | 1);
    }
    inject(a, node, from, begin, A3MI_PACKET_HEADER + body_size);
}

static void raw(struct attack *a)
{
    uint32_t from = take_address(a);
    uint8_t where = fuzz_u8(&a->in);
    size_t size;
    const uint8_t *bytes = fuzz_bytes(&a->in, where & 0x7fu, &size);

    a->announced = 0;
    inject(a, where >> 7, from, bytes, size);
}

/* A packet between the good nodes once more: from where it came, or from an address that hears nothing. */
static void replay(struct attack *a)
{
    uint8_t which = fuzz_u8(&a->in), where = fuzz_u8(&a->in);
    uint64_t have = a->h.seen_count < HOSTILE_CAUGHT ? a->h.seen_count : HOSTILE_CAUGHT;
    struct hostile_packet seen = a->h.seen[(a->h.seen_count - 1 - which % have) % HOSTILE_CAUGHT];

    a->announced = A3MI_PACKET_BASE * 16;
    inject(a, seen.to - 1, where < 0x80 ? seen.from : HOSTILE_BLIND + where, seen.bytes, seen.size);
}

static void welcome(struct attack *a)
{
    uint8_t node = fuzz_u8(&a->in) % 2;
    struct a3mi_name name = take_name(a, 3);
    struct hostile_guest *guest = hostile_welcome(&a->h, node, &name, take_id(a) | 1);
    uint8_t messages = fuzz_u8(&a->in) % 8;

    for (unsigned i = 0; guest != NULL && i < messages; i++) {
        a3mi_assoc_send(a->h.nodes[node].assoc, &guest->tx, a3m_msg_copy("to a guest", 10), a->h.now);
    }
}

static void act(struct attack *a)
{
    uint8_t what = fuzz_u8(&a->in);

    switch (what % 16) {
    case 0: hostile_send(&a->h, what >> 7, 1 + (what >> 4 & 7u)); return;
    case 1: hostile_control(&a->h, what >> 7); return;
    case 2: hostile_run(&a->h, fuzz_u8(&a->in) * HOSTILE_MS / 8); return;
    case 3: hostile_run(&a->h, fuzz_u8(&a->in) * HOSTILE_MS * 100); return;
    case 4: a->h.loss = what >= 0x80 && !a->impatient ? 400 : 0; return;
    case 5: welcome(a); return;
    case 6: raw(a); return;
    case 7: replay(a); return;
    default: packet(a); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct attack a;
    static const uint32_t windows[] = {0, 1, 3, 40};

    memset(&a, 0, sizeof(a));
    a.in = (struct fuzz_input){data, size};
    uint8_t shape = fuzz_u8(&a.in);
    struct hostile_options options = {.seed = 1 + shape / 16u,
                                      .window = windows[shape % 4],
                                      .linger = (shape & 4) != 0 ? 100 * HOSTILE_MS : 0,
                                      .peer_timeout = (shape & 8) != 0 ? 30 * HOSTILE_S : 0};

    a.impatient = options.peer_timeout != 0;
    hostile_init(&a.h, &options);
    a.h.nodes[0].replies_left = a.h.nodes[1].replies_left = 16;
    for (unsigned i = 0; i < ACTIONS_MAX && a.in.left > 0; i++) {
        act(&a);
    }
    hostile_send(&a.h, 0, 2);
    hostile_send(&a.h, 1, 2);
    hostile_settle(&a.h);
    for (unsigned i = 0; i < 2; i++) {
        if (a.h.nodes[i].largest_guest_message > HOSTILE_MAX_MESSAGE) {
            hostile_fail(&a.h, "a message is larger than its link allows");
        }
    }
    hostile_fini(&a.h);
    return 0;
}
