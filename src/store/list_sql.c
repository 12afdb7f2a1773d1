/*
 * Building SQL with bound parameters: see list_private.h.
 *
 * Clients ask the same lists again and again with other values, and preparing one costs as much as
 * reading a page: a connection keeps the statements of its last lists.
 */
#include <stdlib.h>
#include <string.h>

#include "list_private.h"
#include "mem.h"

enum { KEPT_SQL_BYTES = 8192 }; /* longer ones will hardly be asked again */

void list_sql_init(struct list_sql *sql)
{
    *sql = (struct list_sql){ 0 };
    buffer_init(&sql->text, SQL_BYTES_MAX);
}

void list_sql_release(struct list_sql *sql)
{
    buffer_release(&sql->text);
    free(sql->values);
    for (size_t i = 0; i < sql->owned_count; i++)
        free(sql->owned[i]);
    free(sql->owned);
    *sql = (struct list_sql){ 0 };
}

void list_sql_add(struct list_sql *sql, const char *text)
{
    buffer_add_text(&sql->text, text);
}

void list_sql_value(struct list_sql *sql, const struct filter_value *value)
{
    if (sql->value_count == sql->value_capacity) {
        sql->value_capacity = sql->value_capacity ? 2 * sql->value_capacity : 16;
        sql->values = xrealloc(sql->values, sql->value_capacity * sizeof *sql->values);
    }
    sql->values[sql->value_count++] = *value;
    buffer_add_char(&sql->text, '?');
}

void list_sql_text(struct list_sql *sql, const char *text)
{
    list_sql_value(sql, &(struct filter_value){ .kind = VALUE_TEXT, .text = text });
}

void list_sql_integer(struct list_sql *sql, int64_t value)
{
    list_sql_value(sql, &(struct filter_value){ .kind = VALUE_INTEGER, .integer = value });
}

const char *list_sql_own(struct list_sql *sql, char *text)
{
    if (sql->owned_count == sql->owned_capacity) {
        sql->owned_capacity = sql->owned_capacity ? 2 * sql->owned_capacity : 16;
        sql->owned = xrealloc(sql->owned, sql->owned_capacity * sizeof *sql->owned);
    }
    return sql->owned[sql->owned_count++] = text;
}

void list_sql_column(struct list_sql *sql, const struct column *column, bool with_collation)
{
    if (column->expression)
        buffer_addf(&sql->text, "(%s)", column->expression);
    else
        buffer_addf(&sql->text, "t.%s", column->name);
    if (with_collation && column->kind == COLUMN_TEXT) /* as the API's own database compares */
        list_sql_add(sql, " COLLATE NOCASE");
}

static void bind_value(sqlite3_stmt *statement, int index, const struct filter_value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        bind_text(statement, index, NULL);
        return;
    case VALUE_INTEGER:
        bind_integer(statement, index, value->integer);
        return;
    case VALUE_REAL:
        sqlite3_bind_double(statement, index, value->real);
        return;
    case VALUE_TEXT:
        bind_text(statement, index, value->text);
        return;
    }
}

static sqlite3_stmt *take_kept(struct db *db, const struct buffer *text)
{
    for (size_t i = 0; i < KEPT_STATEMENTS; i++)
        if (db->kept[i] && strcmp(sqlite3_sql(db->kept[i]), text->data) == 0)
            return steal(db->kept[i]);
    return NULL;
}

void list_statement_release(struct list_statement *statement)
{
    struct db *db = statement->db;
    size_t place = 0;

    if (!statement->sql)
        return;
    if (strlen(sqlite3_sql(statement->sql)) > KEPT_SQL_BYTES) {
        statement_finalize(&statement->sql);
        return;
    }
    while (place < KEPT_STATEMENTS && db->kept[place])
        place++;
    if (place == KEPT_STATEMENTS) {
        place = db->kept_next++ % KEPT_STATEMENTS;
        statement_finalize(&db->kept[place]);
    }
    statement_reset(&statement->sql);
    db->kept[place] = steal(statement->sql);
}

int list_sql_prepare(struct db *db, struct list_sql *sql, struct list_statement *ret_statement,
                     struct error *err)
{
    sqlite3_stmt *statement;

    if (sql->text.overflowed)
        return fail(err, ERROR_GENERAL_QUERY_INVALID, "The queries are too long.");
    statement = take_kept(db, &sql->text);
    if (!statement && sqlite3_prepare_v3(db->handle, sql->text.data, (int)sql->text.size,
                                         SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        return db_fail(db, err);
    for (size_t i = 0; i < sql->value_count; i++)
        bind_value(statement, (int)i + 1, &sql->values[i]);
    *ret_statement = (struct list_statement){ db, statement };
    return 0;
}
