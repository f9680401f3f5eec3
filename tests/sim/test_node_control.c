/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links asked for, changed and ended while one node floods another: A sends at the full rate of the path on 64
 * links, which B takes from at once. However much data waits, what is said about links takes some round trips.
 * Times are virtual: the same at each run. covers F1 L11
 */
#include "node_scenario.h"

#define SIDE   8 /* 8 sockets that push, 8 that pull: 64 links */
#define SIZE   1000
#define ROUNDS 20

struct flood {
    struct sim sim;
    a3m_socket push[SIDE], pull[SIDE];
    a3m_socket asker, answerer; /* the link that is asked for, changed and ended; by A, or by B */
    uint64_t sent, received;
    bool over;
    int64_t longest[3]; /* to ask, to change, to end; ns */
};

static a3m_socket open_on(struct sim *sim, uint32_t node, const a3m_socket_type *type, const char *tag)
{
    a3m_socket socket;
    assert_int_equal(a3m_socket_open(&socket, sim->nodes[node].handle, type, tag), A3M_OK);
    return socket;
}

/* All that the flood's applications can do now. */
static void act(struct flood *f)
{
    static const uint8_t bytes[SIZE];
    a3m_msg *msg;
    for (int i = 0; i < SIDE; i++) {
        while (a3m_try_recv(f->pull[i], &msg) == A3M_OK) {
            f->received++;
            a3m_msg_free(msg);
        }
        while (!f->over && a3m_send_bytes(f->push[i], bytes, SIZE, A3M_NOW) == A3M_OK) {
            f->sent++;
        }
    }
}

static void pass(struct flood *f, int64_t ns)
{
    int64_t end = f->sim.now + ns;
    while (f->sim.now < end) {
        act(f);
        sim_step(&f->sim, end);
        check(&f->sim);
    }
}

/* The asker's link; its state, and the credit that it has. */
static a3m_link_info info_of(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    return info;
}

static bool is_up(const struct flood *f, a3m_link link)
{
    return info_of(link).state == A3M_LINK_UP && a3m_socket_links(f->answerer, NULL, 0) == 1;
}

static bool is_changed(const struct flood *f, a3m_link link)
{
    (void)f;
    return info_of(link).credit_messages >= 5000;
}

static bool is_over(const struct flood *f, a3m_link link)
{
    (void)link;
    return a3m_socket_links(f->asker, NULL, 0) == 0 && a3m_socket_links(f->answerer, NULL, 0) == 0;
}

/* How long it takes until this holds. */
static void expect_soon(struct flood *f, int what, a3m_link link,
                        bool (*holds)(const struct flood *, a3m_link))
{
    int64_t begun = f->sim.now;
    while (!holds(f, link) && f->sim.now - begun < 10 * SIM_S) {
        pass(f, SIM_MS / 10);
    }
    int64_t took = f->sim.now - begun;
    f->longest[what] = took > f->longest[what] ? took : f->longest[what];
}

static void begin(struct flood *f)
{
    memset(f, 0, sizeof(*f));
    sim_init(&f->sim, SEED, &(struct sim_options){0});
    for (int i = 0; i < SIDE; i++) {
        char tag[32];
        (void)snprintf(tag, sizeof(tag), "pull%d", i);
        f->pull[i] = open_on(&f->sim, B, &a3m_pull, tag);
        (void)snprintf(tag, sizeof(tag), "push%d", i);
        f->push[i] = open_on(&f->sim, A, &a3m_push, tag);
        for (int k = 0; k <= i; k++) {
            (void)snprintf(tag, sizeof(tag), "n1/pull%d", k);
            assert_int_equal(a3m_socket_link(f->push[i], tag, NULL), A3M_OK);
            (void)snprintf(tag, sizeof(tag), "n1/pull%d", i);
            if (k < i) {
                assert_int_equal(a3m_socket_link(f->push[k], tag, NULL), A3M_OK);
            }
        }
    }
    /* 100 Mbit/s, 1 ms each way, a queue of 10 ms. */
    *path(&f->sim, A, B) = (struct sim_path){.delay = SIM_MS, .rate = 12500000, .queue = 125000};
    *path(&f->sim, B, A) = (struct sim_path){.delay = SIM_MS, .rate = 12500000, .queue = 125000};
    pass(f, SIM_S);
    assert_int_equal(stats_of(&f->sim, A).links_now, SIDE * SIDE);
}

static void end(struct flood *f)
{
    f->over = true;
    for (int i = 0; i < 100 && f->received < f->sent; i++) {
        pass(f, SIM_S);
    }
    assert_int_equal(f->received, f->sent);
    for (int i = 0; i < SIDE; i++) {
        assert_int_equal(a3m_socket_close(f->push[i]), A3M_OK);
        assert_int_equal(a3m_socket_close(f->pull[i]), A3M_OK);
    }
    assert_int_equal(a3m_socket_close(f->asker), A3M_OK);
    assert_int_equal(a3m_socket_close(f->answerer), A3M_OK);
    finish(&f->sim);
}

/* Links between A and B come and go; `asker` is who asks and ends, the one that pulls is B's, or A's. */
static void links_come_and_go(uint32_t asker)
{
    static struct flood f;
    uint32_t answerer = asker == A ? B : A;
    begin(&f);
    f.asker = open_on(&f.sim, asker, &a3m_push, "asker");
    f.answerer = open_on(&f.sim, answerer, &a3m_pull, "answerer");
    uint64_t before = f.received;
    int64_t since = f.sim.now;
    for (int i = 0; i < ROUNDS; i++) {
        a3m_link link;
        assert_int_equal(a3m_socket_set(f.answerer, A3M_OPT_CREDIT_MESSAGES, 100), A3M_OK);
        assert_int_equal(a3m_socket_link(f.asker, asker == A ? "n1/answerer" : "n0/answerer", &link), A3M_OK);
        expect_soon(&f, 0, link, is_up);
        assert_int_equal(a3m_socket_set(f.answerer, A3M_OPT_CREDIT_MESSAGES, 5000), A3M_OK);
        expect_soon(&f, 1, link, is_changed);
        assert_int_equal(a3m_link_end(link), A3M_OK);
        expect_soon(&f, 2, link, is_over);
    }
    double rate = (double)(f.received - before) * SIZE / ((double)(f.sim.now - since) / 1e9);
    print_message(
        "asked by %s, beside %.1f MB/s: up within %.1f ms, capacity changed within %.1f ms, over within "
        "%.1f ms\n",
        asker == A ? "who floods" : "who is flooded", rate / 1e6, (double)f.longest[0] / SIM_MS,
        (double)f.longest[1] / SIM_MS, (double)f.longest[2] / SIM_MS);
    assert_true(rate > 10e6);
    for (int i = 0; i < 3; i++) {
        assert_in_range(f.longest[i], 0, 30 * SIM_MS); /* a round trip is 2 ms, and up to 12 with its queue */
    }
    end(&f);
}

static void test_links_asked_changed_and_ended_by_who_floods_take_some_round_trips(void **arg)
{
    (void)arg;
    links_come_and_go(A);
}

static void test_links_asked_changed_and_ended_by_who_is_flooded_take_some_round_trips(void **arg)
{
    (void)arg;
    links_come_and_go(B);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_asked_changed_and_ended_by_who_floods_take_some_round_trips),
        cmocka_unit_test(test_links_asked_changed_and_ended_by_who_is_flooded_take_some_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
