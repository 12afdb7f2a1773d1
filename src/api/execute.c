/* One synchronous execution, from the id to the stored record. */
#include "execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headers.h"
#include "mem.h"

struct execute {
    struct api *api;
    struct live_function *function;
    struct execution execution;
    bool logging;
    execute_done *done; /* NULL: abandoned */
    void *context;
};

enum { KEPT_HEADERS_MOST = 65536 };

static char *kept_headers(const char *block, size_t bytes, const char *const *only)
{
    struct buffer out;

    buffer_init(&out, KEPT_HEADERS_MOST);
    header_block_to_json(block, bytes, only, &out);
    return buffer_steal(&out, NULL);
}

char *execute_kept_request_headers(const char *block, size_t bytes)
{
    /* "agent" is what the API really keeps; user-agent is not in its list */
    static const char *const only[] = { "content-type",         "agent", "content-length", "host",
                                        "x-appwrite-client-ip", NULL };

    return kept_headers(block, bytes, only);
}

char *execute_kept_response_headers(const char *block, size_t bytes)
{
    static const char *const only[] = { "content-type", "content-length", NULL };

    return kept_headers(block, bytes, only);
}

int execute_check(const struct live_function *function, struct error *err)
{
    const char *status = function->deployment.status;

    if (!runtime_find(function->function.runtime))
        return fail(err, ERROR_FUNCTION_RUNTIME_UNSUPPORTED, "Runtime \"%s\" is not supported",
                    function->function.runtime);
    if (!function->deployment.id || !*function->deployment.id)
        return fail(
            err, ERROR_DEPLOYMENT_NOT_FOUND,
            "Deployment not found. Create a deployment before trying to execute a function");
    if (strcmp(status, "failed") == 0)
        return fail(err, ERROR_BUILD_FAILED, NULL);
    if (strcmp(status, "canceled") == 0)
        return fail(err, ERROR_BUILD_CANCELED, NULL);
    if (strcmp(status, "ready") != 0)
        return fail(err, ERROR_BUILD_NOT_READY, NULL);
    return 0;
}

static char *buffer_text(struct buffer *buffer)
{
    return buffer->size ? buffer_steal(buffer, NULL) : xstrdup("");
}

static void settle(struct execute *x, struct run_result *r)
{
    struct execution *e = &x->execution;
    const bool answered = r->outcome == RUN_ANSWERED;

    e->status = xstrdup(answered && r->status < 500 ? "completed" : "failed");
    e->response_status = answered ? r->status : 500;
    e->response_headers = execute_kept_response_headers(r->headers.data, r->headers.size);
    e->duration = (double)r->duration_us / 1000000;
    e->logs = x->logging ? buffer_text(&r->logs) : xstrdup("");
    if (!x->logging)
        e->errors = xstrdup("");
    else if (answered)
        e->errors = buffer_text(&r->errors);
    else
        e->errors = run_failure_errors(r, ERROR_FUNCTION_SYNCHRONOUS_TIMEOUT);
    e->updated_at = loop_realtime_us(x->api->loop);
}

static void execute_ended(void *context, struct run_result *r)
{
    struct execute *x = context;

    if (r->outcome != RUN_OVERLOADED && r->outcome != RUN_CANCELED)
        settle(x, r);
    if (x->done)
        x->done(x->context, &x->execution, r);
    if (x->execution.status)
        store_execution_record(x->api->store, &x->execution);
    execution_release(&x->execution);
    live_function_drop(x->function);
    free(x);
}

void execute_abandon(struct execute *execute)
{
    execute->done = NULL;
}

static void fill_record(struct execute *x, const struct execute_request *request)
{
    const struct function *f = &request->function->function;
    struct execution *e = &x->execution;

    e->seq = execution_next_seq(request->api);
    id_generate(e->seq, e->id);
    e->function_seq = f->seq;
    e->project_id = xstrdup(f->project_id);
    e->function_id = xstrdup(f->id);
    e->deployment_id = xstrdup(request->function->deployment.id);
    e->user_id = xstrdup(request->user_id);
    e->trigger = xstrdup("http");
    e->request_method = xstrdup(request->method);
    e->request_path = xstrdup(request->path);
}

struct execute *execute_start(const struct execute_request *request)
{
    struct api *api = request->api;
    struct execute *x = xcalloc(1, sizeof *x);

    x->api = api;
    x->function = request->function;
    x->logging = request->function->function.logging;
    x->done = request->done;
    x->context = request->context;
    live_function_keep(x->function);
    fill_record(x, request);
    run_add_identity(api->run, x->function,
                     &(struct run_identity){ .execution_id = x->execution.id,
                                             .trigger = "http",
                                             .user_id = request->user_id,
                                             .user = request->user,
                                             .client_ip = request->client_ip },
                     request->headers);
    x->execution.request_headers = execute_kept_request_headers(request->headers->data,
                                                                request->headers->size);

    const struct run_request run = {
        .function = x->function,
        .method = request->method,
        .path = request->path,
        .headers = request->headers->data,
        .headers_size = request->headers->size,
        .body = request->body,
        .deadline_us = loop_now_us(api->loop) + api->settings->sync_seconds * 1000000,
        .caller_function_id = request->caller_function_id,
        .done = execute_ended,
        .context = x,
    };
    struct run_call *started = run_start(api->run, &run);
    buffer_release(request->headers);
    return started ? x : NULL;
}
