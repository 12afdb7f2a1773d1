/*
 * Usage: amounts per project, function, metric and hour.
 *
 * Executions are many: their amounts are summed up in memory by function and written about once a
 * second, with whatever is committed then. Hour 0 holds the sum of hours that are too old to be
 * shown.
 */
#include "clock.h"
#include "mem.h"
#include "store_private.h"
#include "text.h"

static const int64_t hour_us = 3600000000;

int store_usage_add(struct db *db, const char *project_id, const char *function_id,
                    const char *metric, int64_t hour, int64_t amount, struct error *err)
{
    return statement_do(db, err, STATEMENT_USAGE_ADD, "tttii", project_id, function_id, metric,
                        hour, amount);
}

int store_usage_each(struct db *db, const char *project_id, const char *function_id,
                     const char *metric, int64_t from_hour, int64_t to_hour, usage_row *row,
                     void *context, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_USAGE_EACH, err);
    int step;

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, function_id);
    bind_text(statement, 3, metric);
    bind_integer(statement, 4, from_hour);
    bind_integer(statement, 5, to_hour);
    while ((step = statement_step(db, statement, err)) > 0)
        row(context, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1));
    return step;
}

int store_usage_total(struct db *db, const char *project_id, const char *function_id,
                      const char *metric, int64_t *ret_total, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_USAGE_TOTAL, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, function_id);
    bind_text(statement, 3, metric);
    if (statement_step(db, statement, err) < 0)
        return -1;
    *ret_total = sqlite3_column_int64(statement, 0);
    return 0;
}

int store_usage_is_old(struct db *db, const char *project_id, const char *function_id,
                       int64_t before_hour, bool *ret_old, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_USAGE_OLD, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, function_id);
    bind_integer(statement, 3, before_hour);
    if (statement_step(db, statement, err) < 0)
        return -1;
    *ret_old = sqlite3_column_int(statement, 0) != 0;
    return 0;
}

int store_usage_fold(struct db *db, const char *project_id, const char *function_id,
                     int64_t before_hour, struct error *err)
{
    if (statement_do(db, err, STATEMENT_USAGE_FOLD, "tti", project_id, function_id, before_hour) <
        0)
        return -1;
    return statement_do(db, err, STATEMENT_USAGE_FOLDED, "tti", project_id, function_id,
                        before_hour);
}

int usage_now(struct db *db, const char *project_id, const char *function_id, const char *metric,
              int64_t amount, struct error *err)
{
    return amount == 0 ? 0
                       : store_usage_add(db, project_id, function_id, metric,
                                         clock_realtime_us() / hour_us, amount, err);
}

/* ---- executions ------------------------------------------------------------------------------ */

static struct usage_of_function *row_of(struct usage_gathered *usage,
                                        const struct execution *execution)
{
    int64_t hour = execution->updated_at / hour_us;

    for (size_t i = usage->count; i-- > 0;)
        if (usage->rows[i].function_seq == execution->function_seq && usage->rows[i].hour == hour)
            return &usage->rows[i];
    if (usage->count == USAGE_FUNCTIONS)
        return NULL;
    if (usage->count == 0)
        usage->since_us = clock_monotonic_us();
    struct usage_of_function *row = &usage->rows[usage->count++];
    *row = (struct usage_of_function){ .function_seq = execution->function_seq, .hour = hour };
    return row;
}

int usage_count(struct db *db, const struct execution *execution, struct error *err)
{
    struct usage_of_function *row;

    if (!db->usage)
        return 0;
    row = row_of(db->usage, execution);
    if (!row) {
        if (usage_write(db, err) < 0)
            return -1;
        usage_clear(db);
        row = row_of(db->usage, execution);
    }
    row->executions++;
    row->failed += text_equals(execution->status, "failed") ? 1 : 0;
    row->compute_us += (int64_t)(execution->duration * 1e6);
    row->mb_seconds += execution->duration * (double)execution->mb_milli / 1000;
    return 0;
}

static int row_write(struct db *db, const struct usage_of_function *row, struct error *err)
{
    const struct {
        const char *metric;
        int64_t amount;
    } amounts[] = {
        { "executions", row->executions },
        { "executions.failed", row->failed },
        { "executions.compute", row->compute_us / 1000 },
        { "executions.mbSeconds", (int64_t)row->mb_seconds },
    };

    for (size_t i = 0; i < COUNT(amounts); i++)
        if (amounts[i].amount != 0 &&
            statement_do(db, err, STATEMENT_USAGE_COUNT, "itii", row->function_seq,
                         amounts[i].metric, row->hour, amounts[i].amount) < 0)
            return -1;
    return 0;
}

int usage_write(struct db *db, struct error *err)
{
    for (size_t i = 0; i < db->usage->count; i++)
        if (row_write(db, &db->usage->rows[i], err) < 0)
            return -1;
    return 0;
}

void usage_clear(struct db *db)
{
    db->usage->count = 0;
}
