/* Functions, and the executions that deleted ones leave behind. */
#include "store_private.h"

enum {
    SWEEP_ROWS = 500
}; /* in one transaction: a write that arrives meanwhile waits a few milliseconds */

int store_function_insert(struct db *db, const struct function *function, struct error *err)
{
    if (entity_insert(db, STATEMENT_FUNCTION_INSERT, ENTITY_FUNCTION, function,
                      ERROR_FUNCTION_ALREADY_EXISTS, err) < 0)
        return -1;
    return usage_now(db, function->project_id, "", "functions", 1, err);
}

int store_function_get(struct db *db, const char *project_id, const char *id,
                       struct function *ret_function, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_FUNCTION_GET, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, id);
    return entity_read_one(db, statement, ENTITY_FUNCTION, ret_function, ERROR_FUNCTION_NOT_FOUND,
                           err);
}

int store_function_update(struct db *db, const struct function *function, struct error *err)
{
    return entity_update(db, STATEMENT_FUNCTION_UPDATE, ENTITY_FUNCTION, function,
                         ERROR_FUNCTION_NOT_FOUND, ERROR_FUNCTION_ALREADY_EXISTS, err);
}

/*
 * Millions of executions would hold the writer for seconds: they become invisible now and go in
 * portions.
 */
int store_function_delete(struct db *db, const char *project_id, const char *id, struct error *err)
{
    if (owned_delete(db, project_id, id, err) < 0)
        return -1;
    if (db_changes(db) == 0) /* its row goes last */
        return fail(err, ERROR_FUNCTION_NOT_FOUND, NULL);
    return usage_now(db, project_id, "", "functions", -1, err);
}

int store_function_each(struct db *db, list_row *row, void *context, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_FUNCTION_EACH, err);

    return statement ? entity_read_each(db, statement, ENTITY_FUNCTION, row, context, err) : -1;
}

/* 1: *ret_seq is a deleted function, 0: there is none. */
static int garbage_get(struct db *db, int64_t *ret_seq, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_GARBAGE_GET, err);
    int row = statement ? statement_step(db, statement, err) : -1;

    if (row > 0)
        *ret_seq = sqlite3_column_int64(statement, 0);
    return row;
}

int garbage_sweep(struct db *db, bool *ret_more, struct error *err)
{
    int64_t seq, most = SWEEP_ROWS;
    int found = garbage_get(db, &seq, err);

    if (found < 0)
        return -1;
    if (found == 0) {
        *ret_more = false;
        return 0;
    }
    if (statement_do(db, err, STATEMENT_GARBAGE_LOGS, "ii", seq, most) < 0 ||
        statement_do(db, err, STATEMENT_GARBAGE_INPUTS, "ii", seq, most) < 0 ||
        statement_do(db, err, STATEMENT_GARBAGE_EXECUTIONS, "ii", seq, most) < 0)
        return -1;
    if (db_changes(db) == 0 && statement_do(db, err, STATEMENT_GARBAGE_DONE, "i", seq) < 0)
        return -1;
    *ret_more = true;
    return 0;
}
