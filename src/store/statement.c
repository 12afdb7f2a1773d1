/*
 * Prepared statements of the registry: prepared on first use, kept for the connection's life, reset
 * on every path.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_fault.h"
#include "store_private.h"

static void statement_write(struct buffer *sql, const struct statement_row *row)
{
    switch (row->form) {
    case FORM_SQL:
        break;
    case FORM_SELECT:
        entity_add_select(sql, (enum entity_type)row->entity);
        break;
    case FORM_INSERT:
        entity_add_insert(sql, (enum entity_type)row->entity);
        break;
    case FORM_UPDATE:
        entity_add_update(sql, (enum entity_type)row->entity);
        break;
    }
    buffer_add_text(sql, row->sql);
}

static int statement_prepare(struct db *db, enum statement id, struct error *err)
{
    auto_buffer struct buffer sql;

    buffer_init(&sql, SQL_BYTES_MAX);
    statement_write(&sql, &statement_rows[id]);
    if (sqlite3_prepare_v3(db->handle, sql.data, (int)sql.size, SQLITE_PREPARE_PERSISTENT,
                           &db->statements[id], NULL) != SQLITE_OK)
        return db_fail(db, err);
    return 0;
}

sqlite3_stmt *statement_get(struct db *db, enum statement id, struct error *err)
{
    if (!db->statements[id] && statement_prepare(db, id, err) < 0)
        return NULL;
    return db->statements[id];
}

void statement_reset(sqlite3_stmt **statement)
{
    if (*statement) {
        sqlite3_reset(*statement);
        sqlite3_clear_bindings(*statement);
    }
}

void statement_finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
    *statement = NULL;
}

void store_fail_after(struct store *store, long statements)
{
    atomic_store(&store->fault_countdown, statements);
}

/* Counts statements that begin; true for the one that is to fail. */
static bool is_fault_due(struct db *db, sqlite3_stmt *statement)
{
    if (atomic_load_explicit(&db->store->fault_countdown, memory_order_relaxed) <= 0 ||
        sqlite3_stmt_busy(statement))
        return false;
    return atomic_fetch_sub(&db->store->fault_countdown, 1) == 1;
}

int statement_step(struct db *db, sqlite3_stmt *statement, struct error *err)
{
    int result;

    if (is_fault_due(db, statement))
        return fail(err, ERROR_INTERNAL, "%s: a fault on purpose", db->store->file);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return 1;
    return result == SQLITE_DONE ? 0 : db_fail(db, err);
}

int statement_run(struct db *db, sqlite3_stmt *statement, struct error *err)
{
    int result = statement_step(db, statement, err);

    assert(result <= 0); /* a statement with rows needs a reader */
    return result;
}

int statement_run_unique(struct db *db, sqlite3_stmt *statement, enum error_type taken,
                         struct error *err)
{
    struct error step_err;
    int code;

    if (statement_run(db, statement, &step_err) == 0)
        return 0;
    code = sqlite3_extended_errcode(db->handle);
    if (taken != ERROR_INTERNAL &&
        (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
         code == SQLITE_CONSTRAINT_ROWID))
        return fail(err, taken, NULL);
    *err = step_err;
    return -1;
}

int statement_do(struct db *db, struct error *err, enum statement id, const char *format, ...)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, id, err);
    va_list arguments;

    if (!statement)
        return -1;
    va_start(arguments, format);
    for (int i = 0; format[i]; i++) {
        if (format[i] == 't')
            bind_text(statement, i + 1, va_arg(arguments, const char *));
        else
            bind_integer(statement, i + 1, va_arg(arguments, int64_t));
    }
    va_end(arguments);
    return statement_run(db, statement, err);
}

int db_changes(struct db *db)
{
    return sqlite3_changes(db->handle);
}

/* A parameter can only be refused for being out of range or out of memory: both are ours. */
void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    int result = text ? sqlite3_bind_text64(statement, index, text, strlen(text), SQLITE_STATIC,
                                            SQLITE_UTF8)
                      : sqlite3_bind_null(statement, index);
    assert(result == SQLITE_OK || result == SQLITE_TOOBIG);
}

void bind_integer(sqlite3_stmt *statement, int index, int64_t value)
{
    int result = sqlite3_bind_int64(statement, index, value);
    assert(result == SQLITE_OK);
}

void bind_blob(sqlite3_stmt *statement, int index, const void *bytes, size_t size)
{
    int result = sqlite3_bind_blob64(statement, index, size ? bytes : "", size, SQLITE_STATIC);
    assert(result == SQLITE_OK || result == SQLITE_TOOBIG);
}

char *column_text(sqlite3_stmt *statement, int index)
{
    const unsigned char *text = sqlite3_column_text(statement, index);

    return text ? xstrndup((const char *)text, (size_t)sqlite3_column_bytes(statement, index))
                : xstrdup("");
}
