/* One synchronous execution, from the id to the stored record. */
#include "execute.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headers.h"
#include "mem.h"

/* The record's texts stand in `texts` or in the function, or are constants: none is its own. */
struct execute {
    struct api *api;
    struct live_function *function;
    struct execution execution;
    bool logging;
    execute_done *done; /* NULL: abandoned */
    void *context;
    char texts[];
};

enum { KEPT_HEADERS_MOST = 65536, KEPT_HEADERS_USUAL = 255 };

static char trigger[] = "http", completed[] = "completed", failed[] = "failed", nothing[] = "";

/* "agent" is what the API really keeps; user-agent is not in its list. */
static const char *const kept_request[] = { "content-type",         "agent",
                                            "content-length",       "host",
                                            "x-appwrite-client-ip", NULL };
static const char *const kept_response[] = { "content-type", "content-length", NULL };

static void add_kept(struct buffer *out, const char *block, size_t bytes, const char *const *only)
{
    buffer_init(out, KEPT_HEADERS_MOST);
    buffer_reserve(out, KEPT_HEADERS_USUAL);
    header_block_to_json(block, bytes, only, out);
}

char *execute_kept_request_headers(const char *block, size_t bytes)
{
    struct buffer out;

    add_kept(&out, block, bytes, kept_request);
    return buffer_steal(&out, NULL);
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

static char *text_of(struct buffer *buffer)
{
    return buffer->size > 0 ? buffer->data : nothing;
}

/* Fills in how it ended; the texts are borrowed from the arguments. */
static void settle(struct execute *x, struct run_result *r, struct buffer *response_headers,
                   char *failure)
{
    struct execution *e = &x->execution;
    const bool answered = r->outcome == RUN_ANSWERED;

    add_kept(response_headers, r->headers.data, r->headers.size, kept_response);
    e->status = answered && r->status < 500 ? completed : failed;
    e->response_status = answered ? r->status : 500;
    e->response_headers = response_headers->data;
    e->duration = (double)r->duration_us / 1000000;
    e->logs = x->logging ? text_of(&r->logs) : nothing;
    e->errors = !x->logging ? nothing : answered ? text_of(&r->errors) : failure;
    e->updated_at = loop_realtime_us(x->api->loop);
}

int execute_fail_late(int64_t sync_seconds, struct error *err)
{
    return fail(err, ERROR_FUNCTION_SYNCHRONOUS_TIMEOUT,
                "Synchronous function execution timed out. Use asynchronous execution instead, or "
                "ensure the execution duration doesn't exceed %" PRId64 " second%s.",
                sync_seconds, sync_seconds == 1 ? "" : "s");
}

static void execute_ended(void *context, struct run_result *r)
{
    struct execute *x = context;
    const bool ran = r->outcome != RUN_OVERLOADED && r->outcome != RUN_CANCELED;
    auto_buffer struct buffer response_headers = { 0 };
    auto_free char *failure = NULL;

    if (ran && r->outcome != RUN_ANSWERED) {
        struct error late;

        execute_fail_late(x->api->settings->sync_seconds, &late);
        failure = run_failure_errors(r, &late);
    }
    if (ran)
        settle(x, r, &response_headers, failure);
    if (x->done)
        x->done(x->context, &x->execution, r);
    if (ran)
        store_execution_record(x->api->store, &x->execution);
    live_function_drop(x->function);
    free(x);
}

void execute_abandon(struct execute *execute)
{
    execute->done = NULL;
}

static char *add_text(char **end, const char *text, size_t bytes)
{
    char *copy = *end;

    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    *end += bytes + 1;
    return copy;
}

/* What is known before it runs. kept: the request's headers that are stored. */
static struct execute *new_execute(const struct execute_request *request, int64_t seq,
                                   const char *id, const struct buffer *kept)
{
    const struct function *f = &request->function->function;
    const size_t user_bytes = strlen(request->user_id), method_bytes = strlen(request->method),
                 path_bytes = strlen(request->path);
    struct execute *x = xmalloc(sizeof *x + user_bytes + method_bytes + path_bytes + kept->size +
                                4);
    char *end = x->texts;
    const struct specification *specification = specification_find(f->runtime_specification);

    if (!specification)
        specification = specification_find(specification_default);
    *x = (struct execute){ .api = request->api,
                           .function = request->function,
                           .logging = f->logging,
                           .done = request->done,
                           .context = request->context,
                           .execution = { .seq = seq,
                                          .function_seq = f->seq,
                                          .project_id = f->project_id,
                                          .function_id = f->id,
                                          .deployment_id = request->function->deployment.id,
                                          .trigger = trigger,
                                          .mb_milli = specification->memory_mb *
                                                      specification->cpus_milli } };
    memcpy(x->execution.id, id, sizeof x->execution.id);
    x->execution.user_id = add_text(&end, request->user_id, user_bytes);
    x->execution.request_method = add_text(&end, request->method, method_bytes);
    x->execution.request_path = add_text(&end, request->path, path_bytes);
    x->execution.request_headers = add_text(&end, kept->data, kept->size);
    live_function_keep(x->function);
    return x;
}

struct execute *execute_start(const struct execute_request *request)
{
    struct api *api = request->api;
    const int64_t seq = execution_next_seq(api);
    auto_buffer struct buffer kept = { 0 };
    char id[GENERATED_ID + 1];

    id_generate(seq, id);
    run_add_identity(api->run, request->function,
                     &(struct run_identity){ .execution_id = id,
                                             .trigger = trigger,
                                             .user_id = request->user_id,
                                             .user = request->user,
                                             .client_ip = request->client_ip },
                     request->headers);
    add_kept(&kept, request->headers->data, request->headers->size, kept_request);
    struct execute *x = new_execute(request, seq, id, &kept);

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
    return run_start(api->run, &run) ? x : NULL;
}
