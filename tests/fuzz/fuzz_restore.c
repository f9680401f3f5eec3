/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored state (core/snapshot.h) that was damaged: a snapshot of a node in the
 * midst of traffic, cut and changed as the input says, or bytes that never were
 * one. It is refused with its code, or what it gives is run and freed without a
 * leak or an access that is not right. Unchanged it is always taken, and passes
 * a3mi_assoc_check; changed it need not, as nothing in it tells one plausible
 * number from another: whoever stores snapshots guards them by a checksum.
 */
#include <stdlib.h>

#include <a3m/errors.h>

#include "base/addr.h"
#include "fuzz_input.h"
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANNELS 4u

struct bytes {
    uint8_t *b;
    size_t size, room;
};

/* Who restores: gives channels back, and takes what comes. */
struct owner {
    struct a3mi_assoc *assoc;
    struct a3mi_tx tx[CHANNELS];
    struct a3mi_rx rx[CHANNELS];
    unsigned tx_count, rx_count;
};

static struct owner owner;

static void put(void *arg, const void *bytes, size_t size)
{
    struct bytes *out = arg;

    if (out->size + size > out->room) {
        out->room = (out->size + size) * 2;
        out->b = realloc(out->b, out->room);
        assert(out->b != NULL);
    }
    memcpy(out->b + out->size, bytes, size);
    out->size += size;
}

/* A node with units under way, units received out of turn, messages and control messages that wait. */
static void save(struct bytes *out)
{
    static struct hostile h;
    struct a3mi_sink sink = {put, out};

    hostile_init(&h, &(struct hostile_options){.seed = 3});
    h.loss = 300;
    for (unsigned i = 0; i < 4; i++) {
        hostile_send(&h, 0, 12);
        hostile_send(&h, 1, 12);
        hostile_control(&h, 0);
        hostile_run(&h, 2 * HOSTILE_MS);
    }
    hostile_send(&h, 0, 5);
    a3mi_assoc_save(h.nodes[0].assoc, &sink, h.now);
    hostile_fini(&h);
}

/* ---- Hooks ------------------------------------------------------------------------- */

static struct a3mi_tx *give_tx(void *arg, struct a3mi_peer *peer, uint64_t incarnation, uint32_t index)
{
    (void)arg;
    (void)peer;
    (void)incarnation;
    (void)index;
    return owner.tx_count < CHANNELS ? &owner.tx[owner.tx_count++] : NULL;
}

static struct a3mi_rx *give_rx(void *arg, struct a3mi_peer *peer, uint32_t index)
{
    (void)arg;
    (void)peer;
    (void)index;
    return owner.rx_count < CHANNELS ? &owner.rx[owner.rx_count++] : NULL;
}

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    (void)arg;
    (void)rx;
    a3m_msg_free(msg);
}

static void on_control(void *arg, struct a3mi_peer *peer, uint64_t incarnation, const uint8_t *bytes,
                       size_t size)
{
    (void)arg;
    (void)peer;
    (void)incarnation;
    (void)bytes;
    (void)size;
}

static void on_credit(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages, uint64_t bytes)
{
    (void)arg;
    (void)rx;
    (void)epoch;
    (void)messages;
    (void)bytes;
}

static void on_packed(void *arg, struct a3mi_tx *tx, a3m_msg *msg)
{
    (void)arg;
    (void)tx;
    a3m_msg_free(msg);
}

static void on_acknowledged(void *arg, struct a3mi_tx *tx, uint64_t n)
{
    (void)arg;
    (void)tx;
    (void)n;
}

static void detach_all(void)
{
    for (unsigned i = 0; i < owner.tx_count; i++) {
        if (owner.tx[i].peer != NULL) {
            (void)a3mi_tx_detach(owner.assoc, &owner.tx[i]);
        }
    }
    for (unsigned i = 0; i < owner.rx_count; i++) {
        if (owner.rx[i].peer != NULL) {
            a3mi_rx_detach(owner.assoc, &owner.rx[i]);
        }
    }
}

static void on_peer_ended(void *arg, struct a3mi_peer *peer, uint64_t incarnation, enum a3mi_peer_end why)
{
    (void)arg;
    (void)peer;
    (void)incarnation;
    (void)why;
    detach_all();
}

static void on_peer_merged(void *arg, struct a3mi_peer *from, struct a3mi_peer *into)
{
    (void)arg;
    (void)from;
    (void)into;
}

static void on_duplicate_id(void *arg, const struct a3mi_name *id, const struct a3m_addr *where)
{
    (void)arg;
    (void)id;
    (void)where;
}

static const struct a3mi_assoc_hooks hooks = {
    .message = on_message,
    .control = on_control,
    .credit = on_credit,
    .packed = on_packed,
    .acknowledged = on_acknowledged,
    .peer_ended = on_peer_ended,
    .peer_merged = on_peer_merged,
    .duplicate_id = on_duplicate_id,
};

/* ---- Restoring ------------------------------------------------------------------------ */

/* A second of life: it sends again what it thinks that it has to. */
static void live(int64_t now)
{
    struct a3m_packet_out out[16];

    for (unsigned i = 0; i < 20; i++) {
        now += 50 * HOSTILE_MS;
        a3mi_assoc_tick(owner.assoc, now);
        for (unsigned rounds = 0; rounds < 8 && a3mi_assoc_output(owner.assoc, out, 16, true, now) == 16;) {
            rounds++;
        }
    }
}

static int restore(const uint8_t *bytes, size_t size, bool changed)
{
    static const struct a3mi_restore gives = {give_tx, give_rx};
    struct a3mi_assoc_config config = {.incarnation = 9, .seed = 5, .mtu = A3MI_PACKET_BASE};
    uint8_t *exact = malloc(size > 0 ? size : 1); /* exactly as large, for the sanitizer */

    assert(exact != NULL);
    if (size > 0) {
        memcpy(exact, bytes, size);
    }
    (void)a3mi_name_set(&config.id, "alice", 5);
    memset(&owner, 0, sizeof(owner));
    int rc = a3mi_assoc_restore(&owner.assoc, &config, &hooks, NULL, &gives, exact, size, 100 * HOSTILE_S);

    assert(rc == 0 || rc == A3M_EPROTO || rc == A3M_EINVAL || rc == A3M_ENOMEM);
    free(exact);
    if (rc == 0) {
        if (!changed) {
            a3mi_assoc_check(owner.assoc);
        }
        live(100 * HOSTILE_S);
        if (!changed) {
            a3mi_assoc_check(owner.assoc);
        }
        detach_all();
        a3mi_assoc_free(owner.assoc);
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bytes good;
    struct fuzz_input in = {data, size};

    if (good.size == 0) {
        save(&good);
        assert(restore(good.b, good.size, false) == 0);
    }
    uint8_t how = fuzz_u8(&in);

    if (how == 0) {
        (void)restore(in.p, in.left, true);
        return 0;
    }
    struct bytes changed = {malloc(good.size), good.size, good.size};

    assert(changed.b != NULL);
    memcpy(changed.b, good.b, good.size);
    if ((how & 1) != 0) {
        changed.size = fuzz_u16(&in) % (good.size + 1);
    }
    while (in.left >= 3) {
        size_t at = fuzz_u16(&in) % good.size;

        changed.b[at] = fuzz_u8(&in);
    }
    int rc = restore(changed.b, changed.size, true);

    assert(rc != 0 || changed.size == good.size); /* a part is never taken for the whole */
    free(changed.b);
    return 0;
}
