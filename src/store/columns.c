/*
 * The columns of every entity: one row is what SQL, the struct and the public lists know of a
 * column.
 *
 * A new column is a row here, a field in entities.h and a migration. The name in SQL is the
 * field's. Selects, inserts, updates, reading, binding and store_columns() are made from these rows
 * (entity.c).
 */
#include <pthread.h>

#include "mem.h"
#include "store_private.h"

/* clang-format off */
#define COLUMN(entity, field, kind_, flags_, attribute_) \
    { .name = #field, .kind = (kind_), .flags = (flags_), .attribute = (attribute_), \
      .offset = offsetof(struct entity, field) }
#define TEXT(entity, field, flags_, attribute_) \
    COLUMN(entity, field, COLUMN_TEXT, flags_, attribute_)
#define LIST(entity, field, flags_, attribute_) \
    COLUMN(entity, field, COLUMN_LIST, flags_, attribute_)
#define INTEGER(entity, field, flags_, attribute_) \
    COLUMN(entity, field, COLUMN_INTEGER, flags_, attribute_)
#define BOOLEAN(entity, field, flags_, attribute_) \
    COLUMN(entity, field, COLUMN_BOOLEAN, flags_, attribute_)
#define DATE(entity, field, flags_, attribute_) \
    COLUMN(entity, field, COLUMN_DATE, flags_, attribute_)
#define REAL(entity, field, flags_, attribute_) \
    COLUMN(entity, field, COLUMN_REAL, flags_, attribute_)
#define COMPUTED(entity, field, kind_, expression_) \
    { .name = #field, .kind = (kind_), .flags = COLUMN_COMPUTED, .expression = (expression_), \
      .offset = offsetof(struct entity, field) }
#define FILTER(expression_, kind_, attribute_) \
    { .expression = (expression_), .kind = (kind_), .flags = COLUMN_FILTER, \
      .attribute = (attribute_) }

#define DATES(entity) \
    DATE(entity, created_at, COLUMN_FIXED, "$createdAt"), \
    DATE(entity, updated_at, 0, "$updatedAt")

static const struct column project_columns[] = {
    INTEGER(project, seq, COLUMN_SERIAL, NULL),
    TEXT(project, id, COLUMN_KEY | COLUMN_FIXED, NULL),
    TEXT(project, name, 0, NULL),
    DATES(project),
};

static const struct column key_columns[] = {
    INTEGER(key, seq, COLUMN_SERIAL, NULL),
    TEXT(key, project_id, COLUMN_KEY | COLUMN_FIXED, NULL),
    TEXT(key, id, COLUMN_KEY | COLUMN_FIXED, NULL),
    TEXT(key, name, 0, NULL),
    TEXT(key, hash, 0, NULL),
    LIST(key, scopes, 0, NULL),
    DATES(key),
    DATE(key, expires_at, 0, NULL),
};

static const struct column function_columns[] = {
    INTEGER(function, seq, COLUMN_SERIAL, "$sequence"),
    TEXT(function, project_id, COLUMN_KEY | COLUMN_FIXED, NULL),
    TEXT(function, id, COLUMN_KEY | COLUMN_FIXED, "$id"),
    TEXT(function, name, 0, "name"),
    TEXT(function, runtime, 0, "runtime"),
    LIST(function, execute, 0, NULL),
    LIST(function, events, 0, NULL),
    TEXT(function, schedule, 0, "schedule"),
    INTEGER(function, timeout, 0, "timeout"),
    BOOLEAN(function, enabled, 0, "enabled"),
    BOOLEAN(function, logging, 0, NULL),
    BOOLEAN(function, live, 0, NULL),
    TEXT(function, entrypoint, 0, "entrypoint"),
    TEXT(function, commands, 0, "commands"),
    LIST(function, scopes, 0, NULL),
    TEXT(function, version, 0, NULL),
    TEXT(function, installation_id, 0, "installationId"),
    TEXT(function, provider_repository_id, 0, NULL),
    TEXT(function, provider_branch, 0, NULL),
    TEXT(function, provider_root_directory, 0, NULL),
    BOOLEAN(function, provider_silent_mode, 0, NULL),
    LIST(function, provider_branches, 0, NULL),
    LIST(function, provider_paths, 0, NULL),
    TEXT(function, build_specification, 0, NULL),
    TEXT(function, runtime_specification, 0, NULL),
    INTEGER(function, deployment_retention, 0, NULL),
    TEXT(function, deployment_id, COLUMN_FIXED, "deploymentId"),
    DATE(function, deployment_created_at, COLUMN_FIXED, NULL),
    TEXT(function, latest_deployment_id, COLUMN_FIXED, NULL),
    DATE(function, latest_deployment_created_at, COLUMN_FIXED, NULL),
    TEXT(function, latest_deployment_status, COLUMN_FIXED, NULL),
    DATES(function),
};

static const struct column variable_columns[] = {
    INTEGER(variable, seq, COLUMN_SERIAL, "$sequence"),
    TEXT(variable, project_id, COLUMN_KEY | COLUMN_FIXED, NULL),
    TEXT(variable, function_id, COLUMN_FIXED, "resourceId"),
    TEXT(variable, id, COLUMN_KEY | COLUMN_FIXED, "$id"),
    TEXT(variable, key, 0, "key"),
    BOOLEAN(variable, secret, 0, "secret"),
    /* after the columns that it is sealed with */
    TEXT(variable, value, COLUMN_SEALED, NULL),
    FILTER("CASE t.function_id WHEN '' THEN 'project' ELSE 'function' END", COLUMN_TEXT,
           "resourceType"),
    DATES(variable),
};

static const struct column deployment_columns[] = {
    INTEGER(deployment, seq, COLUMN_SERIAL, "$sequence"),
    TEXT(deployment, project_id, COLUMN_KEY | COLUMN_FIXED, NULL),
    TEXT(deployment, function_id, COLUMN_FIXED, NULL),
    TEXT(deployment, id, COLUMN_KEY | COLUMN_FIXED, "$id"),
    TEXT(deployment, type, 0, "type"),
    TEXT(deployment, status, COLUMN_FINAL, "status"),
    TEXT(deployment, entrypoint, 0, NULL),
    TEXT(deployment, commands, 0, NULL),
    BOOLEAN(deployment, activate, 0, "activate"),
    TEXT(deployment, source_hash, 0, NULL),
    INTEGER(deployment, source_size, 0, "sourceSize"),
    INTEGER(deployment, build_size, 0, "buildSize"),
    FILTER("t.source_size + t.build_size", COLUMN_INTEGER, "totalSize"),
    TEXT(deployment, output_hash, 0, NULL),
    TEXT(deployment, build_logs, COLUMN_APART, NULL),
    INTEGER(deployment, build_duration, 0, "buildDuration"),
    DATE(deployment, build_started_at, 0, NULL),
    INTEGER(deployment, build_attempts, 0, NULL),
    TEXT(deployment, runtime, 0, NULL),
    TEXT(deployment, provider_repository_name, 0, NULL),
    TEXT(deployment, provider_repository_owner, 0, NULL),
    TEXT(deployment, provider_repository_url, 0, NULL),
    TEXT(deployment, provider_branch, 0, NULL),
    TEXT(deployment, provider_branch_url, 0, NULL),
    TEXT(deployment, provider_commit_hash, 0, NULL),
    TEXT(deployment, provider_commit_author, 0, NULL),
    TEXT(deployment, provider_commit_author_url, 0, NULL),
    TEXT(deployment, provider_commit_message, 0, NULL),
    TEXT(deployment, provider_commit_url, 0, NULL),
    TEXT(deployment, provider_root_directory, 0, NULL),
    INTEGER(deployment, upload_size, 0, NULL),
    TEXT(deployment, upload_ranges, 0, NULL),
    TEXT(deployment, source_url, 0, NULL),
    TEXT(deployment, source_range, 0, NULL),
    DATES(deployment),
};

static const struct column execution_columns[] = {
    INTEGER(execution, seq, COLUMN_KEY | COLUMN_FIXED, "$sequence"),
    FILTER("t.seq", COLUMN_DATE, "$createdAt"),
    INTEGER(execution, function_seq, COLUMN_FIXED, NULL),
    TEXT(execution, id, COLUMN_INLINE | COLUMN_FIXED, "$id"),
    COMPUTED(execution, project_id, COLUMN_TEXT, "f.project_id"),
    COMPUTED(execution, function_id, COLUMN_TEXT, "f.id"),
    TEXT(execution, deployment_id, 0, "deploymentId"),
    TEXT(execution, user_id, 0, NULL),
    TEXT(execution, trigger, 0, "trigger"),
    TEXT(execution, status, COLUMN_UNUSUAL, "status"),
    TEXT(execution, request_method, 0, "requestMethod"),
    TEXT(execution, request_path, 0, "requestPath"),
    LIST(execution, request_headers, 0, NULL),
    INTEGER(execution, response_status, 0, "responseStatusCode"),
    LIST(execution, response_headers, 0, NULL),
    TEXT(execution, logs, COLUMN_APART, NULL),
    TEXT(execution, errors, COLUMN_APART, NULL),
    REAL(execution, duration, 0, "duration"),
    DATE(execution, scheduled_at, 0, NULL),
    DATE(execution, updated_at, 0, "$updatedAt"),
    TEXT(execution, input_headers, COLUMN_APART, NULL),
    TEXT(execution, input_body, COLUMN_APART, NULL),
};

static const struct column rule_columns[] = {
    INTEGER(rule, seq, COLUMN_SERIAL, "$sequence"),
    TEXT(rule, project_id, COLUMN_KEY | COLUMN_FIXED, NULL),
    TEXT(rule, id, COLUMN_KEY | COLUMN_FIXED, "$id"),
    TEXT(rule, domain, 0, "domain"),
    TEXT(rule, type, 0, "type"),
    TEXT(rule, trigger, 0, "trigger"),
    FILTER("CASE t.function_id WHEN '' THEN '' ELSE 'function' END", COLUMN_TEXT,
           "deploymentResourceType"),
    TEXT(rule, function_id, 0, "deploymentResourceId"),
    TEXT(rule, deployment_id, COLUMN_NULLABLE, "deploymentId"),
    TEXT(rule, branch, 0, "deploymentVcsProviderBranch"),
    TEXT(rule, redirect_url, 0, NULL),
    INTEGER(rule, redirect_status, 0, NULL),
    TEXT(rule, status, 0, NULL),
    DATES(rule),
};

#define ENTITY(name, table_, from_, noun_) \
    { .table = (table_), .from = (from_), .noun = (noun_), .bytes = sizeof(struct name), \
      .columns = name##_columns, .column_count = COUNT(name##_columns) }

const struct entity entities[ENTITIES] = {
    [ENTITY_PROJECT] = ENTITY(project, "projects", "projects AS t", "Project"),
    [ENTITY_KEY] = ENTITY(key, "keys", "keys AS t", "Key"),
    [ENTITY_FUNCTION] = ENTITY(function, "functions", "functions AS t", "Function"),
    [ENTITY_VARIABLE] = ENTITY(variable, "variables", "variables AS t", "Variable"),
    [ENTITY_DEPLOYMENT] = ENTITY(deployment, "deployments", "deployments AS t", "Deployment"),
    [ENTITY_EXECUTION] = ENTITY(execution, "executions",
                                "executions AS t JOIN functions AS f ON f.seq = t.function_seq",
                                "Execution"),
    [ENTITY_RULE] = ENTITY(rule, "rules", "rules AS t", "Rule"),
};
/* clang-format on */

static const enum entity_type list_types[LIST_ENTITIES] = {
    [LIST_FUNCTIONS] = ENTITY_FUNCTION,   [LIST_DEPLOYMENTS] = ENTITY_DEPLOYMENT,
    [LIST_EXECUTIONS] = ENTITY_EXECUTION, [LIST_VARIABLES] = ENTITY_VARIABLE,
    [LIST_RULES] = ENTITY_RULE,
};

/* The public view, made once from the rows above. */
enum { LIST_COLUMNS_MAX = 24 };
static struct list_column list_columns[LIST_ENTITIES][LIST_COLUMNS_MAX + 1];
static const struct column *list_sources[LIST_ENTITIES][LIST_COLUMNS_MAX];
static pthread_once_t list_once = PTHREAD_ONCE_INIT;

static void list_columns_fill(void)
{
    for (size_t list = 0; list < LIST_ENTITIES; list++) {
        const struct entity *entity = &entities[list_types[list]];
        size_t count = 0;

        for (size_t i = 0; i < entity->column_count; i++) {
            const struct column *column = &entity->columns[i];

            if (!column->attribute || count == LIST_COLUMNS_MAX)
                continue;
            list_sources[list][count] = column;
            list_columns[list][count++] = (struct list_column){
                .attribute = column->attribute,
                .kind = column->kind,
                .nullable = (column->flags & COLUMN_NULLABLE) != 0,
            };
        }
    }
}

const struct list_column *store_columns(enum list_entity entity)
{
    pthread_once(&list_once, list_columns_fill);
    return list_columns[entity];
}

const struct column *list_column_at(enum list_entity entity, int index)
{
    pthread_once(&list_once, list_columns_fill);
    return index < 0 || index >= LIST_COLUMNS_MAX ? NULL : list_sources[entity][index];
}

enum entity_type list_entity_type(enum list_entity entity)
{
    return list_types[entity];
}
