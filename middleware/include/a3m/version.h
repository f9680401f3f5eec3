/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The version of A3M. Semantic versioning: before 1.0 a minor version may
 * change the interface; from 1.0 on only a major version may.
 */
#ifndef A3M_VERSION_H
#define A3M_VERSION_H

#define A3M_VERSION_MAJOR 0
#define A3M_VERSION_MINOR 1
#define A3M_VERSION_PATCH 0

#if defined(__cplusplus)
#define A3M_BEGIN_DECLS extern "C" {
#define A3M_END_DECLS   }
#else
#define A3M_BEGIN_DECLS
#define A3M_END_DECLS
#endif

/* Marks what the shared library exports; everything else is hidden. */
#if defined(__GNUC__)
#define A3M_API __attribute__((visibility("default")))
#else
#define A3M_API
#endif

A3M_BEGIN_DECLS

/* The version of the library that is loaded, as "MAJOR.MINOR.PATCH". Static storage; never fails. */
A3M_API const char *a3m_version(void);

A3M_END_DECLS

#endif
