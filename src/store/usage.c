/* Usage: amounts per project, function, metric and hour. */
#include "store_private.h"

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
