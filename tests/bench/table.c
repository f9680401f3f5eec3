/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as text and as CSV; see table.h. */
#include "bench/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/fail.h"

void bench_table_init(struct bench_table *table, const char *const *titles, size_t names)
{
    *table = (struct bench_table){.names = names};
    while (titles[table->columns] != NULL && table->columns < BENCH_TABLE_COLUMNS) {
        table->columns++;
    }
    bench_table_row(table, false);
    for (size_t i = 0; i < table->columns; i++) {
        bench_table_cell(table, "%s", titles[i]);
    }
}

void bench_table_fini(struct bench_table *table)
{
    free(table->rows);
}

void bench_table_row(struct bench_table *table, bool rule)
{
    if (table->n == table->capacity) {
        table->capacity = table->capacity == 0 ? 16 : 2 * table->capacity;
        table->rows = reallocarray(table->rows, table->capacity, sizeof(table->rows[0]));
        if (table->rows == NULL) {
            bench_fail("no memory for a table");
        }
    }
    memset(&table->rows[table->n], 0, sizeof(table->rows[0]));
    table->rows[table->n++].rule = rule;
    table->filled = 0;
}

void bench_table_cell(struct bench_table *table, const char *format, ...)
{
    if (table->filled == table->columns) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(table->rows[table->n - 1].cell[table->filled++], BENCH_TABLE_CELL, format, args);
    va_end(args);
}

/* Columns on the screen: characters of UTF-8, not bytes. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

static int column_width(const struct bench_table *table, size_t column)
{
    int width = 0;
    for (size_t i = 0; i < table->n; i++) {
        int n = columns_of(table->rows[i].cell[column]);
        width = n > width ? n : width;
    }
    return width;
}

static void print_rule(const int *widths, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        for (int i = 0; i < widths[c] + (c == 0 ? 0 : 2); i++) {
            (void)putchar('-');
        }
    }
    (void)putchar('\n');
}

static void print_text(const struct bench_table *table)
{
    int widths[BENCH_TABLE_COLUMNS];
    for (size_t c = 0; c < table->columns; c++) {
        widths[c] = column_width(table, c);
    }
    for (size_t i = 0; i < table->n; i++) {
        if (table->rows[i].rule || i == 1) {
            print_rule(widths, table->columns);
        }
        for (size_t c = 0; c < table->columns; c++) {
            const char *text = table->rows[i].cell[c];
            int pad = widths[c] - columns_of(text);
            bool left = c < table->names;
            (void)printf("%s%*s%s%*s", c == 0 ? "" : "  ", left ? 0 : pad, "", text, left ? pad : 0, "");
        }
        (void)putchar('\n');
    }
}

static void print_csv_cell(const char *text)
{
    if (strpbrk(text, ",\"\n") == NULL) {
        (void)fputs(text, stdout);
        return;
    }
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            (void)putchar('"');
        }
        (void)putchar(*text);
    }
    (void)putchar('"');
}

static void print_csv(const struct bench_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        for (size_t c = 0; c < table->columns; c++) {
            if (c > 0) {
                (void)putchar(',');
            }
            print_csv_cell(table->rows[i].cell[c]);
        }
        (void)putchar('\n');
    }
}

void bench_table_print(const struct bench_table *table, bool csv)
{
    if (csv) {
        print_csv(table);
    } else {
        print_text(table);
    }
    (void)fflush(stdout);
}
