/* SPDX-License-Identifier: Apache-2.0 */
#include "receipts.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "report.h"
#include "signals.h"

enum { GRACE_SECONDS = 2 };

enum cli_status cli_receipts_init(struct cli_receipts *r)
{
    *r = (struct cli_receipts){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .wanted = UINT64_MAX};
    if (r->fd < 0) {
        cli_error("no event descriptor: %s", strerror(errno));
        return CLI_OTHER;
    }
    return CLI_DONE;
}

void cli_receipts_fini(struct cli_receipts *r)
{
    (void)close(r->fd);
}

static void ring(const struct cli_receipts *r)
{
    const uint64_t one = 1;
    (void)!write(r->fd, &one, sizeof one);
}

/* On any thread of the node, one at a time. Either this one or the waiter, which sets `wanted`, sees that it is the last. */
static void told(void *arg, const a3m_receipt *receipt)
{
    struct cli_receipts *r = arg;
    if (receipt->kind == A3M_RECEIPT_TAKEN) {
        atomic_fetch_add(&r->taken, 1);
    } else if (receipt->kind == A3M_RECEIPT_UNKNOWN && receipt->accepted) {
        atomic_fetch_add(&r->untaken, 1); /* of the others the close report tells */
    }
    if (atomic_fetch_add(&r->told, 1) + 1 >= atomic_load(&r->wanted)) {
        ring(r);
    }
}

enum cli_status cli_receipts_ask(struct cli_receipts *r, a3m_msg *msg)
{
    int code = a3m_msg_set_receipt(msg, A3M_RECEIPT_TAKEN, 0, told, r);
    return code == 0 ? CLI_DONE : cli_failed(code, "cannot ask for a receipt");
}

static struct timespec left(a3m_time deadline)
{
    int64_t ns = deadline.ns - a3m_now().ns;
    ns = ns > 0 ? ns : 0;
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

enum cli_status cli_receipts_wait(struct cli_receipts *r, uint64_t sent, a3m_time deadline)
{
    struct pollfd fd = {.fd = r->fd, .events = POLLIN};
    bool hurry = false;
    atomic_store(&r->wanted, sent);
    while (atomic_load(&r->told) < sent) {
        if (!hurry && cli_signals_stopped()) {
            hurry = true;
            cli_signals_calm();
            deadline = a3m_in(a3m_seconds(GRACE_SECONDS));
        }
        struct timespec wait = left(deadline);
        if (ppoll(&fd, 1, &wait, NULL) == 0 && atomic_load(&r->told) < sent) {
            cli_error("timed out: %" PRIu64 " of %" PRIu64 " message%s taken", atomic_load(&r->taken), sent,
                      sent == 1 ? "" : "s");
            return CLI_TIMED_OUT;
        }
    }
    return CLI_DONE;
}

enum cli_status cli_receipts_judge(const struct cli_receipts *r)
{
    uint64_t n = atomic_load(&r->untaken);
    if (n == 0) {
        return CLI_DONE;
    }
    cli_error("%" PRIu64 " message%s of unknown outcome: accepted, perhaps not taken", n, n == 1 ? "" : "s");
    return CLI_UNKNOWN;
}
