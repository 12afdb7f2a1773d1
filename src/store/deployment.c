/*
 * Deployments: their rows, and what the function's row repeats of them. Build logs are in
 * deployment_log.c.
 */
#include "clock.h"
#include "store_private.h"
#include "text.h"

int store_deployment_insert(struct db *db, const struct deployment *deployment, struct error *err)
{
    if (statement_do(db, err, STATEMENT_FUNCTION_LATEST, "tttit", deployment->project_id,
                     deployment->function_id, deployment->id, deployment->created_at,
                     deployment->status ? deployment->status : "") < 0)
        return -1;
    if (db_changes(db) == 0)
        return fail(err, ERROR_FUNCTION_NOT_FOUND, NULL);
    if (entity_insert(db, STATEMENT_DEPLOYMENT_INSERT, ENTITY_DEPLOYMENT, deployment,
                      ERROR_GENERAL_BAD_REQUEST, err) < 0 ||
        usage_now(db, deployment->project_id, deployment->function_id, "deployments", 1, err) < 0)
        return -1;
    return usage_now(db, deployment->project_id, deployment->function_id, "deployments.storage",
                     deployment->source_size, err);
}

static int deployment_find(struct db *db, const char *project_id, const char *function_id,
                           const char *id, struct deployment *ret_deployment, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_DEPLOYMENT_GET, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, function_id);
    bind_text(statement, 3, id);
    return entity_read_one(db, statement, ENTITY_DEPLOYMENT, ret_deployment,
                           ERROR_DEPLOYMENT_NOT_FOUND, err);
}

int store_deployment_get(struct db *db, const char *project_id, const char *function_id,
                         const char *id, bool with_logs, struct deployment *ret_deployment,
                         struct error *err)
{
    struct deployment deployment;

    if (deployment_find(db, project_id, function_id, id, &deployment, err) < 0)
        return -1;
    if (with_logs && deployment_read_logs(db, deployment.seq, &deployment, err) < 0) {
        deployment_release(&deployment);
        return -1;
    }
    *ret_deployment = deployment;
    return 0;
}

int store_deployment_update(struct db *db, const struct deployment *deployment, struct error *err)
{
    auto_deployment struct deployment before = { 0 };

    if (deployment_find(db, deployment->project_id, deployment->function_id, deployment->id,
                        &before, err) < 0 ||
        usage_now(db, before.project_id, before.function_id, "deployments.storage",
                  deployment->source_size - before.source_size, err) < 0)
        return -1;
    if (entity_update(db, STATEMENT_DEPLOYMENT_UPDATE, ENTITY_DEPLOYMENT, deployment,
                      ERROR_DEPLOYMENT_NOT_FOUND, ERROR_GENERAL_BAD_REQUEST, err) < 0)
        return -1;
    return statement_do(db, err, STATEMENT_FUNCTION_LATEST_STATUS, "tt", deployment->project_id,
                        deployment->id);
}

int store_deployment_move(struct db *db, const char *project_id, const char *id,
                          const char *from_status, const char *to_status, struct error *err)
{
    if (statement_do(db, err, STATEMENT_DEPLOYMENT_MOVE, "tttti", project_id, id, from_status,
                     to_status, clock_realtime_us()) < 0)
        return -1;
    if (db_changes(db) == 0)
        return fail(err, ERROR_BUILD_NOT_FOUND, NULL);
    if (text_equals(to_status, "ready") &&
        statement_do(db, err, STATEMENT_RULE_FOLLOW_BRANCH, "tt", project_id, id) < 0)
        return -1;
    return statement_do(db, err, STATEMENT_FUNCTION_LATEST_STATUS, "tt", project_id, id);
}

/* What it had is no longer there. */
static int uncount(struct db *db, const struct deployment *deployment, struct error *err)
{
    const char *project = deployment->project_id, *function = deployment->function_id;

    if (usage_now(db, project, function, "deployments", -1, err) < 0 ||
        usage_now(db, project, function, "deployments.storage", -deployment->source_size, err) < 0)
        return -1;
    return usage_now(db, project, function, "builds.storage", -deployment->build_size, err);
}

int store_deployment_delete(struct db *db, const char *project_id, const char *function_id,
                            const char *id, struct error *err)
{
    auto_deployment struct deployment deployment = { 0 };

    if (deployment_find(db, project_id, function_id, id, &deployment, err) < 0 ||
        uncount(db, &deployment, err) < 0)
        return -1;
    const int64_t seq = deployment.seq;
    if (statement_do(db, err, STATEMENT_LOG_DELETE, "i", seq) < 0 ||
        statement_do(db, err, STATEMENT_DEPLOYMENT_DELETE, "i", seq) < 0 ||
        statement_do(db, err, STATEMENT_FUNCTION_INACTIVE, "ttt", project_id, function_id, id) < 0)
        return -1;
    return statement_do(db, err, STATEMENT_FUNCTION_LATEST_AGAIN, "tt", project_id, function_id);
}

int store_deployment_only_activate(struct db *db, const char *project_id, const char *function_id,
                                   const char *id, struct error *err)
{
    return statement_do(db, err, STATEMENT_DEPLOYMENT_ONLY, "ttt", project_id, function_id, id);
}

int store_deployment_activate(struct db *db, const char *project_id, const char *function_id,
                              const char *id, struct error *err)
{
    auto_deployment struct deployment deployment = { 0 };

    if (deployment_find(db, project_id, function_id, id, &deployment, err) < 0)
        return -1;
    if (!text_equals(deployment.status, "ready"))
        return fail(err, ERROR_BUILD_NOT_READY, NULL);
    if (statement_do(db, err, STATEMENT_FUNCTION_ACTIVE, "tttii", project_id, function_id,
                     deployment.id, deployment.created_at, clock_realtime_us()) < 0)
        return -1;
    return statement_do(db, err, STATEMENT_RULE_FOLLOW, "ttt", project_id, function_id,
                        deployment.id);
}

int store_deployment_each(struct db *db, const char *status, list_row *row, void *context,
                          struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_DEPLOYMENT_EACH, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, status);
    return entity_read_each(db, statement, ENTITY_DEPLOYMENT, row, context, err);
}

int store_deployment_uses(struct db *db, const char *hash, bool *ret_used, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_DEPLOYMENT_USES, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, hash);
    if (statement_step(db, statement, err) < 0)
        return -1;
    *ret_used = sqlite3_column_int(statement, 0) != 0;
    return 0;
}

int store_deployment_each_files(struct db *db, store_files *files, void *context, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_DEPLOYMENT_FILES, err);
    int result = -1;

    while (statement && (result = statement_step(db, statement, err)) > 0)
        files(context, (const char *)sqlite3_column_text(statement, 0),
              (const char *)sqlite3_column_text(statement, 1),
              (const char *)sqlite3_column_text(statement, 2));
    return result;
}
