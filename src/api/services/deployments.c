/* Deployments: everything but receiving and sending packages. */
#include "deployments.h"
#include "services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fetcher.h"
#include "mem.h"
#include "package.h"
#include "text.h"
#include "upload.h"

#define FUNCTIONS_READ  SCOPES("functions.read")
#define FUNCTIONS_WRITE SCOPES("functions.write")

void deployment_set_text(char **field, const char *text)
{
    free(*field);
    *field = xstrdup(text ? text : "");
}

void deployment_prepare(struct deployment *ret_deployment, const struct function *function,
                        const char *id, const char *type)
{
    memset(ret_deployment, 0, sizeof *ret_deployment);
    *ret_deployment = (struct deployment){
        .project_id = xstrdup(function->project_id),
        .function_id = xstrdup(function->id),
        .id = xstrdup(id),
        .type = xstrdup(type),
        .status = xstrdup("waiting"),
        .entrypoint = xstrdup(function->entrypoint),
        .commands = xstrdup(function->commands),
        .runtime = xstrdup(function->runtime),
        .created_at = clock_realtime_us(),
    };
    ret_deployment->updated_at = ret_deployment->created_at;
}

/* ---- what follows on the loop ---------------------------------------------------------------- */

struct follow {
    char *project_id, *function_id, *deployment_id;
};

static struct follow *follow_new(struct call *call, const char *function_id,
                                 const char *deployment_id)
{
    struct follow *follow = call_alloc(call, sizeof *follow);

    follow->project_id = call_textf(call, "%s", call->project_id);
    follow->function_id = call_textf(call, "%s", function_id);
    follow->deployment_id = call_textf(call, "%s", deployment_id);
    return follow;
}

static void follow_build(struct api *api, void *context)
{
    const struct follow *follow = context;

    if (api->builder)
        builder_add(api->builder, follow->project_id, follow->function_id, follow->deployment_id);
}

static void follow_fetch(struct api *api, void *context)
{
    const struct follow *follow = context;

    if (api->fetcher)
        fetcher_add(api->fetcher, follow->project_id, follow->function_id, follow->deployment_id);
}

static void follow_cancel(struct api *api, void *context)
{
    const struct follow *follow = context;

    if (api->fetcher)
        fetcher_cancel(api->fetcher, follow->deployment_id);
    if (api->builder)
        builder_cancel(api->builder, follow->deployment_id);
}

static void follow_forget(struct api *api, void *context)
{
    const struct follow *follow = context;

    if (api->fetcher)
        fetcher_cancel(api->fetcher, follow->deployment_id);
    if (api->builder)
        builder_forget(api->builder, follow->deployment_id);
}

void deployment_build_later(struct call *call, const char *function_id, const char *deployment_id)
{
    call_after(call, follow_build, follow_new(call, function_id, deployment_id));
}

void deployment_fetch_later(struct call *call, const char *function_id, const char *deployment_id)
{
    call_after(call, follow_fetch, follow_new(call, function_id, deployment_id));
}

/* ---- list, get, delete ----------------------------------------------------------------------- */

struct deployment_list {
    const char *functionId;
    struct queries queries;
    const char *search;
    bool total;
};

static const struct param list_params[] = {
    TEXT(struct deployment_list, functionId, .check = check_uid, .text = "Function ID."),
    QUERIES(struct deployment_list, queries, .entity = LIST_DEPLOYMENTS, .selectable = true,
            .text = "Filters, order and page."),
    TEXT(struct deployment_list, search, .optional = true, .max = 256,
         .text = "Words to look for."),
    BOOLEAN(struct deployment_list, total, .optional = true, .loose = true, .fallback = "true",
            .text = "Count the matches."),
    { 0 },
};

struct deployment_one {
    const char *functionId;
    const char *deploymentId;
    const char *buildId;
};

static const struct param one_params[] = {
    TEXT(struct deployment_one, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct deployment_one, deploymentId, .check = check_uid, .text = "Deployment ID."),
    { 0 },
};

static const struct param duplicate_params[] = {
    TEXT(struct deployment_one, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct deployment_one, deploymentId, .check = check_uid, .text = "Deployment ID."),
    TEXT(struct deployment_one, buildId, .optional = true, .empty = true, .text = "Ignored."),
    { 0 },
};

static int deployments_list(struct call *call, struct error *err)
{
    const struct deployment_list *in = call->params;
    auto_function struct function function = { 0 };
    struct list_query query = in->queries.query;
    int64_t total;

    if (store_function_get(call->db, call->project_id, in->functionId, &function, err) < 0)
        return -1;
    query.function_id = function.id;
    query.search = in->search;
    query.count = in->total;
    query.with_logs = true;
    call_list_begin(call, &in->queries);
    if (store_list(call->db, LIST_DEPLOYMENTS, &query, call_list_row, call, &total, err) < 0)
        return -1;
    return call_list_end(call, in->total ? total : 0, err);
}

static int get_one(struct call *call, struct function *ret_function,
                   struct deployment *ret_deployment, struct error *err)
{
    const struct deployment_one *in = call->params;

    if (store_function_get(call->db, call->project_id, in->functionId, ret_function, err) < 0)
        return -1;
    return store_deployment_get(call->db, call->project_id, ret_function->id, in->deploymentId,
                                true, ret_deployment, err);
}

/*
 * Whoever waits for `ready` calls the function next. The row says so a moment before the loop has
 * taken the new deployment over: this answer then waits for it, as that of a write does.
 */
static void take_over_if_new(struct call *call, const struct deployment *deployment)
{
    static const int64_t recent_us = 10000000;

    if (text_equals(deployment->status, "ready") &&
        clock_realtime_us() - deployment->updated_at < recent_us)
        call_changed(call, CHANGE_FUNCTION, deployment->function_id);
}

static int deployments_get(struct call *call, struct error *err)
{
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 };

    if (get_one(call, &function, &deployment, err) < 0)
        return -1;
    take_over_if_new(call, &deployment);
    return call_answer(call, &deployment, NULL, err);
}

static int write_delete(struct db *db, void *context, struct error *err)
{
    const struct deployment *d = context;

    return store_deployment_delete(db, d->project_id, d->function_id, d->id, err);
}

static int deployments_delete(struct call *call, struct error *err)
{
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 };

    if (get_one(call, &function, &deployment, err) < 0 ||
        store_write_wait(call->store, write_delete, &deployment, err) < 0)
        return -1;
    upload_remove(call->api->settings->data, deployment.id);
    call_changed(call, CHANGE_FUNCTION, function.id);
    call_after(call, follow_forget, follow_new(call, function.id, deployment.id));
    return call_answer_empty(call);
}

/* ---- duplicate ------------------------------------------------------------------------------- */

struct duplication {
    const char *data_directory;
    const struct deployment *copy;
};

static int write_duplicate(struct db *db, void *context, struct error *err)
{
    const struct duplication *duplication = context;
    const struct deployment *d = duplication->copy;

    /* The row it comes from may have been deleted since, and the sweep been here. */
    if (*d->source_hash && !package_renew(duplication->data_directory, d->source_hash))
        return fail(err, ERROR_DEPLOYMENT_NOT_FOUND, NULL);
    if (store_deployment_insert(db, d, err) < 0)
        return -1;
    return store_deployment_only_activate(db, d->project_id, d->function_id, d->id, err);
}

static void copy_origin(struct deployment *copy, const struct deployment *d)
{
    deployment_set_text(&copy->source_hash, d->source_hash);
    deployment_set_text(&copy->source_url, d->source_url);
    deployment_set_text(&copy->source_range, d->source_range);
    copy->source_size = d->source_size;
    copy->activate = true; /* a redeploy goes live */
    if (!*copy->entrypoint)
        deployment_set_text(&copy->entrypoint, d->entrypoint);
    deployment_set_text(&copy->provider_repository_name, d->provider_repository_name);
    deployment_set_text(&copy->provider_repository_owner, d->provider_repository_owner);
    deployment_set_text(&copy->provider_repository_url, d->provider_repository_url);
    deployment_set_text(&copy->provider_branch, d->provider_branch);
    deployment_set_text(&copy->provider_branch_url, d->provider_branch_url);
    deployment_set_text(&copy->provider_commit_hash, d->provider_commit_hash);
    deployment_set_text(&copy->provider_commit_author, d->provider_commit_author);
    deployment_set_text(&copy->provider_commit_author_url, d->provider_commit_author_url);
    deployment_set_text(&copy->provider_commit_message, d->provider_commit_message);
    deployment_set_text(&copy->provider_commit_url, d->provider_commit_url);
    deployment_set_text(&copy->provider_root_directory, d->provider_root_directory);
}

/* A package that never came is fetched again. */
static int check_source(const struct call *call, const struct deployment *deployment,
                        struct error *err)
{
    int64_t size;
    int fd;

    if (!*deployment->source_hash && *deployment->source_url)
        return 0;
    if (package_open(call->api->settings->data, deployment->source_hash, &fd, &size, err) < 0)
        return -1;
    close(fd);
    return 0;
}

static int deployments_duplicate(struct call *call, struct error *err)
{
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 }, copy = { 0 };
    char id[GENERATED_ID + 1];

    if (get_one(call, &function, &deployment, err) < 0 || check_source(call, &deployment, err) < 0)
        return -1;
    id_generate(clock_realtime_us(), id);
    deployment_prepare(&copy, &function, id, deployment.type);
    copy_origin(&copy, &deployment);
    struct duplication duplication = { call->api->settings->data, &copy };
    if (store_write_wait(call->store, write_duplicate, &duplication, err) < 0)
        return -1;
    call_changed(call, CHANGE_FUNCTION, function.id);
    if (*copy.source_hash)
        deployment_build_later(call, function.id, id);
    else
        deployment_fetch_later(call, function.id, id);
    if (call->alias > 0 && call_below(call, "1.7.0"))
        return call_answer_empty(call);
    return call_answer(call, &copy, NULL, err);
}

/* ---- cancel ---------------------------------------------------------------------------------- */

static int write_cancel(struct db *db, void *context, struct error *err)
{
    static const char line[] = "\x1b[33m Build has been canceled. \x1b[0m\n";
    struct deployment *d = context;
    auto_deployment struct deployment row = { 0 };

    if (store_deployment_get(db, d->project_id, d->function_id, d->id, false, &row, err) < 0)
        return -1;
    if (strcmp(row.status, "ready") == 0 || strcmp(row.status, "failed") == 0)
        return fail(err, ERROR_BUILD_ALREADY_COMPLETED, NULL);
    if (strcmp(row.status, "canceled") == 0)
        return 0;
    if (row.build_started_at)
        row.build_duration = (clock_realtime_us() - row.build_started_at + 999999) / 1000000;
    if (store_deployment_update(db, &row, err) < 0 ||
        store_deployment_log(db, row.project_id, row.id, line, strlen(line), 1000000, err) < 0)
        return -1;
    return store_deployment_move(db, row.project_id, row.id, row.status, "canceled", err);
}

static int deployments_cancel(struct call *call, struct error *err)
{
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 }, now = { 0 };

    if (get_one(call, &function, &deployment, err) < 0 ||
        store_write_wait(call->store, write_cancel, &deployment, err) < 0)
        return -1;
    call_changed(call, CHANGE_FUNCTION, function.id);
    call_after(call, follow_cancel, follow_new(call, function.id, deployment.id));
    if (store_deployment_get(call->db, call->project_id, function.id, deployment.id, true, &now,
                             err) < 0)
        return -1;
    return call_answer(call, &now, NULL, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct param create_params[] = {
    TEXT(struct deployment_create, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct deployment_create, entrypoint, .optional = true, .max = 1028,
         .text = "Entrypoint file."),
    TEXT(struct deployment_create, commands, .optional = true, .empty = true, .max = 8192,
         .text = "Build commands."),
    BOOLEAN(struct deployment_create, activate, .loose = true,
            .text = "Make it the active deployment when built."),
    { 0 },
};

static const char *const download_types[] = { "source", "output", NULL };

static const char *const *choices_download(struct call *call)
{
    (void)call;
    return download_types;
}

static const struct param download_params[] = {
    TEXT(struct deployment_download, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct deployment_download, deploymentId, .check = check_uid, .text = "Deployment ID."),
    TEXT(struct deployment_download, type, .optional = true, .choices = choices_download,
         .text = "The uploaded source, or the built output."),
    { 0 },
};

const struct endpoint deployments_endpoints[] = {
    { .id = "functions.createDeployment",
      .method = "POST",
      .path = "/v1/functions/{functionId}/deployments",
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_WRITE,
      .params = create_params,
      .params_size = sizeof(struct deployment_create),
      .answers = &model_deployment,
      .status = 202,
      .event = "functions.[functionId].deployments.[deploymentId].create",
      .body = BODY_FILES,
      .files = &upload_files,
      .summary = "Upload a package: tar.gz, tgz or zip, in one piece or many.",
      .handle = deployments_create },
    { .id = "functions.listDeployments",
      .method = "GET",
      .path = "/v1/functions/{functionId}/deployments",
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_READ,
      .params = list_params,
      .params_size = sizeof(struct deployment_list),
      .answers = &model_deployment,
      .list = true,
      .status = 200,
      .summary = "List the deployments of a function.",
      .handle = deployments_list },
    { .id = "functions.getDeployment",
      .method = "GET",
      .path = "/v1/functions/{functionId}/deployments/{deploymentId}",
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_READ,
      .params = one_params,
      .params_size = sizeof(struct deployment_one),
      .answers = &model_deployment,
      .status = 200,
      .summary = "Get a deployment with its build log.",
      .handle = deployments_get },
    { .id = "functions.deleteDeployment",
      .method = "DELETE",
      .path = "/v1/functions/{functionId}/deployments/{deploymentId}",
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_WRITE,
      .params = one_params,
      .params_size = sizeof(struct deployment_one),
      .status = 204,
      .event = "functions.[functionId].deployments.[deploymentId].delete",
      .summary = "Delete a deployment.",
      .handle = deployments_delete },
    { .id = "functions.createDuplicateDeployment",
      .method = "POST",
      .path = "/v1/functions/{functionId}/deployments/duplicate",
      .aliases = PATHS("/v1/functions/{functionId}/deployments/{deploymentId}/build",
                       "/v1/functions/{functionId}/deployments/{deploymentId}/builds/{buildId}"),
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_WRITE,
      .params = duplicate_params,
      .params_size = sizeof(struct deployment_one),
      .answers = &model_deployment,
      .status = 202,
      .event = "functions.[functionId].deployments.[deploymentId].update",
      .summary = "Build a deployment again, as a new one.",
      .handle = deployments_duplicate },
    { .id = "functions.updateDeploymentStatus",
      .method = "PATCH",
      .path = "/v1/functions/{functionId}/deployments/{deploymentId}/status",
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_WRITE,
      .params = one_params,
      .params_size = sizeof(struct deployment_one),
      .answers = &model_deployment,
      .status = 200,
      .event = "functions.[functionId].deployments.[deploymentId].update",
      .summary = "Cancel a build.",
      .handle = deployments_cancel },
    { .id = "functions.updateDeploymentBuild",
      .method = "PATCH",
      .path = "/v1/functions/{functionId}/deployments/{deploymentId}/build",
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_WRITE,
      .since = "1.6.0",
      .until = "1.6.2",
      .params = one_params,
      .params_size = sizeof(struct deployment_one),
      .answers = &model_build,
      .status = 200,
      .event = "functions.[functionId].deployments.[deploymentId].update",
      .summary = "Cancel a build (1.6).",
      .handle = deployments_cancel },
    { .id = "functions.getDeploymentDownload",
      .method = "GET",
      .path = "/v1/functions/{functionId}/deployments/{deploymentId}/download",
      .aliases = PATHS("/v1/functions/{functionId}/deployments/{deploymentId}/build/download"),
      .auth = AUTH_KEY,
      .scopes = FUNCTIONS_READ,
      .params = download_params,
      .params_size = sizeof(struct deployment_download),
      .status = 200,
      .bytes_type = "application/octet-stream",
      .summary = "Download the source or the output of a deployment; Range is honoured.",
      .handle = deployments_download },
    { 0 },
};
