/* What the loop thread knows by heart. Looking up costs a hash and a comparison; changing replaces
 * whole records. */
#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "live.h"
#include "map.h"
#include "mem.h"
#include "text.h"

struct registry {
    struct map projects;  /* id -> struct live_project */
    struct map keys;      /* hash -> struct live_key */
    struct map functions; /* project/function -> struct live_function */
    struct map rules;     /* domain -> struct live_rule */
    struct map rule_ids;  /* project/rule -> the same */
};

enum { PAIR = 2 * ID_SIZE + 2 };

/* "project/id"; 0 if one of them is no id that could be there. */
static size_t pair(char ret_key[PAIR], const char *project_id, const char *id)
{
    size_t project_size = strnlen(project_id, ID_SIZE);
    size_t id_size = strnlen(id, ID_SIZE);
    if (project_size > ID_MAX || id_size > ID_MAX)
        return 0;
    memcpy(ret_key, project_id, project_size);
    ret_key[project_size] = '/';
    memcpy(ret_key + project_size + 1, id, id_size + 1);
    return project_size + 1 + id_size;
}

void key_hash(const char *secret, char ret_hex[65])
{
    unsigned char hash[32];
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)secret, strlen(secret), NULL, 0);
    text_hex(hash, sizeof(hash), ret_hex);
}

/* ---- records ------------------------------------------------------------------------------- */

void live_list_free(char **list)
{
    for (char **text = list; text != NULL && *text != NULL; text++)
        free(*text);
    free(list);
}

void live_project_free(struct live_project *project)
{
    if (project == NULL)
        return;
    project_release(&project->project);
    live_list_free(project->variables);
    free(project);
}

static void live_key_free(struct live_key *key)
{
    if (key == NULL)
        return;
    free(key->id);
    free(key->project_id);
    live_list_free(key->scopes);
    free(key);
}

static void live_rule_free(struct live_rule *rule)
{
    if (rule == NULL)
        return;
    rule_release(&rule->rule);
    live_function_drop(rule->preview);
    free(rule);
}

void live_function_keep(struct live_function *function)
{
    function->references++;
}

void live_function_drop(struct live_function *function)
{
    if (function == NULL || --function->references > 0)
        return;
    function_release(&function->function);
    deployment_release(&function->deployment);
    live_list_free(function->roles);
    live_list_free(function->variables);
    free(function->cache->key);
    free(function->cache);
    free(function);
}

/* ---- looking up ---------------------------------------------------------------------------- */

bool registry_has_project(const struct registry *registry, const char *project_id)
{
    return map_get(&registry->projects, project_id) != NULL;
}

const struct live_key *registry_key(const struct registry *registry, const char *secret)
{
    char hex[65];
    key_hash(secret, hex);
    return map_get_sized(&registry->keys, hex, 64);
}

struct live_function *registry_function(const struct registry *registry, const char *project_id,
                                        const char *function_id)
{
    char key[PAIR];
    size_t size = pair(key, project_id, function_id);
    return size == 0 ? NULL : map_get_sized(&registry->functions, key, size);
}

const struct live_rule *registry_rule(const struct registry *registry, const char *host)
{
    return map_get(&registry->rules, host);
}

/* ---- changing ------------------------------------------------------------------------------ */

struct applying {
    struct registry *registry;
    registry_changed *changed;
    void *context;
};

/* Would a worker started for one also do for the other? */
static bool same_workers(const struct live_function *a, const struct live_function *b)
{
    const struct function *f = &a->function, *g = &b->function;
    if (!text_equals(a->deployment.id, b->deployment.id) ||
        !text_equals(a->deployment.entrypoint, b->deployment.entrypoint) ||
        !text_equals(f->runtime, g->runtime) || !text_equals(f->version, g->version) ||
        !text_equals(f->runtime_specification, g->runtime_specification) ||
        !text_equals(f->name, g->name) ||
        !text_equals(f->provider_repository_id, g->provider_repository_id))
        return false;
    char **x = a->variables, **y = b->variables;
    while (*x != NULL && *y != NULL && strcmp(*x, *y) == 0) {
        x++;
        y++;
    }
    return *x == NULL && *y == NULL;
}

/* new takes the place of old; either may be NULL. */
static void succeed(const struct applying *applying, struct live_function *old,
                    struct live_function *new)
{
    if (new != NULL)
        new->generation = old == NULL ? 1 : old->generation + !same_workers(old, new);
    if (old == NULL)
        return;
    if (applying->changed != NULL)
        applying->changed(applying->context, old, new);
    live_function_drop(old);
}

static void put_function(const struct applying *applying, struct live_function *new)
{
    char key[PAIR];
    pair(key, new->function.project_id, new->function.id);
    succeed(applying, map_set(&applying->registry->functions, key, new), new);
}

static void remove_function(const struct applying *applying, const char *key)
{
    succeed(applying, map_remove(&applying->registry->functions, key), NULL);
}

static void remove_functions(const struct applying *applying, const char *project_id)
{
    size_t position = 0;
    const char *key;
    void *value;
    while (map_next(&applying->registry->functions, &position, &key, &value)) {
        const struct live_function *function = value;
        if (strcmp(function->function.project_id, project_id) != 0)
            continue;
        char copy[PAIR];
        snprintf(copy, sizeof(copy), "%s", key);
        remove_function(applying, copy);
    }
}

static void remove_keys(struct registry *registry, const char *project_id)
{
    size_t position = 0;
    const char *hash;
    void *value;
    while (map_next(&registry->keys, &position, &hash, &value)) {
        struct live_key *key = value;
        if (strcmp(key->project_id, project_id) != 0)
            continue;
        char copy[65];
        snprintf(copy, sizeof(copy), "%s", hash);
        map_remove(&registry->keys, copy);
        live_key_free(key);
    }
}

static void put_key(struct registry *registry, const char *hash, struct live_key *key)
{
    live_key_free(map_set(&registry->keys, hash, key));
}

/* Its preview, if it has one, is left to the caller. */
static struct live_function *remove_rule(struct registry *registry, struct live_rule *rule)
{
    char key[PAIR];
    struct live_function *preview = steal(rule->preview);
    pair(key, rule->rule.project_id, rule->rule.id);
    map_remove(&registry->rule_ids, key);
    if (map_get(&registry->rules, rule->rule.domain) == rule)
        map_remove(&registry->rules, rule->rule.domain);
    live_rule_free(rule);
    return preview;
}

/* Rules of a project; of one function of it, unless function_id is NULL. */
static void remove_rules(const struct applying *applying, const char *project_id,
                         const char *function_id)
{
    size_t position = 0;
    const char *key;
    void *value;
    while (map_next(&applying->registry->rule_ids, &position, &key, &value)) {
        struct live_rule *rule = value;
        if (strcmp(rule->rule.project_id, project_id) == 0 &&
            (function_id == NULL || strcmp(rule->rule.function_id, function_id) == 0))
            succeed(applying, remove_rule(applying->registry, rule), NULL);
    }
}

/* Those of the project that the change, which has all, no longer has. The others keep their
 * workers. */
static void remove_other_rules(const struct applying *applying,
                               const struct registry_change *change)
{
    struct map kept;
    size_t position = 0;
    const char *key;
    void *value;
    map_init(&kept);
    for (size_t i = 0; i < change->rule_count; i++)
        map_set(&kept, change->rules[i]->rule.id, change->rules[i]);
    while (map_next(&applying->registry->rule_ids, &position, &key, &value)) {
        struct live_rule *rule = value;
        if (strcmp(rule->rule.project_id, change->project_id) == 0 &&
            map_get(&kept, rule->rule.id) == NULL)
            succeed(applying, remove_rule(applying->registry, rule), NULL);
    }
    map_release(&kept);
}

static struct live_rule *find_rule(const struct registry *registry, const char *project_id,
                                   const char *id)
{
    char key[PAIR];
    return pair(key, project_id, id) == 0 ? NULL : map_get(&registry->rule_ids, key);
}

static void put_rule(const struct applying *applying, struct live_rule *rule)
{
    struct registry *registry = applying->registry;
    struct live_rule *old = find_rule(registry, rule->rule.project_id, rule->rule.id);
    struct live_function *preview = old == NULL ? NULL : remove_rule(registry, old);
    char key[PAIR];
    pair(key, rule->rule.project_id, rule->rule.id);
    map_set(&registry->rule_ids, key, rule);
    /* A domain has one rule: the store sees to it. One that moved to another id has left the first
     * by then. */
    map_set(&registry->rules, rule->rule.domain, rule);
    succeed(applying, preview, rule->preview);
}

static void put_project(struct registry *registry, struct live_project *project)
{
    live_project_free(map_set(&registry->projects, project->project.id, project));
}

static void apply_project(const struct applying *applying, struct registry_change *change)
{
    struct registry *registry = applying->registry;
    if (change->project != NULL) {
        put_project(registry, steal(change->project));
        return;
    }
    remove_functions(applying, change->project_id);
    remove_keys(registry, change->project_id);
    remove_rules(applying, change->project_id, NULL);
    live_project_free(map_remove(&registry->projects, change->project_id));
}

static void apply_function(const struct applying *applying, struct registry_change *change)
{
    char key[PAIR];
    if (change->function_count > 0 || pair(key, change->project_id, change->id) == 0)
        return;
    remove_function(applying, key);
    remove_rules(applying, change->project_id, change->id);
}

static void apply_rules(const struct applying *applying, const struct registry_change *change)
{
    if (change->id == NULL) {
        remove_other_rules(applying, change);
        return;
    }
    struct live_rule *rule = change->rule_count > 0
                                 ? NULL
                                 : find_rule(applying->registry, change->project_id, change->id);
    if (rule != NULL)
        succeed(applying, remove_rule(applying->registry, rule), NULL);
}

/* Everything the change brought along; what it did not bring is taken out by its kind first. */
static void put_all(const struct applying *applying, struct registry_change *change)
{
    struct registry *registry = applying->registry;
    for (size_t i = 0; i < change->function_count; i++)
        put_function(applying, steal(change->functions[i]));
    for (size_t i = 0; i < change->key_count; i++)
        put_key(registry, change->key_hashes[i], steal(change->keys[i]));
    for (size_t i = 0; i < change->rule_count; i++)
        put_rule(applying, steal(change->rules[i]));
}

void registry_apply(struct registry *registry, struct registry_change *change,
                    registry_changed *changed, void *context)
{
    const struct applying applying = { registry, changed, context };
    switch (change->kind) {
    case CHANGE_PROJECT:
        apply_project(&applying, change);
        break;
    case CHANGE_KEYS:
        remove_keys(registry, change->project_id);
        break;
    case CHANGE_FUNCTION:
        apply_function(&applying, change);
        break;
    case CHANGE_PROJECT_VARIABLES:
        if (change->project != NULL)
            put_project(registry, steal(change->project));
        break;
    case CHANGE_RULES:
        apply_rules(&applying, change);
        break;
    }
    put_all(&applying, change);
    registry_change_free(change);
}

void registry_change_free(struct registry_change *change)
{
    if (change == NULL)
        return;
    for (size_t i = 0; i < change->function_count; i++)
        live_function_drop(change->functions[i]);
    for (size_t i = 0; i < change->key_count; i++) {
        live_key_free(change->keys[i]);
        free(change->key_hashes[i]);
    }
    for (size_t i = 0; i < change->rule_count; i++)
        live_rule_free(change->rules[i]);
    live_project_free(change->project);
    free(change->functions);
    free(change->keys);
    free(change->key_hashes);
    free(change->rules);
    free(change->project_id);
    free(change->id);
    free(change);
}

/* ---- life ---------------------------------------------------------------------------------- */

int registry_new(struct registry **ret_registry)
{
    struct registry *registry = xcalloc(1, sizeof(*registry));
    map_init(&registry->projects);
    map_init(&registry->keys);
    map_init(&registry->functions);
    map_init(&registry->rules);
    map_init(&registry->rule_ids);
    *ret_registry = registry;
    return 0;
}

int registry_load(struct registry *registry, struct db *db, struct error *err)
{
    struct live_project **projects;
    size_t count;
    struct registry_change *change;
    if (live_read_all(db, &projects, &count, &change, err) < 0)
        return -1;
    const struct applying applying = { registry, NULL, NULL };
    for (size_t i = 0; i < count; i++)
        put_project(registry, projects[i]);
    free(projects);
    put_all(&applying, change);
    registry_change_free(change);
    return 0;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL)
        return;
    size_t position = 0;
    const char *key;
    void *value;
    while (map_next(&registry->projects, &position, &key, &value))
        live_project_free(value);
    for (position = 0; map_next(&registry->keys, &position, &key, &value);)
        live_key_free(value);
    for (position = 0; map_next(&registry->functions, &position, &key, &value);)
        live_function_drop(value);
    for (position = 0; map_next(&registry->rule_ids, &position, &key, &value);)
        live_rule_free(value);
    map_release(&registry->projects);
    map_release(&registry->keys);
    map_release(&registry->functions);
    map_release(&registry->rules);
    map_release(&registry->rule_ids);
    free(registry);
}
