/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message: a counted view of bytes, with what A3M knows about them beside
 * it (where it came from, which request it belongs to), never as a prefix in
 * the bytes.
 *
 * Ownership: whoever holds the pointer owns the view and ends it with
 * a3m_msg_free. A send takes the view over when, and only when, it succeeds.
 * A view is used by one thread at a time; views that share bytes
 * (a3m_msg_dup) may be used by different threads, and then nobody writes.
 */
#ifndef A3M_MESSAGE_H
#define A3M_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/handles.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

/* The largest message there can be; a socket's own maximum (A3M_OPT_MAX_MESSAGE) may be less. */
#define A3M_MESSAGE_CEILING ((size_t)1 << 30)

typedef struct a3m_msg a3m_msg;

/* Releases bytes that were wrapped. Any thread; must not call back into A3M's blocking functions. */
typedef void a3m_free_fn(void *bytes, void *arg);

/*
 * A message of `size` bytes (0 is fine), its content not initialised. NULL
 * when there is no memory or `size` is above A3M_MESSAGE_CEILING.
 */
A3M_API a3m_msg *a3m_msg_new(size_t size);

/* The same with the bytes copied in. `bytes` may be NULL when `size` is 0. */
A3M_API a3m_msg *a3m_msg_copy(const void *bytes, size_t size);

/*
 * A message over bytes that the caller owns and leaves in place until `free_fn`
 * (may be NULL) is called with them, which happens once, after the last view is
 * gone. NULL when there is no memory or `size` is too large: then the bytes are
 * still the caller's, and `free_fn` is not called.
 */
A3M_API a3m_msg *a3m_msg_wrap(void *bytes, size_t size, a3m_free_fn *free_fn, void *arg);

/* Another view of the same bytes, without the properties. NULL when there is no memory. */
A3M_API a3m_msg *a3m_msg_dup(const a3m_msg *msg);

/* Another view of `size` bytes from `offset`. NULL when there is no memory or that is not inside. */
A3M_API a3m_msg *a3m_msg_slice(const a3m_msg *msg, size_t offset, size_t size);

/* Ends a view. NULL is accepted. */
A3M_API void a3m_msg_free(a3m_msg *msg);

/* The bytes: contiguous, valid until the view is freed or sent. Never NULL, also when the size is 0. */
A3M_API void *a3m_msg_data(const a3m_msg *msg);
A3M_API size_t a3m_msg_size(const a3m_msg *msg);

/* Makes the view end after `size` bytes. A3M_EINVAL when it is shorter than that. */
A3M_API int a3m_msg_truncate(a3m_msg *msg, size_t size);

/* The link a received message came by; {0} for one that did not come from a link. */
A3M_API a3m_link a3m_msg_link(const a3m_msg *msg);

/*
 * Who sent a received message: the peer's node id and its socket's tag, as
 * NUL-terminated strings that live as long as the view. "" for a message that
 * did not come from a link.
 */
A3M_API const char *a3m_msg_peer_node(const a3m_msg *msg);
A3M_API const char *a3m_msg_peer_tag(const a3m_msg *msg);

/*
 * The correlation number: which request a message is, or answers. Socket types
 * set it; it travels beside the bytes. `false` when the message has none.
 */
A3M_API bool a3m_msg_correlation(const a3m_msg *msg, uint64_t *number);
A3M_API void a3m_msg_set_correlation(a3m_msg *msg, uint64_t number);
A3M_API void a3m_msg_clear_correlation(a3m_msg *msg);

A3M_END_DECLS

#endif
