/* deployment, build, execution. */
#include <string.h>

#include "call.h"
#include "clock.h"
#include "json_text.h"
#include "model.h"
#include "models/models.h"
#include "text.h"

/* ---- deployment ------------------------------------------------------------------------------ */

static void write_total_size(const struct writing *writing, const void *entity)
{
    const struct deployment *deployment = entity;

    buffer_add_int(writing->out, deployment->source_size + deployment->build_size);
}

const struct field field_deployment_size_total = F_OWN("size", "integer", write_total_size,
                                                       .text = "Bytes of source and build.");

static void write_chunks_total(const struct writing *writing, const void *entity)
{
    const struct deployment_extra *extra = writing->extra;

    (void)entity;
    buffer_add_int(writing->out, extra->chunks_total);
}

static void write_chunks_uploaded(const struct writing *writing, const void *entity)
{
    const struct deployment_extra *extra = writing->extra;

    (void)entity;
    buffer_add_int(writing->out, extra->chunks_uploaded);
}

static const struct field deployment_fields[] = {
    F_TEXT("$id", struct deployment, id, .text = "Deployment ID."),
    F_DATE("$createdAt", struct deployment, created_at, .text = "Creation date."),
    F_DATE("$updatedAt", struct deployment, updated_at, .text = "Date of the last change."),
    F_TEXT("type", struct deployment, type, .text = "manual, cli or vcs."),
    F_TEXT("resourceId", struct deployment, function_id, .text = "Function ID."),
    F_CONSTANT("resourceType", "functions", .text = "Always functions."),
    F_TEXT("entrypoint", struct deployment, entrypoint, .text = "File that is executed."),
    F_INTEGER("sourceSize", struct deployment, source_size, .text = "Bytes of the package."),
    F_INTEGER("buildSize", struct deployment, build_size, .text = "Bytes of the build."),
    F_OWN("totalSize", "integer", write_total_size, .text = "Bytes of both."),
    F_CONSTANT("buildId", "", .text = "Always empty."),
    F_BOOLEAN("activate", struct deployment, activate, .text = "Becomes active when it is ready."),
    F_CONSTANT("screenshotLight", "", .text = "Always empty."),
    F_CONSTANT("screenshotDark", "", .text = "Always empty."),
    F_TEXT("status", struct deployment, status,
           .text = "waiting, processing, building, ready, failed or canceled."),
    F_TEXT("buildLogs", struct deployment, build_logs, .text = "Output of the build."),
    F_INTEGER("buildDuration", struct deployment, build_duration, .text = "Seconds."),
    F_TEXT("providerRepositoryName", struct deployment, provider_repository_name,
           .text = "Repository."),
    F_TEXT("providerRepositoryOwner", struct deployment, provider_repository_owner,
           .text = "Its owner."),
    F_TEXT("providerRepositoryUrl", struct deployment, provider_repository_url, .text = "Its URL."),
    F_TEXT("providerCommitHash", struct deployment, provider_commit_hash, .text = "Commit."),
    F_TEXT("providerCommitAuthorUrl", struct deployment, provider_commit_author_url,
           .text = "URL of its author."),
    F_TEXT("providerCommitAuthor", struct deployment, provider_commit_author,
           .text = "Its author."),
    F_TEXT("providerCommitMessage", struct deployment, provider_commit_message,
           .text = "Its message."),
    F_TEXT("providerCommitUrl", struct deployment, provider_commit_url, .text = "Its URL."),
    F_TEXT("providerBranch", struct deployment, provider_branch, .text = "Branch."),
    F_TEXT("providerBranchUrl", struct deployment, provider_branch_url, .text = "Its URL."),
    F_OWN("chunksTotal", "integer", write_chunks_total, .in_extra = true,
          .text = "Pieces of 5 MiB of an upload."),
    F_OWN("chunksUploaded", "integer", write_chunks_uploaded, .in_extra = true,
          .text = "How many of them are here."),
    { 0 },
};
const struct model model_deployment = { "deployment", "deployments", deployment_fields };

/* ---- build: the answer of cancelling in 1.6 -------------------------------------------------- */

static void write_end(const struct writing *writing, const void *entity)
{
    const struct deployment *deployment = entity;
    bool is_over = !text_equals(deployment->status, "waiting") &&
                   !text_equals(deployment->status, "processing") &&
                   !text_equals(deployment->status, "building");
    char text[CLOCK_TEXT];

    if (!is_over || deployment->build_started_at == 0) {
        buffer_add_text(writing->out, "\"\"");
        return;
    }
    size_t bytes = clock_format(deployment->build_started_at + deployment->build_duration * 1000000,
                                text);
    json_text_string(writing->out, text, bytes);
}

static const struct field build_fields[] = {
    F_TEXT("$id", struct deployment, id, .text = "Build ID: the deployment's."),
    F_TEXT("deploymentId", struct deployment, id, .text = "Deployment ID."),
    F_TEXT("status", struct deployment, status, .text = "Status, as the deployment's."),
    F_CONSTANT("stdout", "", .text = "Always empty."),
    F_CONSTANT("stderr", "", .text = "Always empty."),
    F_DATE("startTime", struct deployment, build_started_at, .text = "Start."),
    F_OWN("endTime", "string", write_end, .text = "End."),
    F_INTEGER("duration", struct deployment, build_duration, .text = "Seconds."),
    F_INTEGER("size", struct deployment, build_size, .text = "Bytes."),
    { 0 },
};
const struct model model_build = { "build", NULL, build_fields };

/* ---- execution ------------------------------------------------------------------------------- */

static void write_permissions(const struct writing *writing, const void *entity)
{
    const struct execution *execution = entity;

    buffer_add_char(writing->out, '[');
    if (!text_is_empty(execution->user_id)) {
        char text[2 * ID_SIZE + 32];
        int bytes = snprintf(text, sizeof(text), "read(\"user:%.*s\")", ID_MAX, execution->user_id);
        json_text_string(writing->out, text, (size_t)bytes);
    }
    buffer_add_char(writing->out, ']');
}

static void write_status_strict(const struct writing *writing, const void *entity)
{
    const struct execution *execution = entity;
    bool is_refusal = execution->response_status >= 400 && execution->response_status < 500;
    const char *status = is_refusal && text_equals(execution->status, "completed")
                             ? "failed"
                             : execution->status;

    json_text_string(writing->out, status, strlen(status));
}

const struct field field_execution_status_strict = F_OWN("status", "string", write_status_strict,
                                                         .text = "A 4xx answer is failed.");

static void write_response_body(const struct writing *writing, const void *entity)
{
    const struct execution_extra *extra = writing->extra;

    (void)entity; /* it is never stored */
    if (extra == NULL || extra->body == NULL)
        buffer_add_text(writing->out, "\"\"");
    else
        json_text_string(writing->out, extra->body, extra->body_bytes);
}

static void write_response_headers(const struct writing *writing, const void *entity)
{
    const struct execution *execution = entity;
    const struct execution_extra *extra = writing->extra;
    const char *json = extra != NULL && extra->headers_json != NULL ? extra->headers_json
                                                                    : execution->response_headers;

    buffer_add_text(writing->out, text_is_empty(json) ? "[]" : json);
}

static const struct field execution_fields[] = {
    { .name = "$id",
      .kind = FIELD_TEXT_HERE,
      .offset = offsetof(struct execution, id),
      .text = "Execution ID." },
    F_DATE("$createdAt", struct execution, seq, .text = "Creation date."),
    F_DATE("$updatedAt", struct execution, updated_at, .text = "Date of the last change."),
    F_OWN("$permissions", "array:string", write_permissions, .text = "Who may read it."),
    F_TEXT("resourceId", struct execution, function_id, .text = "Function ID."),
    F_CONSTANT("resourceType", "functions", .text = "Always functions."),
    F_TEXT("deploymentId", struct execution, deployment_id, .text = "Deployment ID."),
    F_TEXT("trigger", struct execution, trigger, .text = "http, schedule or event."),
    F_TEXT("status", struct execution, status,
           .text = "waiting, processing, completed, failed or scheduled."),
    F_TEXT("requestMethod", struct execution, request_method, .text = "Method."),
    F_TEXT("requestPath", struct execution, request_path, .text = "Path with query."),
    F_JSON("requestHeaders", struct execution, request_headers, "array:headers",
           .text = "Request headers that are kept."),
    F_INTEGER("responseStatusCode", struct execution, response_status, .text = "HTTP status."),
    F_OWN("responseBody", "string", write_response_body,
          .text = "Only in the answer of a synchronous execution."),
    F_OWN("responseHeaders", "array:headers", write_response_headers, .text = "Headers."),
    F_TEXT("logs", struct execution, logs, .sensitive = true, .text = "Logs; for keys only."),
    F_TEXT("errors", struct execution, errors, .sensitive = true, .text = "Errors; for keys only."),
    F_REAL("duration", struct execution, duration, .text = "Seconds."),
    { .name = "scheduledAt",
      .kind = FIELD_DATE_OR_NULL,
      .offset = offsetof(struct execution, scheduled_at),
      .text = "When it will run, or null." },
    { 0 },
};
const struct model model_execution = { "execution", "executions", execution_fields };
