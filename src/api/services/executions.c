/*
 * Executions: POST runs a function, now or later; the rest reads and deletes the records.
 *
 * POST runs on the loop from first byte to last and never waits for the store when synchronous; an
 * asynchronous one is answered after its row is on disk.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "execute.h"
#include "headers.h"
#include "json_text.h"
#include "mem.h"
#include "services.h"
#include "text.h"

#define EXECUTION_READ  SCOPES("executions.read", "execution.read")
#define EXECUTION_WRITE SCOPES("executions.write", "execution.write")

enum {
    BODY_MOST = 10485760,
    HEADER_NAMES_MOST = 100,
    HEADERS_MOST = 65536, /* bytes, with what the platform adds */
    HEADER_BYTES_MOST = 16384,
    SCHEDULE_LEAST_US = 60000000,
    SEARCH_MOST = 256
};

static const char *const methods[] = { "GET",    "POST",    "PUT",  "PATCH",
                                       "DELETE", "OPTIONS", "HEAD", NULL };

static const char *const *choices_methods(struct call *call)
{
    (void)call;
    return methods;
}

/* ---- create ---------------------------------------------------------------------------------- */

struct execution_create {
    const char *functionId;
    struct bytes body;
    bool async;
    const char *path;
    const char *method;
    json_t *headers;
    const char *scheduledAt;
};

static const struct param create_params[] = {
    TEXT(struct execution_create, functionId, .check = check_uid, .text = "Function ID."),
    BYTES(struct execution_create, body, .optional = true, .empty = true, .max = BODY_MOST,
          .text = "Request body for the function."),
    BOOLEAN(struct execution_create, async, .optional = true, .loose = true, .fallback = "false",
            .text = "Answer at once and run in the background."),
    TEXT(struct execution_create, path, .optional = true, .max = 2048, .fallback = "/",
         .text = "Path, with query string, the function sees."),
    TEXT(struct execution_create, method, .optional = true, .choices = choices_methods,
         .fallback = "POST", .text = "HTTP method the function sees."),
    OBJECT(struct execution_create, headers, .optional = true,
           .text = "HTTP headers the function sees."),
    TEXT(struct execution_create, scheduledAt, .optional = true, .nullable = true,
         .text = "Time of a delayed run: ISO 8601, whole minutes, in the future."),
    { 0 },
};

static bool header_name_is_allowed(const char *name)
{
    const size_t length = strlen(name);

    if (length == 0 || !isalnum((unsigned char)name[0]) ||
        !isalnum((unsigned char)name[length - 1]) || text_starts_nocase(name, "x-appwrite-"))
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            return false;
    return true;
}

/* The caller's headers as a block. Values that are no text are written as JSON writes them. */
static int read_headers(const json_t *headers, struct buffer *block, struct error *err)
{
    size_t names = 0, bytes = 0;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        auto_free char *dumped = json_is_string(value)
                                     ? NULL
                                     : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        const char *text = dumped ? dumped : json_string_value(value);
        const size_t length = dumped ? strlen(dumped) : json_string_length(value);
        bytes += strlen(name) + length;
        if (++names > HEADER_NAMES_MOST || bytes >= HEADER_BYTES_MOST ||
            !header_name_is_allowed(name) || header_block_add(block, name, text, length) < 0)
            return fail(
                err, ERROR_GENERAL_ARGUMENT_INVALID,
                "Invalid headers: Alphanumeric characters or hyphens only, cannot start with "
                "\"x-appwrite\", maximum 100 keys, and total size 16384.");
    }
    return 0;
}

/* The roles a caller has, and the ones the function asks for, as the refusal shows them. */
static void add_json_list(struct buffer *out, const char *const *items)
{
    buffer_add_char(out, '[');
    for (size_t i = 0; items[i]; i++) {
        if (i)
            buffer_add_char(out, ',');
        json_text_string(out, items[i], strlen(items[i]));
    }
    buffer_add_char(out, ']');
}

static int check_permission(const struct call *call, const struct live_function *function,
                            struct error *err)
{
    const char *const *roles = (const char *const *)function->roles;
    auto_buffer struct buffer have = { 0 }, want = { 0 };
    size_t count = 0;

    buffer_init(&have, sizeof err->message);
    buffer_init(&want, sizeof err->message);
    if (call_is_key(call))
        return 0;
    for (; roles[count]; count++)
        if (call_has_role(call, roles[count]))
            return 0;
    if (count == 0)
        return fail(err, ERROR_USER_UNAUTHORIZED, "No permissions provided for action 'execute'");
    add_json_list(&have, call->caller.roles);
    add_json_list(&want, roles);
    return fail(err, ERROR_USER_UNAUTHORIZED,
                "Missing \"execute\" permission for role \"%s\". Only \"%s\" scopes are allowed "
                "and \"%s\" was given.",
                roles[count - 1], have.data, want.data);
}

static int check_schedule(const struct execution_create *in, int64_t now_us, int64_t *ret_at,
                          struct error *err)
{
    if (!in->scheduledAt)
        return 0;
    if (!in->async)
        return fail(err, ERROR_GENERAL_BAD_REQUEST,
                    "Scheduled executions must run asynchronously. Set scheduledAt to a future "
                    "date, or set async "
                    "to true.");
    if (clock_parse(in->scheduledAt, ret_at) < 0 || *ret_at % SCHEDULE_LEAST_US != 0 ||
        *ret_at < now_us + SCHEDULE_LEAST_US)
        return fail(err, ERROR_GENERAL_BAD_REQUEST,
                    "Execution schedule must be a valid date, and at least 1 minute from now");
    return 0;
}

struct creating {
    struct call *call;
    struct live_function *function;
    struct execute *execute;
    struct execution execution; /* asynchronous */
    struct error error;
    bool failed;
};

static void answer_error(struct call *call, enum error_type type)
{
    struct error err;

    fail(&err, type, NULL);
    call_fail(call, &err);
}

static void answer_execution(struct call *call, const struct execution *execution,
                             struct run_result *r)
{
    auto_buffer struct buffer headers = { 0 };
    struct execution_extra extra = { .body = r->body.data ? r->body.data : "",
                                     .body_bytes = r->body.size };
    struct error err;

    if (r->outcome == RUN_FAILED)
        extra = (struct execution_extra){ .body = "" };
    else if (!call_wants_multipart(call) && !text_is_utf8(extra.body, extra.body_bytes)) {
        answer_error(call, ERROR_GENERAL_NOT_UTF8);
        return;
    }
    header_block_add(&r->headers, "x-appwrite-execution-id", execution->id, strlen(execution->id));
    buffer_init(&headers, 4 * r->headers.size + 1024);
    header_block_to_json(r->headers.data, r->headers.size, NULL, &headers);
    extra.headers_json = headers.data;
    call_status(call, 201);
    if (call_answer(call, execution, &extra, &err) < 0)
        call_fail(call, &err);
    else
        call_finish(call);
}

static void sync_done(void *context, const struct execution *execution, struct run_result *r)
{
    struct creating *creating = context;
    struct call *call = creating->call;
    struct error err;

    creating->execute = NULL;
    switch (r->outcome) {
    case RUN_ANSWERED:
    case RUN_FAILED:
        answer_execution(call, execution, r);
        return;
    case RUN_TIMED_OUT:
        execute_fail_late(call->api->settings->sync_seconds, &err);
        call_fail(call, &err);
        return;
    case RUN_OVERLOADED:
        answer_error(call, ERROR_FUNCTION_OVERLOADED);
        return;
    case RUN_CANCELED:
        answer_error(call, ERROR_INTERNAL);
        return;
    }
}

static void begin_sync(struct creating *creating, struct buffer *headers)
{
    struct call *call = creating->call;
    const struct execution_create *in = call->params;
    struct execute *started;
    struct buffer body;

    buffer_init(&body, (size_t)4 * BODY_MOST);
    buffer_add(&body, in->body.data ? in->body.data : "", in->body.size);
    started = execute_start(&(struct execute_request){
        .api = call->api,
        .function = creating->function,
        .method = in->method,
        .path = in->path,
        .headers = headers,
        .body = &body,
        .user_id = call->caller.user_id,
        .user = call->caller.kind == CALLER_USER ? &call->caller.user : NULL,
        .client_ip = call->client_ip,
        .caller_function_id = call->caller.function_id,
        .done = sync_done,
        .context = creating,
    });
    if (started != NULL) /* else it is answered already, and creating is gone with the call */
        creating->execute = started;
}

/* ---- asynchronous ---------------------------------------------------------------------------- */

static int insert_waiting(struct db *db, void *context, struct error *err)
{
    struct creating *creating = context;

    return store_execution_insert(db, &creating->execution, err);
}

static void async_committed(void *context)
{
    struct creating *creating = context;
    struct call *call = creating->call;
    struct execution *e = &creating->execution;
    struct error err;

    if (creating->failed) {
        call_fail(call, &creating->error);
    } else {
        if (!e->scheduled_at)
            run_queue_add(call->api->run, e->seq, e->project_id, e->function_id);
        call_status(call, 202);
        if (call_answer(call, e, NULL, &err) < 0)
            call_fail(call, &err);
        else
            call_finish(call);
    }
    execution_release(e);
    free(creating);
}

static void async_written(void *context, const struct error *err)
{
    struct creating *creating = context;

    creating->failed = err != NULL;
    if (err)
        creating->error = *err;
    loop_post(creating->call->api->loop, async_committed, creating);
}

/*
 * What the queue needs for saying who called, when the run begins; it makes fresh tokens from it.
 */
static void add_caller(const struct call *call, struct buffer *headers)
{
    header_block_add(headers, "x-appwrite-client-ip", call->client_ip, strlen(call->client_ip));
    if (call->caller.kind != CALLER_USER)
        return;
    auto_free char *jwt = token_sign(call->api->signer, TOKEN_USER, &call->caller.user);
    header_block_add(headers, "x-appwrite-user-jwt", jwt, strlen(jwt));
}

static void begin_async(struct call *call, const struct live_function *function,
                        struct buffer *headers, int64_t scheduled_at)
{
    const struct execution_create *in = call->params;
    struct creating *creating = xcalloc(1, sizeof *creating); /* may outlive the call's memory */
    struct execution *e = &creating->execution;

    creating->call = call;
    e->seq = execution_next_seq(call->api);
    id_generate(e->seq, e->id);
    e->function_seq = function->function.seq;
    e->project_id = xstrdup(function->function.project_id);
    e->function_id = xstrdup(function->function.id);
    e->deployment_id = xstrdup(function->deployment.id);
    e->user_id = xstrdup(call->caller.user_id);
    e->trigger = xstrdup(scheduled_at ? "schedule" : "http");
    e->status = xstrdup(scheduled_at ? "scheduled" : "waiting");
    e->request_method = xstrdup(in->method);
    e->request_path = xstrdup(in->path);
    add_caller(call, headers);
    e->request_headers = execute_kept_request_headers(headers->data, headers->size);
    e->input_headers = buffer_steal(headers, NULL);
    e->input_body = xmalloc(in->body.size + 1);
    memcpy(e->input_body, in->body.data ? in->body.data : "", in->body.size);
    e->input_body[in->body.size] = '\0';
    e->input_body_size = in->body.size;
    e->scheduled_at = scheduled_at;
    e->response_headers = xstrdup("[]");
    e->logs = xstrdup("");
    e->errors = xstrdup("");
    e->updated_at = e->seq;
    store_write_later(call->store, insert_waiting, async_written, creating, true);
}

static int prepare(struct call *call, struct live_function **ret_function, struct buffer *headers,
                   int64_t *ret_scheduled_at, struct error *err)
{
    const struct execution_create *in = call->params;
    struct live_function *function = registry_function(call->api->registry, call->project_id,
                                                       in->functionId);

    if (check_schedule(in, loop_realtime_us(call->api->loop), ret_scheduled_at, err) < 0 ||
        read_headers(in->headers, headers, err) < 0)
        return -1;
    if (!function || (!function->function.enabled && !call_is_key(call)))
        return fail(err, ERROR_FUNCTION_NOT_FOUND, NULL);
    if (execute_check(function, err) < 0)
        return -1;
    *ret_function = function;
    return check_permission(call, function, err);
}

static void executions_create(struct call *call)
{
    const struct execution_create *in = call->params;
    struct live_function *function = NULL;
    struct buffer *headers = &call->api->headers;
    int64_t scheduled_at = 0;
    struct error err;

    buffer_begin(headers, HEADERS_MOST);
    if (prepare(call, &function, headers, &scheduled_at, &err) < 0) {
        call_fail(call, &err);
    } else if (in->async) {
        begin_async(call, function, headers, scheduled_at);
    } else {
        struct creating *creating = call_alloc(call, sizeof *creating);
        creating->call = call;
        creating->function = function;
        begin_sync(creating, headers);
    }
    buffer_end(headers, HEADERS_MOST);
}

/* ---- list, get, delete ----------------------------------------------------------------------- */

struct execution_list {
    const char *functionId;
    struct queries queries;
    const char *search; /* of formats below 1.7.0 only */
    bool total;
};

static const struct param list_params[] = {
    TEXT(struct execution_list, functionId, .check = check_uid, .text = "Function ID."),
    QUERIES(struct execution_list, queries, .entity = LIST_EXECUTIONS,
            .text = "Filters, order and page."),
    TEXT(struct execution_list, search, .optional = true, .below = "1.7.0", .empty = true,
         .text = "Words of the function's or an execution's ID; ignored from 1.7.0 on."),
    BOOLEAN(struct execution_list, total, .optional = true, .loose = true, .fallback = "true",
            .text = "Count the matches."),
    { 0 },
};

struct execution_one {
    const char *functionId;
    const char *executionId;
};

static const struct param one_params[] = {
    TEXT(struct execution_one, functionId, .check = check_uid, .text = "Function ID."),
    TEXT(struct execution_one, executionId, .check = check_uid, .text = "Execution ID."),
    { 0 },
};

/* The function of a read; a disabled one does not exist for clients. */
static int visible_function(struct call *call, const char *id, struct function *ret_function,
                            struct error *err)
{
    if (store_function_get(call->db, call->project_id, id, ret_function, err) < 0)
        return -1;
    if (ret_function->enabled || call_is_key(call))
        return 0;
    return fail(err, ERROR_FUNCTION_NOT_FOUND, NULL);
}

/* Of old: what is ignored now must not be refused either. */
static int read_search(const struct call *call, const char *search, const char **ret_search,
                       struct error *err)
{
    *ret_search = call_below(call, "1.7.0") ? search : NULL;
    if (*ret_search && (text_characters(search, strlen(search)) > SEARCH_MOST ||
                        (!*search && !call_below(call, "1.4.0"))))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid `search` param: Value must be a valid string and at least 1 chars "
                    "and no longer than %d chars",
                    SEARCH_MOST);
    return 0;
}

static int executions_list(struct call *call, struct error *err)
{
    const struct execution_list *in = call->params;
    auto_function struct function function = { 0 };
    struct list_query query = in->queries.query;
    int64_t total;

    if (read_search(call, in->search, &query.search, err) < 0 ||
        visible_function(call, in->functionId, &function, err) < 0)
        return -1;
    store_flush(call->store);
    query.function_id = function.id;
    query.function_seq = function.seq;
    query.reader_user_id = call_is_key(call) ? NULL : call->caller.user_id;
    query.count = in->total;
    query.with_logs = call_is_key(call);
    call_list_begin(call, &in->queries);
    if (store_list(call->db, LIST_EXECUTIONS, &query, call_list_row, call, &total, err) < 0)
        return -1;
    return call_list_end(call, in->total ? total : 0, err);
}

static int executions_get(struct call *call, struct error *err)
{
    const struct execution_one *in = call->params;
    auto_function struct function function = { 0 };
    auto_execution struct execution execution = { 0 };

    if (visible_function(call, in->functionId, &function, err) < 0)
        return -1;
    store_flush(call->store);
    if (store_execution_get(call->db, call->project_id, function.id, in->executionId, &execution,
                            err) < 0)
        return -1;
    if (!call_is_key(call) &&
        (!*execution.user_id || strcmp(execution.user_id, call->caller.user_id) != 0))
        return fail(err, ERROR_EXECUTION_NOT_FOUND, NULL);
    return call_answer(call, &execution, NULL, err);
}

struct deleting {
    const char *project_id, *function_id, *id;
};

static int delete_row(struct db *db, void *context, struct error *err)
{
    const struct deleting *d = context;

    return store_execution_delete(db, d->project_id, d->function_id, d->id, err);
}

static int executions_delete(struct call *call, struct error *err)
{
    const struct execution_one *in = call->params;
    auto_function struct function function = { 0 };
    struct deleting deleting = { .project_id = call->project_id, .id = in->executionId };

    if (visible_function(call, in->functionId, &function, err) < 0)
        return -1;
    deleting.function_id = function.id;
    store_flush(call->store);
    if (store_write_wait(call->store, delete_row, &deleting, err) < 0)
        return -1;
    return call_answer_empty(call);
}

const struct endpoint executions_endpoints[] = {
    { .id = "functions.createExecution",
      .method = "POST",
      .path = "/v1/functions/{functionId}/executions",
      .auth = AUTH_KEY | AUTH_CLIENT,
      .scopes = EXECUTION_WRITE,
      .params = create_params,
      .params_size = sizeof(struct execution_create),
      .answers = &model_execution,
      .multipart_answer = true,
      .status = 201,
      .limit = { RATE(rate_executions, 60), .below = "1.4.0" },
      .event = "functions.[functionId].executions.[executionId].create",
      .runs = RUNS_ON_LOOP,
      .body_limit = (size_t)6 * BODY_MOST, /* a JSON text may escape every character */
      .summary = "Run a function, now or in the background.",
      .begin = executions_create },
    { .id = "functions.listExecutions",
      .method = "GET",
      .path = "/v1/functions/{functionId}/executions",
      .auth = AUTH_KEY | AUTH_CLIENT,
      .scopes = EXECUTION_READ,
      .params = list_params,
      .params_size = sizeof(struct execution_list),
      .answers = &model_execution,
      .list = true,
      .status = 200,
      .summary = "List the executions of a function.",
      .handle = executions_list },
    { .id = "functions.getExecution",
      .method = "GET",
      .path = "/v1/functions/{functionId}/executions/{executionId}",
      .auth = AUTH_KEY | AUTH_CLIENT,
      .scopes = EXECUTION_READ,
      .params = one_params,
      .params_size = sizeof(struct execution_one),
      .answers = &model_execution,
      .status = 200,
      .summary = "Get an execution.",
      .handle = executions_get },
    { .id = "functions.deleteExecution",
      .method = "DELETE",
      .path = "/v1/functions/{functionId}/executions/{executionId}",
      .auth = AUTH_KEY,
      .scopes = EXECUTION_WRITE,
      .params = one_params,
      .params_size = sizeof(struct execution_one),
      .status = 204,
      .event = "functions.[functionId].executions.[executionId].delete",
      .summary = "Delete an execution that has ended, or cancel a scheduled one.",
      .handle = executions_delete },
    { 0 },
};
