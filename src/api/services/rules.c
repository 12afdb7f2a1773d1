/*
 * Rules: which host name leads to which function.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Proxy/Http/Rules, app/controllers/api/proxy.php.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "mem.h"
#include "rule_domain.h"
#include "services.h"
#include "text.h"

struct rule_input {
    const char *ruleId;
    const char *domain;
    const char *functionId;
    const char *branch;
    const char *deploymentId;
    const char *url;
    int64_t statusCode;
    const char *resourceId;
    const char *resourceType;
};

static int answer_rule(struct call *call, const char *id, struct error *err)
{
    auto_rule struct rule rule = { 0 };

    if (store_rule_get(call->db, call->project_id, id, &rule, err) < 0)
        return -1;
    return call_answer(call, &rule, NULL, err);
}

/* ---- create ---------------------------------------------------------------------------------- */

/* The newest ready deployment of a branch. */
struct newest {
    const char *branch;
    char *id;
    int64_t seq;
};

static void take_newer(void *context, const void *entity)
{
    struct newest *newest = context;
    const struct deployment *deployment = entity;

    if (deployment->seq < newest->seq || !text_equals(deployment->status, "ready") ||
        !text_equals(deployment->provider_branch, newest->branch))
        return;
    free(newest->id);
    newest->id = xstrdup(deployment->id);
    newest->seq = deployment->seq;
}

static int find_of_branch(struct db *db, const struct rule *rule, char **ret_id, struct error *err)
{
    const struct list_query all = { .project_id = rule->project_id,
                                    .function_id = rule->function_id,
                                    .limit = INT64_MAX };
    struct newest newest = { .branch = rule->branch, .id = xstrdup("") };
    int64_t total;

    if (store_list(db, LIST_DEPLOYMENTS, &all, take_newer, &newest, &total, err) < 0) {
        free(newest.id);
        return -1;
    }
    *ret_id = newest.id;
    return 0;
}

/* Which deployment a new rule of a function shows. */
static int choose_deployment(struct db *db, struct rule *rule, struct error *err)
{
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 };

    if (store_function_get(db, rule->project_id, rule->function_id, &function, err) < 0)
        return err->type == ERROR_FUNCTION_NOT_FOUND
                   ? fail(err, ERROR_RULE_RESOURCE_NOT_FOUND, NULL)
                   : -1;
    free(rule->function_id);
    rule->function_id = xstrdup(function.id); /* ids are compared without regard to case */
    if (!text_equals(rule->type, "deployment"))
        return 0;
    if (!text_is_empty(rule->deployment_id))
        return store_deployment_get(db, rule->project_id, function.id, rule->deployment_id, false,
                                    &deployment, err);
    free(steal(rule->deployment_id));
    if (!text_is_empty(rule->branch))
        return find_of_branch(db, rule, &rule->deployment_id, err);
    rule->deployment_id = xstrdup(function.deployment_id);
    return 0;
}

static int write_rule(struct db *db, void *context, struct error *err)
{
    struct rule *rule = context;

    if (!text_is_empty(rule->function_id) && choose_deployment(db, rule, err) < 0)
        return -1;
    return store_rule_insert(db, rule, err);
}

/* Takes over nothing: wanted's texts are borrowed. */
static int create(struct call *call, const struct rule *wanted, struct error *err)
{
    const struct rule_input *in = call->params;
    int64_t now = clock_realtime_us();
    char id[GENERATED_ID + 1];

    id_generate(now, id);
    auto_rule struct rule rule = {
        .project_id = xstrdup(call->project_id),
        .id = xstrdup(id),
        .domain = xstrdup(in->domain),
        .type = xstrdup(wanted->type),
        .trigger = xstrdup(wanted->trigger ? wanted->trigger : ""),
        .function_id = xstrdup(wanted->function_id ? wanted->function_id : ""),
        .deployment_id = xstrdup(wanted->deployment_id ? wanted->deployment_id : ""),
        .branch = xstrdup(wanted->branch ? wanted->branch : ""),
        .redirect_url = xstrdup(wanted->redirect_url ? wanted->redirect_url : ""),
        .redirect_status = wanted->redirect_status,
        .created_at = now,
        .updated_at = now,
    };
    text_lower(rule.domain);
    if (rule_domain_may_be(call, rule.domain, err) < 0)
        return -1;
    rule.status = xstrdup(rule_domain_is_ours(call, rule.domain) ? "verified" : "created");
    if (store_write_wait(call->store, write_rule, &rule, err) < 0)
        return -1;
    call_changed(call, CHANGE_RULES, rule.id);
    return answer_rule(call, rule.id, err);
}

enum { STATUS_DEFAULT = 301 };
static char type_api[] = "api", type_deployment[] = "deployment", type_redirect[] = "redirect";
static char trigger_manual[] = "manual", trigger_deployment[] = "deployment";

static char *borrowed(struct call *call, const char *text)
{
    return text_is_empty(text) ? NULL : call_textf(call, "%s", text);
}

static int rules_create_api(struct call *call, struct error *err)
{
    const struct rule wanted = { .type = type_api, .redirect_status = STATUS_DEFAULT };

    return create(call, &wanted, err);
}

static int rules_create_function(struct call *call, struct error *err)
{
    const struct rule_input *in = call->params;
    bool is_pinned = !text_is_empty(in->deploymentId);
    const struct rule wanted = { .type = type_deployment,
                                 .trigger = is_pinned ? trigger_deployment : trigger_manual,
                                 .function_id = borrowed(call, in->functionId),
                                 .deployment_id = borrowed(call, in->deploymentId),
                                 .branch = is_pinned ? NULL : borrowed(call, in->branch),
                                 .redirect_status = STATUS_DEFAULT };

    return create(call, &wanted, err);
}

static int rules_create_redirect(struct call *call, struct error *err)
{
    const struct rule_input *in = call->params;
    const struct rule wanted = { .type = type_redirect,
                                 .trigger = trigger_manual,
                                 .function_id = borrowed(call, in->resourceId),
                                 .redirect_url = borrowed(call, in->url),
                                 .redirect_status = in->statusCode };

    if (text_equals(in->resourceType, "site") && !text_is_empty(in->resourceId))
        return fail(err, ERROR_RULE_RESOURCE_NOT_FOUND, NULL);
    return create(call, &wanted, err);
}

/* The only way up to 1.6. */
static int rules_create(struct call *call, struct error *err)
{
    const struct rule_input *in = call->params;
    const struct rule wanted = { .type = type_deployment,
                                 .trigger = trigger_manual,
                                 .function_id = borrowed(call, in->resourceId),
                                 .redirect_status = STATUS_DEFAULT };

    if (text_equals(in->resourceType, "api"))
        return rules_create_api(call, err);
    if (text_is_empty(in->resourceId))
        return fail(err, ERROR_RULE_RESOURCE_NOT_FOUND, NULL);
    return create(call, &wanted, err);
}

/* ---- verification ---------------------------------------------------------------------------- */

static int write_verified(struct db *db, void *context, struct error *err)
{
    const struct rule *verified = context;
    auto_rule struct rule rule = { 0 };

    if (store_rule_get(db, verified->project_id, verified->id, &rule, err) < 0)
        return -1;
    free(rule.status);
    rule.status = xstrdup("verified");
    rule.updated_at = clock_realtime_us();
    return store_rule_update(db, &rule, err);
}

static int rules_verify(struct call *call, struct error *err)
{
    const struct rule_input *in = call->params;
    auto_rule struct rule rule = { 0 };

    if (store_rule_get(call->db, call->project_id, in->ruleId, &rule, err) < 0)
        return -1;
    if (text_equals(rule.status, "verified"))
        return call_answer(call, &rule, NULL, err);
    if (rule_domain_verify(call, rule.domain, err) < 0 ||
        store_write_wait(call->store, write_verified, &rule, err) < 0)
        return -1;
    call_changed(call, CHANGE_RULES, rule.id);
    return answer_rule(call, rule.id, err);
}

/* ---- get, list, delete ----------------------------------------------------------------------- */

static int rules_get(struct call *call, struct error *err)
{
    return answer_rule(call, ((const struct rule_input *)call->params)->ruleId, err);
}

struct rule_list {
    struct queries queries;
    const char *search;
    bool total;
};

static int rules_list(struct call *call, struct error *err)
{
    const struct rule_list *in = call->params;
    struct list_query query = in->queries.query;
    int64_t total = 0;

    query.search = in->search;
    query.count = in->total;
    call_list_begin(call, &in->queries);
    if (store_list(call->db, LIST_RULES, &query, call_list_row, call, &total, err) < 0)
        return -1;
    return call_list_end(call, total, err);
}

static int write_deletion(struct db *db, void *context, struct error *err)
{
    const struct rule *rule = context;

    return store_rule_delete(db, rule->project_id, rule->id, err);
}

static int rules_delete(struct call *call, struct error *err)
{
    const struct rule_input *in = call->params;
    auto_rule struct rule rule = { 0 };

    if (store_rule_get(call->db, call->project_id, in->ruleId, &rule, err) < 0 ||
        store_write_wait(call->store, write_deletion, &rule, err) < 0)
        return -1;
    call_changed(call, CHANGE_RULES, rule.id);
    return call_answer_empty(call);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool check_url(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    enum { URL_MAX = 2048 };
    const char *url = value, *rest = strstr(url, "://");
    bool has_scheme = text_starts_nocase(url, "http://") || text_starts_nocase(url, "https://");

    (void)call;
    for (const char *c = url; has_scheme && *c != '\0'; c++) /* it becomes a header line */
        has_scheme = (unsigned char)*c > ' ' && (unsigned char)*c < 0x7f;
    if (has_scheme && strlen(url) <= URL_MAX && strcspn(rest + 3, "/?#:") > 0)
        return true;
    snprintf(ret_text, CHECK_TEXT, "Value must be a valid URL");
    return false;
}

static bool check_redirect(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    int64_t status = *(const int64_t *)value;

    (void)call;
    if (status == 301 || status == 302 || status == 307 || status == 308)
        return true;
    snprintf(ret_text, CHECK_TEXT, "Value must be one of (301, 302, 307, 308)");
    return false;
}

static const char *const *choices_resources(struct call *call)
{
    static const char *const words[] = { "api", "function", NULL };

    (void)call;
    return words;
}

static const char *const *choices_redirected(struct call *call)
{
    static const char *const words[] = { "site", "function", "", NULL };

    (void)call;
    return words;
}

static bool check_uid_or_none(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    return *(const char *)value == '\0' || check_uid(call, value, ret_text);
}

#define RULE_ID TEXT(struct rule_input, ruleId, .check = check_uid, .text = "Rule ID.")
#define DOMAIN  TEXT(struct rule_input, domain, .check = check_domain, .text = "Host name.")
#define RESOURCE_ID                                                                      \
    TEXT(struct rule_input, resourceId, .optional = true, .empty = true, .fallback = "", \
         .check = check_uid_or_none, .text = "Function the rule belongs to; empty: none.")

static const struct param list_params[] = {
    QUERIES(struct rule_list, queries, .entity = LIST_RULES, .text = "Filters and order."),
    TEXT(struct rule_list, search, .optional = true, .max = 256, .text = "Words of id or domain."),
    BOOLEAN(struct rule_list, total, .optional = true, .loose = true, .fallback = "true",
            .text = "Count all that match, up to 5000."),
    { 0 },
};
static const struct param one_params[] = { RULE_ID, { 0 } };
static const struct param api_params[] = { DOMAIN, { 0 } };
static const struct param old_params[] = {
    DOMAIN,
    TEXT(struct rule_input, resourceType, .choices = choices_resources, .text = "What answers."),
    RESOURCE_ID,
    { 0 },
};
static const struct param function_params[] = {
    DOMAIN,
    TEXT(struct rule_input, functionId, .check = check_uid, .text = "Function that answers."),
    TEXT(struct rule_input, branch, .optional = true, .max = 255, .empty = true, .fallback = "",
         .text = "Branch whose newest deployment answers; empty: the active deployment does."),
    TEXT(struct rule_input, deploymentId, .optional = true, .empty = true, .fallback = "",
         .check = check_uid_or_none,
         .text = "Deployment that answers whichever is active; an addition of this server."),
    { 0 },
};
static const struct param redirect_params[] = {
    DOMAIN,
    TEXT(struct rule_input, url, .check = check_url, .text = "Where to."),
    INTEGER(struct rule_input, statusCode, .range = check_redirect, .min = 301, .max = 308,
            .text = "Status of the answer."),
    RESOURCE_ID,
    TEXT(struct rule_input, resourceType, .optional = true, .choices = choices_redirected,
         .fallback = "", .text = "What the id is of."),
    { 0 },
};

#define READS(id_) .id = id_, .auth = AUTH_KEY, .scopes = SCOPES("rules.read"), .since = "1.4.0"

#define RULES                  "/v1/proxy/rules"
#define WRITES(id_)            .id = id_, .auth = AUTH_KEY, .scopes = SCOPES("rules.write")
#define TAKES(rows, structure) .params = rows, .params_size = sizeof(struct structure)
#define CREATES(rows)                                                                 \
    .method = "POST", TAKES(rows, rule_input), .answers = &model_rule, .status = 201, \
    .limit = { RATE(rate_rules, 60) }, .event = "rules.[ruleId].create"

const struct endpoint rules_endpoints[] = {
    { READS("proxy.listRules"), .method = "GET", .path = RULES, TAKES(list_params, rule_list),
      .answers = &model_rule, .list = true, .status = 200, .summary = "List rules",
      .handle = rules_list },
    { READS("proxy.getRule"), .method = "GET", .path = RULES "/{ruleId}",
      TAKES(one_params, rule_input), .answers = &model_rule, .status = 200, .summary = "Get rule",
      .handle = rules_get },
    { WRITES("proxy.createRule"), .path = RULES, .since = "1.4.0", .until = "1.6.2",
      CREATES(old_params), .summary = "Create rule", .handle = rules_create },
    { WRITES("proxy.createAPIRule"), .path = RULES "/api", .since = "1.7.0", CREATES(api_params),
      .summary = "Create a rule for the API", .handle = rules_create_api },
    { WRITES("proxy.createFunctionRule"), .path = RULES "/function", .since = "1.7.0",
      CREATES(function_params), .summary = "Create a rule for a function",
      .handle = rules_create_function },
    { WRITES("proxy.createRedirectRule"), .path = RULES "/redirect", .since = "1.7.0",
      CREATES(redirect_params), .summary = "Create a redirect", .handle = rules_create_redirect },
    { WRITES("proxy.updateRuleVerification"), .method = "PATCH", .since = "1.4.0",
      .path = RULES "/{ruleId}/verification", .aliases = PATHS(RULES "/{ruleId}/status"),
      TAKES(one_params, rule_input), .answers = &model_rule, .status = 200,
      .event = "rules.[ruleId].update", .summary = "Look whether the domain leads here",
      .handle = rules_verify },
    { WRITES("proxy.deleteRule"), .method = "DELETE", .since = "1.4.0", .path = RULES "/{ruleId}",
      TAKES(one_params, rule_input), .status = 204, .event = "rules.[ruleId].delete",
      .summary = "Delete rule", .handle = rules_delete },
    { 0 },
};
