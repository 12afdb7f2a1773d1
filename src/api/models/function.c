/* function, variable, runtime, specification. */
#include <string.h>

#include "call.h"
#include "clock.h"
#include "cron.h"
#include "json_text.h"
#include "model.h"
#include "models/models.h"
#include "models/render.h"
#include "text.h"
#include "versions.h"

/* ---- variable -------------------------------------------------------------------------------- */

static void write_variable_value(const struct writing *writing, const void *entity)
{
    const struct variable *variable = entity;
    const char *value = variable->secret ? "" : variable->value;

    json_text_string(writing->out, value, strlen(value));
}

static void write_resource_type(const struct writing *writing, const void *entity)
{
    const struct variable *variable = entity;

    buffer_add_text(writing->out,
                    text_is_empty(variable->function_id) ? "\"project\"" : "\"function\"");
}

static const struct field variable_fields[] = {
    F_TEXT("$id", struct variable, id, .text = "Variable ID."),
    F_DATE("$createdAt", struct variable, created_at, .text = "Creation date."),
    F_DATE("$updatedAt", struct variable, updated_at, .text = "Date of the last change."),
    F_TEXT("key", struct variable, key, .text = "Name in the environment."),
    F_OWN("value", "string", write_variable_value, .text = "Value; empty for secret ones."),
    F_BOOLEAN("secret", struct variable, secret, .text = "Write-only."),
    F_OWN("resourceType", "string", write_resource_type, .text = "function or project."),
    F_TEXT("resourceId", struct variable, function_id, .text = "Function ID, empty for project."),
    { 0 },
};
const struct model model_variable = { "variable", "variables", variable_fields };

/* ---- function -------------------------------------------------------------------------------- */

static void write_one_var(void *context, const void *entity)
{
    const struct writing *writing = context;
    uint64_t format = writing->call->format;

    if (writing->out->size > 0 && writing->out->data[writing->out->size - 1] == '}')
        buffer_add_char(writing->out, ',');
    /* Old formats shape the variables of a function as they shape those of a list. */
    render_document(
        writing, models_fields(writing->call->api->models, format, &model_variable, false), entity);
}

static void write_vars(const struct writing *writing, const void *entity)
{
    const struct function *function = entity;
    struct writing inner = *writing;
    struct error ignored;

    buffer_add_char(writing->out, '[');
    if (writing->call != NULL && writing->call->db != NULL &&
        store_variable_each(writing->call->db, function->project_id, function->id, write_one_var,
                            &inner, &ignored) < 0)
        writing->out->overflowed = true; /* the answer must not lack them silently */
    buffer_add_char(writing->out, ']');
}

static void write_run_date(const struct writing *writing, const struct function *function,
                           bool is_next)
{
    char text[CLOCK_TEXT];
    struct cron cron;
    int64_t now_seconds = clock_realtime_us() / 1000000, at;

    if (text_is_empty(function->schedule) || !cron_parse(function->schedule, &cron) ||
        !(is_next ? cron_next(&cron, now_seconds, &at) : cron_previous(&cron, now_seconds, &at))) {
        buffer_add_text(writing->out, "\"\"");
        return;
    }
    size_t bytes = clock_format(at * 1000000, text);
    json_text_string(writing->out, text, bytes);
}

static void write_schedule_previous(const struct writing *writing, const void *entity)
{
    write_run_date(writing, entity, false);
}

static void write_schedule_next(const struct writing *writing, const void *entity)
{
    write_run_date(writing, entity, true);
}

const struct field field_function_schedule_previous = F_OWN(
    "schedulePrevious", "string", write_schedule_previous, .text = "Run before now.");
const struct field field_function_schedule_next = F_OWN(
    "scheduleNext", "string", write_schedule_next, .text = "Run after now.");

static const struct field function_fields[] = {
    F_TEXT("$id", struct function, id, .text = "Function ID."),
    F_DATE("$createdAt", struct function, created_at, .text = "Creation date."),
    F_DATE("$updatedAt", struct function, updated_at, .text = "Date of the last change."),
    F_JSON("execute", struct function, execute, "array:string", .text = "Who may execute it."),
    F_TEXT("name", struct function, name, .text = "Function name."),
    F_BOOLEAN("enabled", struct function, enabled, .text = "Clients may execute it."),
    F_BOOLEAN("live", struct function, live, .text = "The active deployment is of these settings."),
    F_BOOLEAN("logging", struct function, logging, .text = "Logs of executions are kept."),
    F_TEXT("runtime", struct function, runtime, .text = "Runtime ID."),
    F_INTEGER("deploymentRetention", struct function, deployment_retention,
              .text = "Days that deployments which are not active are kept; 0: for ever."),
    F_TEXT("deploymentId", struct function, deployment_id, .text = "Active deployment."),
    F_DATE("deploymentCreatedAt", struct function, deployment_created_at, .text = "Its date."),
    F_TEXT("latestDeploymentId", struct function, latest_deployment_id,
           .text = "Newest deployment."),
    F_DATE("latestDeploymentCreatedAt", struct function, latest_deployment_created_at,
           .text = "Its date."),
    F_TEXT("latestDeploymentStatus", struct function, latest_deployment_status,
           .text = "Its status: waiting, processing, building, ready, failed or canceled."),
    F_JSON("scopes", struct function, scopes, "array:string",
           .text = "Scopes of the key each execution gets."),
    F_OWN("vars", "array:variable", write_vars, .text = "Variables of the function."),
    F_JSON("events", struct function, events, "array:string", .text = "Events that trigger it."),
    F_TEXT("schedule", struct function, schedule, .text = "Cron expression, or empty."),
    F_INTEGER("timeout", struct function, timeout, .text = "Seconds an execution may take."),
    F_TEXT("entrypoint", struct function, entrypoint, .text = "File that is executed."),
    F_TEXT("commands", struct function, commands, .text = "Build commands."),
    F_TEXT("version", struct function, version, .text = "Contract of the runtime."),
    F_TEXT("installationId", struct function, installation_id, .text = "VCS installation."),
    F_TEXT("providerRepositoryId", struct function, provider_repository_id,
           .text = "VCS repository."),
    F_TEXT("providerBranch", struct function, provider_branch, .text = "VCS branch."),
    F_TEXT("providerRootDirectory", struct function, provider_root_directory,
           .text = "Directory of the function in the repository."),
    F_BOOLEAN("providerSilentMode", struct function, provider_silent_mode,
              .text = "No comments on pull requests."),
    F_JSON("providerBranches", struct function, provider_branches, "array:string",
           .text = "Branches that are deployed."),
    F_JSON("providerPaths", struct function, provider_paths, "array:string",
           .text = "Paths that are deployed."),
    F_TEXT("buildSpecification", struct function, build_specification, .text = "Of builds."),
    F_TEXT("runtimeSpecification", struct function, runtime_specification, .text = "Of workers."),
    { 0 },
};
const struct model model_function = { "function", "functions", function_fields };

/* ---- runtime, specification ------------------------------------------------------------------ */

#define RUNTIME_TEXT(name_, member, text_)                                                 \
    {                                                                                      \
        .name = name_, .kind = FIELD_TEXT, .offset = offsetof(struct runtime_row, member), \
        .text = text_                                                                      \
    }

static const struct field runtime_fields[] = {
    RUNTIME_TEXT("$id", id, "Runtime ID."),
    RUNTIME_TEXT("key", key, "Family."),
    RUNTIME_TEXT("name", name, "Name of the family."),
    RUNTIME_TEXT("version", version, "Version."),
    RUNTIME_TEXT("base", base, "Base image."),
    RUNTIME_TEXT("image", image, "Image."),
    RUNTIME_TEXT("logo", logo, "File name of the logo."),
    { .name = "supports",
      .kind = FIELD_JSON,
      .offset = offsetof(struct runtime_row, supports),
      .type = "array:string",
      .text = "Processors." },
    { 0 },
};
const struct model model_runtime = { "runtime", "runtimes", runtime_fields };

static void write_cpus(const struct writing *writing, const void *entity)
{
    const struct specification *specification = entity;

    json_text_double(writing->out, (double)specification->cpus_milli / 1000.0);
}

static void write_true(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "true");
}

static const struct field specification_fields[] = {
    F_INTEGER("memory", struct specification, memory_mb, .text = "MiB."),
    F_OWN("cpus", "number", write_cpus, .text = "Processors."),
    F_OWN("enabled", "boolean", write_true, .text = "May be chosen."),
    { .name = "slug",
      .kind = FIELD_TEXT,
      .offset = offsetof(struct specification, slug),
      .text = "Name." },
    { 0 },
};
const struct model model_specification = { "specification", "specifications",
                                           specification_fields };
