/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations: credit that a call waited for and keeps until it is used by a
 * send or given back. A reservation is an entry in its socket's table, under a
 * number that is used once: who uses or gives it back twice, or what was never
 * given, finds nothing (no credit farming).
 *
 * It is credit in the sense of credit.h: the receiver's limit counts it as used.
 * When the receiver lowers its capacity afterwards, the reservation is honoured;
 * when the link ends, it ends with A3M_ELINKDOWN (docs/decisions/0010-credit.md).
 */
#include "node/node.h"

#include <stdlib.h>

#include "base/error.h"
#include "node/credit.h"

struct reservation {
    struct a3mi_credit credit;
};

/* [socket] Enters it into the table: its number, or 0 when there is no memory. */
static uint64_t enter(struct a3mi_socket *socket, const struct a3mi_credit *credit)
{
    struct reservation *reservation = malloc(sizeof(*reservation));
    uint64_t number = ++socket->last_reservation;
    if (reservation == NULL) {
        return 0;
    }
    reservation->credit = *credit;
    if (a3mi_map64_put(&socket->reservations, number, reservation) != A3M_OK) {
        free(reservation);
        return 0;
    }
    if (!reservation->credit.counted) {
        reservation->credit.counted = true;
        a3mi_link_ref(credit->link);
    }
    return number;
}

/* [socket] */
static int reserve(struct a3mi_socket *socket, struct a3mi_credit *credit, a3m_credit *out, a3m_link *link,
                   a3m_time deadline)
{
    const struct a3mi_credit wanted = *credit;
    int result;
    if (out == NULL) {
        return a3mi_fail(A3M_EINVAL, "no place for a reservation");
    }
    if (credit->size > A3M_MESSAGE_CEILING) {
        return a3mi_fail(A3M_EMSGSIZE, "no message has %zu bytes", credit->size);
    }
    while (!socket->closed) {
        result = a3mi_credit_get(socket, credit, deadline);
        if (result != A3M_OK) {
            return result;
        }
        if (!a3mi_credit_valid(credit)) {
            a3mi_credit_again(credit, &wanted); /* it went down before this thread ran */
            if (wanted.link != NULL) {
                return a3mi_fail(A3M_ELINKDOWN, "the link to %s/%s ended", wanted.link->peer_node.s,
                                 wanted.link->peer_tag.s);
            }
            continue;
        }
        out->v = enter(socket, credit);
        if (out->v == 0) {
            a3mi_credit_return(credit);
            a3mi_credit_release_link(credit);
            return a3mi_fail(A3M_ENOMEM, "no memory for a reservation");
        }
        if (link != NULL) {
            link->v = credit->handle;
        }
        return A3M_OK;
    }
    return a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
}

static int not_direct(const struct a3mi_socket *socket)
{
    return (socket->type->direct & A3M_DIRECT_SEND) != 0
               ? A3M_OK
               : a3mi_fail(A3M_ENOTSUP, "a %s socket has no reservations", socket->type->name);
}

static int socket_reserve(a3m_socket handle, size_t size, bool or_none, a3m_credit *out, a3m_link *link,
                          a3m_time deadline)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    result = not_direct(socket);
    if (result == A3M_OK) {
        struct a3mi_credit credit = {.size = size, .or_none = or_none};
        a3mi_socket_lock(socket);
        result = reserve(socket, &credit, out, link, deadline);
        a3mi_socket_unlock(socket);
    }
    a3mi_socket_leave(socket);
    return result;
}

int a3m_socket_reserve(a3m_socket socket, size_t size, a3m_credit *credit, a3m_link *link, a3m_time deadline)
{
    return socket_reserve(socket, size, false, credit, link, deadline);
}

int a3m_socket_reserve_or_none(a3m_socket socket, size_t size, a3m_credit *credit, a3m_link *link,
                               a3m_time deadline)
{
    return socket_reserve(socket, size, true, credit, link, deadline);
}

int a3m_link_reserve(a3m_link handle, size_t size, a3m_credit *out, a3m_time deadline)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_link *link = obj;
    struct a3mi_socket *socket = link->socket;
    result = not_direct(socket);
    if (result == A3M_OK) {
        a3mi_socket_lock(socket);
        struct a3mi_credit credit = {.link = link->alias != NULL ? link->alias : link, .size = size};
        result = reserve(socket, &credit, out, NULL, deadline);
        a3mi_socket_unlock(socket);
    }
    a3mi_registry_put(handle.v);
    return result;
}

/* [socket] Takes a reservation out of the table: it is the caller's to end. NULL: there is none. */
static struct reservation *take(struct a3mi_socket *socket, a3m_credit credit)
{
    struct reservation *reservation = credit.v != 0 ? a3mi_map64_del(&socket->reservations, credit.v) : NULL;
    if (reservation == NULL) {
        a3mi_fail(A3M_ENOENT, "no such reservation: it was used or given back, or never made");
    }
    return reservation;
}

static void end(struct reservation *reservation)
{
    a3mi_credit_release_link(&reservation->credit);
    free(reservation);
}

/* [socket] */
static int send_reserved(struct a3mi_socket *socket, a3m_credit handle, a3m_msg *msg)
{
    struct reservation *reservation = a3mi_map64_get(&socket->reservations, handle.v);
    if (reservation != NULL && msg->size > reservation->credit.size) {
        return a3mi_fail(A3M_EMSGSIZE, "a message of %zu bytes: the reservation is for %zu", msg->size,
                         reservation->credit.size);
    }
    reservation = take(socket, handle);
    if (reservation == NULL) {
        return A3M_ENOENT;
    }
    int result = A3M_OK;
    if (a3mi_credit_valid(&reservation->credit)) {
        a3mi_window_force(socket->node,
                          a3mi_window_cost(msg->size)); /* it waited for its credit: not for room, too */
        a3mi_send_put(&reservation->credit, msg);
    } else {
        result = a3mi_fail(A3M_ELINKDOWN, "the link of the reservation ended, and the reservation with it");
    }
    end(reservation);
    return result;
}

int a3m_send_reserved(a3m_socket handle, a3m_credit credit, a3m_msg *msg)
{
    struct a3mi_socket *socket;
    if (msg == NULL) {
        return a3mi_fail(A3M_EINVAL, "no message");
    }
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    size_t size = msg->size;
    a3mi_socket_lock(socket);
    result = send_reserved(socket, credit, msg);
    a3mi_socket_unlock(socket);
    if (result == A3M_OK) {
        a3mi_node_carry_message(socket->node, size);
    }
    a3mi_socket_leave(socket);
    return result;
}

int a3m_release(a3m_socket handle, a3m_credit credit)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_socket_lock(socket);
    struct reservation *reservation = take(socket, credit);
    if (reservation != NULL) {
        if (a3mi_credit_valid(&reservation->credit)) {
            a3mi_credit_return(&reservation->credit);
        }
        end(reservation);
    }
    a3mi_socket_unlock(socket);
    a3mi_socket_leave(socket);
    return reservation != NULL ? A3M_OK : A3M_ENOENT;
}

void a3mi_reservations_drop(struct a3mi_socket *socket)
{
    size_t it = 0;
    void *reservation;
    while (a3mi_map64_next(&socket->reservations, &it, NULL, &reservation)) {
        end(reservation);
    }
    a3mi_map64_fini(&socket->reservations);
}
