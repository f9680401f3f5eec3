/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that must be done, and must not be done twice: a foreman sends jobs to workers and keeps each until the receipt
 * says that a worker took it. When a worker is gone, jobs that were certainly not delivered go to
 * another one by themselves; those that may have been are for a person to look at.
 *
 *     receipts
 */
#include <a3m/a3m.h>

#include <stdio.h>
#include <stdlib.h>

#define SOON a3m_in(a3m_seconds(10))

enum { JOBS = 6 };

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

static a3m_node open_node(const char *id)
{
    a3m_node node;

    check(a3m_node_new(&node, id, "udp://127.0.0.1:0", NULL), "node");
    check(a3m_node_start(node), "start");
    return node;
}

/* ---- The foreman ------------------------------------------------------------------- */

static void send_job(a3m_socket jobs, unsigned number)
{
    a3m_msg *msg = a3m_msg_copy(&number, sizeof(number));

    check(msg != NULL ? A3M_OK : A3M_ENOMEM, "message");
    /* No callback: receipts come as events of the socket. The job's number comes back with them. */
    check(a3m_msg_set_receipt(msg, A3M_RECEIPT_TAKEN, number, NULL, NULL), "receipt");
    check(a3m_send_until(jobs, msg, SOON), "send");
}

/* What became of the next job: the last word on it, whatever it is, comes once. */
static void print_receipt(a3m_socket jobs)
{
    a3m_socket_event event = {.size = sizeof(event)};

    do {
        check(a3m_socket_next_event(jobs, &event, SOON), "event");
    } while (event.kind != A3M_EVENT_RECEIPT || !event.receipt.last);
    const a3m_receipt *receipt = &event.receipt;
    unsigned job = (unsigned)receipt->id;

    switch (receipt->kind) {
    case A3M_RECEIPT_TAKEN: printf("foreman: %s has taken job %u\n", event.peer_node, job); break;
    case A3M_RECEIPT_UNDELIVERED:
        printf("foreman: job %u was not delivered, it goes again\n", job);
        send_job(jobs, job);
        break;
    default: /* not for a program to decide */
        printf("foreman: job %u is with %s, or was: %s\n", job, event.peer_node,
               a3m_strerror(receipt->reason));
        break;
    }
}

/* ---- Workers ------------------------------------------------------------------------ */

static a3m_node hire(const char *name, a3m_socket *work, char *peer, size_t size)
{
    char address[A3M_LINK_ADDRESS_SIZE];
    a3m_node node = open_node(name);

    check(a3m_socket_open(work, node, &a3m_pull, "work"), "socket");
    check(a3m_socket_set(*work, A3M_OPT_CREDIT_MESSAGES, 3), "option"); /* so many jobs at a time */
    check(a3m_node_address(node, address, sizeof(address)), "address");
    snprintf(peer, size, "%s/work", address);
    return node;
}

static void take_job(a3m_socket work, const char *name)
{
    a3m_msg *msg;

    check(a3m_recv_until(work, &msg, SOON), "receive");
    printf("%s: works\n", name);
    a3m_msg_free(msg);
}

int main(void)
{
    char peer[A3M_LINK_ADDRESS_SIZE + 8];
    a3m_node foreman = open_node("foreman");
    a3m_socket jobs, work;

    check(a3m_socket_open(&jobs, foreman, &a3m_push, "jobs"), "socket");
    check(a3m_socket_set(jobs, A3M_OPT_EVENTS, 64), "option");

    a3m_node ann = hire("ann", &work, peer, sizeof(peer));
    check(a3m_socket_link(jobs, peer, NULL), "link");
    for (unsigned job = 0; job < JOBS / 2; job++) {
        send_job(jobs, job);
    }
    take_job(work, "ann");
    take_job(work, "ann");
    print_receipt(jobs);
    print_receipt(jobs);
    check(a3m_node_close(ann, SOON, NULL), "close"); /* the third job lies on her desk */
    print_receipt(jobs);

    a3m_node bob = hire("bob", &work, peer, sizeof(peer));
    check(a3m_socket_link(jobs, peer, NULL), "link");
    for (unsigned job = JOBS / 2; job < JOBS; job++) {
        send_job(jobs, job);
        take_job(work, "bob");
        print_receipt(jobs);
    }
    check(a3m_node_close(foreman, SOON, NULL), "close");
    check(a3m_node_close(bob, SOON, NULL), "close");
    return 0;
}
