/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of numbers (core/ranges.h): a sorted array, searched by bisection. Most
 * sets have no range at all, and what arrives in order only moves `next`.
 */
#include "core/ranges.h"

#include <stddef.h>
#include <string.h>

/* The first range that ends at or above n: count when there is none. */
static uint32_t locate(const struct a3mi_ranges *r, uint64_t n)
{
    uint32_t low = 0;
    uint32_t high = r->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (r->v[mid].end < n) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

bool a3mi_ranges_has(const struct a3mi_ranges *r, uint64_t n)
{
    if (n < r->next) {
        return true;
    }
    return a3mi_ranges_index(r, n) < r->count;
}

uint32_t a3mi_ranges_index(const struct a3mi_ranges *r, uint64_t n)
{
    uint32_t i = r->count > 0 ? locate(r, n + 1) : 0;

    return i < r->count && r->v[i].first <= n ? i : r->count;
}

uint64_t a3mi_ranges_end(const struct a3mi_ranges *r)
{
    return r->count > 0 ? r->v[r->count - 1].end : r->next;
}

enum a3mi_ranges_added a3mi_ranges_probe(const struct a3mi_ranges *r, uint64_t first, uint64_t end)
{
    if (first < r->next) {
        return A3MI_RANGES_PRESENT;
    }
    uint32_t i = r->count > 0 ? locate(r, first) : 0;
    bool touches_before = i < r->count && r->v[i].end == first;
    uint32_t after = touches_before ? i + 1 : i;

    if (after < r->count && r->v[after].first < end) {
        return A3MI_RANGES_PRESENT;
    }
    bool touches_after = after < r->count && r->v[after].first == end;

    if (first == r->next || touches_before || touches_after || r->count < r->capacity) {
        return A3MI_RANGES_ADDED;
    }
    return A3MI_RANGES_FULL;
}

static void erase(struct a3mi_ranges *r, uint32_t i)
{
    r->count--;
    memmove(&r->v[i], &r->v[i + 1], (r->count - i) * sizeof(r->v[0]));
}

static void insert(struct a3mi_ranges *r, uint32_t i, uint64_t first, uint64_t end)
{
    memmove(&r->v[i + 1], &r->v[i], (r->count - i) * sizeof(r->v[0]));
    r->v[i] = (struct a3mi_range){first, end};
    r->count++;
}

/* What begins at `next` lets it move, over the first range too when it reaches that. */
static void advance(struct a3mi_ranges *r, uint64_t end)
{
    r->next = end;
    if (r->count > 0 && r->v[0].first == end) {
        r->next = r->v[0].end;
        erase(r, 0);
    }
}

enum a3mi_ranges_added a3mi_ranges_add(struct a3mi_ranges *r, uint64_t first, uint64_t end)
{
    if (first == r->next && r->count == 0) {
        r->next = end;
        return A3MI_RANGES_ADDED;
    }
    enum a3mi_ranges_added answer = a3mi_ranges_probe(r, first, end);

    if (answer != A3MI_RANGES_ADDED) {
        return answer;
    }
    if (first == r->next) {
        advance(r, end);
        return A3MI_RANGES_ADDED;
    }
    uint32_t i = r->count > 0 ? locate(r, first) : 0;

    if (i < r->count && r->v[i].end == first) {
        r->v[i].end = end;
        if (i + 1 < r->count && r->v[i + 1].first == end) {
            r->v[i].end = r->v[i + 1].end;
            erase(r, i + 1);
        }
    } else if (i < r->count && r->v[i].first == end) {
        r->v[i].first = first;
    } else {
        insert(r, i, first, end);
    }
    return A3MI_RANGES_ADDED;
}
