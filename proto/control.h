/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link control messages: what two nodes say to one another about links, on
 * index 0 of the association (in order, exactly once). Encoded as Protocol
 * Buffers (link.proto); this is the struct the middleware works with, and the
 * bounded translation between the two.
 *
 * A link has a number at each end, drawn anew for each request and never used
 * again by its incarnation; every message names its author's, and the
 * addressee's when that is known.
 */
#ifndef A3MI_CONTROL_H
#define A3MI_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/name.h"

enum a3mi_control_kind {
    A3MI_CONTROL_REQUEST = 1, /* asks for a link */
    A3MI_CONTROL_ACCEPT,      /* agrees */
    A3MI_CONTROL_REFUSE,      /* does not, for now or for good */
    A3MI_CONTROL_END,         /* ends it: `count` messages were sent on it */
    A3MI_CONTROL_ENDED,       /* answers END, with the author's own `count` */
    A3MI_CONTROL_CAPACITY,    /* the author has room for so much credit from now on */
    A3MI_CONTROL_TAKEN,       /* the author's application took messages */
    A3MI_CONTROL_UNHEARD,     /* the author did not look at requests of the addressee */
    A3MI_CONTROL_METADATA,    /* the author's metadata, in place of what it told before */
};

/* Why a request was refused; the numbers are of the wire. */
enum a3mi_refusal {
    A3MI_REFUSAL_NO_SOCKET = 1,     /* for now: no such socket yet */
    A3MI_REFUSAL_NOT_READY = 2,     /* for now */
    A3MI_REFUSAL_LINK_LIMIT = 3,    /* for now: as many links as it takes */
    A3MI_REFUSAL_INCOMPATIBLE = 64, /* for good (64 and above): types that do not go together */
    A3MI_REFUSAL_NOT_ACCEPTED = 65, /* for good: takes no incoming links, or not from this peer */
    A3MI_REFUSAL_CANCELED = 66,     /* for good */
    A3MI_REFUSAL_CLOSED = 67,       /* for good: the socket is closing */
};

#define A3MI_CONTROL_TEXT_MAX     255u
#define A3MI_CONTROL_METADATA_MAX 1024u
/* No control message is longer on the wire. */
#define A3MI_CONTROL_MAX 4096u

/* Ranges that one message tells. */
#define A3MI_CONTROL_RANGES_MAX 32u

/* By their numbers: [first, end). */
struct a3mi_numbers {
    uint64_t first, end;
};

struct a3mi_control {
    enum a3mi_control_kind kind;
    uint64_t author_link;    /* the author's number for the link; 0 when it has none (answers to strangers) */
    uint64_t addressee_link; /* the addressee's; 0 when not known */

    /* REQUEST; ACCEPT has `type` and everything below it as well; CAPACITY the credit, METADATA the metadata */
    struct a3mi_name author_tag;
    struct a3mi_name addressee_tag;
    char type[32];            /* of the author's socket: "REQ" */
    uint32_t index;           /* what the addressee shall put into frames for the author */
    uint64_t credit_messages; /* granted to the addressee, from 0 */
    uint64_t credit_bytes;
    uint64_t max_message;    /* the largest the author takes */
    const uint8_t *metadata; /* borrowed; NULL when there is none */
    size_t metadata_size;

    /* REFUSE; END has `refusal` 0 or why it ends, and `text` */
    uint32_t refusal; /* enum a3mi_refusal, or a number a later version knows */
    char text[A3MI_CONTROL_TEXT_MAX + 1];

    /* END, ENDED */
    uint64_t count;    /* messages the author sent on the link */
    uint64_t received; /* messages the author received on it */

    /* TAKEN: numbers of messages; UNHEARD: of requests. In order, none empty, something between each two */
    struct a3mi_numbers ranges[A3MI_CONTROL_RANGES_MAX];
    size_t range_count;
};

/* Whether a refusal is for good; unknown numbers follow the same rule. */
static inline bool a3mi_refusal_final(uint32_t refusal)
{
    return refusal >= 64;
}

/* Writes the encoding into `buf`; returns its size, or 0 when it does not fit (A3MI_CONTROL_MAX always does). */
size_t a3mi_control_encode(const struct a3mi_control *control, uint8_t *buf, size_t size);

/*
 * Reads one. `metadata` then points into `scratch`, which has
 * A3MI_CONTROL_METADATA_MAX bytes. Checks every bound, and names and tags for
 * validity. A3M_EPROTO when it is not a control message, or one of a kind not
 * known; A3M_ENOMEM.
 */
int a3mi_control_decode(const uint8_t *bytes, size_t size, uint8_t *scratch, struct a3mi_control *control);

#endif
