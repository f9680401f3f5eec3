/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over given inputs, without libFuzzer: each argument is a file, or a folder of
 * files (subfolders are not entered). The empty input is always run first, so that a target
 * without a corpus is at least started. Ends with 0 when every input was read and none crashed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all of an open file into *data (owned by the caller). 0, or -1 with errno set. */
static int read_all(FILE *file, uint8_t **data, size_t *size)
{
    struct stat st;
    if (fstat(fileno(file), &st) != 0)
        return -1;
    *size = (size_t)st.st_size;
    /* Exactly as large as the input, so that a sanitizer sees a read beyond its end. */
    *data = malloc(*size != 0 ? *size : 1);
    if (*data == NULL)
        return -1;
    if (fread(*data, 1, *size, file) != *size) {
        free(*data);
        errno = EIO;
        return -1;
    }
    return 0;
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    uint8_t *data;
    size_t size;
    int rc = read_all(file, &data, &size);
    (void)fclose(file);
    if (rc != 0)
        return -1;
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

/* Runs each regular file of a folder, in the order of their names; counts them in *count. */
static int run_folder(const char *path, size_t *count)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return -1;
    int rc = 0;
    for (int i = 0; i < n; i++) {
        char name[4096];
        struct stat st;
        int length = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (rc == 0 && length > 0 && (size_t)length < sizeof name && stat(name, &st) == 0 &&
            S_ISREG(st.st_mode)) {
            rc = run_file(name);
            (*count)++;
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int main(int argc, char **argv)
{
    const uint8_t nothing[1] = {0};
    size_t count = 1;
    (void)LLVMFuzzerTestOneInput(nothing, 0);

    for (int i = 1; i < argc; i++) {
        struct stat st;
        int rc = stat(argv[i], &st);
        if (rc == 0 && S_ISDIR(st.st_mode)) {
            rc = run_folder(argv[i], &count);
        } else if (rc == 0) {
            rc = run_file(argv[i]);
            count++;
        }
        if (rc != 0) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return 1;
        }
    }
    printf("%zu inputs\n", count);
    return 0;
}
