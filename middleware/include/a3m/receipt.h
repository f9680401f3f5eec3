/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery receipts: what became of one message, told to who sent it and asked for it. The others go without,
 * and cost nothing; what became of them all is in a3m_socket_drain, a3m_link_info and a3m_close_report.
 *
 * A message with a receipt that a send took over is told of until `last`, which comes exactly once, at the latest
 * when its link ends or its node is closed; what a send refused, or the application frees, is told of by nobody:
 *
 *     asked for ACCEPTED              ACCEPTED (last)
 *     asked for TAKEN                 TAKEN (last)
 *     asked for both                  ACCEPTED, TAKEN (last)
 *     instead of what is missing      UNDELIVERED or UNKNOWN (last)
 *
 * ACCEPTED costs nothing on the wire: it is the acknowledgement that comes anyway. TAKEN costs two bytes in the
 * message, and a control message back for all that was taken since the last one.
 */
#ifndef A3M_RECEIPT_H
#define A3M_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/handles.h>
#include <a3m/message.h>
#include <a3m/time.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

typedef enum a3m_receipt_kind {
    /*
     * The peer's node has the message: it will not be lost or doubled on the way. Not that it will be taken: when the
     * peer's socket closes, or the peer ends the link by force, it is dropped there, and counted. Told in the order in which the
     * messages of a link were sent, also when it lets them overtake one another (A3M_OPT_ORDERED): but for one that
     * was taken before those sent earlier arrived, of which it is told just before TAKEN.
     */
    A3M_RECEIPT_ACCEPTED = 1u << 0,
    /* The peer's application has received it: a3m_recv, or the like, returned it. Not that it has worked on it. */
    A3M_RECEIPT_TAKEN = 1u << 1,
    /* The peer will never have it. */
    A3M_RECEIPT_UNDELIVERED = 1u << 2,
    /*
     * The link ended too early to know. With `accepted`, whether it was taken: what is received but not taken when a
     * link ends can still be taken, untold. Without, whether it arrived: once, or not at all.
     */
    A3M_RECEIPT_UNKNOWN = 1u << 3,
} a3m_receipt_kind;

typedef struct a3m_receipt {
    size_t size; /* sizeof(a3m_receipt) */
    a3m_receipt_kind kind;
    bool last;     /* nothing more is told of this message */
    bool accepted; /* by the peer's node, as far as is known */
    int reason;    /* UNDELIVERED, UNKNOWN: why the link ended, or why a message of a3m_send_at was dropped */
    uint64_t id;   /* the application's, from a3m_msg_set_receipt */
    a3m_link link; /* it was sent by; may be gone already; zero when it was sent by none */
    a3m_time when;
} a3m_receipt;

/*
 * Called on any thread that is inside of a call on this node, or waits in one, and on its reader thread, after what
 * that does, with none of A3M's locks held; never by two threads at once for one node, and in the order of what
 * happened. It must be quick, as nothing else is told of the node meanwhile. It may send, with receipts too, and
 * receive with A3M_NOW, end links and close sockets; calls that wait at this node, and a3m_node_close of it, get
 * A3M_EDEADLK, and it must not wait at other nodes. A lock that it takes must not be held by callers of A3M. The
 * call that it interrupts keeps its error (a3m_error_detail, errno). `receipt` is valid during the call.
 */
typedef void a3m_receipt_fn(void *arg, const a3m_receipt *receipt);

/*
 * Asks for receipts of this view of a message, which is to be sent: `kinds` is A3M_RECEIPT_ACCEPTED,
 * A3M_RECEIPT_TAKEN or both; 0 takes it back. They come to `told`, or, if it is NULL, as events of the socket that
 * sends it (A3M_EVENT_RECEIPT, a3m/socket_event.h): with A3M_OPT_EVENTS 0 as none, and bounded as all its events.
 * The last call counts. A message that is sent on after it was received has none but those of its new sender.
 * A3M_EINVAL (kinds), A3M_ENOMEM.
 */
A3M_API int a3m_msg_set_receipt(a3m_msg *msg, unsigned kinds, uint64_t id, a3m_receipt_fn *told, void *arg);

A3M_END_DECLS

#endif
