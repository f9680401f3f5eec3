/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles: objects named by value, an index and a generation. A handle is
 * copied and compared freely and used from any thread; one whose object is gone
 * is answered with A3M_EHANDLE and never stands for another object. {0} is no
 * handle. After fork() every handle of the parent is answered with A3M_EFORKED
 * in the child.
 */
#ifndef A3M_HANDLES_H
#define A3M_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t v;
} a3m_node;

typedef struct {
    uint64_t v;
} a3m_socket;

typedef struct {
    uint64_t v;
} a3m_link;

typedef struct {
    uint64_t v;
} a3m_poller;

typedef struct {
    uint64_t v;
} a3m_credit;

typedef struct {
    uint64_t v;
} a3m_scheduled;

typedef struct {
    uint64_t v;
} a3m_request;

#endif
