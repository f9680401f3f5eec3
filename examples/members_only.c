/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a link, step by step: a hall that lets in who shows its pass, two
 * thermometers that ask, the events that tell both ends what becomes of it, and
 * credit that is reserved first, so that what is sent is measured at that moment
 * and not a queue ago. docs/links.md explains what is used here.
 *
 *     members_only
 */
#include <a3m/a3m.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOON a3m_in(a3m_seconds(10))

static const char pass[] = "member 7";

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

/* ---- Who may come in -------------------------------------------------------------- */

struct door {
    bool opened;       /* the first member finds it shut, and asks again */
    char welcome[128]; /* read after the hook has returned, so not on its stack */
};

/* On a thread of the node, while its traffic waits: decides at once, by what the request says. */
static void at_the_door(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    struct door *door = arg;

    if (request->metadata_size != strlen(pass) || memcmp(request->metadata, pass, strlen(pass)) != 0) {
        answer->accept = A3M_REFUSE;
        snprintf(answer->text, sizeof(answer->text), "members only");
        return;
    }
    if (!door->opened) {
        door->opened = true;
        answer->accept = A3M_REFUSE_FOR_NOW;
        snprintf(answer->text, sizeof(answer->text), "not open yet");
        return;
    }
    snprintf(door->welcome, sizeof(door->welcome), "welcome, %.64s", request->peer_node);
    answer->metadata = door->welcome;
    answer->metadata_size = strlen(door->welcome);
}

/* ---- What becomes of links --------------------------------------------------------- */

static void print_event(const char *who, const a3m_socket_event *event)
{
    switch (event->kind) {
    case A3M_EVENT_UP: printf("%s: linked with %s\n", who, event->peer_node); break;
    case A3M_EVENT_REFUSED:
        printf("%s: refused by %s %s: %s\n", who, event->peer_node, event->final ? "for good" : "for now",
               event->text);
        break;
    case A3M_EVENT_ENDED: printf("%s: the link has ended: %s\n", who, a3m_strerror(event->reason)); break;
    case A3M_EVENT_NO_LINKS: printf("%s: no links left\n", who); break;
    default: break; /* RETRYING, as often as it takes; and kinds that are not of links */
    }
}

/* Prints events until one of this kind. (A program of its own would rather poll them, beside its messages.) */
static void events_until(const char *who, a3m_socket socket, a3m_event_kind kind)
{
    a3m_socket_event event = {.size = sizeof(event)};

    do {
        check(a3m_socket_next_event(socket, &event, SOON), who);
        if (event.lost > 0) {
            printf("%s: %llu events were not read in time\n", who, (unsigned long long)event.lost);
        }
        print_event(who, &event);
    } while (event.kind != kind);
}

/* ---- Those who ask ------------------------------------------------------------------ */

static a3m_node open_node(const char *id)
{
    a3m_node node;

    check(a3m_node_new(&node, id, "udp://127.0.0.1:0", NULL), "node");
    check(a3m_node_start(node), "start");
    return node;
}

static a3m_socket ask(a3m_node node, const char *hall, const char *shows, a3m_link *link)
{
    a3m_link_options options = {.size = sizeof(options), .metadata = shows, .metadata_size = strlen(shows)};
    a3m_socket push;

    check(a3m_socket_open(&push, node, &a3m_push, "thermometer"), "socket");
    check(a3m_socket_set(push, A3M_OPT_EVENTS, 64), "option");
    check(a3m_socket_link_with(push, hall, &options, link), "link");
    return push;
}

static int measure(void)
{
    static int degrees = 20;

    return degrees++;
}

static void send_reading(a3m_socket push, a3m_credit credit)
{
    int degrees = measure();
    a3m_msg *msg = a3m_msg_copy(&degrees, sizeof(degrees));

    check(msg != NULL ? A3M_OK : A3M_ENOMEM, "message");
    check(a3m_send_reserved(push, credit, msg), "send");
}

static void take_reading(a3m_socket pull)
{
    a3m_msg *msg;
    int degrees;

    check(a3m_recv_until(pull, &msg, SOON), "receive");
    memcpy(&degrees, a3m_msg_data(msg), sizeof(degrees));
    printf("hall: %s has %d degrees\n", a3m_msg_peer_node(msg), degrees);
    a3m_msg_free(msg);
}

/* The hall takes two readings at a time. */
static void send_readings(a3m_socket push, a3m_socket pull)
{
    a3m_credit credit;

    for (int i = 0; i < 2; i++) {
        check(a3m_socket_reserve(push, sizeof(int), &credit, NULL, SOON), "reserve");
        send_reading(push, credit);
    }
    if (a3m_socket_reserve(push, sizeof(int), &credit, NULL, A3M_NOW) == A3M_ENOCREDIT) {
        printf("ann: the hall has to take one first\n");
    }
    take_reading(pull);
    check(a3m_socket_reserve(push, sizeof(int), &credit, NULL, SOON), "reserve");
    send_reading(push, credit);
    take_reading(pull);
    take_reading(pull);
    check(a3m_socket_reserve(push, sizeof(int), &credit, NULL, SOON), "reserve");
    check(a3m_release(push, credit), "release"); /* nothing to say after all */
}

int main(void)
{
    static struct door door;
    char address[A3M_LINK_ADDRESS_SIZE], peer[A3M_LINK_ADDRESS_SIZE + 16], welcome[128];
    a3m_node hall = open_node("hall"), ann = open_node("ann"), bob = open_node("bob");
    a3m_socket readings;
    a3m_link link;

    check(a3m_socket_open(&readings, hall, &a3m_pull, "readings"), "socket");
    check(a3m_socket_set(readings, A3M_OPT_CREDIT_MESSAGES, 2), "option");
    check(a3m_socket_set(readings, A3M_OPT_EVENTS, 64), "option");
    check(a3m_socket_set_accept(readings, at_the_door, &door), "accept");
    check(a3m_node_address(hall, address, sizeof(address)), "address");
    snprintf(peer, sizeof(peer), "%s/readings", address);

    events_until("bob", ask(bob, peer, "no pass", &link), A3M_EVENT_NO_LINKS);

    a3m_socket push = ask(ann, peer, pass, &link);
    events_until("ann", push, A3M_EVENT_UP);
    int n = a3m_link_metadata(link, welcome, sizeof(welcome));
    check(n, "metadata");
    printf("ann: was told \"%.*s\"\n", n, welcome);
    send_readings(push, readings);
    check(a3m_link_end(link), "end");
    events_until("ann", push, A3M_EVENT_NO_LINKS);
    events_until("hall", readings, A3M_EVENT_NO_LINKS);

    check(a3m_node_close(bob, SOON, NULL), "close");
    check(a3m_node_close(ann, SOON, NULL), "close");
    check(a3m_node_close(hall, SOON, NULL), "close");
    return 0;
}
