/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the exactly-once layer costs a message, both sides together: two
 * associations in one process and one thread, packets handed over in memory.
 *
 * usage: bench_core [SIZE…]
 */
#include <assert.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "base/message.h"
#include "core/assoc.h"
#include "quiet_hooks.h"

#define BATCH  64
#define WARMUP 2

struct end {
    struct a3mi_assoc *assoc;
    struct a3mi_peer *peer;
    struct a3mi_tx tx;
    struct a3mi_rx rx;
    struct a3m_addr addr;
    uint64_t incarnation;
    uint64_t received, packed;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    struct end *end = arg;

    (void)rx;
    end->received++;
    a3m_msg_free(msg);
}

static void on_packed(void *arg, struct a3mi_tx *tx, a3m_msg *msg)
{
    struct end *end = arg;

    (void)tx;
    end->packed++;
    a3m_msg_free(msg);
}

static const struct a3mi_assoc_hooks hooks = {.message = on_message, .packed = on_packed, QUIET_HOOKS};

static void end_init(struct end *end, const char *name, uint32_t addr)
{
    struct a3mi_assoc_config config = {.incarnation = addr, .seed = addr, .mtu = 1400};

    memset(end, 0, sizeof(*end));
    config.key[0] = (uint8_t)addr;
    (void)a3mi_name_set(&config.id, name, strlen(name));
    end->addr = a3mi_addr_sim(addr);
    end->incarnation = addr;
    int result = a3mi_assoc_new(&end->assoc, &config, &hooks, end);

    assert(result == 0);
    (void)result;
}

static void join(struct end *from, struct end *to, const char *name)
{
    struct a3mi_name id;

    (void)a3mi_name_set(&id, name, strlen(name));
    from->peer = a3mi_assoc_peer(from->assoc, &id);
    a3mi_peer_set_addr(from->assoc, from->peer, &to->addr, now_ns());
    (void)a3mi_rx_attach(from->assoc, &from->rx, from->peer, 1 << 26);
    a3mi_rx_bind(&from->rx, to->incarnation);
}

/* Hands packets from one end to the other; how many. */
static size_t carry(struct end *from, struct end *to, bool flush, int64_t now)
{
    struct a3m_packet_out out[BATCH];
    size_t n = a3mi_assoc_output(from->assoc, out, BATCH, flush, now);

    for (size_t i = 0; i < n; i++) {
        a3mi_assoc_input(to->assoc, &from->addr, out[i].bytes, out[i].size, now);
    }
    return n;
}

static void run_until(struct end *a, struct end *b, uint64_t received)
{
    while (b->received < received) {
        int64_t now = now_ns();
        size_t n = carry(a, b, false, now);

        n += carry(b, a, n == 0, now);
        if (n == 0) {
            a3mi_assoc_tick(a->assoc, now);
            a3mi_assoc_tick(b->assoc, now);
        }
    }
}

static double measure(struct end *a, struct end *b, size_t size, uint64_t count)
{
    static uint8_t bytes[1 << 20];
    uint64_t target = b->received + count;
    uint64_t queued = 0;
    int64_t start = now_ns();

    while (queued < count) {
        for (unsigned i = 0; i < 512 && queued < count; i++, queued++) {
            a3mi_assoc_send(a->assoc, &a->tx, a3m_msg_copy(bytes, size), start);
        }
        run_until(a, b, target - count + queued);
    }
    return (double)(now_ns() - start) / (double)count;
}

/* Making, copying and freeing a message twice, which the figures above contain. */
static double measure_alloc(size_t size, uint64_t count)
{
    static uint8_t bytes[1 << 20];
    a3m_msg *msgs[512];
    int64_t start = now_ns();

    for (uint64_t done = 0; done < count; done += 256) {
        for (unsigned i = 0; i < 512; i++) {
            msgs[i] = a3m_msg_copy(bytes, size);
        }
        for (unsigned i = 0; i < 512; i++) {
            a3m_msg_free(msgs[i]);
        }
    }
    return (double)(now_ns() - start) / (double)count;
}

int main(int argc, char **argv)
{
    static const char *const defaults[] = {"64", "1024", "16384"};
    struct end a, b;

    /* Otherwise the heap shrinks and grows with each batch, and first touches of pages are all that is seen. */
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    end_init(&a, "a", 1);
    end_init(&b, "b", 2);
    join(&a, &b, "b");
    join(&b, &a, "a");
    a3mi_tx_attach(a.assoc, &a.tx, a.peer, b.incarnation, b.rx.index);
    a3mi_tx_attach(b.assoc, &b.tx, b.peer, a.incarnation, a.rx.index);

    int n = argc > 1 ? argc - 1 : 3;

    for (int i = 0; i < n; i++) {
        size_t size = strtoull(argc > 1 ? argv[i + 1] : defaults[i], NULL, 0);
        uint64_t count = size < 4096 ? 2000000 : 100000;
        double best = 1e9;

        for (int round = 0; round < WARMUP + 3; round++) {
            double ns = measure(&a, &b, size, count);

            best = round >= WARMUP && ns < best ? ns : best;
        }
        printf("%zu bytes: %.1f ns a message, both sides, of which %.1f for allocation\n", size, best,
               measure_alloc(size, count));
    }
    a3mi_tx_detach(a.assoc, &a.tx);
    a3mi_tx_detach(b.assoc, &b.tx);
    a3mi_rx_detach(a.assoc, &a.rx);
    a3mi_rx_detach(b.assoc, &b.rx);
    a3mi_assoc_free(a.assoc);
    a3mi_assoc_free(b.assoc);
    return 0;
}
