/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad network for nodes of one process: the in-process transport, with packets lost, repeated and held back by
 * chance. It is put in place of that transport by the linker (--wrap=a3mi_transport_find), for nodes that are made
 * while `lossy_per_mille` is not 0.
 */
#ifndef A3M_TEST_LOSSY_H
#define A3M_TEST_LOSSY_H

#include <stdatomic.h>
#include <stdint.h>

/* Of a thousand packets so many are lost, so many repeated, so many overtaken by the next one. */
extern _Atomic uint32_t lossy_per_mille;
/* Where its chances come from. */
extern _Atomic uint64_t lossy_seed;

#endif
