/*
 * Projects and their keys, and the removal of everything that belongs to a project or a function.
 */
#include "store_private.h"

int store_project_insert(struct db *db, const struct project *project, struct error *err)
{
    return entity_insert(db, STATEMENT_PROJECT_INSERT, ENTITY_PROJECT, project,
                         ERROR_GENERAL_BAD_REQUEST, err);
}

int store_project_get(struct db *db, const char *id, struct project *ret_project, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_PROJECT_GET, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, id);
    return entity_read_one(db, statement, ENTITY_PROJECT, ret_project, ERROR_PROJECT_NOT_FOUND,
                           err);
}

int store_project_each(struct db *db, list_row *row, void *context, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_PROJECT_EACH, err);

    return statement ? entity_read_each(db, statement, ENTITY_PROJECT, row, context, err) : -1;
}

int store_project_delete(struct db *db, const char *id, struct error *err)
{
    if (owned_delete(db, id, NULL, err) < 0 ||
        statement_do(db, err, STATEMENT_KEY_DELETE, "tt", id, NULL) < 0 ||
        statement_do(db, err, STATEMENT_PROJECT_DELETE, "t", id) < 0)
        return -1;
    return db_changes(db) ? 0 : fail(err, ERROR_PROJECT_NOT_FOUND, NULL);
}

int owned_delete(struct db *db, const char *project_id, const char *function_id, struct error *err)
{
    static const enum statement statements[] = {
        STATEMENT_OWNED_GARBAGE,         STATEMENT_OWNED_SCHEDULES,   STATEMENT_OWNED_VARIABLES,
        STATEMENT_OWNED_DEPLOYMENT_LOGS, STATEMENT_OWNED_DEPLOYMENTS, STATEMENT_OWNED_RULES,
        STATEMENT_OWNED_USAGE,           STATEMENT_OWNED_FUNCTIONS,
    };

    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        if (statement_do(db, err, statements[i], "tt", project_id, function_id) < 0)
            return -1;
    }
    return 0;
}

int store_key_insert(struct db *db, const struct key *key, struct error *err)
{
    return entity_insert(db, STATEMENT_KEY_INSERT, ENTITY_KEY, key, ERROR_GENERAL_BAD_REQUEST, err);
}

int store_key_delete(struct db *db, const char *project_id, const char *id, struct error *err)
{
    if (statement_do(db, err, STATEMENT_KEY_DELETE, "tt", project_id, id) < 0)
        return -1;
    return db_changes(db)
               ? 0
               : fail(err, ERROR_GENERAL_BAD_REQUEST, "Key '%s' could not be found.", id);
}

int store_key_each(struct db *db, const char *project_id, list_row *row, void *context,
                   struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_KEY_EACH, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    return entity_read_each(db, statement, ENTITY_KEY, row, context, err);
}
