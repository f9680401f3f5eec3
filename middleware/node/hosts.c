/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolver that reads a file, and reads it again when it has changed. Lines of
 * a node id and an address, with blanks between; what follows a '#' is a comment.
 * A file that cannot be read, or has a line that is wrong, leaves what was read
 * before.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <a3m/a3m.h>

#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "base/name.h"
#include "base/addr.h"
#include "runtime/clock.h"

/*
 * Times of files go by ticks of a clock: 4 or 10 ms, on some file systems whole seconds. A file that is written
 * twice in one tick, to the same length, shows no sign of it: one that was just found to be new is read at each question.
 */
#define YOUNG_NS INT64_C(2000000000)

struct host {
    struct a3mi_mapb_node node; /* by id, which follows */
    char address[A3M_LINK_ADDRESS_SIZE];
    char id[];
};

struct a3m_hosts {
    pthread_mutex_t lock;
    char *path;             /* [const] */
    struct a3mi_mapb by_id; /* [lock] */
    struct stat read_at;    /* [lock] the file as it was read */
    int64_t young_until; /* [lock] until then it may be written again and look the same; 0: it is not young */
};

static void drop_all(struct a3mi_mapb *map)
{
    struct a3mi_mapb_node *it = a3mi_mapb_next(map, NULL);
    while (it != NULL) {
        struct a3mi_mapb_node *next = a3mi_mapb_next(map, it);
        a3mi_mapb_remove(map, it);
        free(a3mi_container_of(it, struct host, node));
        it = next;
    }
    a3mi_mapb_fini(map);
}

/* Enters one line, which is good; the last of several of one id counts. A3M_ENOMEM. */
static int enter(struct a3mi_mapb *map, const char *id, const char *address)
{
    struct a3mi_mapb_node *before = a3mi_mapb_get(map, id, strlen(id));
    if (before != NULL) {
        a3mi_mapb_remove(map, before);
        free(a3mi_container_of(before, struct host, node));
    }
    size_t size = strlen(id) + 1;
    struct host *host = calloc(1, sizeof(*host) + size);
    if (host == NULL) {
        return A3M_ENOMEM;
    }
    memcpy(host->id, id, size);
    snprintf(host->address, sizeof(host->address), "%s", address);
    host->node.key = host->id;
    host->node.key_len = size - 1;
    int result = a3mi_mapb_add(map, &host->node);
    if (result != A3M_OK) {
        free(host);
    }
    return result;
}

/* Reads a line: 0 (also when there is nothing in it), A3M_EINVAL, A3M_ENOMEM. */
static int read_line(struct a3mi_mapb *map, char *line)
{
    static const char blanks[] = " \t\r\n";
    char *rest = NULL;
    struct a3mi_name name;
    struct a3mi_url url;
    line[strcspn(line, "#")] = '\0';
    const char *id = strtok_r(line, blanks, &rest);
    const char *address = id != NULL ? strtok_r(NULL, blanks, &rest) : NULL;
    if (id == NULL) {
        return A3M_OK;
    }
    if (address == NULL || strtok_r(NULL, blanks, &rest) != NULL ||
        strlen(address) >= A3M_LINK_ADDRESS_SIZE || a3mi_name_set(&name, id, strlen(id)) != A3M_OK ||
        a3mi_url_parse(address, &url) != A3M_OK || url.is_node || url.has_tag) {
        return A3M_EINVAL;
    }
    return enter(map, id, address);
}

/* Reads all lines into the map: 0, or what is wrong, also when the file could not be read to its end. */
static int read_lines(struct a3mi_mapb *map, FILE *file, const char *path)
{
    char line[1024];
    int result = A3M_OK;
    for (int n = 1; result == A3M_OK && fgets(line, sizeof(line), file) != NULL; n++) {
        result = strchr(line, '\n') == NULL && feof(file) == 0 ? A3M_EINVAL : read_line(map, line);
        if (result == A3M_EINVAL) {
            a3mi_fail(
                result,
                "%s, line %d: it has to be a node id and an address, as in: server udp://192.0.2.7:7101",
                path, n);
        } else if (result != A3M_OK) {
            a3mi_fail(result, "no memory for the hosts in %s", path);
        }
    }
    return result == A3M_OK && ferror(file) != 0 ? a3mi_fail_os(errno, path) : result;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* [lock] */
static void note_read(a3m_hosts *hosts, const struct stat *file)
{
    int64_t now = a3mi_clock_now();
    if (!same(&hosts->read_at, file)) {
        hosts->young_until = now + YOUNG_NS;
    } else if (now >= hosts->young_until) {
        hosts->young_until = 0;
    }
    hosts->read_at = *file;
}

/* [lock] Replaces what is known, if all of the file is good. */
static int read_file(a3m_hosts *hosts)
{
    struct a3mi_mapb map;
    struct stat now;
    FILE *file = fopen(hosts->path, "re");
    if (file == NULL || fstat(fileno(file), &now) != 0) {
        int result = errno == ENOENT ? a3mi_fail(A3M_ENOENT, "there is no file %s", hosts->path)
                                     : a3mi_fail_os(errno, hosts->path);
        if (file != NULL) {
            (void)fclose(file);
        }
        return result;
    }
    a3mi_mapb_init(&map, 0);
    int result = read_lines(&map, file, hosts->path);
    (void)fclose(file);
    if (result == A3M_OK || result == A3M_EINVAL) { /* a bad one is not read again and again */
        note_read(hosts, &now);
    }
    if (result != A3M_OK) {
        drop_all(&map);
        return result;
    }
    drop_all(&hosts->by_id);
    hosts->by_id = map;
    return A3M_OK;
}

int a3m_hosts_open(a3m_hosts **out, const char *path)
{
    if (path == NULL || out == NULL) {
        return a3mi_fail(A3M_EINVAL, "no path, or no place for the table of hosts");
    }
    a3m_hosts *hosts = calloc(1, sizeof(*hosts));
    if (hosts == NULL || (hosts->path = strdup(path)) == NULL) {
        free(hosts);
        return a3mi_fail(A3M_ENOMEM, "no memory for a table of hosts");
    }
    (void)pthread_mutex_init(&hosts->lock, NULL);
    a3mi_mapb_init(&hosts->by_id, 0);
    int result = read_file(hosts);
    if (result != A3M_OK) {
        a3m_hosts_close(hosts);
        return result;
    }
    *out = hosts;
    return A3M_OK;
}

void a3m_hosts_close(a3m_hosts *hosts)
{
    if (hosts == NULL) {
        return;
    }
    drop_all(&hosts->by_id);
    (void)pthread_mutex_destroy(&hosts->lock);
    free(hosts->path);
    free(hosts);
}

int a3m_hosts_resolve(void *arg, const char *id, char *address, size_t size)
{
    a3m_hosts *hosts = arg;
    struct stat now;
    int result = A3M_ENOADDR;
    (void)pthread_mutex_lock(&hosts->lock);
    if (stat(hosts->path, &now) == 0 && (hosts->young_until != 0 || !same(&now, &hosts->read_at))) {
        (void)read_file(hosts);
    }
    struct a3mi_mapb_node *found = a3mi_mapb_get(&hosts->by_id, id, strlen(id));
    if (found != NULL) {
        const struct host *host = a3mi_container_of(found, struct host, node);
        size_t needed = strlen(host->address) + 1;
        result = needed <= size ? A3M_OK : A3M_EINVAL;
        if (result == A3M_OK) {
            memcpy(address, host->address, needed);
        }
    }
    (void)pthread_mutex_unlock(&hosts->lock);
    return result;
}
