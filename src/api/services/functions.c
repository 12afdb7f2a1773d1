/*
 * Functions, runtimes, specifications.
 *
 * Source: appwrite
 * src/Appwrite/Platform/Modules/Functions/Http/{Functions,Runtimes,Specifications}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "cli_session.h"
#include "clock.h"
#include "deployments.h"
#include "functions.h"
#include "mem.h"
#include "services.h"
#include "services/runtimes.h"
#include "source.h"
#include "text.h"

/* What create and update share; the names are the public ones. */
struct function_input {
    const char *functionId;
    const char *name;
    const char *runtime;
    struct text_list execute;
    struct text_list events;
    const char *schedule;
    int64_t timeout; /* seconds */
    bool enabled;
    bool logging;
    const char *entrypoint;
    const char *commands;
    struct text_list scopes;
    const char *installationId;
    const char *providerRepositoryId;
    const char *providerBranch;
    bool providerSilentMode;
    const char *providerRootDirectory;
    const char *templateRepository; /* these five only in formats below 1.7.0 */
    const char *templateOwner;
    const char *templateRootDirectory;
    const char *templateBranch;
    const char *templateVersion;
    struct text_list providerBranches;
    struct text_list providerPaths;
    const char *buildSpecification;
    const char *runtimeSpecification;
    int64_t deploymentRetention; /* days */
};

static bool check_timeout(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    int64_t most = call->api->settings->function_timeout;
    int64_t timeout = *(const int64_t *)value;

    if (timeout >= 1 && timeout <= most)
        return true;
    snprintf(ret_text, CHECK_TEXT,
             most >= 1000 ? "Value must be a valid range between 1 and %lld,%03lld"
                          : "Value must be a valid range between 1 and %lld",
             most >= 1000 ? (long long)most / 1000 : (long long)most, (long long)most % 1000);
    return false;
}

/*
 * Rows of both, in the order in which they are checked. `kept` differs: what an update without the
 * field does.
 */
#define FUNCTION_EVENTS_TO_SCOPES                                                                  \
    LIST(struct function_input, execute, .optional = true, .check = check_roles,                   \
         .text = "Roles that may execute the function."),                                          \
        LIST(struct function_input, events, .optional = true, .check = check_events,               \
             .text = "Events that trigger the function."),                                         \
        TEXT(struct function_input, schedule, .optional = true, .check = check_cron,               \
             .fallback = "", .text = "Cron expression in UTC."),                                   \
        INTEGER(struct function_input, timeout, .optional = true, .range = check_timeout,          \
                .min = 1, .max = 900, .fallback = "15", .text = "Seconds an execution may take."), \
        BOOLEAN(struct function_input, enabled, .optional = true, .fallback = "true",              \
                .text = "Clients may execute the function."),                                      \
        BOOLEAN(struct function_input, logging, .optional = true, .fallback = "true",              \
                .text = "Logs and errors of executions are kept."),                                \
        TEXT(struct function_input, entrypoint, .optional = true, .max = 1028, .empty = true,      \
             .fallback = "", .text = "File that is executed."),                                    \
        TEXT(struct function_input, commands, .optional = true, .max = 8192, .empty = true,        \
             .fallback = "", .text = "Build commands."),                                           \
        LIST(struct function_input, scopes, .optional = true, .items = 200,                        \
             .choices = choices_scopes, .text = "Scopes of the key that each execution gets."),    \
        TEXT(struct function_input, installationId, .optional = true, .max = 128, .empty = true,   \
             .fallback = "", .text = "VCS installation.")

#define FUNCTION_PROVIDER                                                                         \
    TEXT(struct function_input, providerBranch, .optional = true, .max = 128, .empty = true,      \
         .fallback = "", .text = "VCS branch."),                                                  \
        BOOLEAN(struct function_input, providerSilentMode, .optional = true, .fallback = "false", \
                .text = "No comments on pull requests."),                                         \
        TEXT(struct function_input, providerRootDirectory, .optional = true, .max = 128,          \
             .empty = true, .fallback = "", .text = "Directory of the function.")

#define TEMPLATE_TEXT(field, text_)                                                    \
    TEXT(struct function_input, field, .optional = true, .below = "1.7.0", .max = 128, \
         .empty = true, .fallback = "", .text = text_)

static const struct param create_params[] = {
    TEXT(struct function_input, functionId, .check = check_custom_id,
         .text = "Function ID, or unique() for a generated one."),
    TEXT(struct function_input, name, .max = 128, .text = "Function name."),
    TEXT(struct function_input, runtime, .choices = choices_runtimes, .text = "Runtime ID."),
    FUNCTION_EVENTS_TO_SCOPES,
    TEXT(struct function_input, providerRepositoryId, .optional = true, .max = 128, .empty = true,
         .fallback = "", .text = "VCS repository."),
    FUNCTION_PROVIDER,
    TEMPLATE_TEXT(templateRepository, "Repository of a template to deploy at once."),
    TEMPLATE_TEXT(templateOwner, "Account that repository belongs to."),
    TEMPLATE_TEXT(templateRootDirectory, "Folder of the template."),
    TEMPLATE_TEXT(templateBranch, "Branch of the template."),
    TEMPLATE_TEXT(templateVersion, "Tag, or range of tags, of the template."),
    LIST(struct function_input, providerBranches, .optional = true, .max = 128,
         .text = "Branches that are deployed."),
    LIST(struct function_input, providerPaths, .optional = true, .max = 128,
         .text = "Paths that are deployed."),
    TEXT(struct function_input, buildSpecification, .optional = true, .check = check_specification,
         .fallback = "s-1vcpu-512mb", .text = "Of builds."),
    TEXT(struct function_input, runtimeSpecification, .optional = true,
         .check = check_specification, .fallback = "s-1vcpu-512mb", .text = "Of workers."),
    INTEGER(struct function_input, deploymentRetention, .optional = true, .min = 0, .max = 36500,
            .fallback = "0", .text = "Days that unused deployments are kept; 0: for ever."),
    { 0 },
};

static const struct param update_params[] = {
    TEXT(struct function_input, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct function_input, name, .max = 128, .text = "Function name."),
    TEXT(struct function_input, runtime, .optional = true, .choices = choices_runtimes_or_none,
         .text = "Runtime ID; absent or empty keeps it."),
    FUNCTION_EVENTS_TO_SCOPES,
    TEXT(struct function_input, providerRepositoryId, .optional = true, .nullable = true,
         .max = 128, .empty = true, .text = "VCS repository; absent keeps it."),
    FUNCTION_PROVIDER,
    LIST(struct function_input, providerBranches, .optional = true, .nullable = true, .max = 128,
         .text = "Branches that are deployed; absent keeps them."),
    LIST(struct function_input, providerPaths, .optional = true, .nullable = true, .max = 128,
         .text = "Paths that are deployed; absent keeps them."),
    TEXT(struct function_input, buildSpecification, .optional = true, .nullable = true,
         .check = check_specification, .text = "Of builds; absent keeps it."),
    TEXT(struct function_input, runtimeSpecification, .optional = true, .nullable = true,
         .check = check_specification, .text = "Of workers; absent keeps it."),
    INTEGER(struct function_input, deploymentRetention, .optional = true, .min = 0, .max = 36500,
            .fallback = "0", .text = "Days that unused deployments are kept; 0: for ever."),
    { 0 },
};

/* ---- checks that parameters alone cannot make ------------------------------------------------ */

/* The one installation there may be is a matter of settings. */
static int check_provider(const struct call *call, const struct function_input *in,
                          struct error *err)
{
    bool has_repository = !text_is_empty(in->providerRepositoryId);
    bool has_installation = !text_is_empty(in->installationId);

    if (has_installation &&
        !text_equals(in->installationId, source_installation(call->api->settings)))
        return fail(err, ERROR_INSTALLATION_NOT_FOUND, NULL);
    if (has_repository && (!has_installation || text_is_empty(in->providerBranch)))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "When connecting to VCS (Version Control System), you need to provide "
                    "\"installationId\" and \"providerBranch\".");
    return 0;
}

static int answer_function(struct call *call, const char *id, struct error *err)
{
    auto_function struct function function = { 0 };

    if (store_function_get(call->db, call->project_id, id, &function, err) < 0)
        return -1;
    return call_answer(call, &function, NULL, err);
}

/* ---- create ---------------------------------------------------------------------------------- */

struct creation {
    struct function *function;
    struct rule *rule;
    const char *suffix;            /* of function domains */
    struct deployment *deployment; /* NULL: none */
};

/*
 * <function id>.<suffix>, unless the id makes no host label or someone has it: then a random label.
 */
static int insert_rule(struct db *db, struct creation *creation, struct error *err)
{
    struct rule *rule = creation->rule;
    const char *id = creation->function->id;
    char label[GENERATED_ID + 1];

    if (strpbrk(id, "._") == NULL && !text_ends(id, "-")) {
        rule->domain = xasprintf("%s.%s", id, creation->suffix);
        text_lower(rule->domain);
        if (store_rule_insert(db, rule, err) == 0)
            return 0;
        if (err->type != ERROR_RULE_ALREADY_EXISTS)
            return -1;
        free(steal(rule->domain));
    }
    id_generate(clock_realtime_us(), label);
    rule->domain = xasprintf("%s.%s", label, creation->suffix);
    return store_rule_insert(db, rule, err);
}

static int write_function(struct db *db, void *context, struct error *err)
{
    struct creation *creation = context;

    if (store_function_insert(db, creation->function, err) < 0 ||
        insert_rule(db, creation, err) < 0)
        return -1;
    return creation->deployment ? store_deployment_insert(db, creation->deployment, err) : 0;
}

static char *new_id(const char *wanted, int64_t now)
{
    char id[GENERATED_ID + 1];

    if (strcmp(wanted, "unique()") != 0)
        return xstrdup(wanted);
    id_generate(now, id);
    return xstrdup(id);
}

static struct function function_from(const struct call *call, const struct function_input *in)
{
    int64_t now = clock_realtime_us();

    return (struct function){
        .project_id = xstrdup(call->project_id),
        .id = new_id(in->functionId, now),
        .name = xstrdup(in->name),
        .runtime = xstrdup(in->runtime),
        .execute = xstrdup(in->execute.json),
        .events = xstrdup(in->events.json),
        .schedule = xstrdup(in->schedule),
        .timeout = in->timeout,
        .enabled = in->enabled,
        .logging = in->logging,
        .live = true,
        .entrypoint = xstrdup(in->entrypoint),
        .commands = xstrdup(in->commands),
        .scopes = xstrdup(in->scopes.json),
        .version = xstrdup(call_below(call, "1.4.0") ? "v2" : "v5"),
        .installation_id = xstrdup(in->installationId),
        .provider_repository_id = xstrdup(in->providerRepositoryId),
        .provider_branch = xstrdup(in->providerBranch),
        .provider_root_directory = xstrdup(in->providerRootDirectory),
        .provider_silent_mode = in->providerSilentMode,
        .provider_branches = xstrdup(in->providerBranches.json),
        .provider_paths = xstrdup(in->providerPaths.json),
        .build_specification = xstrdup(in->buildSpecification),
        .runtime_specification = xstrdup(in->runtimeSpecification),
        .deployment_retention = in->deploymentRetention,
        .deployment_id = xstrdup(""),
        .latest_deployment_id = xstrdup(""),
        .latest_deployment_status = xstrdup(""),
        .created_at = now,
        .updated_at = now,
    };
}

static struct rule rule_of(const struct function *function)
{
    char id[GENERATED_ID + 1];

    id_generate(function->created_at, id);
    return (struct rule){
        .project_id = xstrdup(function->project_id),
        .id = xstrdup(id),
        .type = xstrdup("deployment"),
        .trigger = xstrdup("manual"),
        .function_id = xstrdup(function->id),
        .deployment_id = xstrdup(""),
        .branch = xstrdup(""),
        .redirect_url = xstrdup(""),
        .status = xstrdup("verified"),
        .created_at = function->created_at,
        .updated_at = function->created_at,
    };
}

static int functions_create(struct call *call, struct error *err)
{
    const struct function_input *in = call->params;

    if (runtime_check(call, in->runtime, err) < 0 || check_provider(call, in, err) < 0)
        return -1;
    auto_function struct function function = function_from(call, in);
    auto_rule struct rule rule = rule_of(&function);
    auto_deployment struct deployment deployment = { 0 };
    const struct template_choice choice = { .owner = in->templateOwner,
                                            .repository = in->templateRepository,
                                            .root = in->templateRootDirectory,
                                            .branch = in->templateBranch,
                                            .version = in->templateVersion };
    if (deployment_of_creation(call, &function, &choice, &deployment, err) < 0)
        return -1;
    struct creation creation = { &function, &rule, call->api->settings->functions_domain,
                                 deployment.id ? &deployment : NULL };
    if (store_write_wait(call->store, write_function, &creation, err) < 0)
        return -1;
    if (deployment.id)
        deployment_fetch_later(call, function.id, deployment.id);
    call_changed(call, CHANGE_FUNCTION, function.id);
    call_changed(call, CHANGE_RULES, rule.id);
    cli_session_offer(call);
    return answer_function(call, function.id, err);
}

/* ---- update ---------------------------------------------------------------------------------- */

struct update {
    struct call *call;
    const struct function_input *in;
};

static bool replace(char **text, const char *with)
{
    bool is_other = !text_equals(*text, with);

    free(*text);
    *text = xstrdup(with);
    return is_other;
}

/* Absent is null for these, and null keeps what is there. */
static void apply_nullable(struct function *function, const struct function_input *in,
                           const struct call *call)
{
    if (call_given(call, "providerBranches"))
        replace(&function->provider_branches, in->providerBranches.json);
    if (call_given(call, "providerPaths"))
        replace(&function->provider_paths, in->providerPaths.json);
    if (call_given(call, "buildSpecification"))
        replace(&function->build_specification, in->buildSpecification);
    if (call_given(call, "runtimeSpecification"))
        replace(&function->runtime_specification, in->runtimeSpecification);
}

/*
 * A connected function stays so unless the repository is named: with another one it is connected
 * anew, with none it is let go of. True: the folder of the code is another.
 */
static bool apply_connection(struct function *function, const struct function_input *in,
                             const struct call *call)
{
    bool is_named = call_given(call, "providerRepositoryId");
    bool was_connected = !text_is_empty(function->provider_repository_id);

    if (was_connected && !is_named)
        return false;
    if (is_named)
        replace(&function->provider_repository_id, in->providerRepositoryId);
    replace(&function->installation_id, in->installationId);
    replace(&function->provider_branch, in->providerBranch);
    function->provider_silent_mode = in->providerSilentMode ||
                                     (was_connected && text_is_empty(in->providerRepositoryId));
    return replace(&function->provider_root_directory, in->providerRootDirectory);
}

/* An update replaces everything, but an empty runtime or entrypoint keeps the old one. */
static void apply(struct function *function, const struct function_input *in,
                  const struct call *call)
{
    bool is_other = replace(&function->name, in->name);

    if (!text_is_empty(in->runtime))
        is_other |= replace(&function->runtime, in->runtime);
    if (!text_is_empty(in->entrypoint))
        is_other |= replace(&function->entrypoint, in->entrypoint);
    is_other |= replace(&function->commands, in->commands);
    is_other |= apply_connection(function, in, call);
    replace(&function->execute, in->execute.json);
    replace(&function->events, in->events.json);
    replace(&function->schedule, in->schedule);
    replace(&function->scopes, in->scopes.json);
    function->timeout = in->timeout;
    function->enabled = in->enabled;
    function->logging = in->logging;
    function->deployment_retention = in->deploymentRetention;
    function->live = !is_other;
    function->updated_at = clock_realtime_us();
    apply_nullable(function, in, call);
}

/* Reads and writes in one transaction, so that two updates cannot mix. */
static int write_update(struct db *db, void *context, struct error *err)
{
    struct update *update = context;
    auto_function struct function function = { 0 };

    if (store_function_get(db, update->call->project_id, update->in->functionId, &function, err) <
        0)
        return -1;
    apply(&function, update->in, update->call);
    return store_function_update(db, &function, err);
}

static int functions_update(struct call *call, struct error *err)
{
    const struct function_input *in = call->params;
    struct update update = { call, in };
    auto_function struct function function = { 0 };

    if (store_function_get(call->db, call->project_id, in->functionId, &function, err) < 0)
        return -1;
    if (!text_is_empty(in->runtime) && runtime_check(call, in->runtime, err) < 0)
        return -1;
    if (check_provider(call, in, err) < 0)
        return -1;
    if (store_write_wait(call->store, write_update, &update, err) < 0)
        return -1;
    call_changed(call, CHANGE_FUNCTION, function.id);
    return answer_function(call, function.id, err);
}

/* ---- get, list ------------------------------------------------------------------------------- */

static int functions_get(struct call *call, struct error *err)
{
    const struct function_one *in = call->params;

    return answer_function(call, in->functionId, err);
}

struct function_list {
    struct queries queries;
    const char *search;
    bool total;
};

static const struct param list_params[] = {
    QUERIES(struct function_list, queries, .entity = LIST_FUNCTIONS, .text = "Filters and order."),
    TEXT(struct function_list, search, .optional = true, .max = 256,
         .text = "Words of id, name or runtime."),
    BOOLEAN(struct function_list, total, .optional = true, .loose = true, .fallback = "true",
            .text = "Count all that match, up to 5000."),
    { 0 },
};

static int functions_list(struct call *call, struct error *err)
{
    const struct function_list *in = call->params;
    struct list_query query = in->queries.query;
    int64_t total = 0;

    query.search = in->search;
    query.count = in->total;
    call_list_begin(call, &in->queries);
    if (store_list(call->db, LIST_FUNCTIONS, &query, call_list_row, call, &total, err) < 0)
        return -1;
    return call_list_end(call, total, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct param id_params[] = {
    TEXT(struct function_one, functionId, .check = check_uid, .text = "Function ID."),
    { 0 },
};

#define FUNCTIONS_READ  .auth = AUTH_KEY, .scopes = SCOPES("functions.read")
#define FUNCTIONS_WRITE .auth = AUTH_KEY, .scopes = SCOPES("functions.write")

const struct endpoint functions_endpoints[] = {
    { .id = "functions.create",
      .method = "POST",
      .path = "/v1/functions",
      FUNCTIONS_WRITE,
      .params = create_params,
      .params_size = sizeof(struct function_input),
      .answers = &model_function,
      .status = 201,
      .limit = { RATE(rate_functions, 86400), .counts_keys = true },
      .event = "functions.[functionId].create",
      .summary = "Create function",
      .handle = functions_create },
    { .id = "functions.list",
      .method = "GET",
      .path = "/v1/functions",
      FUNCTIONS_READ,
      .params = list_params,
      .params_size = sizeof(struct function_list),
      .answers = &model_function,
      .list = true,
      .status = 200,
      .summary = "List functions",
      .handle = functions_list },
    { .id = "functions.get",
      .method = "GET",
      .path = "/v1/functions/{functionId}",
      FUNCTIONS_READ,
      .params = id_params,
      .params_size = sizeof(struct function_one),
      .answers = &model_function,
      .status = 200,
      .summary = "Get function",
      .handle = functions_get },
    { .id = "functions.update",
      .method = "PUT",
      .path = "/v1/functions/{functionId}",
      FUNCTIONS_WRITE,
      .params = update_params,
      .params_size = sizeof(struct function_input),
      .answers = &model_function,
      .status = 200,
      .event = "functions.[functionId].update",
      .summary = "Update function",
      .handle = functions_update },
    { .id = "functions.delete",
      .method = "DELETE",
      .path = "/v1/functions/{functionId}",
      FUNCTIONS_WRITE,
      .params = id_params,
      .params_size = sizeof(struct function_one),
      .status = 204,
      .event = "functions.[functionId].delete",
      .summary = "Delete function",
      .handle = functions_delete },
    { 0 },
};
