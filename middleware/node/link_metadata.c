/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What applications tell one another with a link: metadata of both ends, and the
 * text of a refusal. Copied, and freed with the link. [socket]
 *
 * Metadata goes with requests and acceptances. What is given later (a link that was
 * asked for under another name turns out to be one that exists) goes by itself, once
 * the link is up: control messages are delivered in order, so behind its acceptance.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "node/node.h"

static int copy(struct a3mi_metadata *out, const void *bytes, size_t size)
{
    uint8_t *own = NULL;
    if (size > 0 && (own = malloc(size)) == NULL) {
        return A3M_ENOMEM;
    }
    if (size > 0) {
        memcpy(own, bytes, size);
    }
    free(out->bytes);
    *out = (struct a3mi_metadata){own, size};
    return A3M_OK;
}

int a3mi_link_set_metadata(struct a3mi_link *link, const void *bytes, size_t size)
{
    return copy(&link->metadata, bytes, size);
}

int a3mi_link_keep_metadata(struct a3mi_link *link, const struct a3mi_control *control)
{
    return copy(&link->peer_metadata, control->metadata, control->metadata_size);
}

void a3mi_link_tell_metadata(struct a3mi_link *link, int64_t now)
{
    struct a3mi_control control = {.kind = A3MI_CONTROL_METADATA,
                                   .metadata = link->metadata.bytes,
                                   .metadata_size = link->metadata.size};
    if (link->metadata_untold && link->state == A3MI_LINK_UP && !link->ended) {
        link->metadata_untold = false;
        (void)a3mi_link_say(link, &control, now); /* it can be lost with the life of the link only */
    }
}

void a3mi_link_pass_metadata(struct a3mi_link *link, struct a3mi_link *into, int64_t now)
{
    if (link->metadata.size == 0) {
        return;
    }
    free(into->metadata.bytes);
    into->metadata = link->metadata;
    link->metadata = (struct a3mi_metadata){NULL, 0};
    into->metadata_untold = true;
    a3mi_link_tell_metadata(into, now);
}

int a3mi_link_change_metadata(struct a3mi_link *link, const struct a3mi_metadata *given, bool *carry)
{
    if (given->size == 0) {
        return A3M_OK;
    }
    int result = copy(&link->metadata, given->bytes, given->size);
    link->metadata_untold |= result == A3M_OK;
    *carry = result == A3M_OK && link->state == A3MI_LINK_UP && a3mi_flow_queue(link);
    return result;
}

void a3mi_link_set_text(struct a3mi_link *link, const char *text)
{
    free(link->text);
    link->text = text[0] != '\0' ? strdup(text) : NULL; /* without memory there is the code alone */
}

void a3mi_link_free_metadata(struct a3mi_link *link)
{
    free(link->metadata.bytes);
    free(link->peer_metadata.bytes);
    free(link->text);
}
