/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What applications tell one another with a link: metadata of both ends, and the
 * text of a refusal. Copied, and freed with the link. [socket]
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
