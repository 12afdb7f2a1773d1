/* A domain and what answers on it. */
#include <string.h>

#include "call.h"
#include "json_text.h"
#include "model.h"
#include "models/models.h"
#include "text.h"

static void write_text(const struct writing *writing, const char *text)
{
    json_text_string(writing->out, text, strlen(text));
}

static void write_resource_type(const struct writing *writing, const void *entity)
{
    const struct rule *rule = entity;

    if (text_is_empty(rule->function_id))
        buffer_add_text(writing->out, "null");
    else
        write_text(writing, "function");
}

static void write_resource_type_text(const struct writing *writing, const void *entity)
{
    const struct rule *rule = entity;

    write_text(writing, text_is_empty(rule->function_id) ? "" : "function");
}

const struct field field_rule_resource_type_text = F_OWN(
    "deploymentResourceType", "string", write_resource_type_text, .text = "function, or empty.");

/* Nothing is being tried between the creation of a rule and its verification. */
static void write_status(const struct writing *writing, const void *entity)
{
    const struct rule *rule = entity;
    bool is_new = text_equals(rule->status, "created");
    bool has_word = writing->call != NULL && call_below(writing->call, "1.9.0");

    write_text(writing, is_new && !has_word ? "unverified" : rule->status);
}

static const struct field fields[] = {
    F_TEXT("$id", struct rule, id, .text = "Rule ID."),
    F_DATE("$createdAt", struct rule, created_at, .text = "Date of creation."),
    F_DATE("$updatedAt", struct rule, updated_at, .text = "Date of the last change."),
    F_TEXT("domain", struct rule, domain, .text = "Host name."),
    F_TEXT("type", struct rule, type, .text = "api, deployment or redirect."),
    F_TEXT("trigger", struct rule, trigger,
           .text = "manual: follows the active deployment; deployment: shows one for ever."),
    F_TEXT("redirectUrl", struct rule, redirect_url, .text = "Where a redirect leads."),
    F_INTEGER("redirectStatusCode", struct rule, redirect_status, .text = "Status of a redirect."),
    F_TEXT("deploymentId", struct rule, deployment_id, .text = "Deployment that answers."),
    F_OWN("deploymentResourceType", "string", write_resource_type, .nullable = true,
          .text = "function, or null."),
    F_TEXT("deploymentResourceId", struct rule, function_id, .text = "Function ID."),
    F_TEXT("deploymentVcsProviderBranch", struct rule, branch,
           .text = "Branch whose newest deployment answers."),
    F_OWN("status", "string", write_status, .text = "created, unverified or verified."),
    F_CONSTANT("logs", "", .text = "Always empty: this server obtains no certificates."),
    F_CONSTANT("renewAt", "", .text = "Always empty, likewise."),
    { 0 },
};
const struct model model_rule = { "proxyRule", "rules", fields };
