/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REQ: sends each request to one of its REP peers, those with credit in turn,
 * and gives each reply to the one who asked. Any number of requests may be
 * outstanding, from any threads. A request ends with its reply, with the end of
 * the link it went by, or when it is cancelled; it never wedges the socket.
 * Written on the public headers alone.
 *
 * A request is a `struct pending` in a table by number, from before it is sent
 * until its outcome is handed out. [all of it under the socket's lock]
 */
#include <stdlib.h>

#include <a3m/socket_type.h>

enum { BUCKETS_MIN = 64 };

struct pending {
    struct pending *next; /* in its bucket */
    struct pending *next_outcome;
    uint64_t number;
    a3m_link link;  /* {0} until it is sent */
    a3m_msg *reply; /* once done, unless it failed */
    int result;
    bool done;
    bool queued;  /* its outcome goes to a3m_recv */
    bool waiting; /* a thread waits for it */
    a3m_cond cond;
};

struct req {
    struct pending **buckets;
    size_t capacity; /* a power of two */
    size_t count;
    uint64_t last_number;
    struct pending *outcomes, **outcomes_end; /* of queued ones, in the order they came */
};

/* ---- The table ---------------------------------------------------------------- */

static struct pending **bucket(const struct req *req, uint64_t number)
{
    return &req->buckets[number & (req->capacity - 1)];
}

static struct pending *find(const struct req *req, uint64_t number)
{
    struct pending *it = *bucket(req, number);
    while (it != NULL && it->number != number) {
        it = it->next;
    }
    return it;
}

/* Twice the buckets; without memory the chains grow instead. */
static void grow(struct req *req)
{
    struct req larger = {.capacity = req->capacity * 2};
    larger.buckets = calloc(larger.capacity, sizeof(struct pending *));
    if (larger.buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < req->capacity; i++) {
        while (req->buckets[i] != NULL) {
            struct pending *it = req->buckets[i];
            req->buckets[i] = it->next;
            it->next = *bucket(&larger, it->number);
            *bucket(&larger, it->number) = it;
        }
    }
    free(req->buckets);
    req->buckets = larger.buckets;
    req->capacity = larger.capacity;
}

static void insert(struct req *req, struct pending *pending)
{
    if (req->count >= req->capacity) {
        grow(req);
    }
    pending->number = ++req->last_number;
    pending->next = *bucket(req, pending->number);
    *bucket(req, pending->number) = pending;
    req->count++;
}

static void take_out(struct req *req, struct pending *pending)
{
    struct pending **at = bucket(req, pending->number);
    while (*at != pending) {
        at = &(*at)->next;
    }
    *at = pending->next;
    req->count--;
}

/* ---- Outcomes -------------------------------------------------------------------- */

static void finish(a3m_base *base, struct req *req, struct pending *pending, a3m_msg *reply, int result)
{
    pending->done = true;
    pending->reply = reply;
    pending->result = result;
    if (pending->queued) {
        pending->next_outcome = NULL;
        *req->outcomes_end = pending;
        req->outcomes_end = &pending->next_outcome;
        a3m_base_raise(base, A3M_POLL_IN, 1);
    } else {
        a3m_base_wake(base, &pending->cond, 1);
    }
}

/* Ends a request that is done: its outcome is the caller's. */
static int hand_out(a3m_base *base, struct req *req, struct pending *pending, a3m_msg **reply)
{
    int result = pending->result;
    *reply = pending->reply;
    if (pending->reply != NULL) {
        a3m_base_taken(base, pending->reply);
    }
    take_out(req, pending);
    free(pending);
    return result;
}

/* ---- Hooks -------------------------------------------------------------------------- */

static int req_open(a3m_base *base, void *state)
{
    struct req *req = state;
    (void)base;
    req->capacity = BUCKETS_MIN;
    req->buckets = calloc(req->capacity, sizeof(struct pending *));
    req->outcomes_end = &req->outcomes;
    /* Not those of a socket before this one (a restarted process): a reply to its request may come yet. */
    req->last_number = (uint64_t)a3m_now().ns;
    return req->buckets != NULL ? A3M_OK : A3M_ENOMEM;
}

static void req_closing(a3m_base *base, void *state)
{
    struct req *req = state;
    for (size_t i = 0; i < req->capacity; i++) {
        for (struct pending *it = req->buckets[i]; it != NULL; it = it->next) {
            a3m_base_wake(base, &it->cond, UINT32_MAX);
        }
    }
}

static void req_fini(a3m_base *base, void *state)
{
    struct req *req = state;
    (void)base;
    for (size_t i = 0; i < req->capacity; i++) {
        while (req->buckets[i] != NULL) {
            struct pending *it = req->buckets[i];
            req->buckets[i] = it->next;
            a3m_msg_free(it->reply);
            free(it);
        }
    }
    free(req->buckets);
}

static void req_link_down(a3m_base *base, void *state, a3m_link link, int reason)
{
    struct req *req = state;
    for (size_t i = 0; i < req->capacity; i++) {
        for (struct pending *it = req->buckets[i]; it != NULL; it = it->next) {
            if (it->link.v == link.v && !it->done) {
                finish(base, req, it, NULL, reason != A3M_OK ? reason : A3M_ECLOSED);
            }
        }
    }
}

static bool req_awaits(a3m_base *base, void *state, a3m_link link)
{
    const struct req *req = state;
    (void)base;
    for (size_t i = 0; i < req->capacity; i++) {
        for (const struct pending *it = req->buckets[i]; it != NULL; it = it->next) {
            if (it->link.v == link.v && !it->done) {
                return true;
            }
        }
    }
    return false;
}

static a3m_arrival req_arrived(a3m_base *base, void *state, a3m_msg *msg)
{
    struct req *req = state;
    uint64_t number;
    if (!a3m_msg_correlation(msg, &number)) {
        return A3M_ARRIVAL_DROP;
    }
    struct pending *pending = find(req, number);
    if (pending == NULL || pending->done || pending->link.v != a3m_msg_link(msg).v) {
        return A3M_ARRIVAL_DROP; /* cancelled, or not an answer to what was asked there */
    }
    finish(base, req, pending, msg, A3M_OK);
    return A3M_ARRIVAL_TAKEN;
}

/* ---- Asking ---------------------------------------------------------------------------- */

/* How a request is asked: flags. */
enum asked {
    ASKED = 0,
    ASKED_QUEUED = 1, /* its outcome goes to a3m_recv */
    ASKED_OR_NONE = 2,
};

/* Sends a request and leaves it pending: *number names it. */
static int ask(a3m_base *base, struct req *req, a3m_msg *msg, enum asked how, uint64_t *number,
               a3m_time deadline)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    if (pending == NULL || msg == NULL) {
        free(pending);
        return msg == NULL ? A3M_EINVAL : A3M_ENOMEM;
    }
    pending->queued = (how & ASKED_QUEUED) != 0;
    a3m_base_lock(base);
    insert(req, pending);
    *number = pending->number;
    a3m_base_unlock(base);
    a3m_msg_set_correlation(msg, *number);
    /* The link is noted with the lock held, before its end or an answer can be. */
    int result = a3m_base_send_any(base, msg, &pending->link, (how & ASKED_OR_NONE) != 0, deadline);
    if (result != A3M_OK) {
        a3m_msg_clear_correlation(msg);
        a3m_base_lock(base);
        take_out(req, pending);
        a3m_base_unlock(base);
        free(pending);
    }
    return result;
}

/* [locked] Waits until a request is done; it stays pending unless the result is its outcome. */
static int await(a3m_base *base, struct req *req, struct pending *pending, a3m_msg **reply, a3m_time deadline)
{
    pending->waiting = true;
    while (!pending->done) {
        int result = a3m_base_wait(base, &pending->cond, deadline);
        if (result != A3M_OK && !pending->done) {
            pending->waiting = false;
            return result;
        }
    }
    return hand_out(base, req, pending, reply);
}

static int cancel(a3m_base *base, struct req *req, uint64_t number)
{
    struct pending *pending = find(req, number);
    if (pending == NULL || pending->queued) {
        return A3M_ENOENT;
    }
    if (pending->waiting) {
        return A3M_ESTATE;
    }
    a3m_msg *reply;
    (void)hand_out(base, req, pending, &reply);
    a3m_msg_free(reply);
    return A3M_OK;
}

static int req_send(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline)
{
    uint64_t number;
    return ask(base, state, msg, ASKED_QUEUED, &number, deadline);
}

static int req_send_or_none(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline)
{
    uint64_t number;
    return ask(base, state, msg, (enum asked)(ASKED_QUEUED | ASKED_OR_NONE), &number, deadline);
}

static int req_recv(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline)
{
    struct req *req = state;
    bool tried = false;
    int result = A3M_OK;
    a3m_base_lock(base);
    while (req->outcomes == NULL && result == A3M_OK) {
        if (tried && deadline.ns == A3M_NOW.ns) {
            result = A3M_EAGAIN;
            break;
        }
        result = a3m_base_wait_events(base, A3M_POLL_IN, deadline);
        if (result == A3M_ETIMEDOUT && deadline.ns == A3M_NOW.ns) {
            result = A3M_OK;
        }
        tried = true;
    }
    if (req->outcomes != NULL && result != A3M_ECLOSED) {
        struct pending *pending = req->outcomes;
        req->outcomes = pending->next_outcome;
        if (req->outcomes == NULL) {
            req->outcomes_end = &req->outcomes;
        }
        result = hand_out(base, req, pending, msg);
        a3m_base_lower(base, A3M_POLL_IN);
    }
    a3m_base_unlock(base);
    return result;
}

static uint32_t req_events(a3m_base *base, void *state)
{
    const struct req *req = state;
    return (a3m_base_events(base) & A3M_POLL_OUT) | (req->outcomes != NULL ? A3M_POLL_IN : 0);
}

const a3m_socket_type a3m_req = {
    .size = sizeof(a3m_req),
    .name = "REQ",
    .peers = (const char *const[]){"REP", NULL},
    .state_size = sizeof(struct req),
    .open = req_open,
    .closing = req_closing,
    .fini = req_fini,
    .link_down = req_link_down,
    .arrived = req_arrived,
    .awaits = req_awaits,
    .events = req_events,
    .unordered = true,
    .send = req_send,
    .send_or_none = req_send_or_none,
    .recv = req_recv,
};

/* ---- The calls that REQ adds --------------------------------------------------------------- */

int a3m_request_reply(a3m_socket socket, a3m_msg *request, a3m_msg **reply, a3m_time deadline, bool *sent)
{
    a3m_base *base;
    void *state;
    uint64_t number;
    if (sent != NULL) {
        *sent = false;
    }
    int result = a3m_base_enter(socket, &a3m_req, &base, &state);
    if (result != A3M_OK) {
        return result;
    }
    struct req *req = state;
    result = ask(base, req, request, ASKED, &number, deadline);
    if (result == A3M_OK) {
        if (sent != NULL) {
            *sent = true;
        }
        a3m_base_lock(base);
        result = await(base, req, find(req, number), reply, deadline);
        if (find(req, number) != NULL) {
            (void)cancel(base, req, number);
        }
        a3m_base_unlock(base);
    }
    a3m_base_leave(base);
    return result;
}

int a3m_request_send(a3m_socket socket, a3m_msg *msg, a3m_request *request, a3m_time deadline)
{
    a3m_base *base;
    void *state;
    int result = a3m_base_enter(socket, &a3m_req, &base, &state);
    if (result == A3M_OK) {
        result = ask(base, state, msg, ASKED, &request->v, deadline);
        a3m_base_leave(base);
    }
    return result;
}

int a3m_request_wait(a3m_socket socket, a3m_request request, a3m_msg **reply, a3m_time deadline)
{
    a3m_base *base;
    void *state;
    int result = a3m_base_enter(socket, &a3m_req, &base, &state);
    if (result != A3M_OK) {
        return result;
    }
    struct req *req = state;
    a3m_base_lock(base);
    struct pending *pending = find(req, request.v);
    if (pending == NULL || pending->queued) {
        result = A3M_ENOENT;
    } else if (pending->waiting) {
        result = A3M_ESTATE;
    } else {
        result = await(base, req, pending, reply, deadline);
    }
    a3m_base_unlock(base);
    a3m_base_leave(base);
    return result;
}

int a3m_request_cancel(a3m_socket socket, a3m_request request)
{
    a3m_base *base;
    void *state;
    int result = a3m_base_enter(socket, &a3m_req, &base, &state);
    if (result != A3M_OK) {
        return result;
    }
    a3m_base_lock(base);
    result = cancel(base, state, request.v);
    a3m_base_unlock(base);
    a3m_base_leave(base);
    return result;
}
