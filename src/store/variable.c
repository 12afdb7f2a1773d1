/* Variables of functions and projects. Sealing of secret values is in secret.c. */
#include "store_private.h"

int store_variable_insert(struct db *db, const struct variable *variable, struct error *err)
{
    return entity_insert(db, STATEMENT_VARIABLE_INSERT, ENTITY_VARIABLE, variable,
                         ERROR_VARIABLE_ALREADY_EXISTS, err);
}

int store_variable_get(struct db *db, const char *project_id, const char *function_id,
                       const char *id, struct variable *ret_variable, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_VARIABLE_GET, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, function_id);
    bind_text(statement, 3, id);
    return entity_read_one(db, statement, ENTITY_VARIABLE, ret_variable, ERROR_VARIABLE_NOT_FOUND,
                           err);
}

int store_variable_update(struct db *db, const struct variable *variable, struct error *err)
{
    return entity_update(db, STATEMENT_VARIABLE_UPDATE, ENTITY_VARIABLE, variable,
                         ERROR_VARIABLE_NOT_FOUND, ERROR_VARIABLE_ALREADY_EXISTS, err);
}

int store_variable_delete(struct db *db, const char *project_id, const char *function_id,
                          const char *id, struct error *err)
{
    if (statement_do(db, err, STATEMENT_VARIABLE_DELETE, "ttt", project_id, function_id, id) < 0)
        return -1;
    return db_changes(db) ? 0 : fail(err, ERROR_VARIABLE_NOT_FOUND, NULL);
}

int store_variable_each(struct db *db, const char *project_id, const char *function_id,
                        list_row *row, void *context, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_VARIABLE_EACH, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, function_id);
    bind_integer(statement, 3, VARIABLES_MAX);
    return entity_read_each(db, statement, ENTITY_VARIABLE, row, context, err);
}
