/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for a layer that has no source file yet: a library needs one. */
typedef int a3mi_empty;
