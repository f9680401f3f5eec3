/* SPDX-License-Identifier: Apache-2.0 */
/* Packets out, as they are built. Private to core. */
#ifndef A3MI_OUTPUT_H
#define A3MI_OUTPUT_H

#include "core/state.h"

/* Builds packets, as a3mi_assoc_output does without a gate, at assoc->now. */
size_t a3mi_output_build(struct a3mi_assoc *assoc, struct a3m_packet_out *out, size_t max, bool flush);

#endif
