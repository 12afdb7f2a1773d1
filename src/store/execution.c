/*
 * Executions: recorded in their final state, or queued, claimed and finished.
 *
 * The sequence is the microseconds in the id, so an id is found by row id. Logs and the input of
 * queued ones are in tables of their own: most executions have neither, and lists do not read them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "store_private.h"
#include "text.h"

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static int logs_write(struct db *db, const struct execution *execution, struct error *err)
{
    if (text_is_empty(execution->logs) && text_is_empty(execution->errors))
        return 0;
    return statement_do(db, err, STATEMENT_EXECUTION_LOG_ADD, "itt", execution->seq,
                        or_empty(execution->logs), or_empty(execution->errors));
}

static int row_insert(struct db *db, const struct execution *execution, struct error *err)
{
    assert(id_time_us(execution->id) == execution->seq); /* or it would never be found again */
    return entity_insert(db, STATEMENT_EXECUTION_INSERT, ENTITY_EXECUTION, execution,
                         ERROR_INTERNAL, err);
}

int execution_record(struct db *db, const struct execution *execution, struct error *err)
{
    if (row_insert(db, execution, err) < 0)
        return -1;
    if (db_changes(db) == 0)
        return 0;
    if (logs_write(db, execution, err) < 0)
        return -1;
    return usage_count(db, execution, err);
}

static int input_write(struct db *db, const struct execution *execution, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_INPUT_ADD, err);

    if (!statement)
        return -1;
    bind_integer(statement, 1, execution->seq);
    bind_text(statement, 2, or_empty(execution->input_headers));
    bind_blob(statement, 3, execution->input_body, execution->input_body_size);
    return statement_run(db, statement, err);
}

int store_execution_insert(struct db *db, const struct execution *execution, struct error *err)
{
    if (row_insert(db, execution, err) < 0)
        return -1;
    if (db_changes(db) == 0)
        return fail(err, ERROR_FUNCTION_NOT_FOUND, NULL);
    if (logs_write(db, execution, err) < 0)
        return -1;
    if (!execution->input_headers && !execution->input_body)
        return 0;
    return input_write(db, execution, err);
}

int execution_read_logs(struct db *db, struct execution *execution, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_EXECUTION_LOG_GET, err);
    int row;

    if (!statement)
        return -1;
    bind_integer(statement, 1, execution->seq);
    row = statement_step(db, statement, err);
    if (row <= 0)
        return row;
    free(execution->logs);
    free(execution->errors);
    execution->logs = column_text(statement, 0);
    execution->errors = column_text(statement, 1);
    return 0;
}

static int input_read(struct db *db, struct execution *execution, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_INPUT_GET, err);
    const void *body;
    int row;

    if (!statement)
        return -1;
    bind_integer(statement, 1, execution->seq);
    row = statement_step(db, statement, err);
    if (row <= 0)
        return row;
    free(execution->input_headers);
    free(execution->input_body);
    execution->input_headers = column_text(statement, 0);
    body = sqlite3_column_blob(statement, 1);
    execution->input_body_size = (size_t)sqlite3_column_bytes(statement, 1);
    execution->input_body = xmalloc(execution->input_body_size + 1);
    if (body)
        memcpy(execution->input_body, body, execution->input_body_size);
    execution->input_body[execution->input_body_size] = '\0';
    return 0;
}

static int row_read(struct db *db, int64_t seq, struct execution *ret_execution, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_EXECUTION_READ, err);

    if (!statement)
        return -1;
    bind_integer(statement, 1, seq);
    return entity_read_one(db, statement, ENTITY_EXECUTION, ret_execution,
                           ERROR_EXECUTION_NOT_FOUND, err);
}

int store_execution_claim(struct db *db, int64_t seq, struct execution *ret_execution,
                          struct error *err)
{
    struct execution execution;

    if (statement_do(db, err, STATEMENT_EXECUTION_CLAIM, "ii", seq, clock_realtime_us()) < 0)
        return -1;
    if (db_changes(db) == 0)
        return fail(err, ERROR_EXECUTION_NOT_FOUND, NULL);
    if (row_read(db, seq, &execution, err) < 0)
        return -1;
    if (input_read(db, &execution, err) < 0) {
        execution_release(&execution);
        return -1;
    }
    *ret_execution = execution;
    return 0;
}

static int row_finish(struct db *db, const struct execution *execution, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_EXECUTION_FINISH, err);

    if (!statement)
        return -1;
    bind_integer(statement, 1, execution->seq);
    bind_text(statement, 2, execution->status);
    bind_text(statement, 3, or_empty(execution->deployment_id));
    bind_integer(statement, 4, execution->response_status);
    bind_text(statement, 5,
              text_is_empty(execution->response_headers) ? "[]" : execution->response_headers);
    sqlite3_bind_double(statement, 6, execution->duration);
    bind_integer(statement, 7, execution->updated_at);
    return statement_run(db, statement, err);
}

int store_execution_finish(struct db *db, const struct execution *execution, struct error *err)
{
    if (row_finish(db, execution, err) < 0)
        return -1;
    if (db_changes(db) == 0)
        return fail(err, ERROR_EXECUTION_NOT_FOUND, NULL);
    if (logs_write(db, execution, err) < 0)
        return -1;
    if (statement_do(db, err, STATEMENT_INPUT_DELETE, "i", execution->seq) < 0)
        return -1;
    return usage_count(db, execution, err);
}

static int row_find(struct db *db, const char *project_id, const char *function_id, const char *id,
                    struct execution *ret_execution, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_EXECUTION_GET, err);

    if (!statement)
        return -1;
    bind_integer(statement, 1, id_time_us(id));
    bind_text(statement, 2, id);
    bind_text(statement, 3, project_id);
    bind_text(statement, 4, function_id);
    return entity_read_one(db, statement, ENTITY_EXECUTION, ret_execution,
                           ERROR_EXECUTION_NOT_FOUND, err);
}

int store_execution_get(struct db *db, const char *project_id, const char *function_id,
                        const char *id, struct execution *ret_execution, struct error *err)
{
    struct execution execution;

    if (row_find(db, project_id, function_id, id, &execution, err) < 0)
        return -1;
    if (execution_read_logs(db, &execution, err) < 0) {
        execution_release(&execution);
        return -1;
    }
    *ret_execution = execution;
    return 0;
}

int store_execution_delete(struct db *db, const char *project_id, const char *function_id,
                           const char *id, struct error *err)
{
    auto_execution struct execution execution = { 0 };

    if (row_find(db, project_id, function_id, id, &execution, err) < 0)
        return -1;
    if (text_equals(execution.status, "waiting") || text_equals(execution.status, "processing"))
        return fail(err, ERROR_EXECUTION_IN_PROGRESS, NULL);
    if (statement_do(db, err, STATEMENT_EXECUTION_LOG_DELETE, "i", execution.seq) < 0 ||
        statement_do(db, err, STATEMENT_INPUT_DELETE, "i", execution.seq) < 0)
        return -1;
    db->removing = true;
    return statement_do(db, err, STATEMENT_EXECUTION_DELETE, "i", execution.seq);
}

int store_execution_expire(struct db *db, int64_t before_us, int64_t most, int64_t *ret_count,
                           struct error *err)
{
    db->removing = true;
    if (statement_do(db, err, STATEMENT_EXPIRE_LOGS, "ii", before_us, most) < 0 ||
        statement_do(db, err, STATEMENT_EXPIRE_INPUTS, "ii", before_us, most) < 0 ||
        statement_do(db, err, STATEMENT_EXPIRE, "ii", before_us, most) < 0)
        return -1;
    *ret_count = db_changes(db);
    return 0;
}

int store_execution_last_seq(struct db *db, int64_t *ret_seq, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_EXECUTION_LAST, err);

    if (!statement || statement_step(db, statement, err) < 0)
        return -1;
    *ret_seq = sqlite3_column_int64(statement, 0);
    return 0;
}

int store_execution_settle(struct db *db, const char *sentence, int64_t *ret_count,
                           struct error *err)
{
    if (statement_do(db, err, STATEMENT_SETTLE_LOGS, "t", sentence) < 0 ||
        statement_do(db, err, STATEMENT_SETTLE_INPUTS, "") < 0 ||
        statement_do(db, err, STATEMENT_SETTLE, "i", clock_realtime_us()) < 0)
        return -1;
    *ret_count = db_changes(db);
    return 0;
}

int store_execution_each_waiting(struct db *db, execution_waiting *row, void *context,
                                 struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_EXECUTION_WAITING, err);
    int step;

    if (!statement)
        return -1;
    while ((step = statement_step(db, statement, err)) > 0)
        row(context, sqlite3_column_int64(statement, 0),
            (const char *)sqlite3_column_text(statement, 1),
            (const char *)sqlite3_column_text(statement, 2));
    return step;
}

int store_execution_each_scheduled(struct db *db, execution_scheduled *row, void *context,
                                   struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_EXECUTION_SCHEDULED, err);
    int step;

    if (!statement)
        return -1;
    while ((step = statement_step(db, statement, err)) > 0)
        row(context, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1),
            (const char *)sqlite3_column_text(statement, 2),
            (const char *)sqlite3_column_text(statement, 3));
    return step;
}
