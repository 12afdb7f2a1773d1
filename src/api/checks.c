/*
 * The rules that several endpoints share, with the API's own sentences.
 *
 * Sources: appwrite src/Appwrite/Utopia/Database/Validator/CustomId.php,
 * src/Appwrite/Functions/Validator/, utopia-php/database
 * src/Database/Validator/{Key,UID,Roles}.php.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "cron.h"
#include "mem.h"
#include "text.h"

enum { ROLES_MAX = 100, EVENTS_MAX = 100 };

static bool say(char ret_text[CHECK_TEXT], const char *text)
{
    snprintf(ret_text, CHECK_TEXT, "%s", text);
    return false;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static bool is_id(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length > ID_MAX || !isalnum((unsigned char)*text))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL)
            return false;
    return true;
}

bool check_uid(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    (void)call;
    return is_id(value) || say(ret_text, "UID must contain at most 36 chars. Valid chars are a-z, "
                                         "A-Z, 0-9, and underscore. Can't start with a leading "
                                         "underscore");
}

#define CUSTOM_ID_RULE                                                                             \
    "Parameter must contain at most 36 chars. Valid chars are a-z, A-Z, 0-9, period, hyphen, and " \
    "underscore. Can't start with a special char"

bool check_custom_id(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    (void)call;
    return strcmp(value, "unique()") == 0 || is_id(value) || say(ret_text, CUSTOM_ID_RULE);
}

/* ---- roles ----------------------------------------------------------------------------------- */

enum role_part { PART_NO, PART_YES, PART_MAY };

static const struct role_rule {
    const char *name;
    enum role_part id;
    bool verified, free; /* the dimension: verified or unverified, any text, or none */
} role_rules[] = {
    { "any", PART_NO, false, false },    { "guests", PART_NO, false, false },
    { "users", PART_NO, true, false },   { "user", PART_YES, true, false },
    { "team", PART_YES, false, true },   { "member", PART_YES, false, false },
    { "label", PART_YES, false, false },
};

static bool is_label(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c))
            return false;
    return *text != '\0' && strlen(text) <= ID_MAX;
}

static bool dimension_holds(const struct role_rule *rule, char *dimension,
                            char ret_text[CHECK_TEXT])
{
    if (strchr(dimension, '/') != NULL)
        return say(ret_text, "Only one dimension can be provided");
    if (*dimension == '\0')
        return say(ret_text, "Dimension must not be empty");
    if (!rule->verified && !rule->free) {
        snprintf(ret_text, CHECK_TEXT, "Role \"%s\" can not have a dimension value.", rule->name);
        return false;
    }
    if (rule->verified && strcmp(dimension, "verified") != 0 &&
        strcmp(dimension, "unverified") != 0) {
        snprintf(ret_text, CHECK_TEXT,
                 "Role \"%s\" dimension value is invalid. Must be one of: verified, unverified.",
                 rule->name);
        return false;
    }
    if (rule->free && !is_id(dimension)) {
        snprintf(ret_text, CHECK_TEXT, "Role \"%s\" dimension value is invalid: %s", rule->name,
                 CUSTOM_ID_RULE);
        return false;
    }
    return true;
}

static bool role_holds(const char *role, char ret_text[CHECK_TEXT])
{
    char copy[160];
    const struct role_rule *rule = NULL;

    if (strcmp(role, "*") == 0)
        return say(ret_text, "Wildcard role \"*\" has been replaced. Use \"any\" instead.");
    if (text_starts(role, "role:"))
        return say(ret_text, "Roles using the \"role:\" prefix have been removed. Use \"users\", "
                             "\"guests\", or \"any\" instead.");
    snprintf(copy, sizeof(copy), "%s", role);
    char *dimension = strchr(copy, '/');
    if (dimension != NULL)
        *dimension++ = '\0';
    char *id = strchr(copy, ':');
    if (id != NULL)
        *id++ = '\0';
    for (size_t i = 0; i < COUNT(role_rules); i++)
        if (strcmp(role_rules[i].name, copy) == 0)
            rule = &role_rules[i];
    if (rule == NULL || strlen(role) >= sizeof(copy)) {
        snprintf(ret_text, CHECK_TEXT,
                 "Role \"%.64s\" is not allowed. Must be one of: any, guests, users, user, team, "
                 "member, label.",
                 copy);
        return false;
    }
    if (rule->id == PART_NO && id != NULL) {
        snprintf(ret_text, CHECK_TEXT, "Role \"%s\" can not have an ID value.", rule->name);
        return false;
    }
    if (rule->id == PART_YES && text_is_empty(id)) {
        snprintf(ret_text, CHECK_TEXT, "Role \"%s\" must have an ID value.", rule->name);
        return false;
    }
    if (id != NULL && !(strcmp(rule->name, "label") == 0 ? is_label(id) : is_id(id))) {
        snprintf(ret_text, CHECK_TEXT, "Role \"%s\" identifier value is invalid: %s", rule->name,
                 CUSTOM_ID_RULE);
        return false;
    }
    return dimension == NULL || dimension_holds(rule, dimension, ret_text);
}

bool check_roles(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    const json_t *list = value;
    bool is_list = json_is_array(list) || (json_is_object(list) && json_object_size(list) == 0);

    (void)call;
    if (!is_list)
        return say(ret_text, "Roles must be an array of strings.");
    if (json_array_size(list) > ROLES_MAX)
        return say(ret_text, "You can only provide up to 100 roles.");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *role = json_string_value(json_array_get(list, i));
        if (role == NULL)
            return say(ret_text, "Every role must be of type string.");
        if (!role_holds(role, ret_text))
            return false;
    }
    return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* What may follow root.id: nested kinds with an id of their own; actions are shared. */
static const struct event_root {
    const char *root, *kinds, *kinds_below;
} event_roots[] = {
    { "users", "sessions|recovery|verification|targets|challenges", "" },
    { "databases", "collections|tables", "documents|rows|attributes|columns|indexes" },
    { "tablesdb", "tables", "rows|columns|indexes" },
    { "documentsdb", "collections", "documents|indexes" },
    { "vectorsdb", "collections", "documents|indexes" },
    { "buckets", "files", "" },
    { "teams", "memberships", "" },
    { "sites", "deployments|logs", "" },
    { "functions", "deployments|executions", "" },
    { "messages", "", "" },
    { "topics", "subscribers", "" },
    { "providers", "", "" },
    { "schedules", "", "" },
    { "rules", "", "" },
    { "reports", "insights", "" },
};
static const char event_actions[] = "create|update|delete|upsert";

static bool is_word_of(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = words; length > 0 && (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == '|') && (at[length] == '|' || at[length] == '\0'))
            return true;
    return false;
}

/* type.id[.kind.id[.kind.id]][.action[.attribute]] */
static bool event_holds(const char *event)
{
    char copy[256], *parts[8], *rest = copy;
    const struct event_root *root = NULL;
    size_t count = 0, at = 2;

    if (strlen(event) >= sizeof(copy))
        return false;
    strcpy(copy, event); /* its length has just been checked */
    for (char *part; (part = strsep(&rest, ".")) != NULL;) {
        if (count == 7 || *part == '\0')
            return false;
        parts[count++] = part;
    }
    if (count < 2)
        return false;
    for (size_t i = 0; i < COUNT(event_roots); i++)
        if (strcmp(event_roots[i].root, parts[0]) == 0)
            root = &event_roots[i];
    if (root == NULL)
        return false;
    if (at < count && is_word_of(root->kinds, parts[at])) {
        at += 2;
        if (at < count && is_word_of(root->kinds_below, parts[at]))
            at += 2;
    }
    if (at > count)
        return false;
    return at == count || (is_word_of(event_actions, parts[at]) && count - at <= 2);
}

bool check_events(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    const json_t *list = value;
    bool is_list = json_is_array(list) || (json_is_object(list) && json_object_size(list) == 0);
    const char *rule = "Event is not valid.";

    (void)call;
    if (is_list && json_array_size(list) <= EVENTS_MAX) {
        size_t i = 0;
        for (; i < json_array_size(list); i++) {
            const char *event = json_string_value(json_array_get(list, i));
            if (event != NULL && text_starts(event, "functions.")) {
                rule = "Triggering a function on a function event is not allowed.";
                break;
            }
            if (event == NULL || !event_holds(event))
                break;
        }
        if (i == json_array_size(list))
            return true;
    }
    snprintf(ret_text, CHECK_TEXT, "Value must a valid array no longer than %d items and %s",
             EVENTS_MAX, rule);
    return false;
}

/* ---- the rest -------------------------------------------------------------------------------- */

bool check_cron(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    struct cron cron;
    int64_t at;

    (void)call;
    return *(const char *)value == '\0' ||
           (cron_parse(value, &cron) && cron_next(&cron, clock_realtime_us() / 1000000, &at)) ||
           say(ret_text, "String must be a valid cron expression");
}

bool check_specification(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    size_t count;
    const struct specification *rows = specifications(&count);
    int used = snprintf(ret_text, CHECK_TEXT, "Specification must be one of: ");

    (void)call;
    if (specification_find(value) != NULL)
        return true;
    for (size_t i = 0; i < count && used < CHECK_TEXT - 64; i++)
        used += snprintf(ret_text + used, CHECK_TEXT - (size_t)used, "%s%s", rows[i].slug,
                         i + 1 < count ? ", " : "");
    return false;
}

static const char *const *runtime_ids(struct call *call, bool with_none)
{
    size_t count, used = 0;
    const struct runtime_row *rows = runtime_rows(&count);
    const char **ids = call_alloc(call, (count + 2) * sizeof(*ids));

    for (size_t i = 0; i < count; i++)
        ids[used++] = rows[i].id;
    if (with_none)
        ids[used] = "";
    return ids;
}

const char *const *choices_runtimes(struct call *call)
{
    return runtime_ids(call, false);
}

const char *const *choices_runtimes_or_none(struct call *call)
{
    return runtime_ids(call, true);
}

/* a list, not a column */
/* clang-format off */
static const char *const scopes[] = {
    "sessions.write", "users.read", "users.write", "teams.read", "teams.write", "databases.read",
    "databases.write", "collections.read", "collections.write", "tables.read", "tables.write",
    "attributes.read", "attributes.write", "columns.read", "columns.write", "indexes.read",
    "indexes.write", "documents.read", "documents.write", "rows.read", "rows.write", "files.read",
    "files.write", "buckets.read", "buckets.write", "functions.read", "functions.write",
    "sites.read", "sites.write", "log.read", "log.write", "execution.read", "execution.write",
    "executions.read", "executions.write", "targets.read", "targets.write", "providers.read",
    "providers.write", "messages.read", "messages.write", "topics.read", "topics.write",
    "subscribers.read", "subscribers.write", "rules.read", "rules.write", "migrations.read",
    "migrations.write", "vcs.read", "vcs.write", "assistant.read", "tokens.read", "tokens.write",
    "project.read", "project.write", "projects.read", "projects.write", "keys.read", "keys.write",
    "platforms.read", "platforms.write", "webhooks.read", "webhooks.write", "locale.read",
    "avatars.read", "health.read", "graphql", "public", "global", NULL,
};
/* clang-format on */

const char *const *choices_scopes(struct call *call)
{
    (void)call;
    return scopes;
}
