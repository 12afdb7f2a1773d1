/* Rules: domains and what answers on them. */
#include "store_private.h"

int store_rule_insert(struct db *db, const struct rule *rule, struct error *err)
{
    return entity_insert(db, STATEMENT_RULE_INSERT, ENTITY_RULE, rule, ERROR_RULE_ALREADY_EXISTS,
                         err);
}

int store_rule_get(struct db *db, const char *project_id, const char *id, struct rule *ret_rule,
                   struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_RULE_GET, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, id);
    return entity_read_one(db, statement, ENTITY_RULE, ret_rule, ERROR_RULE_NOT_FOUND, err);
}

int store_rule_update(struct db *db, const struct rule *rule, struct error *err)
{
    return entity_update(db, STATEMENT_RULE_UPDATE, ENTITY_RULE, rule, ERROR_RULE_NOT_FOUND,
                         ERROR_RULE_ALREADY_EXISTS, err);
}

int store_rule_delete(struct db *db, const char *project_id, const char *id, struct error *err)
{
    if (statement_do(db, err, STATEMENT_RULE_DELETE, "tt", project_id, id) < 0)
        return -1;
    return db_changes(db) ? 0 : fail(err, ERROR_RULE_NOT_FOUND, NULL);
}

int store_rule_each(struct db *db, list_row *row, void *context, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_RULE_EACH, err);

    return statement ? entity_read_each(db, statement, ENTITY_RULE, row, context, err) : -1;
}

int store_rule_shows(struct db *db, const char *project_id, const char *deployment_id,
                     bool *ret_shown, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_RULE_SHOWS, err);

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, deployment_id);
    if (statement_step(db, statement, err) < 0)
        return -1;
    *ret_shown = sqlite3_column_int(statement, 0) != 0;
    return 0;
}
