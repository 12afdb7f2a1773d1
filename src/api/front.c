/*
 * One port for everything. The host decides first: a function's domain has the function's surface
 * and nothing else; any other host is the API. Knows neither endpoints nor domains: it hands each
 * request to whoever goes on with it.
 */
#include "front.h"

#include <inttypes.h>
#include <string.h>

#include "domain.h"
#include "exchange.h"
#include "mem.h"
#include "origins.h"

enum { PROJECT_BODY_BYTES = 64 << 10 };

static void call_complete(struct exchange *exchange, struct http_request *request)
{
    struct buffer body = { 0 };

    http_body_steal(request, &body);
    exchange_go((struct call_inside *)exchange, &body);
    buffer_release(&body);
}

static void call_too_large(struct exchange *exchange, struct http_request *request, size_t limit)
{
    struct call_inside *inside = (struct call_inside *)exchange;
    struct error err;

    (void)request;
    bool is_usual = inside->call.endpoint->body_limit == 0 && !inside->needs_project;
    exchange_too_large(limit, is_usual ? "api_body_bytes" : NULL, &err);
    exchange_fail(inside, &err);
}

static void call_end(struct exchange *exchange, struct http_request *request, bool client_left)
{
    (void)request;
    (void)client_left; /* an answered call is no longer the request's user */
    exchange_client_left((struct call_inside *)exchange);
}

static void answer_preflight(struct call_inside *inside)
{
    inside->state = PENDING;
    call_answer_empty(&inside->call);
    exchange_answer(inside);
}

static enum http_body begin_call(struct call_inside *inside, size_t *body_limit)
{
    struct call *call = &inside->call;
    struct error err;

    if (domain_check_headers(call->api, inside->request, &err) < 0) {
        exchange_fail(inside, &err);
        return HTTP_BODY_REFUSE;
    }
    if (strcmp(call->method, "OPTIONS") == 0) {
        answer_preflight(inside);
        return HTTP_BODY_REFUSE;
    }
    if (exchange_admit(inside, &err) < 0 || !stream_begin(inside, &err)) {
        exchange_fail(inside, &err);
        return HTTP_BODY_REFUSE;
    }
    *body_limit = call->endpoint->body_limit == 0 ? (size_t)call->api->settings->api_body_bytes
                                                  : call->endpoint->body_limit;
    if (inside->stream != NULL) {
        inside->exchange.data = stream_data;
        inside->exchange.complete = stream_complete;
        return HTTP_BODY_STREAM;
    }
    if (inside->needs_project && *body_limit > PROJECT_BODY_BYTES)
        *body_limit = PROJECT_BODY_BYTES;
    return HTTP_BODY_GATHER;
}

static enum http_body on_head(void *context, struct http_request *request, size_t *body_limit)
{
    struct api *api = context;
    unsigned char memory[2048]; /* enough for most */
    struct arena arena;
    struct incoming incoming = { .method = http_method(request),
                                 .path = http_path(request),
                                 .query = http_query(request),
                                 .peer = http_client_address(request),
                                 .header_count = http_header_count(request) };
    enum http_body body = HTTP_BODY_GATHER;

    arena_begin(&arena, memory, sizeof(memory));
    struct http_header *headers = arena_alloc(&arena, incoming.header_count * sizeof(*headers));
    for (size_t i = 0; i < incoming.header_count; i++)
        headers[i] = http_header_at(request, i);
    incoming.headers = headers;
    proxies_origin(api->proxies, &arena, incoming.peer, headers, incoming.header_count,
                   &incoming.origin);
    if (!domain_begin(api, request, &incoming.origin, &body, body_limit)) {
        struct call_inside *inside = exchange_new(api, &incoming);
        inside->exchange = (struct exchange){ .complete = call_complete,
                                              .end = call_end,
                                              .too_large = call_too_large };
        inside->request = request;
        http_request_set_user(request, &inside->exchange);
        body = begin_call(inside, body_limit);
    }
    arena_release(&arena);
    return body;
}

static void refuse(const struct api *api, unsigned status, const char *reason, struct error *err)
{
    const int64_t most = api->settings->request_head_bytes;

    switch (status) {
    case 413:
        fail(err, ERROR_GENERAL_PAYLOAD_TOO_LARGE, "The request's Content-Length is too large.");
        return;
    case 414:
        fail(err, ERROR_GENERAL_URI_TOO_LONG,
             "The request line needs more than %" PRId64 " bytes (setting request_head_bytes).",
             most);
        return;
    case 431:
        fail(err, ERROR_GENERAL_TOO_MANY_HEADERS,
             "The request's headers need more than %" PRId64 " bytes (setting request_head_bytes).",
             most);
        return;
    case 505:
        fail(err, ERROR_GENERAL_HTTP_VERSION_UNSUPPORTED, NULL);
        return;
    default:
        fail(err, ERROR_GENERAL_BAD_REQUEST, "%s",
             reason != NULL ? reason : "The request is not well-formed HTTP/1.1.");
    }
}

/* No function's domain either: whose request that would be is what cannot be told. */
static void on_refused(void *context, struct http_request *request, unsigned status,
                       const char *reason)
{
    struct api *api = context;
    const struct incoming incoming = { .method = http_method(request),
                                       .path = http_path(request),
                                       .query = "",
                                       .peer = http_client_address(request),
                                       .origin = { .host = "", .client_ip = "" } };
    struct call_inside *inside = exchange_new(api, &incoming);
    struct error err;

    inside->request = request;
    refuse(api, status, reason, &err);
    exchange_fail(inside, &err);
}

static bool on_data(void *context, struct http_request *request, const char *data, size_t bytes)
{
    struct exchange *exchange = http_request_user(request);

    (void)context;
    return exchange == NULL || exchange->data(exchange, request, data, bytes);
}

static void on_complete(void *context, struct http_request *request)
{
    struct exchange *exchange = http_request_user(request);

    (void)context;
    if (exchange != NULL)
        exchange->complete(exchange, request);
}

static void on_too_large(void *context, struct http_request *request, size_t body_limit)
{
    struct exchange *exchange = http_request_user(request);

    (void)context;
    if (exchange != NULL)
        exchange->too_large(exchange, request, body_limit);
}

static void on_end(void *context, struct http_request *request, bool client_left)
{
    struct exchange *exchange = http_request_user(request);

    (void)context;
    if (exchange != NULL)
        exchange->end(exchange, request, client_left);
}

struct http_handlers front_handlers(struct api *api)
{
    return (struct http_handlers){ .context = api,
                                   .on_head = on_head,
                                   .on_refused = on_refused,
                                   .on_data = on_data,
                                   .on_complete = on_complete,
                                   .on_too_large = on_too_large,
                                   .on_end = on_end };
}
