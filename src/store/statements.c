/*
 * All SQL of the program but the schema (migrations/) and lists (list.c). Columns of entities are
 * never spelled out where the column rows can say them.
 */
#include "store_private.h"

/* clang-format off */
#define SQL(text)               { .form = FORM_SQL, .sql = (text) }
#define SELECT(entity_, text)   { .form = FORM_SELECT, .entity = ENTITY_##entity_, .sql = (text) }
#define INSERT(entity_, text)   { .form = FORM_INSERT, .entity = ENTITY_##entity_, .sql = (text) }
#define UPDATE(entity_)         { .form = FORM_UPDATE, .entity = ENTITY_##entity_, .sql = "" }

/* ?1 a project, ?2 a function of it or null for all */
#define OWNED_FUNCTIONS \
    "(SELECT seq FROM functions WHERE project_id = ?1 AND (?2 IS NULL OR id = ?2))"
#define OWNED "WHERE project_id = ?1 AND (?2 IS NULL OR function_id = ?2)"
/* ?1 the sequence of a deleted function, ?2 how many at once */
#define SWEPT "(SELECT seq FROM executions WHERE function_seq = ?1 ORDER BY seq LIMIT ?2)"
/* ?1 a time, ?2 how many at once; both parts are in the order of the rows */
#define EXPIRED \
    "(SELECT seq FROM executions WHERE seq < ?1 AND status IN ('completed', 'failed')" \
    " ORDER BY seq LIMIT ?2)"

const struct statement_row statement_rows[STATEMENTS] = {
    [STATEMENT_BEGIN]     = SQL("BEGIN IMMEDIATE"),
    [STATEMENT_COMMIT]    = SQL("COMMIT"),
    [STATEMENT_ROLLBACK]  = SQL("ROLLBACK"),
    [STATEMENT_SAVEPOINT] = SQL("SAVEPOINT one"),
    [STATEMENT_RELEASE]   = SQL("RELEASE one"),
    [STATEMENT_UNDO]      = SQL("ROLLBACK TO one"),
    [STATEMENT_PING]      = SQL("SELECT count(*) FROM (SELECT 1 FROM projects LIMIT 1)"),

    [STATEMENT_PROJECT_INSERT] = INSERT(PROJECT, ""),
    [STATEMENT_PROJECT_GET]    = SELECT(PROJECT, "WHERE t.id = ?1"),
    [STATEMENT_PROJECT_EACH]   = SELECT(PROJECT, "ORDER BY t.seq"),
    [STATEMENT_PROJECT_DELETE] = SQL("DELETE FROM projects WHERE id = ?1"),

    [STATEMENT_KEY_INSERT] = INSERT(KEY, ""),
    [STATEMENT_KEY_EACH]   = SELECT(KEY, "WHERE ?1 IS NULL OR t.project_id = ?1 ORDER BY t.seq"),
    [STATEMENT_KEY_DELETE] = SQL(
        "DELETE FROM keys WHERE project_id = ?1 AND (?2 IS NULL OR id = ?2)"),

    [STATEMENT_FUNCTION_INSERT] = INSERT(FUNCTION, ""),
    [STATEMENT_FUNCTION_GET]    = SELECT(FUNCTION, "WHERE t.project_id = ?1 AND t.id = ?2"),
    [STATEMENT_FUNCTION_UPDATE] = UPDATE(FUNCTION),
    [STATEMENT_FUNCTION_EACH]   = SELECT(FUNCTION, "ORDER BY t.seq"),
    [STATEMENT_FUNCTION_ACTIVE] = SQL(
        "UPDATE functions SET deployment_id = ?3, deployment_created_at = ?4, live = 1,"
        " updated_at = ?5"
        " WHERE project_id = ?1 AND id = ?2"),
    [STATEMENT_FUNCTION_INACTIVE] = SQL(
        "UPDATE functions SET deployment_id = '', deployment_created_at = 0"
        " WHERE project_id = ?1 AND id = ?2 AND deployment_id = ?3"),
    [STATEMENT_FUNCTION_LATEST] = SQL(
        "UPDATE functions SET latest_deployment_id = ?3, latest_deployment_created_at = ?4,"
        " latest_deployment_status = ?5 WHERE project_id = ?1 AND id = ?2"),
    [STATEMENT_FUNCTION_LATEST_STATUS] = SQL(
        "UPDATE functions SET latest_deployment_status = (SELECT status FROM deployments"
        "  WHERE project_id = ?1 AND id = ?2)"
        " WHERE project_id = ?1 AND latest_deployment_id = ?2 AND id = (SELECT function_id FROM"
        " deployments"
        "  WHERE project_id = ?1 AND id = ?2)"),
    [STATEMENT_FUNCTION_LATEST_AGAIN] = SQL(
        "UPDATE functions SET (latest_deployment_id, latest_deployment_created_at,"
        " latest_deployment_status) ="
        " (SELECT coalesce(max(d.id), ''), coalesce(max(d.created_at), 0),"
        " coalesce(max(d.status), '')"
        "  FROM deployments AS d WHERE d.seq = (SELECT max(seq) FROM deployments"
        "   WHERE project_id = ?1 AND function_id = ?2))"
        " WHERE project_id = ?1 AND id = ?2"),

    [STATEMENT_OWNED_GARBAGE]   = SQL("INSERT INTO garbage (function_seq) SELECT seq FROM functions"
                                      " WHERE project_id = ?1 AND (?2 IS NULL OR id = ?2)"),
    [STATEMENT_OWNED_SCHEDULES] = SQL(
        "DELETE FROM schedules WHERE function_seq IN " OWNED_FUNCTIONS),
    [STATEMENT_OWNED_VARIABLES] = SQL("DELETE FROM variables " OWNED),
    [STATEMENT_OWNED_DEPLOYMENT_LOGS] = SQL(
        "DELETE FROM deployment_logs WHERE deployment_seq IN"
        " (SELECT seq FROM deployments " OWNED ")"),
    [STATEMENT_OWNED_DEPLOYMENTS] = SQL("DELETE FROM deployments " OWNED),
    [STATEMENT_OWNED_RULES]     = SQL("DELETE FROM rules " OWNED),
    [STATEMENT_OWNED_USAGE]     = SQL("DELETE FROM usage " OWNED),
    [STATEMENT_OWNED_FUNCTIONS] = SQL(
        "DELETE FROM functions WHERE project_id = ?1 AND (?2 IS NULL OR id = ?2)"),

    [STATEMENT_GARBAGE_GET]        = SQL("SELECT function_seq FROM garbage LIMIT 1"),
    [STATEMENT_GARBAGE_LOGS]       = SQL("DELETE FROM execution_logs WHERE seq IN " SWEPT),
    [STATEMENT_GARBAGE_INPUTS]     = SQL("DELETE FROM execution_inputs WHERE seq IN " SWEPT),
    [STATEMENT_GARBAGE_EXECUTIONS] = SQL("DELETE FROM executions WHERE seq IN " SWEPT),
    [STATEMENT_GARBAGE_DONE]       = SQL("DELETE FROM garbage WHERE function_seq = ?1"),

    [STATEMENT_VARIABLE_INSERT] = INSERT(VARIABLE, ""),
    [STATEMENT_VARIABLE_GET] = SELECT(VARIABLE,
        "WHERE t.project_id = ?1 AND t.function_id = ?2 AND t.id = ?3"),
    [STATEMENT_VARIABLE_UPDATE] = UPDATE(VARIABLE),
    [STATEMENT_VARIABLE_DELETE] = SQL(
        "DELETE FROM variables WHERE project_id = ?1 AND function_id = ?2 AND id = ?3"),
    [STATEMENT_VARIABLE_EACH]   = SELECT(VARIABLE, "WHERE t.project_id = ?1 AND t.function_id = ?2"
                                                   " ORDER BY t.seq LIMIT ?3"),

    [STATEMENT_DEPLOYMENT_INSERT] = INSERT(DEPLOYMENT, ""),
    [STATEMENT_DEPLOYMENT_GET]    = SELECT(DEPLOYMENT, "WHERE t.project_id = ?1 AND t.id = ?3"
                                                       " AND (?2 IS NULL OR t.function_id = ?2)"),
    [STATEMENT_DEPLOYMENT_UPDATE] = UPDATE(DEPLOYMENT),
    [STATEMENT_DEPLOYMENT_MOVE]   = SQL("UPDATE deployments SET status = ?4, updated_at = ?5"
                                        " WHERE project_id = ?1 AND id = ?2 AND status = ?3"),
    [STATEMENT_DEPLOYMENT_SEQ] = SQL(
        "SELECT seq FROM deployments WHERE project_id = ?1 AND id = ?2"
                                        " AND (?3 IS NULL OR function_id = ?3)"),
    [STATEMENT_DEPLOYMENT_DELETE] = SQL("DELETE FROM deployments WHERE seq = ?1"),
    [STATEMENT_DEPLOYMENT_ONLY]   = SQL("UPDATE deployments SET activate = 0"
        " WHERE project_id = ?1 AND function_id = ?2 AND id <> ?3 AND activate <> 0"),
    [STATEMENT_DEPLOYMENT_EACH]   = SELECT(DEPLOYMENT, "WHERE t.status = ?1 ORDER BY t.seq"),
    [STATEMENT_DEPLOYMENT_USES]   = SQL("SELECT EXISTS (SELECT 1 FROM deployments"
                                        " WHERE source_hash = ?1 OR output_hash = ?1)"),
    [STATEMENT_DEPLOYMENT_FILES]  = SQL("SELECT id, source_hash, output_hash FROM deployments"),

    [STATEMENT_LOG_READ] = SQL(
        "SELECT text FROM deployment_logs WHERE deployment_seq = ?1 ORDER BY part"),
    [STATEMENT_LOG_ADD]    = SQL("INSERT INTO deployment_logs (deployment_seq, part, bytes, text)"
                                 " SELECT ?1, coalesce(max(part), 0) + 1, ?2, ?3"
                                 " FROM deployment_logs WHERE deployment_seq = ?1"),
    [STATEMENT_LOG_BYTES] = SQL(
        "SELECT coalesce(sum(bytes), 0) FROM deployment_logs WHERE deployment_seq = ?1"),
    [STATEMENT_LOG_MARK] = SQL(
        "INSERT OR REPLACE INTO deployment_logs (deployment_seq, part, bytes, text)"
                                 " VALUES (?1, 0, ?2, ?3)"),
    [STATEMENT_LOG_NEWEST] = SQL("SELECT part, bytes, text FROM deployment_logs"
                                 " WHERE deployment_seq = ?1 AND part > 0 ORDER BY part DESC"),
    [STATEMENT_LOG_CUT]    = SQL("UPDATE deployment_logs SET bytes = ?3, text = ?4"
                                 " WHERE deployment_seq = ?1 AND part = ?2"),
    [STATEMENT_LOG_DROP] = SQL(
        "DELETE FROM deployment_logs WHERE deployment_seq = ?1 AND part > 0 AND part < ?2"),
    [STATEMENT_LOG_DELETE] = SQL("DELETE FROM deployment_logs WHERE deployment_seq = ?1"),

    [STATEMENT_EXECUTION_INSERT] = INSERT(EXECUTION,
        "WHERE EXISTS (SELECT 1 FROM functions WHERE seq = ?2)"),
    [STATEMENT_EXECUTION_GET]    = SELECT(EXECUTION, "WHERE t.seq = ?1 AND t.id = ?2 COLLATE NOCASE"
                                                     " AND f.project_id = ?3 AND f.id = ?4"),
    [STATEMENT_EXECUTION_READ]   = SELECT(EXECUTION, "WHERE t.seq = ?1"),
    [STATEMENT_EXECUTION_CLAIM] = SQL(
        "UPDATE executions SET status = 'processing', updated_at = ?2"
        " WHERE seq = ?1 AND (status = 'waiting' OR status = 'scheduled')"),
    [STATEMENT_EXECUTION_FINISH] = SQL(
        "UPDATE executions SET status = ?2, deployment_id = ?3, response_status = ?4,"
        " response_headers = ?5,"
        " duration = ?6, updated_at = ?7 WHERE seq = ?1"
        " AND (status = 'waiting' OR status = 'scheduled' OR status = 'processing')"),
    [STATEMENT_EXECUTION_DELETE] = SQL("DELETE FROM executions WHERE seq = ?1"),
    [STATEMENT_EXPIRE_LOGS]      = SQL("DELETE FROM execution_logs WHERE seq IN " EXPIRED),
    [STATEMENT_EXPIRE_INPUTS]    = SQL("DELETE FROM execution_inputs WHERE seq IN " EXPIRED),
    [STATEMENT_EXPIRE]           = SQL("DELETE FROM executions WHERE seq IN " EXPIRED),
    [STATEMENT_EXECUTION_LAST]   = SQL("SELECT coalesce(max(seq), 0) FROM executions"),
    [STATEMENT_EXECUTION_WAITING] = SQL(
        "SELECT t.seq, f.project_id, f.id FROM executions AS t JOIN functions AS f ON f.seq ="
        " t.function_seq"
        " WHERE t.status = 'waiting' ORDER BY t.seq"),
    [STATEMENT_EXECUTION_SCHEDULED] = SQL(
        "SELECT t.seq, t.scheduled_at, f.project_id, f.id FROM executions AS t"
        " JOIN functions AS f ON f.seq = t.function_seq WHERE t.status = 'scheduled' ORDER BY"
        " t.scheduled_at, t.seq"),
    [STATEMENT_SETTLE_LOGS] = SQL(
        "INSERT INTO execution_logs (seq, logs, errors) SELECT seq, '', ?1 FROM executions"
        " WHERE status = 'processing' ON CONFLICT (seq) DO UPDATE SET errors = excluded.errors"),
    [STATEMENT_SETTLE_INPUTS] = SQL(
        "DELETE FROM execution_inputs WHERE seq IN (SELECT seq FROM executions WHERE status ="
        " 'processing')"),
    [STATEMENT_SETTLE] = SQL(
        "UPDATE executions SET status = 'failed', response_status = 500, updated_at = ?1"
                             " WHERE status = 'processing'"),
    [STATEMENT_EXECUTION_LOG_ADD] = SQL(
        "INSERT OR REPLACE INTO execution_logs (seq, logs, errors) VALUES (?1, ?2, ?3)"),
    [STATEMENT_EXECUTION_LOG_GET] = SQL(
        "SELECT logs, errors FROM execution_logs WHERE seq = ?1"),
    [STATEMENT_EXECUTION_LOG_DELETE] = SQL("DELETE FROM execution_logs WHERE seq = ?1"),
    [STATEMENT_INPUT_ADD] = SQL(
        "INSERT INTO execution_inputs (seq, headers, body) VALUES (?1, ?2, ?3)"),
    [STATEMENT_INPUT_GET]    = SQL("SELECT headers, body FROM execution_inputs WHERE seq = ?1"),
    [STATEMENT_INPUT_DELETE] = SQL("DELETE FROM execution_inputs WHERE seq = ?1"),

    [STATEMENT_RULE_INSERT] = INSERT(RULE, ""),
    [STATEMENT_RULE_GET]    = SELECT(RULE, "WHERE t.project_id = ?1 AND t.id = ?2"),
    [STATEMENT_RULE_UPDATE] = UPDATE(RULE),
    [STATEMENT_RULE_DELETE] = SQL("DELETE FROM rules WHERE project_id = ?1 AND id = ?2"),
    [STATEMENT_RULE_EACH]   = SELECT(RULE, "ORDER BY t.seq"),
    [STATEMENT_RULE_FOLLOW] = SQL(
        "UPDATE rules SET deployment_id = ?3 WHERE project_id = ?1 AND function_id = ?2"
        " AND type = 'deployment' AND trigger = 'manual' AND branch = ''"),
    [STATEMENT_RULE_FOLLOW_BRANCH] = SQL(
        "UPDATE rules SET deployment_id = ?2 WHERE project_id = ?1 AND type = 'deployment'"
        " AND trigger = 'manual' AND branch <> '' AND (function_id, branch) ="
        " (SELECT function_id, provider_branch FROM deployments"
        " WHERE project_id = ?1 AND id = ?2)"),
    [STATEMENT_RULE_SHOWS] = SQL(
        "SELECT EXISTS (SELECT 1 FROM rules WHERE project_id = ?1 AND deployment_id = ?2"
        " AND type = 'deployment' AND (trigger = 'deployment' OR branch <> ''))"),

    [STATEMENT_USAGE_ADD] = SQL(
        "INSERT INTO usage (project_id, function_id, metric, hour, amount) VALUES (?1, ?2, ?3,"
        " ?4, ?5)"
        " ON CONFLICT (project_id, function_id, metric, hour) DO UPDATE SET amount = amount +"
        " excluded.amount"),
    [STATEMENT_USAGE_COUNT] = SQL( /* ?1 the sequence of a function, which may be gone */
        "INSERT INTO usage (project_id, function_id, metric, hour, amount)"
        " SELECT project_id, id, ?2, ?3, ?4 FROM functions WHERE seq = ?1"
        " ON CONFLICT (project_id, function_id, metric, hour) DO UPDATE SET amount = amount +"
        " excluded.amount"),
    [STATEMENT_USAGE_OLD] = SQL(
        "SELECT EXISTS (SELECT 1 FROM usage WHERE project_id = ?1 AND function_id = ?2"
        " AND hour > 0 AND hour < ?3)"),
    [STATEMENT_USAGE_FOLD] = SQL(
        "INSERT INTO usage (project_id, function_id, metric, hour, amount)"
        " SELECT project_id, function_id, metric, 0, sum(amount) FROM usage"
        " WHERE project_id = ?1 AND function_id = ?2 AND hour > 0 AND hour < ?3 GROUP BY metric"
        " ON CONFLICT (project_id, function_id, metric, hour) DO UPDATE SET amount = amount +"
        " excluded.amount"),
    [STATEMENT_USAGE_FOLDED] = SQL(
        "DELETE FROM usage WHERE project_id = ?1 AND function_id = ?2 AND hour > 0 AND hour < ?3"),
    [STATEMENT_USAGE_EACH] = SQL(
        "SELECT hour, sum(amount) FROM usage WHERE project_id = ?1 AND (?2 IS NULL OR"
        " function_id = ?2)"
        " AND metric = ?3 AND hour >= ?4 AND hour < ?5 GROUP BY hour ORDER BY hour"),
    [STATEMENT_USAGE_TOTAL] = SQL(
        "SELECT coalesce(sum(amount), 0) FROM usage"
        " WHERE project_id = ?1 AND (?2 IS NULL OR function_id = ?2) AND metric = ?3"),
};
/* clang-format on */
