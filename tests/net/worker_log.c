/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker sends and writes down (worker_log.h). */
#include "net/worker_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/rng.h"

enum { SEED = 0x776f726b }; /* not the one that packets are sealed with */

/* Stamp, filling, checksum over both. */
static const size_t AROUND = sizeof(struct stamp) + sizeof(uint64_t);

static uint64_t mixed(struct stamp stamp)
{
    uint64_t state = stamp.life << 48 ^ stamp.link << 40 ^ stamp.number;
    return a3mi_splitmix64(&state);
}

/* Mostly small ones, some of several packets. */
static size_t filling(struct stamp stamp, uint64_t largest)
{
    uint64_t random = mixed(stamp);
    return (size_t)((random >> 8) % (random % 16 == 0 ? largest + 1 : 64));
}

a3m_msg *stamp_make(struct stamp stamp, uint64_t largest)
{
    size_t fill = filling(stamp, largest);
    a3m_msg *msg = a3m_msg_new(AROUND + fill);
    if (msg == NULL) {
        return NULL;
    }
    uint8_t *bytes = a3m_msg_data(msg);
    uint64_t state = mixed(stamp);
    memcpy(bytes, &stamp, sizeof(stamp));
    for (size_t i = 0; i < fill; i++) {
        state = i % 8 == 0 ? a3mi_splitmix64(&state) : state >> 8;
        bytes[sizeof(stamp) + i] = (uint8_t)state;
    }
    uint64_t sum = a3mi_hash64(bytes, sizeof(stamp) + fill, SEED);
    memcpy(bytes + sizeof(stamp) + fill, &sum, sizeof(sum));
    return msg;
}

bool stamp_read(const a3m_msg *msg, struct stamp *stamp)
{
    const uint8_t *bytes = a3m_msg_data(msg);
    size_t size = a3m_msg_size(msg);
    uint64_t sum;
    if (size < AROUND) {
        return false;
    }
    memcpy(stamp, bytes, sizeof(*stamp));
    memcpy(&sum, bytes + size - sizeof(sum), sizeof(sum));
    return sum == a3mi_hash64(bytes, size - sizeof(sum), SEED);
}

struct arrivals *arrivals_open(const char *path, uint64_t n)
{
    size_t size = (size_t)n * sizeof(struct arrivals);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0) {
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED) {
        (void)fprintf(stderr, "worker: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    (void)close(fd);
    return memory;
}

void arrivals_note(struct arrivals *log, struct stamp stamp)
{
    struct run *last = log->runs > 0 ? &log->run[log->runs - 1] : NULL;
    if (last != NULL && last->life == stamp.life && last->link == stamp.link &&
        last->first + last->count == stamp.number) {
        last->count++;
        return;
    }
    if (log->runs == LOG_RUNS) {
        (void)fputs("worker: the log is full: hardly anything arrives in order\n", stderr);
        abort();
    }
    log->run[log->runs] = (struct run){
        .life = stamp.life, .link = stamp.link, .first = stamp.number, .count = 1};
    log->runs++;
}
