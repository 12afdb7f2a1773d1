/*
 * Variables of a function, and of the project: the same five operations, told apart by the path.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Functions/Http/Variables/,
 * app/controllers/api/project.php.
 */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "mem.h"
#include "services.h"
#include "text.h"

struct variable_input {
    const char *functionId; /* NULL: the project's */
    const char *variableId;
    const char *key;
    const char *value;
    bool secret;
    struct call *call;
};

static const char *owner(const struct variable_input *in)
{
    return in->functionId == NULL ? "" : in->functionId;
}

/* Every write of a function's variables tells that the active deployment was made with others. */
static int touch_function(struct db *db, const struct variable_input *in, struct error *err)
{
    auto_function struct function function = { 0 };

    if (in->functionId == NULL)
        return 0;
    if (store_function_get(db, in->call->project_id, in->functionId, &function, err) < 0)
        return -1;
    function.live = false;
    return store_function_update(db, &function, err);
}

static int check_function(struct call *call, const struct variable_input *in, struct error *err)
{
    auto_function struct function function = { 0 };

    if (in->functionId == NULL)
        return 0;
    return store_function_get(call->db, call->project_id, in->functionId, &function, err);
}

static void tell_change(struct call *call, const struct variable_input *in)
{
    if (in->functionId == NULL)
        call_changed(call, CHANGE_PROJECT_VARIABLES, call->project_id);
    else
        call_changed(call, CHANGE_FUNCTION, in->functionId);
}

static int answer_variable(struct call *call, const struct variable_input *in, const char *id,
                           struct error *err)
{
    auto_variable struct variable variable = { 0 };

    if (store_variable_get(call->db, call->project_id, owner(in), id, &variable, err) < 0)
        return -1;
    return call_answer(call, &variable, NULL, err);
}

/* ---- create ---------------------------------------------------------------------------------- */

struct creation {
    struct variable_input *in;
    struct variable *variable;
};

static int write_variable(struct db *db, void *context, struct error *err)
{
    struct creation *creation = context;

    if (touch_function(db, creation->in, err) < 0)
        return -1;
    return store_variable_insert(db, creation->variable, err);
}

static int variables_create(struct call *call, struct error *err)
{
    struct variable_input in = *(const struct variable_input *)call->params;
    char id[GENERATED_ID + 1];
    int64_t now = clock_realtime_us();

    in.call = call;
    if (check_function(call, &in, err) < 0)
        return -1;
    id_generate(now, id);
    auto_variable struct variable variable = {
        .project_id = xstrdup(call->project_id),
        .function_id = xstrdup(owner(&in)),
        .id = xstrdup(strcmp(in.variableId, "unique()") == 0 ? id : in.variableId),
        .key = xstrdup(in.key),
        .value = xstrdup(in.value),
        .secret = in.secret,
        .created_at = now,
        .updated_at = now,
    };
    struct creation creation = { &in, &variable };
    if (store_write_wait(call->store, write_variable, &creation, err) < 0)
        return -1;
    tell_change(call, &in);
    return answer_variable(call, &in, variable.id, err);
}

/* ---- update ---------------------------------------------------------------------------------- */

static int write_update(struct db *db, void *context, struct error *err)
{
    const struct variable_input *in = context;
    auto_variable struct variable variable = { 0 };

    if (store_variable_get(db, in->call->project_id, owner(in), in->variableId, &variable, err) < 0)
        return -1;
    if (call_given(in->call, "secret")) {
        if (variable.secret && !in->secret)
            return fail(err, ERROR_VARIABLE_CANNOT_UNSET_SECRET, NULL);
        variable.secret = in->secret;
    }
    if (!text_is_empty(in->key)) {
        free(variable.key);
        variable.key = xstrdup(in->key);
    }
    if (in->value != NULL) {
        free(variable.value);
        variable.value = xstrdup(in->value);
    }
    variable.updated_at = clock_realtime_us();
    if (store_variable_update(db, &variable, err) < 0)
        return -1;
    return touch_function(db, in, err);
}

static int variables_update(struct call *call, struct error *err)
{
    struct variable_input in = *(const struct variable_input *)call->params;

    in.call = call;
    if (check_function(call, &in, err) < 0)
        return -1;
    if (!call_given(call, "key") && !call_given(call, "value") && !call_given(call, "secret"))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, NULL);
    if (store_write_wait(call->store, write_update, &in, err) < 0)
        return -1;
    tell_change(call, &in);
    return answer_variable(call, &in, in.variableId, err);
}

/* ---- get, list, delete ----------------------------------------------------------------------- */

static int variables_get(struct call *call, struct error *err)
{
    const struct variable_input *in = call->params;

    if (check_function(call, in, err) < 0)
        return -1;
    return answer_variable(call, in, in->variableId, err);
}

struct variable_list {
    const char *functionId;
    struct queries queries;
    bool total;
};

static int variables_list(struct call *call, struct error *err)
{
    const struct variable_list *in = call->params;
    struct variable_input of = { .functionId = in->functionId };
    struct list_query query = in->queries.query;
    int64_t total = 0;

    if (check_function(call, &of, err) < 0)
        return -1;
    /* Before there were queries, the list was everything. */
    if (!call_given(call, "queries") && call_below(call, "1.9.4"))
        query.limit = 1000;
    query.function_id = owner(&of);
    query.count = in->total;
    call_list_begin(call, &in->queries);
    if (store_list(call->db, LIST_VARIABLES, &query, call_list_row, call, &total, err) < 0)
        return -1;
    return call_list_end(call, total, err);
}

static int write_deletion(struct db *db, void *context, struct error *err)
{
    const struct variable_input *in = context;

    if (store_variable_delete(db, in->call->project_id, owner(in), in->variableId, err) < 0)
        return -1;
    return touch_function(db, in, err);
}

static int variables_delete(struct call *call, struct error *err)
{
    struct variable_input in = *(const struct variable_input *)call->params;

    in.call = call;
    if (check_function(call, &in, err) < 0)
        return -1;
    if (store_write_wait(call->store, write_deletion, &in, err) < 0)
        return -1;
    tell_change(call, &in);
    return call_answer_empty(call);
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define FUNCTION_ID \
    TEXT(struct variable_input, functionId, .check = check_uid, .text = "Function ID.")
#define VARIABLE_ID \
    TEXT(struct variable_input, variableId, .check = check_uid, .text = "Variable ID.")
#define CREATE_PARAMS                                                                     \
    TEXT(struct variable_input, variableId, .check = check_custom_id,                     \
         .text = "Variable ID, or unique() for a generated one."),                        \
        TEXT(struct variable_input, key, .max = 255, .text = "Name in the environment."), \
        TEXT(struct variable_input, value, .max = 8192, .empty = true, .text = "Value."), \
        BOOLEAN(struct variable_input, secret, .optional = true, .fallback = "true",      \
                .text = "The value can be used but never be read again.")
#define UPDATE_PARAMS                                                                       \
    TEXT(struct variable_input, key, .optional = true, .nullable = true, .max = 255,        \
         .empty = true, .text = "Name in the environment; absent keeps it."),               \
        TEXT(struct variable_input, value, .optional = true, .nullable = true, .max = 8192, \
             .empty = true, .text = "Value; absent keeps it."),                             \
        BOOLEAN(struct variable_input, secret, .optional = true, .nullable = true,          \
                .text = "Secret ones stay secret; absent keeps it.")
#define LIST_PARAMS                                                                               \
    QUERIES(struct variable_list, queries, .entity = LIST_VARIABLES,                              \
            .text = "Filters and order."),                                                        \
        BOOLEAN(struct variable_list, total, .optional = true, .loose = true, .fallback = "true", \
                .text = "Count all that match, up to 5000.")

static const struct param create_params[] = { FUNCTION_ID, CREATE_PARAMS, { 0 } };
static const struct param update_params[] = { FUNCTION_ID, VARIABLE_ID, UPDATE_PARAMS, { 0 } };
static const struct param one_params[] = { FUNCTION_ID, VARIABLE_ID, { 0 } };
static const struct param list_params[] = {
    TEXT(struct variable_list, functionId, .check = check_uid, .text = "Function ID."),
    LIST_PARAMS,
    { 0 },
};
static const struct param project_create_params[] = { CREATE_PARAMS, { 0 } };
static const struct param project_update_params[] = { VARIABLE_ID, UPDATE_PARAMS, { 0 } };
static const struct param project_one_params[] = { VARIABLE_ID, { 0 } };
static const struct param project_list_params[] = { LIST_PARAMS, { 0 } };

#define OF_FUNCTION "/v1/functions/{functionId}/variables"
#define OF_PROJECT  "/v1/project/variables"
#define READS       .auth = AUTH_KEY, .scopes = SCOPES("functions.read")
#define WRITES      .auth = AUTH_KEY, .scopes = SCOPES("functions.write")
#define PROJECT_READS \
    .auth = AUTH_KEY, .since = "1.9.0", .scopes = SCOPES("project.read", "projects.read")
#define PROJECT_WRITES \
    .auth = AUTH_KEY, .since = "1.9.0", .scopes = SCOPES("project.write", "projects.write")
#define TAKES(rows, structure) .params = rows, .params_size = sizeof(struct structure)

const struct endpoint variables_endpoints[] = {
    { .id = "functions.createVariable",
      .method = "POST",
      .path = OF_FUNCTION,
      WRITES,
      TAKES(create_params, variable_input),
      .answers = &model_variable,
      .status = 201,
      .event = "variables.[variableId].create",
      .summary = "Create variable",
      .handle = variables_create },
    { .id = "functions.listVariables",
      .method = "GET",
      .path = OF_FUNCTION,
      READS,
      TAKES(list_params, variable_list),
      .answers = &model_variable,
      .list = true,
      .status = 200,
      .summary = "List variables",
      .handle = variables_list },
    { .id = "functions.getVariable",
      .method = "GET",
      .path = OF_FUNCTION "/{variableId}",
      READS,
      TAKES(one_params, variable_input),
      .answers = &model_variable,
      .status = 200,
      .summary = "Get variable",
      .handle = variables_get },
    { .id = "functions.updateVariable",
      .method = "PUT",
      .path = OF_FUNCTION "/{variableId}",
      WRITES,
      TAKES(update_params, variable_input),
      .answers = &model_variable,
      .status = 200,
      .event = "variables.[variableId].update",
      .summary = "Update variable",
      .handle = variables_update },
    { .id = "functions.deleteVariable",
      .method = "DELETE",
      .path = OF_FUNCTION "/{variableId}",
      WRITES,
      TAKES(one_params, variable_input),
      .status = 204,
      .event = "variables.[variableId].delete",
      .summary = "Delete variable",
      .handle = variables_delete },
    { .id = "project.createVariable",
      .method = "POST",
      .path = OF_PROJECT,
      PROJECT_WRITES,
      TAKES(project_create_params, variable_input),
      .answers = &model_variable,
      .status = 201,
      .event = "variables.[variableId].create",
      .summary = "Create project variable",
      .handle = variables_create },
    { .id = "project.listVariables",
      .method = "GET",
      .path = OF_PROJECT,
      PROJECT_READS,
      TAKES(project_list_params, variable_list),
      .answers = &model_variable,
      .list = true,
      .status = 200,
      .summary = "List project variables",
      .handle = variables_list },
    { .id = "project.getVariable",
      .method = "GET",
      .path = OF_PROJECT "/{variableId}",
      PROJECT_READS,
      TAKES(project_one_params, variable_input),
      .answers = &model_variable,
      .status = 200,
      .summary = "Get project variable",
      .handle = variables_get },
    { .id = "project.updateVariable",
      .method = "PUT",
      .path = OF_PROJECT "/{variableId}",
      PROJECT_WRITES,
      TAKES(project_update_params, variable_input),
      .answers = &model_variable,
      .status = 200,
      .event = "variables.[variableId].update",
      .summary = "Update project variable",
      .handle = variables_update },
    { .id = "project.deleteVariable",
      .method = "DELETE",
      .path = OF_PROJECT "/{variableId}",
      PROJECT_WRITES,
      TAKES(project_one_params, variable_input),
      .status = 204,
      .event = "variables.[variableId].delete",
      .summary = "Delete project variable",
      .handle = variables_delete },
    { 0 },
};
