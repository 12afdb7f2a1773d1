/* From the store to live records, on any thread with a reader. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "live.h"
#include "mem.h"
#include "store.h"
#include "text.h"

static void add_pointer(void ***list, size_t *count, void *value)
{
    if ((*count & (*count - 1)) == 0)
        *list = xrealloc(*list, (*count == 0 ? 1 : 2 * *count) * sizeof(void *));
    (*list)[(*count)++] = value;
}

#define ADD_POINTER(list, count, value)       \
    do {                                      \
        void **list_ = (void **)(list);       \
        add_pointer(&list_, &(count), value); \
        (list) = (__typeof__(list))list_;     \
    } while (0)

/* NULL-terminated list of the strings in a JSON list, {NULL} if it is none. */
static char **live_list(const char *json)
{
    json_t *root = json == NULL ? NULL : json_loads(json, 0, NULL);
    size_t size = json_array_size(root);
    char **list = xcalloc(size + 1, sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        const char *text = json_string_value(json_array_get(root, i));
        if (text != NULL)
            list[count++] = xstrdup(text);
    }
    json_decref(root);
    return list;
}

/* ---- variables ----------------------------------------------------------------------------- */

struct lines {
    char **lines;
    size_t count;
};

static void set_line(struct lines *out, const char *name, const char *value)
{
    size_t name_size = strlen(name);
    char *line = xasprintf("%s=%s", name, value);
    for (size_t i = 0; i < out->count; i++)
        if (strncmp(out->lines[i], line, name_size + 1) == 0) {
            free(out->lines[i]);
            out->lines[i] = line;
            return;
        }
    out->lines = xrealloc(out->lines, (out->count + 2) * sizeof(*out->lines));
    out->lines[out->count++] = line;
    out->lines[out->count] = NULL;
}

static void take_variable(void *context, const void *entity)
{
    const struct variable *variable = entity;
    set_line(context, variable->key, variable->value);
}

/* The project's first, so that the function's win; order does not change from one reading to the
 * next. */
static int read_variables(struct db *db, const char *project_id, const char *function_id,
                          char *const *project_variables, char ***ret_lines, struct error *err)
{
    struct lines out = { .lines = xcalloc(1, sizeof(char *)) };
    for (; project_variables != NULL && *project_variables != NULL; project_variables++) {
        out.lines = xrealloc(out.lines, (out.count + 2) * sizeof(*out.lines));
        out.lines[out.count++] = xstrdup(*project_variables);
        out.lines[out.count] = NULL;
    }
    if (store_variable_each(db, project_id, function_id, take_variable, &out, err) < 0) {
        live_list_free(out.lines);
        return -1;
    }
    *ret_lines = out.lines;
    return 0;
}

/* ---- functions ----------------------------------------------------------------------------- */

/* Finding no deployment is no error: the function then has none. */
static int read_deployment(struct db *db, struct live_function *live, const char *id,
                           struct error *err)
{
    const struct function *function = &live->function;
    if (text_is_empty(id) || store_deployment_get(db, function->project_id, function->id, id, false,
                                                  &live->deployment, err) < 0) {
        if (!text_is_empty(id) && err->type != ERROR_DEPLOYMENT_NOT_FOUND)
            return -1;
        live->deployment.id = xstrdup("");
    }
    return 0;
}

/* deployment_id: which one it shows; NULL: the active one. */
static int read_function(struct db *db, const char *project_id, const char *id,
                         const char *deployment_id, char *const *project_variables,
                         struct live_function **ret_function, struct error *err)
{
    struct live_function *live = xcalloc(1, sizeof(*live));
    live->references = 1;
    live->cache = xcalloc(1, sizeof(*live->cache));
    if (store_function_get(db, project_id, id, &live->function, err) < 0 ||
        read_deployment(db, live,
                        deployment_id == NULL ? live->function.deployment_id : deployment_id,
                        err) < 0 ||
        read_variables(db, project_id, id, project_variables, &live->variables, err) < 0) {
        live_function_drop(live);
        return -1;
    }
    live->roles = live_list(live->function.execute);
    *ret_function = live;
    return 0;
}

struct function_ids {
    const char *project_id; /* NULL: of all projects */
    char **projects, **ids;
    size_t count, project_count;
};

static void take_function_id(void *context, const void *entity)
{
    struct function_ids *ids = context;
    const struct function *function = entity;
    if (ids->project_id != NULL && strcmp(ids->project_id, function->project_id) != 0)
        return;
    ADD_POINTER(ids->ids, ids->count, xstrdup(function->id));
    ADD_POINTER(ids->projects, ids->project_count, xstrdup(function->project_id));
}

static struct live_project *find_project(struct live_project *const *projects, size_t count,
                                         const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(projects[i]->project.id, id) == 0)
            return projects[i];
    return NULL;
}

static int read_function_list(struct db *db, const struct function_ids *ids,
                              struct live_project *const *projects, size_t project_count,
                              struct registry_change *change, struct error *err)
{
    for (size_t i = 0; i < ids->count; i++) {
        const struct live_project *project = find_project(projects, project_count,
                                                          ids->projects[i]);
        struct live_function *function;
        if (read_function(db, ids->projects[i], ids->ids[i], NULL,
                          project == NULL ? NULL : project->variables, &function, err) == 0)
            ADD_POINTER(change->functions, change->function_count, function);
        else if (err->type != ERROR_FUNCTION_NOT_FOUND)
            return -1;
    }
    return 0;
}

/* Functions of the projects given; project_id NULL: of all. */
static int read_functions(struct db *db, const char *project_id,
                          struct live_project *const *projects, size_t project_count,
                          struct registry_change *change, struct error *err)
{
    struct function_ids ids = { .project_id = project_id };
    int result = store_function_each(db, take_function_id, &ids, err);
    if (result == 0)
        result = read_function_list(db, &ids, projects, project_count, change, err);
    for (size_t i = 0; i < ids.count; i++) {
        free(ids.ids[i]);
        free(ids.projects[i]);
    }
    free(ids.ids);
    free(ids.projects);
    return result;
}

/* ---- projects, keys, rules ----------------------------------------------------------------- */

static int read_project(struct db *db, const char *id, struct live_project **ret_project,
                        struct error *err)
{
    struct live_project *project = xcalloc(1, sizeof(*project));
    if (store_project_get(db, id, &project->project, err) < 0 ||
        read_variables(db, id, "", NULL, &project->variables, err) < 0) {
        live_project_free(project);
        return -1;
    }
    *ret_project = project;
    return 0;
}

static void take_key(void *context, const void *entity)
{
    struct registry_change *change = context;
    const struct key *key = entity;
    struct live_key *live = xcalloc(1, sizeof(*live));
    *live = (struct live_key){ .id = xstrdup(key->id),
                               .project_id = xstrdup(key->project_id),
                               .scopes = live_list(key->scopes),
                               .expires_at = key->expires_at };
    size_t count = change->key_count;
    ADD_POINTER(change->key_hashes, count, xstrdup(key->hash));
    ADD_POINTER(change->keys, change->key_count, live);
}

static void add_rule(struct registry_change *change, const struct rule *rule)
{
    struct live_rule *live = xcalloc(1, sizeof(*live));
    live->rule = *rule;
    char **const texts[] = {
        &live->rule.project_id,    &live->rule.id,           &live->rule.domain,
        &live->rule.type,          &live->rule.trigger,      &live->rule.function_id,
        &live->rule.branch,        &live->rule.redirect_url, &live->rule.status,
        &live->rule.deployment_id,
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        *texts[i] = xstrdup(*texts[i] == NULL ? "" : *texts[i]);
    ADD_POINTER(change->rules, change->rule_count, live);
}

static void take_rule(void *context, const void *entity)
{
    struct registry_change *change = context;
    const struct rule *rule = entity;
    if (change->project_id == NULL || strcmp(change->project_id, rule->project_id) == 0)
        add_rule(change, rule);
}

static bool is_previewing(const struct rule *rule)
{
    return text_equals(rule->type, "deployment") &&
           (text_equals(rule->trigger, "deployment") || !text_is_empty(rule->branch));
}

static int read_preview(struct db *db, struct live_rule *live, struct error *err)
{
    const struct rule *rule = &live->rule;
    struct live_project *project;
    if (read_project(db, rule->project_id, &project, err) < 0)
        return -1;
    int result = read_function(db, rule->project_id, rule->function_id, rule->deployment_id,
                               project->variables, &live->preview, err);
    live_project_free(project);
    return result < 0 && err->type == ERROR_FUNCTION_NOT_FOUND ? 0 : result;
}

/* After the rules: one reading at a time. */
static int read_previews(struct db *db, struct registry_change *change, struct error *err)
{
    for (size_t i = 0; i < change->rule_count; i++)
        if (is_previewing(&change->rules[i]->rule) && read_preview(db, change->rules[i], err) < 0)
            return -1;
    return 0;
}

static int read_rule(struct db *db, struct registry_change *change, struct error *err)
{
    auto_rule struct rule rule = { 0 };
    if (store_rule_get(db, change->project_id, change->id, &rule, err) < 0)
        return -1;
    add_rule(change, &rule);
    return read_previews(db, change, err);
}

static int read_rules(struct db *db, struct registry_change *change, struct error *err)
{
    if (store_rule_each(db, take_rule, change, err) < 0)
        return -1;
    return read_previews(db, change, err);
}

static void take_previewing_rule(void *context, const void *entity)
{
    if (is_previewing(entity))
        take_rule(context, entity);
}

/* What they show changes with the function: those of one, or with NULL of the whole project. */
static int read_previewing_rules(struct db *db, struct registry_change *change,
                                 const char *function_id, struct error *err)
{
    const struct list_query all = { .project_id = change->project_id,
                                    .function_id = function_id,
                                    .limit = INT64_MAX };
    int64_t total;
    if (store_list(db, LIST_RULES, &all, take_previewing_rule, change, &total, err) < 0)
        return -1;
    return read_previews(db, change, err);
}

/* ---- changes ------------------------------------------------------------------------------- */

static int read_one_function(struct db *db, struct registry_change *change, struct error *err)
{
    struct live_project *project;
    struct live_function *function;
    if (read_project(db, change->project_id, &project, err) < 0)
        return -1;
    int result = read_function(db, change->project_id, change->id, NULL, project->variables,
                               &function, err);
    live_project_free(project);
    if (result < 0)
        return -1;
    ADD_POINTER(change->functions, change->function_count, function);
    return read_previewing_rules(db, change, change->id, err);
}

static int read_change(struct db *db, struct registry_change *change, struct error *err)
{
    switch (change->kind) {
    case CHANGE_PROJECT:
        return read_project(db, change->project_id, &change->project, err);
    case CHANGE_KEYS:
        return store_key_each(db, change->project_id, take_key, change, err);
    case CHANGE_FUNCTION:
        return read_one_function(db, change, err);
    case CHANGE_PROJECT_VARIABLES:
        if (read_project(db, change->project_id, &change->project, err) < 0)
            return -1;
        if (read_functions(db, change->project_id, &change->project, 1, change, err) < 0)
            return -1;
        return read_previewing_rules(db, change, NULL, err);
    case CHANGE_RULES:
        if (change->id != NULL)
            return read_rule(db, change, err);
        return read_rules(db, change, err);
    }
    return 0;
}

static bool is_gone(const struct error *err)
{
    return err->type == ERROR_PROJECT_NOT_FOUND || err->type == ERROR_FUNCTION_NOT_FOUND ||
           err->type == ERROR_RULE_NOT_FOUND;
}

int registry_change_read(struct db *db, enum change_kind kind, const char *project_id,
                         const char *id, struct registry_change **ret_change, struct error *err)
{
    struct registry_change *change = xcalloc(1, sizeof(*change));
    change->kind = kind;
    change->project_id = xstrdup(project_id);
    change->id = xstrdup(id);
    if (read_change(db, change, err) < 0 && !is_gone(err)) {
        registry_change_free(change);
        return -1;
    }
    *ret_change = change;
    return 0;
}

struct project_ids {
    char **ids;
    size_t count;
};

static void take_project_id(void *context, const void *entity)
{
    struct project_ids *ids = context;
    ADD_POINTER(ids->ids, ids->count, xstrdup(((const struct project *)entity)->id));
}

static int read_projects(struct db *db, struct live_project ***projects, size_t *count,
                         struct error *err)
{
    struct project_ids ids = { 0 };
    int result = store_project_each(db, take_project_id, &ids, err);
    for (size_t i = 0; i < ids.count; i++) {
        struct live_project *project;
        if (result == 0) {
            result = read_project(db, ids.ids[i], &project, err);
            if (result == 0)
                ADD_POINTER(*projects, *count, project);
        }
        free(ids.ids[i]);
    }
    free(ids.ids);
    return result;
}

int live_read_all(struct db *db, struct live_project ***ret_projects, size_t *ret_count,
                  struct registry_change **ret_change, struct error *err)
{
    struct live_project **projects = NULL;
    size_t count = 0;
    struct registry_change *change = xcalloc(1, sizeof(*change));
    if (read_projects(db, &projects, &count, err) < 0 ||
        read_functions(db, NULL, projects, count, change, err) < 0 ||
        store_key_each(db, NULL, take_key, change, err) < 0 || read_rules(db, change, err) < 0) {
        for (size_t i = 0; i < count; i++)
            live_project_free(projects[i]);
        free(projects);
        registry_change_free(change);
        return -1;
    }
    *ret_projects = projects;
    *ret_count = count;
    *ret_change = change;
    return 0;
}
