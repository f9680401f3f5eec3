/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, names, addresses, ranges and messages in a snapshot (core/snapshot.h). */
#include "core/snapshot.h"

#include <string.h>

#include <a3m/errors.h>

#include "base/message.h"

/* ---- Saved ------------------------------------------------------------------ */

void a3mi_save_bytes(const struct a3mi_saver *sv, const void *bytes, size_t size)
{
    if (size > 0) {
        sv->sink->put(sv->sink->arg, bytes, size);
    }
}

void a3mi_save_u8(const struct a3mi_saver *sv, unsigned v)
{
    uint8_t byte = (uint8_t)v;

    a3mi_save_bytes(sv, &byte, 1);
}

void a3mi_save_u32(const struct a3mi_saver *sv, uint32_t v)
{
    uint8_t bytes[4];

    a3mi_store_be32(bytes, v);
    a3mi_save_bytes(sv, bytes, sizeof(bytes));
}

void a3mi_save_u64(const struct a3mi_saver *sv, uint64_t v)
{
    uint8_t bytes[8];

    a3mi_store_be64(bytes, v);
    a3mi_save_bytes(sv, bytes, sizeof(bytes));
}

void a3mi_save_name(const struct a3mi_saver *sv, const struct a3mi_name *name)
{
    a3mi_save_u8(sv, name->len);
    a3mi_save_bytes(sv, name->s, name->len);
}

void a3mi_save_addr(const struct a3mi_saver *sv, const struct a3m_addr *addr)
{
    a3mi_save_u8(sv, addr->kind);
    a3mi_save_u8(sv, addr->len);
    a3mi_save_bytes(sv, addr->b, addr->len);
}

void a3mi_save_ranges(const struct a3mi_saver *sv, const struct a3mi_ranges *ranges)
{
    a3mi_save_u64(sv, ranges->next);
    a3mi_save_u32(sv, ranges->count);
    for (uint32_t i = 0; i < ranges->count; i++) {
        a3mi_save_u64(sv, ranges->v[i].first);
        a3mi_save_u64(sv, ranges->v[i].end);
    }
}

/* Which properties a message has. */
enum { SAVED_CORRELATED = 1u << 0, SAVED_ASKS_TAKEN = 1u << 1 };

static void put_message(const struct a3mi_saver *sv, const a3m_msg *msg)
{
    uint64_t correlation = 0;

    a3mi_save_u8(sv, (uint8_t)((a3m_msg_correlation(msg, &correlation) ? SAVED_CORRELATED : 0u) |
                               ((msg->flags & A3MI_MSG_ASKS_TAKEN) != 0 ? SAVED_ASKS_TAKEN : 0u)));
    a3mi_save_u64(sv, correlation);
    a3mi_save_u64(sv, msg->size);
    a3mi_save_bytes(sv, msg->data, msg->size);
}

void a3mi_save_queue(const struct a3mi_saver *sv, const struct a3mi_fifo *queue)
{
    a3mi_save_u64(sv, queue->count);
    for (struct a3mi_fifo_node *it = queue->head; it != NULL; it = it->next) {
        put_message(sv, a3mi_container_of(it, a3m_msg, node));
    }
}

/* ---- Restored --------------------------------------------------------------- */

bool a3mi_restore_fail(struct a3mi_restorer *rs, int code)
{
    if (rs->error == 0) {
        rs->error = code;
    }
    rs->rd.bad = true;
    return false;
}

bool a3mi_restore_good(struct a3mi_restorer *rs)
{
    return !rs->rd.bad || a3mi_restore_fail(rs, A3M_EPROTO);
}

bool a3mi_restore_bool(struct a3mi_restorer *rs)
{
    uint8_t v = a3mi_rd_u8(&rs->rd);

    if (v > 1) {
        a3mi_restore_fail(rs, A3M_EPROTO);
    }
    return v == 1;
}

void a3mi_restore_name(struct a3mi_restorer *rs, struct a3mi_name *name)
{
    uint8_t size = a3mi_rd_u8(&rs->rd);
    const uint8_t *bytes = a3mi_rd_bytes(&rs->rd, size);

    *name = (struct a3mi_name){0};
    if (bytes != NULL && size > 0 && a3mi_name_set(name, (const char *)bytes, size) != 0) {
        a3mi_restore_fail(rs, A3M_EPROTO);
    }
}

void a3mi_restore_addr(struct a3mi_restorer *rs, struct a3m_addr *addr)
{
    *addr = (struct a3m_addr){.kind = a3mi_rd_u8(&rs->rd)};
    uint8_t size = a3mi_rd_u8(&rs->rd);
    const uint8_t *bytes = a3mi_rd_bytes(&rs->rd, size);

    if (bytes == NULL || size > sizeof(addr->b)) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    addr->len = size;
    memcpy(addr->b, bytes, size);
}

bool a3mi_restore_ranges(struct a3mi_restorer *rs, struct a3mi_ranges *ranges, uint32_t most)
{
    uint64_t next = a3mi_rd_u64(&rs->rd);
    uint32_t count = a3mi_rd_u32(&rs->rd);

    a3mi_ranges_init(ranges);
    ranges->next = next;
    for (uint32_t i = 0; i < count && a3mi_restore_good(rs); i++) {
        uint64_t first = a3mi_rd_u64(&rs->rd);
        uint64_t end = a3mi_rd_u64(&rs->rd);

        if (first <= next || end <= first) {
            return a3mi_restore_fail(rs, A3M_EPROTO);
        }
        if (a3mi_ranges_make_room(rs->assoc, ranges, first, end, most) != A3MI_RANGES_ADDED) {
            return a3mi_restore_fail(rs, A3M_ENOMEM);
        }
        (void)a3mi_ranges_add(ranges, first, end);
    }
    return a3mi_restore_good(rs) && (ranges->count == count || a3mi_restore_fail(rs, A3M_EPROTO));
}

static a3m_msg *get_message(struct a3mi_restorer *rs)
{
    uint8_t saved = a3mi_rd_u8(&rs->rd);
    uint64_t correlation = a3mi_rd_u64(&rs->rd);
    uint64_t size = a3mi_rd_u64(&rs->rd);
    const uint8_t *bytes = size <= A3M_MESSAGE_CEILING ? a3mi_rd_bytes(&rs->rd, (size_t)size) : NULL;

    if (!a3mi_restore_good(rs) || bytes == NULL || saved > (SAVED_CORRELATED | SAVED_ASKS_TAKEN)) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return NULL;
    }
    a3m_msg *msg = a3m_msg_copy(bytes, (size_t)size);

    if (msg == NULL) {
        a3mi_restore_fail(rs, A3M_ENOMEM);
        return NULL;
    }
    if ((saved & SAVED_CORRELATED) != 0) {
        a3m_msg_set_correlation(msg, correlation);
    }
    if ((saved & SAVED_ASKS_TAKEN) != 0) { /* it is part of what was sent already */
        msg->flags |= A3MI_MSG_ASKS_TAKEN;
    }
    return msg;
}

uint64_t a3mi_restore_queue(struct a3mi_restorer *rs, struct a3mi_fifo *queue)
{
    uint64_t count = a3mi_rd_u64(&rs->rd);
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < count && a3mi_restore_good(rs); i++) {
        a3m_msg *msg = get_message(rs);

        if (msg != NULL) {
            bytes += msg->size;
            a3mi_fifo_push(queue, &msg->node);
        }
    }
    return bytes;
}
