/* The SQL of one list, growing: text and the values of its parameters side by side. */
#ifndef LIST_PRIVATE_H
#define LIST_PRIVATE_H

#include "store_private.h"

enum { FILTER_DEPTH_MAX = 16 };

struct list_sql {
    struct buffer text;
    struct filter_value *values; /* of the ? in order; texts are borrowed or in owned */
    size_t value_count, value_capacity;
    char **owned;
    size_t owned_count, owned_capacity;
};

void list_sql_init(struct list_sql *sql);
void list_sql_release(struct list_sql *sql);
#define auto_list_sql __attribute__((cleanup(list_sql_release)))

void list_sql_add(struct list_sql *sql, const char *text);
void list_sql_value(struct list_sql *sql, const struct filter_value *value); /* adds the ? too */
void list_sql_text(struct list_sql *sql, const char *text);
void list_sql_integer(struct list_sql *sql, int64_t value);
const char *list_sql_own(struct list_sql *sql, char *text); /* frees it in the end */

/* t.name, or the expression; with_collation: as it is compared and ordered. */
void list_sql_column(struct list_sql *sql, const struct column *column, bool with_collation);

/* A statement that goes back to its connection, which keeps those of the last lists. */
struct list_statement {
    struct db *db;
    sqlite3_stmt *sql;
};

/* Prepares or takes a kept one, and binds: the values must live until the release. */
int list_sql_prepare(struct db *db, struct list_sql *sql, struct list_statement *ret_statement,
                     struct error *err);
void list_statement_release(struct list_statement *statement);
#define auto_list_statement __attribute__((cleanup(list_statement_release)))

/* Conditions, each with " AND " in front. */
int list_add_filters(struct list_sql *sql, enum list_entity entity, const struct list_query *query,
                     struct error *err);

#endif
