/* SPDX-License-Identifier: Apache-2.0 */
/* What save.c and restore.c agree on. Private to core. */
#ifndef A3MI_SNAPSHOT_H
#define A3MI_SNAPSHOT_H

/* "A3MSNAP" and the version of the form. */
#define A3MI_SNAPSHOT_MAGIC UINT64_C(0x41334d534e415002)

#endif
