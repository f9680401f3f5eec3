/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad network between two machines: a relay between two TAP devices, one in
 * each of two network namespaces, that does to UDP and TCP what its options say,
 * and lets everything else (ARP, neighbour discovery) pass at once.
 *
 * What a frame meets, in this order: it is lost; it waits for its turn on a link
 * of limited rate, or finds no room in front of it; it travels (delay, jitter,
 * which keep the order); it is reordered (travels longer than its successors); it
 * is damaged; it is duplicated. Each direction has its own link and its own luck.
 *
 * The devices are gone with the process. One thread, one epoll; a frame leaves
 * by a timer, its lateness is measured. Prints "ready", and at SIGTERM what it
 * did. The seed is printed, and is A3M_SEED where that is set: the same frames at
 * the same times meet the same. `relay --help` has the options.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "base/heap.h"
#include "net/frame.h"

enum {
    FRAME_MAX = 2048,
    READ_AT_ONCE = 64,
    LATE_NS = 100000,
};

/* Shares are of 1; times are nanoseconds. */
struct faults {
    double drop, reorder, duplicate, corrupt, damage;
    double burst; /* mean length of a row of losses */
    int64_t delay, jitter, reorder_by;
    double rate;  /* bits a nanosecond; 0: no limit */
    double queue; /* bytes */
};

struct counters {
    uint64_t frames, others, lost, queue_full, reordered, duplicated, corrupted, damaged, delivered, refused;
    uint64_t late;
    int64_t latest;
};

/* The way from one device to the other. */
struct direction {
    const char *name;
    int to;
    bool losing;       /* in a row of losses */
    double busy_until; /* when the link is through with what it has */
    int64_t last_due;
    struct counters n;
};

/* A frame under way. */
struct flight {
    struct a3mi_timer_node timer; /* first: found by it */
    struct direction *direction;
    struct flight *next_free;
    size_t size;
    uint8_t bytes[FRAME_MAX];
};

struct relay {
    struct faults faults;
    const char *netns[2];
    const char *device;
    int tap[2];
    struct direction direction[2]; /* [i]: from tap[i] to the other */
    struct a3mi_heap heap;
    struct flight *free;
    struct a3mi_rng rng;
    FILE *trace;
    int64_t started;
    int epoll, timer, signals;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- Frames under way ---------------------------------------------------------- */

static struct flight *flight_new(struct relay *relay)
{
    struct flight *flight = relay->free;

    if (flight != NULL) {
        relay->free = flight->next_free;
        return flight;
    }
    flight = calloc(1, sizeof(*flight));
    if (flight == NULL) {
        die("memory");
    }
    return flight;
}

static void flight_free(struct relay *relay, struct flight *flight)
{
    flight->next_free = relay->free;
    relay->free = flight;
}

static void launch(struct relay *relay, struct flight *flight, int64_t due)
{
    if (a3mi_heap_set(&relay->heap, &flight->timer, due) != 0) {
        die("memory");
    }
}

static void land(struct relay *relay, struct flight *flight, int64_t now)
{
    struct counters *n = &flight->direction->n;
    int64_t late = now - flight->timer.at;

    n->late += late > LATE_NS;
    n->latest = late > n->latest ? late : n->latest;
    if (write(flight->direction->to, flight->bytes, flight->size) == (ssize_t)flight->size) {
        n->delivered++;
    } else {
        n->refused++; /* the device is down */
    }
    flight_free(relay, flight);
}

static void land_all_due(struct relay *relay)
{
    int64_t now = now_ns();
    struct a3mi_timer_node *node;

    while ((node = a3mi_heap_min(&relay->heap)) != NULL && node->at <= now) {
        a3mi_heap_cancel(&relay->heap, node);
        /* The node is the first member. */
        land(relay, (struct flight *)(void *)node, now_ns());
        now = now_ns();
    }
}

/* ---- What a frame meets ---------------------------------------------------------- */

static bool happens(struct relay *relay, double share)
{
    return share > 0 && a3mi_rng_unit(&relay->rng) < share;
}

/* Two states, Gilbert 1960: rows of losses with a mean length, and the share of losses that was asked for. */
static bool is_lost(struct relay *relay, struct direction *direction)
{
    const struct faults *faults = &relay->faults;
    double enter = faults->drop / (faults->burst * (1 - faults->drop));

    if (faults->burst <= 1 || faults->drop >= 1) {
        return happens(relay, faults->drop);
    }
    direction->losing = direction->losing ? !happens(relay, 1 / faults->burst) : happens(relay, enter);
    return direction->losing;
}

/* When the frame has gone through the link of limited rate; -1: there is no room before it. */
static int64_t depart(const struct faults *faults, struct direction *direction, size_t size, int64_t now)
{
    if (faults->rate <= 0) {
        return now;
    }
    double start = direction->busy_until > (double)now ? direction->busy_until : (double)now;

    if ((start - (double)now) * faults->rate / 8 + (double)size > faults->queue) {
        return -1;
    }
    direction->busy_until = start + (double)size * 8 / faults->rate;
    return (int64_t)direction->busy_until;
}

static int64_t arrive(struct relay *relay, struct direction *direction, int64_t at, bool *reordered)
{
    const struct faults *faults = &relay->faults;

    at += faults->delay;
    if (faults->jitter > 0) {
        at += (int64_t)a3mi_rng_below(&relay->rng, (uint64_t)faults->jitter);
    }
    *reordered = happens(relay, faults->reorder);
    if (*reordered) {
        direction->n.reordered++;
        return at + faults->reorder_by;
    }
    if (at < direction->last_due) {
        at = direction->last_due;
    }
    direction->last_due = at;
    return at;
}

/* Returns whether it did. */
static bool spoil(struct relay *relay, struct direction *direction, struct frame *frame)
{
    if (frame->kind != FRAME_UDP) {
        return false;
    }
    if (happens(relay, relay->faults.corrupt)) {
        frame_damage(frame, true, &relay->rng);
        direction->n.corrupted++;
        return true;
    }
    if (happens(relay, relay->faults.damage)) {
        frame_damage(frame, false, &relay->rng);
        direction->n.damaged++;
        return true;
    }
    return false;
}

static void trace(struct relay *relay, const struct direction *direction, const struct frame *frame,
                  int64_t now, const char *fate)
{
    if (relay->trace == NULL) {
        return;
    }
    (void)fprintf(relay->trace, "%12.6f %s %-7s ", (double)(now - relay->started) / 1e9, direction->name,
                  fate);
    frame_describe(frame, relay->trace);
    (void)fputc('\n', relay->trace);
}

static void duplicate(struct relay *relay, const struct flight *flight, int64_t due)
{
    struct flight *copy = flight_new(relay);

    copy->direction = flight->direction;
    copy->size = flight->size;
    memcpy(copy->bytes, flight->bytes, flight->size);
    copy->direction->n.duplicated++;
    launch(relay, copy, due + (int64_t)a3mi_rng_below(&relay->rng, 2000000));
}

/* One frame that has arrived: on its way, or gone. */
static void meet(struct relay *relay, struct flight *flight, int64_t now)
{
    struct direction *direction = flight->direction;
    struct frame frame = frame_view(flight->bytes, flight->size);
    int64_t departs;
    bool reordered = false;

    if (frame.kind == FRAME_OTHER) {
        direction->n.others++;
        launch(relay, flight, now);
        return;
    }
    direction->n.frames++;
    if (is_lost(relay, direction)) {
        direction->n.lost++;
        trace(relay, direction, &frame, now, "lost");
        flight_free(relay, flight);
        return;
    }
    departs = depart(&relay->faults, direction, flight->size, now);
    if (departs < 0) {
        direction->n.queue_full++;
        trace(relay, direction, &frame, now, "no room");
        flight_free(relay, flight);
        return;
    }
    int64_t due = arrive(relay, direction, departs, &reordered);

    trace(relay, direction, &frame, now, reordered ? "late" : "sent");
    if (spoil(relay, direction, &frame)) {
        trace(relay, direction, &frame, now, "spoilt");
    }
    if (happens(relay, relay->faults.duplicate)) {
        trace(relay, direction, &frame, now, "twice");
        duplicate(relay, flight, due);
    }
    launch(relay, flight, due);
}

static void take_frames(struct relay *relay, unsigned side)
{
    for (unsigned i = 0; i < READ_AT_ONCE; i++) {
        struct flight *flight = flight_new(relay);
        ssize_t size = read(relay->tap[side], flight->bytes, sizeof(flight->bytes));

        if (size <= 0) {
            flight_free(relay, flight);
            return;
        }
        flight->size = (size_t)size;
        flight->direction = &relay->direction[side];
        meet(relay, flight, now_ns());
    }
}

/* ---- Running ----------------------------------------------------------------------- */

static void set_timer(struct relay *relay)
{
    const struct a3mi_timer_node *node = a3mi_heap_min(&relay->heap);
    struct itimerspec spec = {0};

    if (node != NULL) {
        spec.it_value.tv_sec = node->at / 1000000000;
        spec.it_value.tv_nsec = node->at % 1000000000;
    }
    if (timerfd_settime(relay->timer, TFD_TIMER_ABSTIME, &spec, NULL) != 0) {
        die("timer");
    }
}

static void run(struct relay *relay)
{
    struct epoll_event events[4];

    for (;;) {
        set_timer(relay);
        int n = epoll_wait(relay->epoll, events, 4, -1);
        if (n < 0 && errno != EINTR) {
            die("epoll");
        }
        /* Whose time has come goes first. */
        land_all_due(relay);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 < 2) {
                take_frames(relay, events[i].data.u32);
            } else if (events[i].data.u32 == 3) {
                return;
            }
        }
        land_all_due(relay);
    }
}

static void report(const struct direction *direction)
{
    const struct counters *n = &direction->n;

    (void)fprintf(stderr,
                  "%s: frames %" PRIu64 " lost %" PRIu64 " queue-full %" PRIu64 " reordered %" PRIu64
                  " duplicated %" PRIu64 " corrupted %" PRIu64 " damaged %" PRIu64 " others %" PRIu64
                  " delivered %" PRIu64 " refused %" PRIu64 " late %" PRIu64 " latest-us %" PRId64 "\n",
                  direction->name, n->frames, n->lost, n->queue_full, n->reordered, n->duplicated,
                  n->corrupted, n->damaged, n->others, n->delivered, n->refused, n->late, n->latest / 1000);
}

/* ---- Making it ---------------------------------------------------------------------- */

static void enter_netns(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/run/netns/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
        die(path);
    }
    (void)close(fd);
}

/* The process stays in the namespace; the device stays there in any case. */
static int tap_new(const char *netns, const char *device)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    enter_netns(netns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        die("/dev/net/tun");
    }
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        die("TUNSETIFF");
    }
    return fd;
}

static void watch(struct relay *relay, int fd, uint32_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};
    if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static void open_all(struct relay *relay)
{
    sigset_t stop;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigaddset(&stop, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    relay->signals = signalfd(-1, &stop, SFD_CLOEXEC);
    if (relay->epoll < 0 || relay->timer < 0 || relay->signals < 0) {
        die("descriptors");
    }
    for (unsigned i = 0; i < 2; i++) {
        relay->tap[i] = tap_new(relay->netns[i], relay->device);
        relay->direction[i].name = i == 0 ? "a>b" : "b>a";
        watch(relay, relay->tap[i], i);
    }
    relay->direction[0].to = relay->tap[1];
    relay->direction[1].to = relay->tap[0];
    watch(relay, relay->timer, 2);
    watch(relay, relay->signals, 3);
    a3mi_heap_init(&relay->heap);
    /* To be in time when the machine is busy; it works without. */
    (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    relay->started = now_ns();
}

/* ---- Options -------------------------------------------------------------------------- */

enum { PERCENT = 1, MILLISECONDS, MBIT, KIB, NUMBER, TEXT, FLAG_HELP };

struct option_row {
    const char *name;
    int kind;
    void *to;
    const char *what;
};

static double number_of(const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0)) {
        (void)fprintf(stderr, "relay: --%s %s: not a number\n", name, text);
        exit(2);
    }
    return value;
}

static void take_option(const struct option_row *row, char *text)
{
    switch (row->kind) {
    case PERCENT: *(double *)row->to = number_of(row->name, text) / 100; break;
    case MILLISECONDS: *(int64_t *)row->to = (int64_t)(number_of(row->name, text) * 1e6); break;
    case MBIT: *(double *)row->to = number_of(row->name, text) / 1000; break;
    case KIB: *(double *)row->to = number_of(row->name, text) * 1024; break;
    case NUMBER: *(double *)row->to = number_of(row->name, text); break;
    case TEXT: *(const char **)row->to = text; break;
    default: exit(2);
    }
}

static void help(const struct option_row *rows, size_t n)
{
    (void)puts("usage: relay --a NETNS --b NETNS [options]");
    for (size_t i = 0; i < n; i++) {
        (void)printf("  --%-10s %s\n", rows[i].name, rows[i].what);
    }
    exit(0);
}

static void parse(int argc, char **argv, const struct option_row *rows, size_t n)
{
    struct option options[32] = {0};
    int at;
    for (size_t i = 0; i < n; i++) {
        options[i] = (struct option){rows[i].name, rows[i].kind != FLAG_HELP, NULL, 1};
    }
    while (getopt_long(argc, argv, "", options, &at) == 1) {
        if (rows[at].kind == FLAG_HELP) {
            help(rows, n);
        }
        take_option(&rows[at], optarg);
    }
    if (optind != argc) {
        exit(2);
    }
}

static uint64_t seed_from(const char *text)
{
    text = text != NULL ? text : getenv("A3M_SEED");
    return text != NULL ? strtoull(text, NULL, 0) : (uint64_t)now_ns();
}

int main(int argc, char **argv)
{
    static struct relay relay = {.device = "v0",
                                 .faults = {.burst = 1, .reorder_by = 3000000, .queue = 64 * 1024}};
    const char *seed_text = NULL;
    const char *trace_path = NULL;
    struct faults *f = &relay.faults;
    const struct option_row rows[] = {
        {"a", TEXT, &relay.netns[0], "NETNS: one namespace"},
        {"b", TEXT, &relay.netns[1], "NETNS: the other"},
        {"device", TEXT, &relay.device, "NAME: of the device in both; v0"},
        {"drop", PERCENT, &f->drop, "PERCENT of the frames are lost"},
        {"burst", NUMBER, &f->burst, "N: mean number lost in a row; 1"},
        {"rate", MBIT, &f->rate, "MBIT/S: of the link each way; no limit"},
        {"queue", KIB, &f->queue, "KIB: room in front of it; 64"},
        {"delay", MILLISECONDS, &f->delay, "MS: one way"},
        {"jitter", MILLISECONDS, &f->jitter, "MS: up to so much more, in order"},
        {"reorder", PERCENT, &f->reorder, "PERCENT travel longer"},
        {"reorder-by", MILLISECONDS, &f->reorder_by, "MS: by so much; 3"},
        {"duplicate", PERCENT, &f->duplicate, "PERCENT arrive twice, within 2 ms"},
        {"corrupt", PERCENT, &f->corrupt, "PERCENT (UDP) have bits flipped, unseen by the kernel"},
        {"damage", PERCENT, &f->damage, "PERCENT (UDP) have bits flipped, the UDP checksum is wrong"},
        {"seed", TEXT, &seed_text, "N: A3M_SEED, or the time"},
        {"trace", TEXT, &trace_path, "FILE: a line for each frame"},
        {"help", FLAG_HELP, NULL, "this"},
    };
    parse(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
    if (relay.netns[0] == NULL || relay.netns[1] == NULL) {
        (void)fputs("relay: --a and --b are needed\n", stderr);
        return 2;
    }
    uint64_t seed = seed_from(seed_text);
    a3mi_rng_init(&relay.rng, seed);
    relay.trace = trace_path != NULL ? fopen(trace_path, "we") : NULL;
    if (trace_path != NULL && relay.trace == NULL) {
        die(trace_path);
    }
    open_all(&relay);
    (void)fprintf(stderr, "relay: A3M_SEED=%" PRIu64 "\nrelay: ready\n", seed);
    run(&relay);
    report(&relay.direction[0]);
    report(&relay.direction[1]);
    return relay.trace != NULL && fclose(relay.trace) != 0;
}
