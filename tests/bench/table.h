/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of text cells, printed aligned for people or as CSV (RFC 4180) for
 * programs. Grows as it is filled; gives up when there is no memory.
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum { BENCH_TABLE_COLUMNS = 16, BENCH_TABLE_CELL = 48 };

struct bench_table_row {
    char cell[BENCH_TABLE_COLUMNS][BENCH_TABLE_CELL];
    bool rule; /* a line is drawn above it */
};

struct bench_table {
    struct bench_table_row *rows; /* the first holds the titles */
    size_t n, capacity;
    size_t columns, filled; /* `filled`: cells of the last row */
    size_t names;           /* so many first columns hold words, and begin at the left */
};

/* `titles` ends with NULL. The first `names` columns are words, the others figures. */
void bench_table_init(struct bench_table *table, const char *const *titles, size_t names);
void bench_table_fini(struct bench_table *table);

/* Begins a row; cells not filled stay empty. */
void bench_table_row(struct bench_table *table, bool rule);
/* Fills the row's next cell; what is too long is cut. */
void bench_table_cell(struct bench_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void bench_table_print(const struct bench_table *table, bool csv);

#endif
