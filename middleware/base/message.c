/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: see base/message.h. A new message is one allocation: block, view
 * and bytes; views made later are allocations of their own. No locks: a view
 * belongs to one thread at a time, and the count of a block is atomic.
 */
#include "base/message.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <a3m/errors.h>

#include "base/cursor.h"
#include "base/error.h"

/* What one allocation holds; the bytes follow. */
struct whole {
    struct a3mi_block block;
    struct a3m_msg view;
};

enum { PROP_CORRELATION = 1, PROP_CORRELATION_SIZE = 8, PROP_ASKS_TAKEN = 2 };

static void view_init(a3m_msg *msg, struct a3mi_block *block, uint8_t *data, size_t size, uint32_t flags)
{
    atomic_init(&msg->outbox.next, NULL);
    msg->outbox.kind = 0;
    msg->node.next = NULL;
    msg->flags = flags;
    msg->epoch = 0;
    msg->data = data;
    msg->size = size;
    msg->block = block;
    msg->correlation = 0;
    msg->channel = NULL;
    msg->number = 0;
    msg->identity = NULL;
    msg->receipt = NULL;
}

static void block_init(struct a3mi_block *block, a3m_free_fn *free_fn, void *arg, void *bytes)
{
    atomic_init(&block->refs, 1);
    block->reserved = 0;
    block->free_fn = free_fn;
    block->free_arg = arg;
    block->bytes = bytes;
}

static void block_unref(struct a3mi_block *block)
{
    if (atomic_load_explicit(&block->refs, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (block->free_fn != NULL) {
        block->free_fn(block->bytes, block->free_arg);
    }
    free(block);
}

a3m_msg *a3m_msg_new(size_t size)
{
    if (size > A3M_MESSAGE_CEILING) {
        a3mi_fail(A3M_EMSGSIZE, "a message of %zu bytes is above the ceiling of %zu", size,
                  A3M_MESSAGE_CEILING);
        return NULL;
    }
    struct whole *whole = malloc(sizeof(*whole) + size);
    if (whole == NULL) {
        return NULL;
    }
    block_init(&whole->block, NULL, NULL, NULL);
    view_init(&whole->view, &whole->block, (uint8_t *)(whole + 1), size, A3MI_MSG_INLINE);
    return &whole->view;
}

a3m_msg *a3mi_msg_resize(a3m_msg *msg, size_t size)
{
    struct whole *whole = (struct whole *)((uint8_t *)msg - offsetof(struct whole, view));
    whole = realloc(whole, sizeof(*whole) + size);
    if (whole == NULL) {
        return NULL;
    }
    whole->view.block = &whole->block;
    whole->view.data = (uint8_t *)(whole + 1);
    whole->view.size = size;
    return &whole->view;
}

a3m_msg *a3m_msg_copy(const void *bytes, size_t size)
{
    a3m_msg *msg = a3m_msg_new(size);
    if (msg != NULL && size > 0) {
        memcpy(msg->data, bytes, size);
    }
    return msg;
}

a3m_msg *a3m_msg_wrap(void *bytes, size_t size, a3m_free_fn *free_fn, void *arg)
{
    if (size > A3M_MESSAGE_CEILING || (bytes == NULL && size > 0)) {
        return NULL;
    }
    struct whole *whole = malloc(sizeof(*whole));
    if (whole == NULL) {
        return NULL;
    }
    block_init(&whole->block, free_fn, arg, bytes);
    uint8_t *data = bytes != NULL ? bytes : (uint8_t *)(whole + 1);
    view_init(&whole->view, &whole->block, data, size, A3MI_MSG_INLINE);
    return &whole->view;
}

a3m_msg *a3m_msg_slice(const a3m_msg *msg, size_t offset, size_t size)
{
    if (offset > msg->size || size > msg->size - offset) {
        return NULL;
    }
    a3m_msg *view = malloc(sizeof(*view));
    if (view == NULL) {
        return NULL;
    }
    atomic_fetch_add_explicit(&msg->block->refs, 1, memory_order_relaxed);
    view_init(view, msg->block, msg->data + offset, size, 0);
    return view;
}

a3m_msg *a3m_msg_dup(const a3m_msg *msg)
{
    return a3m_msg_slice(msg, 0, msg->size);
}

void a3m_msg_free(a3m_msg *msg)
{
    if (msg == NULL) {
        return;
    }
    struct a3mi_block *block = msg->block;
    if (msg->identity != NULL) {
        a3mi_identity_unref(msg->identity);
        msg->identity = NULL;
    }
    if (msg->receipt != NULL) {
        free(msg->receipt);
    }
    if ((msg->flags & A3MI_MSG_INLINE) == 0) {
        free(msg);
    }
    block_unref(block);
}

void *a3m_msg_data(const a3m_msg *msg)
{
    return msg->data;
}

size_t a3m_msg_size(const a3m_msg *msg)
{
    return msg->size;
}

int a3m_msg_truncate(a3m_msg *msg, size_t size)
{
    if (size > msg->size) {
        return a3mi_fail(A3M_EINVAL, "a message of %zu bytes cannot be truncated to %zu", msg->size, size);
    }
    msg->size = size;
    return A3M_OK;
}

a3m_link a3m_msg_link(const a3m_msg *msg)
{
    return msg->identity != NULL ? msg->identity->link : (a3m_link){0};
}

const char *a3m_msg_peer_node(const a3m_msg *msg)
{
    return msg->identity != NULL ? msg->identity->node.s : "";
}

const char *a3m_msg_peer_tag(const a3m_msg *msg)
{
    return msg->identity != NULL ? msg->identity->tag.s : "";
}

bool a3m_msg_correlation(const a3m_msg *msg, uint64_t *number)
{
    if ((msg->flags & A3MI_MSG_CORRELATED) == 0) {
        return false;
    }
    *number = msg->correlation;
    return true;
}

void a3m_msg_set_correlation(a3m_msg *msg, uint64_t number)
{
    msg->correlation = number;
    msg->flags |= A3MI_MSG_CORRELATED;
}

void a3m_msg_clear_correlation(a3m_msg *msg)
{
    msg->flags &= ~(uint32_t)A3MI_MSG_CORRELATED;
    msg->correlation = 0;
}

void a3mi_identity_ref(struct a3mi_identity *identity, uint32_t n)
{
    if (identity != NULL) {
        atomic_fetch_add_explicit(&identity->refs, n, memory_order_relaxed);
    }
}

void a3mi_identity_unref(struct a3mi_identity *identity)
{
    if (identity != NULL && atomic_fetch_sub_explicit(&identity->refs, 1, memory_order_acq_rel) == 1) {
        free(identity);
    }
}

size_t a3mi_msg_props_size(const a3m_msg *msg)
{
    size_t size = 0;
    size += (msg->flags & A3MI_MSG_CORRELATED) != 0 ? 2 + PROP_CORRELATION_SIZE : 0;
    size += (msg->flags & A3MI_MSG_ASKS_TAKEN) != 0 ? 2 : 0;
    return size > 0 ? 1 + size : 0;
}

void a3mi_msg_props_write(const a3m_msg *msg, uint8_t *out)
{
    size_t size = a3mi_msg_props_size(msg);
    if (size == 0) {
        return;
    }
    *out++ = (uint8_t)(size - 1);
    if ((msg->flags & A3MI_MSG_CORRELATED) != 0) {
        *out++ = PROP_CORRELATION;
        *out++ = PROP_CORRELATION_SIZE;
        a3mi_store_be64(out, msg->correlation);
        out += PROP_CORRELATION_SIZE;
    }
    if ((msg->flags & A3MI_MSG_ASKS_TAKEN) != 0) {
        *out++ = PROP_ASKS_TAKEN;
        *out++ = 0;
    }
}

int a3mi_msg_props_take(a3m_msg *msg)
{
    struct a3mi_rd rd;
    a3mi_rd_init(&rd, msg->data, msg->size);
    size_t size = a3mi_rd_u8(&rd);
    const uint8_t *props = a3mi_rd_bytes(&rd, size);
    if (rd.bad) {
        return A3M_EPROTO;
    }
    a3mi_rd_init(&rd, props, size);
    while (a3mi_rd_left(&rd) > 0) {
        uint8_t type = a3mi_rd_u8(&rd);
        uint8_t length = a3mi_rd_u8(&rd);
        const uint8_t *value = a3mi_rd_bytes(&rd, length);
        if (rd.bad) {
            return A3M_EPROTO;
        }
        if (type == PROP_CORRELATION) {
            if (length != PROP_CORRELATION_SIZE) {
                return A3M_EPROTO;
            }
            a3m_msg_set_correlation(msg, a3mi_load_be64(value));
        }
        if (type == PROP_ASKS_TAKEN) { /* a value is for later versions */
            msg->flags |= A3MI_MSG_ASKS_TAKEN;
        }
    }
    msg->data += 1 + size;
    msg->size -= 1 + size;
    return A3M_OK;
}
