/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses from a resolver: the application's own, and one that reads a file.
 * covers N6
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node_fixture.h"

static char path[] = "/tmp/a3m-hosts-XXXXXX";

static void write_hosts(const char *text)
{
    /* Under a new name first, as one should: whoever reads sees the old file or the new one. */
    char fresh[sizeof(path) + 4];
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static const char *address_of(a3m_node node)
{
    static char address[A3M_LINK_ADDRESS_SIZE];
    assert_int_equal(a3m_node_address(node, address, sizeof(address)), A3M_OK);
    return address;
}

static a3m_node resolving_node(const char *id, int (*resolve)(void *, const char *, char *, size_t),
                               void *arg)
{
    a3m_node_config config = {.size = sizeof(config), .resolve = resolve, .resolve_arg = arg};
    a3m_node node;
    assert_int_equal(a3m_node_new(&node, id, "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(node), A3M_OK);
    return node;
}

static void test_file_resolves_what_is_in_it_and_what_is_put_in_later(void **state)
{
    (void)state;
    a3m_hosts *hosts;
    a3m_node server = test_node("server");
    char line[A3M_LINK_ADDRESS_SIZE + 64];
    write_hosts("# nobody yet\n\nother udp://127.0.0.1:1\n");
    assert_int_equal(a3m_hosts_open(&hosts, path), A3M_OK);
    a3m_node client = resolving_node("client", a3m_hosts_resolve, hosts);
    a3m_socket pull = test_socket(server, &a3m_pull, "sink");
    a3m_socket push = test_socket(client, &a3m_push, NULL);
    a3m_link link;
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_RETRY_MAX, a3m_ms(50).ns), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "server/sink", &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, a3m_in(a3m_ms(60))), A3M_ETIMEDOUT);
    snprintf(line, sizeof(line), "server %s   # there it is\n", address_of(server));
    write_hosts(line);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    assert_int_equal(a3m_send_until(push, test_msg("found"), SOON), A3M_OK);
    test_expect(pull, "found");
    test_close(client);
    test_close(server);
    a3m_hosts_close(hosts);
}

static void test_file_that_is_bad_is_refused_and_a_later_bad_one_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"server\n", "server udp://127.0.0.1:1 more\n",
                                      "a/b udp://127.0.0.1:1\n", "server nonsense\n",
                                      "server udp://127.0.0.1:1/tag\n"};
    a3m_hosts *hosts;
    char address[A3M_LINK_ADDRESS_SIZE];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_hosts(bad[i]);
        assert_int_equal(a3m_hosts_open(&hosts, path), A3M_EINVAL);
        assert_non_null(strstr(a3m_error_detail(), "line 1"));
    }
    assert_int_equal(a3m_hosts_open(&hosts, "/nonexistent/hosts"), A3M_ENOENT);
    assert_int_equal(a3m_hosts_open(&hosts, "/tmp"), A3M_EOS); /* opens, and cannot be read */
    assert_int_equal(a3m_hosts_open(&hosts, NULL), A3M_EINVAL);
    assert_int_equal(a3m_hosts_open(NULL, path), A3M_EINVAL);
    write_hosts("server udp://127.0.0.1:1\nserver udp://127.0.0.1:2\n");
    assert_int_equal(a3m_hosts_open(&hosts, path), A3M_OK);
    assert_int_equal(a3m_hosts_resolve(hosts, "server", address, sizeof(address)), A3M_OK);
    assert_string_equal(address, "udp://127.0.0.1:2");
    assert_int_equal(a3m_hosts_resolve(hosts, "server", address, 5), A3M_EINVAL);
    assert_int_equal(a3m_hosts_resolve(hosts, "other", address, sizeof(address)), A3M_ENOADDR);
    write_hosts("server\n");
    assert_int_equal(a3m_hosts_resolve(hosts, "server", address, sizeof(address)), A3M_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(a3m_hosts_resolve(hosts, "server", address, sizeof(address)), A3M_OK);
    a3m_hosts_close(hosts);
}

/* Written in place, to the same length, and so soon that the file's time is the same: it is read again. */
static void test_file_written_twice_at_the_same_time_is_read_again(void **state)
{
    (void)state;
    a3m_hosts *hosts;
    struct stat file;
    char address[A3M_LINK_ADDRESS_SIZE];
    write_hosts("server udp://127.0.0.1:1\n");
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(a3m_hosts_open(&hosts, path), A3M_OK);
    FILE *again = fopen(path, "r+");
    assert_non_null(again);
    assert_true(fputs("server udp://127.0.0.1:2\n", again) >= 0);
    assert_int_equal(fclose(again), 0);
    const struct timespec times[2] = {file.st_atim, file.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(a3m_hosts_resolve(hosts, "server", address, sizeof(address)), A3M_OK);
    assert_string_equal(address, "udp://127.0.0.1:2");
    a3m_hosts_close(hosts);
}

/* A resolver of the application: two answers. */
struct answers {
    const char *first, *then;
    _Atomic int asked;
};

static int answer(void *arg, const char *id, char *address, size_t size)
{
    struct answers *answers = arg;
    int n = atomic_fetch_add(&answers->asked, 1);
    assert_string_equal(id, "server");
    snprintf(address, size, "%s", n == 0 ? answers->first : answers->then);
    return A3M_OK;
}

static void test_resolver_is_asked_again_when_nobody_answers_there(void **state)
{
    (void)state;
    a3m_node server = test_node("server");
    (void)test_socket(server, &a3m_pull, "sink");
    char right[A3M_LINK_ADDRESS_SIZE];
    snprintf(right, sizeof(right), "%s", address_of(server));
    static const char *const wrong[] = {"udp://127.0.0.1:1", "nonsense", "inproc://elsewhere"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct answers answers = {wrong[i], right, 0};
        a3m_node client = resolving_node("client", answer, &answers);
        a3m_socket push = test_socket(client, &a3m_push, NULL);
        a3m_link link;
        assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_RETRY_MAX, a3m_ms(50).ns), A3M_OK);
        assert_int_equal(a3m_socket_link(push, "server/sink", &link), A3M_OK);
        assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
        assert_true(atomic_load(&answers.asked) >= 2);
        assert_int_equal(test_stats(client).bad_resolutions, i == 0 ? 0 : 1);
        test_close(client);
    }
    test_close(server);
}

static void test_resolver_is_not_asked_for_what_is_known(void **state)
{
    (void)state;
    struct answers answers = {"udp://127.0.0.1:1", "udp://127.0.0.1:1", 0};
    a3m_node server = test_node("server");
    a3m_node client = resolving_node("client", answer, &answers);
    (void)test_socket(server, &a3m_pull, "sink");
    a3m_socket push = test_socket(client, &a3m_push, NULL);
    assert_int_equal(a3m_node_set_peer(client, "server", address_of(server)), A3M_OK);
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_RETRY_MIN, a3m_seconds(20).ns), A3M_OK);
    (void)test_link(push, "server/sink");
    assert_int_equal(atomic_load(&answers.asked), 0);
    test_close(client);
    test_close(server);
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_resolves_what_is_in_it_and_what_is_put_in_later),
        cmocka_unit_test(test_file_that_is_bad_is_refused_and_a_later_bad_one_changes_nothing),
        cmocka_unit_test(test_file_written_twice_at_the_same_time_is_read_again),
        cmocka_unit_test(test_resolver_is_asked_again_when_nobody_answers_there),
        cmocka_unit_test(test_resolver_is_not_asked_for_what_is_known),
    };
    return cmocka_run_group_tests(tests, make_path, drop_path);
}
