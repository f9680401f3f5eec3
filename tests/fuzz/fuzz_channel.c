/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving side of channels (core/channel_rx.c) against the plainest way to
 * put messages together: an array of bytes and of marks for each number. Frames
 * of two links and of link control come in any order, in pieces that fit or do
 * not, from one unit to the next, some of messages that wait for no earlier one;
 * what is handed up must be the same messages in the same order, and what is
 * malformed counted the same.
 */
#include <a3m/errors.h>

#include "base/message.h"
#include "core/channel.h"
#include "core/peer.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINKS       3u /* 0 is link control */
#define NUMBERS     16u
#define TOTAL_MAX   300u
#define MAX_MESSAGE 200u
#define FRAMES_MAX  200u

struct model_message {
    bool begun, props, free, up, has[TOTAL_MAX];
    uint32_t total;
    uint8_t bytes[TOTAL_MAX];
};

struct model {
    struct model_message messages[LINKS][NUMBERS];
    uint64_t next[LINKS];              /* all below were handed up */
    uint64_t expected[LINKS][NUMBERS]; /* numbers, as they are handed up; without those that are refused */
    uint64_t count[LINKS];
    uint64_t bad, handed_up;
};

struct fixture {
    struct a3mi_assoc *assoc;
    struct a3mi_peer *peer;
    struct a3mi_rx rx[LINKS];
    struct model model;
    uint64_t count[LINKS]; /* handed up by the code under test */
    uint64_t messages;
};

static struct fixture f;

/* ---- What is handed up ------------------------------------------------------------- */

static void check_message(unsigned link, const uint8_t *bytes, size_t size)
{
    uint64_t at = f.count[link]++;

    assert(at < f.model.count[link]);
    const struct model_message *m = &f.model.messages[link][f.model.expected[link][at]];
    size_t props = link != 0 && m->props ? 1 + (size_t)m->bytes[0] : 0;

    assert(size == m->total - props && memcmp(bytes, m->bytes + props, size) == 0);
    f.messages++;
}

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    (void)arg;
    check_message((unsigned)(rx - f.rx), msg->data, msg->size);
    a3m_msg_free(msg);
}

static void on_control(void *arg, struct a3mi_peer *peer, uint64_t incarnation, const uint8_t *bytes,
                       size_t size)
{
    (void)arg;
    assert(peer == f.peer && incarnation == 1);
    check_message(0, bytes, size);
}

static void on_credit(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages, uint64_t bytes)
{
    (void)arg;
    assert(rx != &f.rx[0] && epoch == 5 && messages == 6 && bytes == 7);
}

static const struct a3mi_assoc_hooks hooks = {
    .message = on_message, .control = on_control, .credit = on_credit};

/* ---- The model ---------------------------------------------------------------------- */

static bool is_whole(const struct model_message *m)
{
    for (uint32_t i = 0; i < m->total; i++) {
        if (!m->has[i]) {
            return false;
        }
    }
    return m->begun;
}

/* Its properties: a length, then entries; those made here have one of no bytes and of unknown type, or none. */
static void model_hand_up(unsigned link, uint64_t number)
{
    struct model *model = &f.model;
    struct model_message *m = &model->messages[link][number];
    size_t props = m->props && m->total > 0 ? 1 + (size_t)m->bytes[0] : 0;

    m->up = true;
    if (link != 0 &&
        ((m->props && (props == 0 || props > m->total || (m->bytes[0] != 0 && m->bytes[0] != 2))) ||
         m->total - props > MAX_MESSAGE)) {
        model->bad++;
        return;
    }
    model->expected[link][model->count[link]++] = number;
    model->handed_up++;
}

/* A message of these may be whole now. */
static void model_hand_up_all(unsigned link, uint64_t number)
{
    struct model_message *messages = f.model.messages[link];
    uint64_t *next = &f.model.next[link];

    if (number != *next && link != 0 && messages[number].free && is_whole(&messages[number])) {
        model_hand_up(link, number);
    }
    for (; *next < NUMBERS && is_whole(&messages[*next]); ++*next) {
        if (!messages[*next].up) {
            model_hand_up(link, *next);
        }
    }
}

static void model_take(unsigned link, const struct a3mi_frame *frame)
{
    struct model_message *m = &f.model.messages[link][frame->number];
    bool props = (frame->flags & A3MI_FRAME_PROPS) != 0;
    bool free = (frame->flags & A3MI_FRAME_FREE) != 0;
    bool too_large = link != 0 && frame->total > MAX_MESSAGE + (props ? A3MI_PROPS_MAX : 0);

    if (m->up || too_large || (link == 0 && (props || free))) {
        f.model.bad++;
        return;
    }
    if (!m->begun) {
        m->begun = true;
        m->total = frame->total;
        m->props = props;
        m->free = free;
    } else if (m->total != frame->total || m->props != props || m->free != free) {
        f.model.bad++;
        return;
    }
    for (uint32_t i = 0; i < frame->size; i++) {
        if (m->has[frame->offset + i]) {
            f.model.bad++;
            return;
        }
    }
    memset(m->has + frame->offset, true, frame->size);
    memcpy(m->bytes + frame->offset, frame->bytes, frame->size);
    model_hand_up_all(link, frame->number);
}

/* ---- Frames --------------------------------------------------------------------------- */

static void take(struct a3mi_frame *frame)
{
    uint8_t bytes[A3MI_PACKET_BASE];
    uint8_t *end = a3mi_frame_write_data(bytes, frame);
    struct a3mi_origin origin = {.peer = f.peer, .incarnation = 1, .control = &f.rx[0]};
    uint32_t done = 0;

    memcpy(end, frame->bytes, frame->size);
    assert(a3mi_channel_take(f.assoc, &origin, bytes, (size_t)(end - bytes) + frame->size, &done) &&
           done == 1);
}

static void run_frame(struct fuzz_input *in)
{
    uint8_t head = fuzz_u8(in), where = fuzz_u8(in);
    unsigned link = head % LINKS;
    uint8_t content[256];
    struct a3mi_frame frame = {.number = where % NUMBERS, .offset = fuzz_u8(in)};
    uint8_t length = fuzz_u8(in);

    frame.size = length % 100u;

    frame.link = link == 0 ? 0 : f.rx[link].index;
    frame.flags = (where & 0x10) != 0 ? A3MI_FRAME_PROPS : 0;
    frame.flags |= length >= 100 ? A3MI_FRAME_FREE : 0;
    frame.total = (head & 0x40) != 0 ? 100 + fuzz_u8(in) % 200u : 3 + (head >> 2 & 7u) * 4;
    if (frame.offset >= frame.total || (where & 0x20) != 0) {
        frame.offset = 0;
    }
    if (frame.offset + frame.size > frame.total || (where & 0x40) != 0) {
        frame.size = frame.total - frame.offset < 300 ? frame.total - frame.offset : 300;
    }
    frame.flags |= frame.offset == 0 ? A3MI_FRAME_FIRST : 0;
    frame.flags |= frame.offset + frame.size == frame.total ? A3MI_FRAME_LAST : 0;
    if ((frame.flags & A3MI_FRAME_WHOLE) != A3MI_FRAME_WHOLE && frame.size == 0) {
        return;
    }
    static uint8_t filling[TOTAL_MAX];
    memset(content, fuzz_u8(in), sizeof(content));
    memset(filling, content[0], sizeof(filling));
    if (frame.offset == 0 && frame.size > 2 && (where & 0x80) != 0) {
        filling[0] = (head & 0x80) != 0 ? 2 : 0; /* good properties: one of type 9 without bytes, or none */
        filling[1] = 9;
        filling[2] = (head & 0x80) != 0 ? 0 : filling[2];
    } else if (frame.offset == 0 && frame.size > 0) {
        filling[0] = 1; /* no entry is that short: malformed */
    }
    frame.bytes = filling;
    model_take(link, &frame);
    take(&frame);
}

static void run_credit(struct fuzz_input *in)
{
    uint8_t bytes[A3MI_FRAME_CREDIT_SIZE];
    unsigned link = fuzz_u8(in) % LINKS;
    struct a3mi_frame frame = {
        .credit_link = f.rx[link].index, .epoch = 5, .credit_messages = 6, .credit_bytes = 7};
    struct a3mi_origin origin = {.peer = f.peer, .incarnation = 1, .control = &f.rx[0]};
    uint32_t done = 0;

    (void)a3mi_frame_write_credit(bytes, &frame);
    assert(a3mi_channel_take(f.assoc, &origin, bytes, sizeof(bytes), &done) && done == 1);
}

/* ---- Life -------------------------------------------------------------------------------- */

static void begin(void)
{
    struct a3mi_assoc_config config = {.incarnation = 2, .seed = 3, .mtu = A3MI_PACKET_BASE};
    struct a3mi_name name;

    memset(&f, 0, sizeof(f));
    (void)a3mi_name_set(&config.id, "here", 4);
    (void)a3mi_name_set(&name, "there", 5);
    int rc = a3mi_assoc_new(&f.assoc, &config, &hooks, NULL);

    assert(rc == 0);
    f.peer = a3mi_assoc_peer(f.assoc, &name);
    assert(f.peer != NULL);
    a3mi_rx_init(f.assoc, &f.rx[0], 0, TOTAL_MAX);
    f.rx[0].peer = f.peer;
    for (unsigned i = 1; i < LINKS; i++) {
        rc = a3mi_rx_attach(f.assoc, &f.rx[i], f.peer, MAX_MESSAGE);
        assert(rc == 0);
    }
    (void)rc;
}

static void end(void)
{
    a3mi_rx_clear(f.assoc, &f.rx[0]);
    for (unsigned i = 1; i < LINKS; i++) {
        a3mi_rx_detach(f.assoc, &f.rx[i]);
    }
    a3mi_peer_release(f.assoc, f.peer);
    a3mi_assoc_free(f.assoc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct a3mi_assoc_stats stats;

    begin();
    for (unsigned i = 0; i < FRAMES_MAX && in.left > 0; i++) {
        if (*in.p == 0xff) {
            (void)fuzz_u8(&in);
            run_credit(&in);
        } else {
            run_frame(&in);
        }
    }
    a3mi_assoc_get_stats(f.assoc, &stats);
    assert(f.messages == f.model.handed_up && stats.bad_frame == f.model.bad);
    for (unsigned i = 0; i < LINKS; i++) {
        assert(f.rx[i].up.next == f.model.next[i]);
        for (uint64_t number = 0; number < NUMBERS; number++) {
            assert(a3mi_ranges_has(&f.rx[i].up, number) == f.model.messages[i][number].up);
        }
        assert(f.rx[i].partial_count > 0 || f.rx[i].partial_bytes == 0);
    }
    end();
    return 0;
}
