/*
 * Response formats: one row a change, newest first. Requests are upgraded oldest first, answers
 * downgraded newest first, so both tables read as the history of the API. A format below a row's
 * version gets the row.
 *
 * Source of the rows: appwrite src/Appwrite/Utopia/{Request,Response}/Filters/V*.php.
 */
#include "versions.h"

#include <stdlib.h>
#include <string.h>

#include "api_version.h"
#include "arena.h"
#include "endpoint.h"
#include "health.h"
#include "mem.h"
#include "models/models.h"
#include "text.h"

/* ---- version numbers ------------------------------------------------------------------------- */

enum { PARTS = 3, PART_BITS = 16, PART_MAX = 65533 };

uint64_t format_number(const char *text)
{
    uint64_t number = 0;
    size_t part = 0;

    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    for (; part < PARTS; part++) {
        uint64_t value = 0;

        for (; *text >= '0' && *text <= '9'; text++)
            value = value > PART_MAX ? PART_MAX : value * 10 + (uint64_t)(*text - '0');
        number = number << PART_BITS | ((value > PART_MAX ? PART_MAX : value) + 1);
        if (text[0] != '.' || text[1] < '0' || text[1] > '9') {
            part++;
            break;
        }
        text++;
    }
    bool is_release = *text == '\0' || *text == '.';
    number <<= PART_BITS * (PARTS - part);     /* a missing part is lower than 0 */
    return number << 1 | (is_release ? 1 : 0); /* 1.4.0-rc1 is below 1.4.0 */
}

bool format_is_too_new(uint64_t format)
{
    return format != FORMAT_NEWEST && format > format_number(api_version);
}

/* ---- requests -------------------------------------------------------------------------------- */

enum upgrade_kind {
    DROP,    /* name */
    MOVE,    /* name becomes to, if it was sent and is not "" */
    COPY,    /* name is also to */
    DEFAULT, /* name := the text `to` if absent */
    FALSE,   /* name := false */
    OWN      /* change() */
};

struct upgrade {
    const char *below, *operation;
    enum upgrade_kind kind;
    const char *name, *to;
    void (*change)(json_t *input);
};

/* Before 1.4 there were no commands: the runtime's usual ones took their place. */
static void commands_by_runtime(json_t *input)
{
    static const struct {
        const char *prefix, *commands;
    } rows[] = {
        { "node", "npm install" },
        { "python", "pip install --no-cache-dir -r requirements.txt" },
        { "dart", "dart pub get" },
        { "php", "composer update --no-interaction --ignore-platform-reqs --optimize-autoloader "
                 "--prefer-dist --no-dev" },
        { "ruby", "bundle install" },
        { "swift", "swift package resolve" },
        { "dotnet", "dotnet restore" },
    };
    const char *runtime = json_string_value(json_object_get(input, "runtime"));
    const char *commands = "";

    for (size_t i = 0; runtime != NULL && i < COUNT(rows); i++)
        if (text_starts(runtime, rows[i].prefix))
            commands = rows[i].commands;
    json_object_set_new(input, "commands", json_string(commands));
}

/* What was once always a tag. */
static void tag_by_version(json_t *input)
{
    json_t *version = json_object_get(input, "version");

    if (json_is_string(version) && json_string_length(version) > 0) {
        json_object_set_new(input, "type", json_string("tag"));
        json_object_set(input, "reference", version);
    }
    json_object_del(input, "version");
}

static void add_query(json_t *queries, const char *method, const char *text, bool is_number)
{
    int64_t number;
    json_t *value = NULL;
    json_auto_t *query = json_pack("{s:s}", "method", method);

    if (text != NULL) {
        bool is_integer = is_number && text_to_int(text, &number) == 0;
        value = is_integer ? json_integer(number) : json_string(text);
        json_object_set_new(query, "values", json_pack("[o]", value));
    }
    auto_free char *line = json_dumps(query, JSON_COMPACT);
    if (line != NULL)
        json_array_append_new(queries, json_string(line));
}

/* Before 1.0 there were no queries: a list's page was told by parameters of its own. */
static void page_by_parameters(json_t *input)
{
    static const char *const names[] = { "limit", "offset", "orderType", "cursor",
                                         "cursorDirection" };
    const char *given[COUNT(names)];

    if (json_object_get(input, "queries") != NULL)
        return;
    json_t *queries = json_array();
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *text = json_string_value(json_object_get(input, names[i]));
        given[i] = text_is_empty(text) ? NULL : text;
    }
    if (given[0] != NULL)
        add_query(queries, "limit", given[0], true);
    if (given[1] != NULL)
        add_query(queries, "offset", given[1], true);
    if (given[2] != NULL)
        add_query(queries, text_equals_nocase(given[2], "DESC") ? "orderDesc" : "orderAsc", NULL,
                  false);
    if (given[3] != NULL)
        add_query(queries, text_equals(given[4], "before") ? "cursorBefore" : "cursorAfter",
                  given[3], false);
    json_object_set_new(input, "queries", queries);
}

static const struct upgrade upgrades[] = {
    { "1.9.4", "functions.createVariable", DEFAULT, "variableId", "unique()" },
    { "1.9.0", "project.createVariable", DEFAULT, "variableId", "unique()" },
    { "1.9.0", "functions.create", COPY, "specification", "buildSpecification" },
    { "1.9.0", "functions.create", MOVE, "specification", "runtimeSpecification" },
    { "1.9.0", "functions.update", COPY, "specification", "buildSpecification" },
    { "1.9.0", "functions.update", MOVE, "specification", "runtimeSpecification" },
    { "1.9.0", "functions.createTemplateDeployment", OWN, .change = tag_by_version },
    { "1.7.0", "functions.createVariable", FALSE, "secret" },
    { "1.7.0", "project.createVariable", FALSE, "secret" },
    /*
     * Upstream sets false here too, which makes every old client's update of a secret variable
     * fail.
     */
    { "1.7.0", "functions.updateVariable", DROP, "secret" },
    { "1.7.0", "project.updateVariable", DROP, "secret" },
    { "1.4.0", "functions.create", OWN, "commands", .change = commands_by_runtime },
    { "1.4.0", "functions.update", OWN, "commands", .change = commands_by_runtime },
    { "1.4.0", "functions.createExecution", MOVE, "data", "body" },
    { "1.0.0", "functions.list", OWN, .change = page_by_parameters },
    { "1.0.0", "functions.listDeployments", OWN, .change = page_by_parameters },
    { "1.0.0", "functions.listExecutions", OWN, .change = page_by_parameters },
};

static void upgrade(const struct upgrade *row, json_t *input)
{
    json_t *value = row->name == NULL ? NULL : json_object_get(input, row->name);
    bool is_set = value != NULL && !json_is_null(value) &&
                  !(json_is_string(value) && json_string_length(value) == 0);

    switch (row->kind) {
    case COPY:
    case MOVE:
        if (is_set)
            json_object_set(input, row->to, value);
        if (row->kind == MOVE)
            json_object_del(input, row->name);
        return;
    case DROP:
        json_object_del(input, row->name);
        return;
    case DEFAULT:
        if (value == NULL || json_is_null(value))
            json_object_set_new(input, row->name, json_string(row->to));
        return;
    case FALSE:
        json_object_set_new(input, row->name, json_false());
        return;
    case OWN:
        row->change(input);
        return;
    }
}

void versions_upgrade(uint64_t format, const char *operation, json_t *input)
{
    if (format == FORMAT_NEWEST)
        return;
    for (size_t i = COUNT(upgrades); i-- > 0;)
        if (strcmp(upgrades[i].operation, operation) == 0 &&
            format < format_number(upgrades[i].below))
            upgrade(&upgrades[i], input);
}

struct sent_input versions_input(uint64_t format, const char *operation, const struct param *param)
{
    struct sent_input form = { param->name, param->optional };

    for (size_t i = 0; i < COUNT(upgrades); i++) {
        const struct upgrade *row = &upgrades[i];
        if (format >= format_number(row->below) || strcmp(row->operation, operation) != 0)
            continue;
        bool is_name = text_equals(row->name, form.name),
             is_target = text_equals(row->to, form.name),
             is_set = row->kind == DROP || row->kind == FALSE || row->kind == OWN;
        if (row->kind == MOVE && is_target)
            form.name = row->name;
        else if (row->kind == COPY ? is_target : is_set && is_name)
            form.name = NULL;
        else if (row->kind == DEFAULT && is_name)
            form.is_optional = true;
        if (form.name == NULL)
            break;
    }
    return form;
}

static const struct {
    const char *below, *operation, *from, *to;
} attributes[] = {
    { "1.7.0", "functions.list", "deployment", "deploymentId" },
    { "1.7.0", "functions.listDeployments", "size", "sourceSize" },
    { "1.7.0", "functions.listDeployments", "buildTime", "buildDuration" },
    { "1.7.0", "proxy.listRules", "resourceType", "deploymentResourceType" },
    { "1.7.0", "proxy.listRules", "resourceId", "deploymentResourceId" },
};

const char *versions_attribute(uint64_t format, const char *operation, const char *attribute)
{
    for (size_t i = 0; i < COUNT(attributes); i++)
        if (format < format_number(attributes[i].below) &&
            strcmp(attributes[i].operation, operation) == 0 &&
            strcmp(attributes[i].from, attribute) == 0)
            return attributes[i].to;
    return attribute;
}

const char *versions_old_input(const char *operation, size_t *position)
{
    while (*position < COUNT(upgrades)) {
        const struct upgrade *row = &upgrades[(*position)++];
        bool is_old = row->kind == MOVE || row->kind == COPY;
        if (is_old && strcmp(row->operation, operation) == 0)
            return row->name;
    }
    return NULL;
}

bool versions_fills_in(const char *operation, const char *name)
{
    for (size_t i = 0; i < COUNT(upgrades); i++)
        if (upgrades[i].kind == DEFAULT && strcmp(upgrades[i].operation, operation) == 0 &&
            strcmp(upgrades[i].name, name) == 0)
            return true;
    return false;
}

/* ---- answers --------------------------------------------------------------------------------- */

enum downgrade_kind { REMOVE, RENAME, ADD, REPLACE };

struct downgrade {
    const char *below;
    const struct model *model;
    enum downgrade_kind kind;
    const char *name, *to;
    const struct field *field; /* ADD, REPLACE */
    bool single;               /* not in lists */
};

static const struct field empty_build_stderr = F_CONSTANT("buildStderr", "", .text = "");

static const struct downgrade downgrades[] = {
    { "2.0.0", &model_execution, RENAME, "resourceId", "functionId" },
    { "2.0.0", &model_execution, REMOVE, "resourceType" },
    { "2.0.0", &model_rule, REPLACE, "deploymentResourceType",
      .field = &field_rule_resource_type_text },
    { "1.9.0", &model_function, RENAME, "buildSpecification", "specification" },
    { "1.9.0", &model_function, REMOVE, "runtimeSpecification" },
    { "1.7.0", &model_function, RENAME, "deploymentId", "deployment" },
    { "1.7.0", &model_function, REMOVE, "deploymentCreatedAt" },
    { "1.7.0", &model_function, REMOVE, "latestDeploymentId" },
    { "1.7.0", &model_function, REMOVE, "latestDeploymentCreatedAt" },
    { "1.7.0", &model_function, REMOVE, "latestDeploymentStatus" },
    { "1.7.0", &model_deployment, RENAME, "sourceSize", "size" },
    { "1.7.0", &model_deployment, RENAME, "buildDuration", "buildTime" },
    { "1.7.0", &model_deployment, REMOVE, "totalSize" },
    { "1.7.0", &model_deployment, REMOVE, "screenshotLight" },
    { "1.7.0", &model_deployment, REMOVE, "screenshotDark" },
    { "1.7.0", &model_variable, REMOVE, "secret" },
    { "1.7.0", &model_template_variable, REMOVE, "secret" },
    { "1.7.0", &model_usage_functions, REMOVE, "buildsSuccessTotal" },
    { "1.7.0", &model_usage_functions, REMOVE, "buildsFailedTotal" },
    { "1.7.0", &model_usage_functions, REMOVE, "buildsSuccess" },
    { "1.7.0", &model_usage_functions, REMOVE, "buildsFailed" },
    { "1.7.0", &model_usage_function, REMOVE, "buildsSuccessTotal" },
    { "1.7.0", &model_usage_function, REMOVE, "buildsFailedTotal" },
    { "1.7.0", &model_usage_function, REMOVE, "buildsSuccess" },
    { "1.7.0", &model_usage_function, REMOVE, "buildsFailed" },
    { "1.7.0", &model_usage_function, REMOVE, "buildsTimeAverage" },
    { "1.7.0", &model_rule, RENAME, "deploymentResourceType", "resourceType" },
    { "1.7.0", &model_rule, RENAME, "deploymentResourceId", "resourceId" },
    { "1.7.0", &model_rule, REMOVE, "type" },
    { "1.7.0", &model_rule, REMOVE, "trigger" },
    { "1.7.0", &model_rule, REMOVE, "redirectStatusCode" },
    { "1.7.0", &model_rule, REMOVE, "deploymentId" },
    { "1.7.0", &model_rule, REMOVE, "deploymentVcsProviderBranch" },
    { "1.6.0", &model_function, REMOVE, "scopes", .single = true },
    { "1.6.0", &model_function, REMOVE, "specification", .single = true },
    { "1.6.0", &model_execution, REMOVE, "scheduledAt", .single = true },
    { "1.6.0", &model_execution, REPLACE, "status", .field = &field_execution_status_strict },
    { "1.4.0", &model_deployment, RENAME, "buildLogs", "buildStdout" },
    { "1.4.0", &model_deployment, ADD, .field = &empty_build_stderr },
    { "1.4.0", &model_deployment, REPLACE, "size", .field = &field_deployment_size_total },
    { "1.4.0", &model_deployment, REMOVE, "buildSize" },
    { "1.4.0", &model_execution, RENAME, "responseStatusCode", "statusCode" },
    { "1.4.0", &model_execution, RENAME, "responseBody", "response" },
    { "1.4.0", &model_execution, RENAME, "logs", "stdout" },
    { "1.4.0", &model_execution, RENAME, "errors", "stderr" },
    { "1.4.0", &model_function, ADD, .field = &field_function_schedule_previous },
    { "1.4.0", &model_function, ADD, .field = &field_function_schedule_next },
    { "1.4.0", &model_variable, RENAME, "resourceId", "functionId" },
    { "1.4.0", &model_health_status, REMOVE, "name" },
    { "1.4.0", &model_health_report, REMOVE, "name" },
};

/* The versions named above, newest first: a format below levels[i] is at level i + 1 at least. */
static const char *const levels[] = { "2.0.0", "1.9.0", "1.7.0", "1.6.0", "1.4.0" };

enum { LEVELS = COUNT(levels) + 1, FIELDS_MAX = 64 };

uint64_t versions_level(size_t level)
{
    if (level == 0)
        return FORMAT_NEWEST;
    return level > COUNT(levels) ? 0 : format_number(levels[level - 1]) - 1;
}

struct model_at {
    const struct model *model;
    const struct field **fields[LEVELS][2];
};

struct models {
    struct arena arena;
    size_t count;
    struct model_at *rows;
    uint64_t thresholds[COUNT(levels)];
};

static void downgrade(struct arena *arena, const struct downgrade *row, const struct field **fields,
                      size_t *count)
{
    if (row->kind == ADD) {
        fields[(*count)++] = row->field;
        return;
    }
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(fields[i]->name, row->name) != 0)
            continue;
        if (row->kind == REMOVE) {
            memmove(fields + i, fields + i + 1, (*count - i - 1) * sizeof(*fields));
            (*count)--;
        } else if (row->kind == REPLACE) {
            fields[i] = row->field;
        } else {
            struct field *renamed = arena_alloc(arena, sizeof(*renamed));
            *renamed = *fields[i];
            renamed->name = row->to;
            fields[i] = renamed;
        }
        return;
    }
}

static const struct field **fields_at(struct arena *arena, const struct model *model, size_t level,
                                      bool single)
{
    const struct field **fields = arena_alloc(arena, FIELDS_MAX * sizeof(*fields));
    size_t count = 0;

    while (model->fields[count].name != NULL) {
        fields[count] = &model->fields[count];
        count++;
    }
    for (size_t i = 0; i < COUNT(downgrades); i++) {
        bool is_in_force = level > 0 &&
                           format_number(downgrades[i].below) >= format_number(levels[level - 1]);
        if (downgrades[i].model == model && is_in_force && (single || !downgrades[i].single))
            downgrade(arena, &downgrades[i], fields, &count);
    }
    fields[count] = NULL;
    return fields;
}

struct models *models_new(void)
{
    struct models *models = xcalloc(1, sizeof(*models));

    while (all_models[models->count] != NULL)
        models->count++;
    models->rows = arena_alloc(&models->arena, models->count * sizeof(*models->rows));
    for (size_t i = 0; i < COUNT(levels); i++)
        models->thresholds[i] = format_number(levels[i]);
    for (size_t i = 0; i < models->count; i++) {
        models->rows[i].model = all_models[i];
        for (size_t level = 0; level < LEVELS; level++)
            for (size_t single = 0; single < 2; single++)
                models->rows[i].fields[level][single] = fields_at(&models->arena, all_models[i],
                                                                  level, single == 1);
    }
    return models;
}

void models_free(struct models *models)
{
    if (models == NULL)
        return;
    arena_release(&models->arena);
    free(models);
}

const struct field *const *models_fields(const struct models *models, uint64_t format,
                                         const struct model *model, bool single)
{
    size_t level = 0;

    while (level < COUNT(levels) && format < models->thresholds[level])
        level++;
    for (size_t i = 0; i < models->count; i++)
        if (models->rows[i].model == model)
            return models->rows[i].fields[level][single ? 1 : 0];
    abort(); /* a model that all_models does not list */
}
