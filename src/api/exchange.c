/*
 * Takes a call from its head to its handler, on the loop or in a lane, and back from the lane;
 * calls inside calls too. The states are those of exchange.h.
 */
#include "exchange.h"
#include "fd.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth.h"
#include "catalog.h"
#include "input.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "origins.h"
#include "params.h"
#include "reload.h"
#include "text.h"
#include "versions.h"

enum { ANSWER_BYTES = 256 << 20, LOOP_BODY_BYTES = 64 << 10 };

/* ---- life ------------------------------------------------------------------------------------ */

struct call_inside *exchange_new(struct api *api, const struct incoming *incoming)
{
    struct call_inside *inside = xmalloc(sizeof(*inside));
    struct call *call = &inside->call;
    struct arena *arena = &call->arena;

    memset(inside, 0, offsetof(struct call_inside, memory));
    arena_begin(arena, inside->memory, sizeof(inside->memory));
    inside->file = -1;
    inside->unread.freshness = &api->freshness;
    buffer_init(&inside->answer, ANSWER_BYTES);
    call->inside = inside;
    call->api = api;
    call->store = api->store;
    call->method = arena_text(arena, incoming->method, strlen(incoming->method));
    call->path = arena_text(arena, incoming->path, strlen(incoming->path));
    call->query_text = arena_text(arena, incoming->query, strlen(incoming->query));
    struct http_header *headers = arena_alloc(arena, incoming->header_count * sizeof(*headers));
    for (size_t i = 0; i < incoming->header_count; i++) {
        const struct http_header *from = &incoming->headers[i];
        headers[i].name = arena_text(arena, from->name, strlen(from->name));
        headers[i].value = arena_text(arena, from->value, strlen(from->value));
    }
    call->headers = headers;
    call->header_count = incoming->header_count;
    call->host = arena_text(arena, incoming->origin.host, strlen(incoming->origin.host));
    call->client_ip = arena_text(arena, incoming->origin.client_ip,
                                 strlen(incoming->origin.client_ip));
    call->https = incoming->origin.https;
    call->caller.user_id = "";
    const char *format = call_header(call, "x-appwrite-response-format");
    call->format = text_is_empty(format) ? FORMAT_NEWEST : format_number(format);
    inside->is_head = strcmp(call->method, "HEAD") == 0;
    return inside;
}

void exchange_free(struct call_inside *inside)
{
    struct call *call = &inside->call;

    if (call->endpoint != NULL && call->endpoint->files != NULL &&
        call->endpoint->files->release != NULL)
        call->endpoint->files->release(call);
    stream_free(inside);
    for (struct change *change = inside->changes; change != NULL; change = change->next)
        registry_change_free(change->read);
    for (size_t i = 0; i < inside->owned_count; i++)
        json_decref(inside->owned[i]);
    free(inside->owned);
    json_decref(inside->input);
    auth_release(call);
    buffer_release(&inside->body);
    buffer_release(&inside->answer);
    fd_close(&inside->file);
    arena_release(&call->arena);
    free(inside);
}

void exchange_client_left(struct call_inside *inside)
{
    inside->request = NULL;
    inside->client_left = true;
    if (inside->state == RECEIVING)
        exchange_free(inside);
}

/* ---- admission ------------------------------------------------------------------------------- */

static int check_origin(struct call *call, struct error *err)
{
    const char *origin = call_header(call, "origin");
    size_t bytes;

    if (text_is_empty(origin) || !text_is_empty(call_header(call, "x-appwrite-key")) ||
        origin_is_allowed(call->api->settings->origins, origin))
        return 0;
    const char *host = origin_host(origin, &bytes);
    return fail(err, ERROR_GENERAL_UNKNOWN_ORIGIN,
                "Invalid Origin. Register your new client (%.*s) as a new Web platform on your "
                "project console dashboard",
                (int)(bytes > 128 ? 128 : bytes), host);
}

static int find_endpoint(struct call_inside *inside, struct error *err)
{
    struct call *call = &inside->call;
    struct route_match match = { 0 };
    const char *method = inside->is_head ? "GET" : call->method;

    if (router_find(call->api->router, method, call->path, &match) < 0)
        return fail(err, ERROR_GENERAL_ROUTE_NOT_FOUND, NULL);
    const struct route *route = match.target;
    call->endpoint = route->endpoint;
    call->alias = route->alias;
    inside->status = route->endpoint->status;
    for (size_t i = 0; i < match.parameter_count; i++) {
        const char *value = match.parameters[i].value;
        inside->path_params[i].name = match.parameters[i].name;
        inside->path_params[i].value = arena_text(&call->arena, value, strlen(value));
    }
    inside->path_param_count = match.parameter_count;
    route_match_release(&match);
    return 0;
}

int exchange_admit(struct call_inside *inside, struct error *err)
{
    struct call *call = &inside->call;

    if (find_endpoint(inside, err) < 0 || check_origin(call, err) < 0)
        return -1;
    if (auth_check(call, NULL, &inside->needs_project, err) < 0) {
        bool may_wait = inside->needs_project && strcmp(call->method, "GET") != 0 &&
                        !inside->is_head && call->endpoint->body == BODY_MEMORY;
        inside->needs_project = may_wait;
        return may_wait ? 0 : -1;
    }
    inside->needs_project = false;
    return limits_check(call->api->limits, call, err);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static int read_input(struct call_inside *inside, struct error *err)
{
    struct call *call = &inside->call;
    const char *content_type = call_header(call, "content-type");
    const char *body = inside->body.data == NULL ? "" : inside->body.data;

    if (inside->input != NULL)
        return 0;
    if (inside->is_head || strcmp(call->method, "GET") == 0) {
        inside->input_is_text = true;
        return input_from_query(call->query_text, &inside->input, err);
    }
    if (call->endpoint->raw_body) {
        inside->input = json_object();
        return 0;
    }
    inside->input_is_text = input_form_of(content_type) != INPUT_JSON;
    return input_from_body(content_type, body, inside->body.size, &inside->input, err);
}

static int read_params(struct call *call, struct error *err)
{
    struct call_inside *inside = call->inside;
    void *params = NULL;

    if (read_input(inside, err) < 0)
        return -1;
    if (call->endpoint->raw_body)
        return 0;
    for (size_t i = 0; i < inside->path_param_count; i++)
        json_object_set_new(inside->input, inside->path_params[i].name,
                            json_string_nocheck(inside->path_params[i].value));
    versions_upgrade(call->format, call->endpoint->id, inside->input);
    if (params_read(call, call->endpoint->params, call->endpoint->params_size, inside->input,
                    inside->input_is_text, &params, &inside->given, err) < 0)
        return -1;
    call->params = params;
    return 0;
}

/* The body names the project: what was put off at the head. */
static int admit_by_body(struct call_inside *inside, struct error *err)
{
    struct call *call = &inside->call;
    bool needs_project;

    if (!inside->needs_project)
        return 0;
    if (read_input(inside, err) < 0)
        return -1;
    const char *project = json_string_value(json_object_get(inside->input, "project"));
    if (auth_check(call, project == NULL ? "" : project, &needs_project, err) < 0)
        return -1;
    return limits_check(call->api->limits, call, err);
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static void read_changes(struct call *call, struct db *db)
{
    for (struct change *change = call->inside->changes; change != NULL; change = change->next)
        if (change->read == NULL)
            change->read = reload_read(&call->inside->unread, db, change->kind, call->project_id,
                                       change->id);
}

static void function_replaced(void *context, struct live_function *old, struct live_function *new)
{
    struct api *api = context;

    if (api->run != NULL)
        run_function_changed(api->run, old, new);
}

static void apply_changes(struct call *call)
{
    struct call_inside *inside = call->inside;

    for (struct change *change = inside->changes; change != NULL; change = change->next)
        if (change->read != NULL) {
            registry_apply(call->api->registry, change->read, function_replaced, call->api);
            change->read = NULL;
        }
    reload_applied(&inside->unread);
    for (; inside->follows != NULL; inside->follows = inside->follows->next)
        inside->follows->run(call->api, inside->follows->context);
}

static void lane_done(void *context)
{
    struct call_inside *inside = context;

    inside->state = PENDING;
    apply_changes(&inside->call);
    inside->then(&inside->call, inside->work_status);
}

static void lane_run(void *context, void *lane_state)
{
    struct call_inside *inside = context;
    struct call *call = &inside->call;

    call->db = lane_state;
    inside->work_status = inside->work(call, &inside->err);
    read_changes(call, lane_state);
    call->db = NULL;
    loop_post(call->api->loop, lane_done, inside);
}

bool exchange_lane(struct call_inside *inside, int (*work)(struct call *call, struct error *err),
                   void (*then)(struct call *call, int status))
{
    inside->work = work;
    inside->then = then;
    inside->state = IN_LANE;
    if (lanes_add(inside->call.api->lanes, lane_run, inside) == 0)
        return true;
    inside->state = PENDING;
    fail(&inside->err, ERROR_GENERAL_OVERLOADED, NULL);
    exchange_fail(inside, &inside->err);
    return false;
}

int exchange_handle(struct call *call, struct error *err)
{
    if (read_params(call, err) < 0)
        return -1;
    return call->endpoint->handle(call, err);
}

void exchange_handled(struct call *call, int status)
{
    const struct endpoint *endpoint = call->endpoint;

    if (status < 0)
        exchange_fail(call->inside, &call->inside->err);
    else if (endpoint->runs == RUNS_IN_LANE && endpoint->begin != NULL)
        endpoint->begin(call);
    else
        exchange_answer(call->inside);
}

static void begin_after_lane(struct call *call, int status)
{
    if (status < 0)
        exchange_fail(call->inside, &call->inside->err);
    else
        call->endpoint->begin(call);
}

void exchange_go(struct call_inside *inside, struct buffer *body)
{
    struct call *call = &inside->call;
    struct error err;

    inside->state = PENDING;
    if (body != NULL) {
        inside->body = *body;
        *body = (struct buffer){ 0 };
    }
    if (admit_by_body(inside, &err) < 0) {
        exchange_fail(inside, &err);
        return;
    }
    if (call->endpoint->runs == RUNS_IN_LANE) {
        exchange_lane(inside, exchange_handle, exchange_handled);
        return;
    }
    if (inside->body.size > LOOP_BODY_BYTES) {
        exchange_lane(inside, read_params, begin_after_lane);
        return;
    }
    if (read_params(call, &err) < 0) {
        exchange_fail(inside, &err);
        return;
    }
    call->endpoint->begin(call);
}

/* ---- calls inside calls ---------------------------------------------------------------------- */

struct call_inside *exchange_new_inner(const struct call *outer, const struct endpoint *endpoint,
                                       json_t *input)
{
    struct http_header *headers = xcalloc(outer->header_count + 1, sizeof(*headers));
    struct incoming incoming = {
        .method = endpoint->method,
        .path = endpoint->path,
        .query = "",
        .headers = headers,
        .origin = { .host = outer->host, .client_ip = outer->client_ip, .https = outer->https }
    };

    /* What is said about the outer body is not said about this one. */
    for (size_t i = 0; i < outer->header_count; i++)
        if (strcasecmp(outer->headers[i].name, "accept") != 0 &&
            strcasecmp(outer->headers[i].name, "content-type") != 0 &&
            strcasecmp(outer->headers[i].name, "content-length") != 0)
            headers[incoming.header_count++] = outer->headers[i];
    struct call_inside *inside = exchange_new(outer->api, &incoming);
    free(headers);
    inside->call.endpoint = endpoint;
    inside->status = endpoint->status;
    inside->input = input;
    return inside;
}

void exchange_go_inner(struct call_inside *inside, const struct call *outer)
{
    struct call *call = &inside->call;
    bool is_large = outer->inside->body.size > LOOP_BODY_BYTES;
    bool needs_project;
    struct error err;

    inside->state = PENDING;
    if (auth_check(call, outer->project_id, &needs_project, &err) < 0 ||
        limits_check(call->api->limits, call, &err) < 0)
        exchange_fail(inside, &err);
    else if (is_large && call->endpoint->runs == RUNS_ON_LOOP)
        exchange_lane(inside, read_params, begin_after_lane);
    else
        exchange_go(inside, NULL);
}
