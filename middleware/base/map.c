/* SPDX-License-Identifier: Apache-2.0 */
/*
 * a3mi_map64 is open addressing with linear probing. Deleted entries leave
 * tombstones (unless an empty entry follows), so that nothing moves under an
 * iteration; they go when the table is laid out anew. a3mi_mapb is separate
 * chaining, which needs memory only for its buckets.
 */
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/error.h"

#define MIN_CAPACITY 16u

/* ---- uint64_t → void * ------------------------------------------------------ */

/* What stands in `val` of an entry whose key was deleted: no address that a caller can have. */
static char tombstone;

/*
 * Where the probing for a key begins. The finalizer of MurmurHash3 (Appleby):
 * every bit of the key reaches every bit of the result.
 */
static size_t home(const struct a3mi_map64 *m, uint64_t key)
{
    uint64_t x = key ^ m->seed;

    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
    return (size_t)(x ^ (x >> 33)) & (m->capacity - 1);
}

static bool holds_value(const struct a3mi_map64_entry *e)
{
    return e->val != NULL && e->val != &tombstone;
}

/* The entry of a key, or NULL. At least one entry is empty, so this ends. */
static struct a3mi_map64_entry *find(const struct a3mi_map64 *m, uint64_t key)
{
    if (m->capacity == 0) {
        return NULL;
    }
    size_t mask = m->capacity - 1;

    for (size_t i = home(m, key);; i = (i + 1) & mask) {
        struct a3mi_map64_entry *e = &m->entries[i];

        if (e->val == NULL) {
            return NULL;
        }
        if (e->key == key && e->val != &tombstone) {
            return e;
        }
    }
}

/* Puts a key that is not there, and for which there is room, into the first entry without a value on its way. */
static void insert(struct a3mi_map64 *m, uint64_t key, void *val)
{
    assert(m->entries != NULL && m->count + 1 < m->capacity);
    size_t mask = m->capacity - 1;
    size_t i = home(m, key);

    while (holds_value(&m->entries[i])) {
        i = (i + 1) & mask;
    }
    if (m->entries[i].val == NULL) {
        m->used++;
    }
    m->entries[i] = (struct a3mi_map64_entry){.key = key, .val = val};
    m->count++;
}

/* Lays the table out anew, without tombstones. */
static int relayout(struct a3mi_map64 *m, size_t capacity)
{
    struct a3mi_map64 old = *m;
    struct a3mi_map64_entry *entries = calloc(capacity, sizeof *entries);

    if (entries == NULL) {
        return A3M_ENOMEM;
    }
    *m = (struct a3mi_map64){.entries = entries, .capacity = capacity, .seed = old.seed};
    for (size_t i = 0; i < old.capacity; i++) {
        if (holds_value(&old.entries[i])) {
            insert(m, old.entries[i].key, old.entries[i].val);
        }
    }
    free(old.entries);
    return 0;
}

/* Capacity at which `count` entries fill between a quarter and a half. */
static size_t roomy(size_t count)
{
    size_t capacity = MIN_CAPACITY;

    while (capacity / 2 < count) {
        capacity *= 2;
    }
    return capacity;
}

/*
 * Makes sure that one more entry fits. Beyond 3/4 full (tombstones count), or
 * below 1/16, the table is laid out anew; a failure then only matters when the
 * last empty entry, which ends the probing, is at stake.
 */
static int make_room(struct a3mi_map64 *m)
{
    bool full = m->used + 1 > m->capacity / 4 * 3;
    bool sparse = m->capacity > MIN_CAPACITY && m->count < m->capacity / 16;

    if (!full && !sparse) {
        return 0;
    }
    if (relayout(m, roomy(m->count + 1)) == 0 || m->used + 1 < m->capacity) {
        return 0;
    }
    return a3mi_fail_plain(A3M_ENOMEM);
}

void a3mi_map64_init(struct a3mi_map64 *m)
{
    a3mi_map64_init_seeded(m, 0);
}

void a3mi_map64_init_seeded(struct a3mi_map64 *m, uint64_t seed)
{
    *m = (struct a3mi_map64){.seed = seed};
}

void a3mi_map64_fini(struct a3mi_map64 *m)
{
    free(m->entries);
    a3mi_map64_init_seeded(m, m->seed);
}

void *a3mi_map64_get(const struct a3mi_map64 *m, uint64_t key)
{
    const struct a3mi_map64_entry *e = find(m, key);

    return e != NULL ? e->val : NULL;
}

int a3mi_map64_put(struct a3mi_map64 *m, uint64_t key, void *val)
{
    assert(val != NULL);
    struct a3mi_map64_entry *e = find(m, key);

    if (e != NULL) {
        e->val = val;
        return 0;
    }
    int error = make_room(m);

    if (error == 0) {
        insert(m, key, val);
    }
    return error;
}

void *a3mi_map64_del(struct a3mi_map64 *m, uint64_t key)
{
    struct a3mi_map64_entry *e = find(m, key);

    if (e == NULL) {
        return NULL;
    }
    void *val = e->val;
    size_t mask = m->capacity - 1;
    size_t i = (size_t)(e - m->entries);

    m->count--;
    e->val = &tombstone;
    if (m->entries[(i + 1) & mask].val != NULL) {
        return val;
    }
    /* No probing needs to pass here: this entry and the tombstones before it can be empty. */
    while (m->entries[i].val == &tombstone) {
        m->entries[i].val = NULL;
        m->used--;
        i = (i - 1) & mask;
    }
    return val;
}

bool a3mi_map64_next(const struct a3mi_map64 *m, size_t *it, uint64_t *key, void **val)
{
    for (; *it < m->capacity; (*it)++) {
        const struct a3mi_map64_entry *e = &m->entries[*it];

        if (!holds_value(e)) {
            continue;
        }
        (*it)++;
        if (key != NULL) {
            *key = e->key;
        }
        if (val != NULL) {
            *val = e->val;
        }
        return true;
    }
    return false;
}

/* ---- bytes → node ----------------------------------------------------------- */

static struct a3mi_mapb_node **bucket(const struct a3mi_mapb *m, uint64_t hash)
{
    return &m->buckets[(size_t)hash & (m->capacity - 1)];
}

static struct a3mi_mapb_node *find_hashed(const struct a3mi_mapb *m, const void *key, size_t len,
                                          uint64_t hash)
{
    if (m->capacity == 0) {
        return NULL;
    }
    for (struct a3mi_mapb_node *n = *bucket(m, hash); n != NULL; n = n->next) {
        if (n->hash == hash && n->key_len == len && (len == 0 || memcmp(n->key, key, len) == 0)) {
            return n;
        }
    }
    return NULL;
}

static int rehash(struct a3mi_mapb *m, size_t capacity)
{
    struct a3mi_mapb old = *m;
    struct a3mi_mapb_node **buckets = calloc(capacity, sizeof(struct a3mi_mapb_node *));

    if (buckets == NULL) {
        return A3M_ENOMEM;
    }
    m->buckets = buckets;
    m->capacity = capacity;
    for (size_t i = 0; i < old.capacity; i++) {
        struct a3mi_mapb_node *n, *next;

        for (n = old.buckets[i]; n != NULL; n = next) {
            struct a3mi_mapb_node **to = bucket(m, n->hash);

            next = n->next;
            n->next = *to;
            *to = n;
        }
    }
    free(old.buckets);
    return 0;
}

/* Keeps between 1/8 and 1 node a bucket. Without memory the chains just get longer. */
static int make_buckets(struct a3mi_mapb *m)
{
    bool full = m->count >= m->capacity;
    bool sparse = m->capacity > MIN_CAPACITY && m->count < m->capacity / 8;

    if (!full && !sparse) {
        return 0;
    }
    return rehash(m, roomy(m->count + 1)) == 0 || m->capacity > 0 ? 0 : a3mi_fail_plain(A3M_ENOMEM);
}

void a3mi_mapb_init(struct a3mi_mapb *m, uint64_t seed)
{
    *m = (struct a3mi_mapb){.seed = seed};
}

void a3mi_mapb_fini(struct a3mi_mapb *m)
{
    free(m->buckets);
    a3mi_mapb_init(m, m->seed);
}

struct a3mi_mapb_node *a3mi_mapb_get(const struct a3mi_mapb *m, const void *key, size_t len)
{
    return find_hashed(m, key, len, a3mi_hash64(key, len, m->seed));
}

int a3mi_mapb_add(struct a3mi_mapb *m, struct a3mi_mapb_node *node)
{
    uint64_t hash = a3mi_hash64(node->key, node->key_len, m->seed);

    if (find_hashed(m, node->key, node->key_len, hash) != NULL) {
        return a3mi_fail_plain(A3M_EEXIST);
    }
    int error = make_buckets(m);

    if (error != 0) {
        return error;
    }
    struct a3mi_mapb_node **at = bucket(m, hash);

    node->hash = hash;
    node->next = *at;
    *at = node;
    m->count++;
    return 0;
}

void a3mi_mapb_remove(struct a3mi_mapb *m, struct a3mi_mapb_node *node)
{
    struct a3mi_mapb_node **at = bucket(m, node->hash);

    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    m->count--;
}

struct a3mi_mapb_node *a3mi_mapb_next(const struct a3mi_mapb *m, const struct a3mi_mapb_node *prev)
{
    size_t i = 0;

    if (prev != NULL) {
        if (prev->next != NULL) {
            return prev->next;
        }
        i = ((size_t)prev->hash & (m->capacity - 1)) + 1;
    }
    for (; i < m->capacity; i++) {
        if (m->buckets[i] != NULL) {
            return m->buckets[i];
        }
    }
    return NULL;
}
