/*
 * Deployments whose package is fetched from a git host: of a template, or of the repository that
 * the function is connected to. The row is committed and answered; fetcher.c does the rest.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Functions/Http/Deployments/{Template,Vcs}.
 */
#include <string.h>

#include "clock.h"
#include "deployments.h"
#include "mem.h"
#include "package.h"
#include "services.h"
#include "source.h"
#include "text.h"

struct template_deployment {
    const char *functionId;
    const char *repository;
    const char *owner;
    const char *rootDirectory;
    const char *type;
    const char *reference;
    bool activate;
};

struct vcs_deployment {
    const char *functionId;
    const char *type;
    const char *reference;
    bool activate;
};

static const char *const *choices_template(struct call *call)
{
    static const char *const words[] = { "commit", "branch", "tag", NULL };

    (void)call;
    return words;
}

static const char *const *choices_vcs(struct call *call)
{
    static const char *const words[] = { "branch", "commit", NULL };

    (void)call;
    return words;
}

static const struct param template_params[] = {
    TEXT(struct template_deployment, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct template_deployment, repository, .max = 128, .empty = true,
         .text = "Name of the repository that holds the template."),
    TEXT(struct template_deployment, owner, .max = 128, .empty = true,
         .text = "Account the repository belongs to."),
    TEXT(struct template_deployment, rootDirectory, .max = 128, .empty = true,
         .text = "Folder of the template in the repository."),
    TEXT(struct template_deployment, type, .choices = choices_template,
         .text = "What the reference is."),
    TEXT(struct template_deployment, reference, .max = 128, .empty = true,
         .text = "Branch, hash of a commit, tag, or range of tags: 0.1.*."),
    BOOLEAN(struct template_deployment, activate, .optional = true, .fallback = "false",
            .text = "Make it the active deployment when built."),
    { 0 },
};

static const struct param vcs_params[] = {
    TEXT(struct vcs_deployment, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct vcs_deployment, type, .choices = choices_vcs, .text = "What the reference is."),
    TEXT(struct vcs_deployment, reference, .max = 255, .text = "Branch, or hash of a commit."),
    BOOLEAN(struct vcs_deployment, activate, .optional = true, .fallback = "false",
            .text = "Make it the active deployment when built."),
    { 0 },
};

static int write_new(struct db *db, void *context, struct error *err)
{
    return store_deployment_insert(db, context, err);
}

typedef int source_fill(const struct settings *settings, const struct source *source,
                        struct deployment *deployment, struct error *err);

static int prepare(struct call *call, const struct function *function, const struct source *source,
                   source_fill *fill, bool activate, struct deployment *ret_deployment,
                   struct error *err)
{
    const struct settings *settings = call->api->settings;
    auto_deployment struct deployment deployment = { 0 };
    char id[GENERATED_ID + 1];

    if (!*function->entrypoint)
        return fail(err, ERROR_FUNCTION_ENTRYPOINT_MISSING, NULL);
    id_generate(clock_realtime_us(), id);
    deployment_prepare(&deployment, function, id, "vcs");
    deployment.activate = activate;
    if (fill(settings, source, &deployment, err) < 0 ||
        package_room(settings->data, settings->disk_reserve_mb, 0, err) < 0)
        return -1;
    *ret_deployment = deployment;
    deployment = (struct deployment){ 0 };
    return 0;
}

/* Of the repository that the function is connected to. */
static int prepare_vcs(struct call *call, const struct function *function, enum reference_kind kind,
                       const char *reference, bool activate, struct deployment *ret_deployment,
                       struct error *err)
{
    const char *path = function->provider_repository_id, *slash = strrchr(path, '/');
    auto_free char *owner = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    const struct source source = { .owner = owner,
                                   .repository = slash ? slash + 1 : path,
                                   .root = function->provider_root_directory,
                                   .kind = kind,
                                   .reference = reference };

    return prepare(call, function, &source, source_from_vcs, activate, ret_deployment, err);
}

static int write_and_answer(struct call *call, struct deployment *deployment, struct error *err)
{
    if (store_write_wait(call->store, write_new, deployment, err) < 0)
        return -1;
    call_changed(call, CHANGE_FUNCTION, deployment->function_id);
    deployment_fetch_later(call, deployment->function_id, deployment->id);
    return call_answer(call, deployment, NULL, err);
}

static int create_template(struct call *call, struct error *err)
{
    const struct template_deployment *in = call->params;
    const struct source source = { .owner = in->owner,
                                   .repository = in->repository,
                                   .root = in->rootDirectory,
                                   .kind = source_reference_kind(in->type),
                                   .reference = in->reference };
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 };

    if (store_function_get(call->db, call->project_id, in->functionId, &function, err) < 0 ||
        prepare(call, &function, &source, source_from_template, in->activate, &deployment, err) < 0)
        return -1;
    return write_and_answer(call, &deployment, err);
}

static int create_vcs(struct call *call, struct error *err)
{
    const struct vcs_deployment *in = call->params;
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 };

    if (store_function_get(call->db, call->project_id, in->functionId, &function, err) < 0)
        return -1;
    if (!*function.installation_id || !*function.provider_repository_id ||
        !text_equals(function.installation_id, source_installation(call->api->settings)))
        return fail(err, ERROR_INSTALLATION_NOT_FOUND, NULL);
    if (prepare_vcs(call, &function, source_reference_kind(in->type), in->reference, in->activate,
                    &deployment, err) < 0)
        return -1;
    return write_and_answer(call, &deployment, err);
}

int deployment_of_creation(struct call *call, const struct function *function,
                           const struct template_choice *choice, struct deployment *ret_deployment,
                           struct error *err)
{
    bool is_tag = !text_is_empty(choice->version);
    const struct source source = { .owner = choice->owner,
                                   .repository = choice->repository,
                                   .root = choice->root,
                                   .kind = is_tag ? REFERENCE_TAG : REFERENCE_BRANCH,
                                   .reference = is_tag ? choice->version : choice->branch };

    if (!call_below(call, "1.7.0"))
        return 0;
    if (!text_is_empty(source.owner) && !text_is_empty(source.repository) &&
        !text_is_empty(source.reference))
        return prepare(call, function, &source, source_from_template, true, ret_deployment, err);
    if (text_is_empty(function->provider_repository_id))
        return 0;
    return prepare_vcs(call, function, REFERENCE_BRANCH, function->provider_branch, true,
                       ret_deployment, err);
}

const struct endpoint deployment_sources_endpoints[] = {
    { .id = "functions.createTemplateDeployment",
      .method = "POST",
      .path = "/v1/functions/{functionId}/deployments/template",
      .auth = AUTH_KEY,
      .scopes = SCOPES("functions.write"),
      .since = "1.7.0",
      .params = template_params,
      .params_size = sizeof(struct template_deployment),
      .answers = &model_deployment,
      .status = 202,
      .event = "functions.[functionId].deployments.[deploymentId].create",
      .summary = "Deploy a template from its repository.",
      .handle = create_template },
    { .id = "functions.createVcsDeployment",
      .method = "POST",
      .path = "/v1/functions/{functionId}/deployments/vcs",
      .auth = AUTH_KEY,
      .scopes = SCOPES("functions.write"),
      .since = "1.7.0",
      .params = vcs_params,
      .params_size = sizeof(struct vcs_deployment),
      .answers = &model_deployment,
      .status = 202,
      .event = "functions.[functionId].deployments.[deploymentId].create",
      .summary = "Deploy a branch or commit of the connected repository.",
      .handle = create_vcs },
    { 0 },
};
