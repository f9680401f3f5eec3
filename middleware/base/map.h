/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash maps: a3mi_map64 from numbers to pointers, a3mi_mapb from byte strings to
 * nodes embedded in the caller's structs. Both grow and shrink when something is
 * put in, never when something is taken out, and their order of iteration is the
 * same in every run with the same seed and calls. They own their tables, not
 * what is in them. No locks: one thread at a time.
 */
#ifndef A3MI_MAP_H
#define A3MI_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- uint64_t → void * ------------------------------------------------------ */

struct a3mi_map64_entry {
    uint64_t key;
    void *val;
};

struct a3mi_map64 {
    struct a3mi_map64_entry *entries; /* NULL: nothing put in yet */
    size_t capacity;                  /* a power of two, or 0 */
    size_t count;
    size_t used;   /* entries that hold a value or a tombstone */
    uint64_t seed; /* [const] */
};

/* Makes an empty map; does not allocate. */
void a3mi_map64_init(struct a3mi_map64 *m);

/* The same where strangers choose the keys: a secret random seed makes collisions hard to find. */
void a3mi_map64_init_seeded(struct a3mi_map64 *m, uint64_t seed);

/* Frees the table, and forgets the values. The map is then as after init. */
void a3mi_map64_fini(struct a3mi_map64 *m);

/* The value of a key, or NULL. */
void *a3mi_map64_get(const struct a3mi_map64 *m, uint64_t key);

/*
 * Sets the value of a key, replacing the one there. `val` is not NULL.
 * 0; A3M_ENOMEM with the map unchanged (never when the key is there already).
 */
int a3mi_map64_put(struct a3mi_map64 *m, uint64_t key, void *val);

/* Takes a key out and returns its value; NULL when it was not there. */
void *a3mi_map64_del(struct a3mi_map64 *m, uint64_t key);

static inline size_t a3mi_map64_count(const struct a3mi_map64 *m)
{
    return m->count;
}

/*
 * Iterates: start with *it = 0, and go on while it returns true. `key` and `val`
 * may be NULL. Meanwhile keys may be deleted and values of present keys
 * replaced; new keys may not be put in.
 */
bool a3mi_map64_next(const struct a3mi_map64 *m, size_t *it, uint64_t *key, void **val);

/* ---- bytes → node ----------------------------------------------------------- */

/* Embedded in what the map finds. The caller sets key and key_len and keeps them while it is in the map. */
struct a3mi_mapb_node {
    struct a3mi_mapb_node *next;
    uint64_t hash;
    const void *key;
    size_t key_len; /* bytes; 0 is a key like any other */
};

struct a3mi_mapb {
    struct a3mi_mapb_node **buckets; /* NULL: nothing added yet */
    size_t capacity;                 /* buckets: a power of two, or 0 */
    size_t count;
    uint64_t seed; /* [const] */
};

/*
 * Makes an empty map; does not allocate. Where strangers choose the keys, the
 * seed is a secret random number, so that they cannot make them collide.
 */
void a3mi_mapb_init(struct a3mi_mapb *m, uint64_t seed);

/* Frees the table, and forgets the nodes, which stay the caller's. The map is then as after init. */
void a3mi_mapb_fini(struct a3mi_mapb *m);

/* The node with these bytes as its key, or NULL. */
struct a3mi_mapb_node *a3mi_mapb_get(const struct a3mi_mapb *m, const void *key, size_t len);

/* 0; A3M_EEXIST when the key is there; A3M_ENOMEM. On failure the map is unchanged. */
int a3mi_mapb_add(struct a3mi_mapb *m, struct a3mi_mapb_node *node);

/* Takes out a node that is in the map. */
void a3mi_mapb_remove(struct a3mi_mapb *m, struct a3mi_mapb_node *node);

static inline size_t a3mi_mapb_count(const struct a3mi_mapb *m)
{
    return m->count;
}

/*
 * Iterates: the node after `prev`, which is in the map, or the first one for
 * NULL; NULL at the end. Nothing may be added meanwhile. To remove a node while
 * iterating, ask for the one after it first.
 */
struct a3mi_mapb_node *a3mi_mapb_next(const struct a3mi_mapb *m, const struct a3mi_mapb_node *prev);

#endif
