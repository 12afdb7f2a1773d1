/*
 * Which deployment of a function is the active one.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Functions/Http/Functions/Deployment/Update.php.
 */
#include "call.h"
#include "services.h"

struct activation {
    const char *functionId;
    const char *deploymentId;
    const struct call *call;
};

static const struct param activate_params[] = {
    TEXT(struct activation, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct activation, deploymentId, .check = check_uid, .text = "Deployment ID."),
    { 0 },
};

static int write_activation(struct db *db, void *context, struct error *err)
{
    const struct activation *activation = context;

    return store_deployment_activate(db, activation->call->project_id, activation->functionId,
                                     activation->deploymentId, err);
}

static int functions_activate(struct call *call, struct error *err)
{
    struct activation activation = *(const struct activation *)call->params;
    auto_function struct function before = { 0 }, after = { 0 };

    if (store_function_get(call->db, call->project_id, activation.functionId, &before, err) < 0)
        return -1;
    activation.call = call;
    if (store_write_wait(call->store, write_activation, &activation, err) < 0)
        return -1;
    call_changed(call, CHANGE_FUNCTION, before.id);
    call_changed(call, CHANGE_RULES, NULL); /* manual rules follow the active deployment */
    if (store_function_get(call->db, call->project_id, before.id, &after, err) < 0)
        return -1;
    return call_answer(call, &after, NULL, err);
}

const struct endpoint activation_endpoints[] = {
    { .id = "functions.updateFunctionDeployment",
      .method = "PATCH",
      .path = "/v1/functions/{functionId}/deployment",
      .aliases = PATHS("/v1/functions/{functionId}/deployments/{deploymentId}"),
      .auth = AUTH_KEY,
      .scopes = SCOPES("functions.write"),
      .params = activate_params,
      .params_size = sizeof(struct activation),
      .answers = &model_function,
      .status = 200,
      .event = "functions.[functionId].deployments.[deploymentId].update",
      .summary = "Make a deployment the active one",
      .handle = functions_activate },
    { 0 },
};
