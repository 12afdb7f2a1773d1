/*
 * Function domains: the raw HTTP surface of a function. Any method, path, headers and body bytes go
 * in; the function's status, headers and bytes come out. The caller is a guest.
 */
#include "domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"
#include "execute.h"
#include "headers.h"
#include "mem.h"
#include "pages.h"
#include "reload.h"
#include "text.h"

enum {
    NAMES_MOST = 200,
    HEADERS_MOST = 262144,
    HEADERS_KEPT = 65536, /* bytes of memory that one request leaves to the next */
    EXTRA_HEADERS = 192   /* bytes the platform adds to an answer's */
};

struct domain_call {
    struct exchange exchange; /* first */
    struct api *api;
    struct http_request *request;
    struct live_function *function;
    struct execute *execute; /* while it runs */
    bool https;
    char client_ip[];
};

/*
 * Names that are ours to say: whatever a client sends under them is dropped. Also hop-by-hop names.
 */
static const char *const dropped_request[] = {
    "x-appwrite-trigger",
    "x-appwrite-event",
    "x-appwrite-user-id",
    "x-appwrite-user-jwt",
    "x-appwrite-country-code",
    "x-appwrite-continent-code",
    "x-appwrite-continent-eu",
    "x-appwrite-key",
    "x-appwrite-execution-id",
    "x-appwrite-client-ip",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "forwarded",
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
};
static const char *const dropped_answer[] = {
    "transfer-encoding",       "connection", "keep-alive", "content-length", "date", "server",
    "x-appwrite-execution-id",
};

/* names: lower case. */
static bool is_in(const char *const *names, size_t count, const char *name, size_t bytes)
{
    for (size_t i = 0; i < count; i++)
        if (names[i][0] == (name[0] | 0x20) && strncasecmp(names[i], name, bytes) == 0 &&
            names[i][bytes] == '\0')
            return true;
    return false;
}

/*
 * The headers of a request by name, without case; NAMES_MOST is the most that the setting
 * request_headers may be. Clients can foresee the hash: all they gain is a walk of that length.
 */
struct names {
    uint16_t slots[(size_t)2 * NAMES_MOST]; /* index + 1 of the first of a name; 0: free */
    uint16_t last[NAMES_MOST];              /* of a first one: the last of its name so far */
    uint16_t next[NAMES_MOST];              /* of the same name; 0: none */
    bool repeats[NAMES_MOST];               /* an earlier one has the name */
};

static void names_add(struct names *names, const struct http_request *request, uint16_t index)
{
    const char *name = http_header_at(request, index).name;
    uint32_t hash = 2166136261; /* FNV-1a */

    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)(*c | 0x20)) * 16777619;
    size_t slot = (hash ^ hash >> 16) % COUNT(names->slots);
    for (; names->slots[slot] != 0; slot = (slot + 1) % COUNT(names->slots)) {
        const uint16_t first = (uint16_t)(names->slots[slot] - 1);
        if (!text_equals_nocase(http_header_at(request, first).name, name))
            continue;
        names->next[names->last[first]] = index;
        names->last[first] = index;
        names->repeats[index] = true;
        return;
    }
    names->slots[slot] = (uint16_t)(index + 1);
    names->last[index] = index;
}

/* The values of a name, joined: "; " for cookies, ", " for the rest. */
static void add_header(struct buffer *block, const struct http_request *request,
                       const struct names *names, size_t index)
{
    const struct http_header first = http_header_at(request, index);
    struct buffer value;

    if (names->next[index] == 0) {
        header_block_add(block, first.name, first.value, strlen(first.value));
        return;
    }
    const char *comma = text_equals_nocase(first.name, "cookie") ? "; " : ", ";
    buffer_init(&value, HEADERS_MOST);
    buffer_add_text(&value, first.value);
    for (size_t i = names->next[index]; i != 0; i = names->next[i]) {
        buffer_add_text(&value, comma);
        buffer_add_text(&value, http_header_at(request, i).value);
    }
    header_block_add(block, first.name, value.data ? value.data : "", value.size);
    buffer_release(&value);
}

static void collect_headers(const struct domain_call *d, struct buffer *block)
{
    const size_t count = http_header_count(d->request);
    struct names names = { 0 };

    for (uint16_t i = 0; i < count; i++)
        names_add(&names, d->request, i);
    buffer_begin(block, HEADERS_MOST);
    for (size_t i = 0; i < count; i++) {
        const struct http_header h = http_header_at(d->request, i);
        if (!names.repeats[i] &&
            !is_in(dropped_request, COUNT(dropped_request), h.name, strlen(h.name)) &&
            !text_starts_nocase(h.name, "x-open-runtimes-"))
            add_header(block, d->request, &names, i);
    }
    header_block_add(block, "x-forwarded-for", d->client_ip, strlen(d->client_ip));
    if (d->https)
        header_block_add(block, "x-forwarded-proto", "https", 5);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void add_line(struct buffer *block, const struct header_line *line)
{
    buffer_add(block, line->name, line->name_bytes);
    buffer_add(block, ": ", 2);
    buffer_add(block, line->value, line->value_bytes);
    buffer_add(block, "\r\n", 2);
}

static void answer_function(struct domain_call *d, const struct execution *execution,
                            struct run_result *r)
{
    struct header_line line;
    struct buffer block;
    size_t position = 0;

    if (r->status >= 400 && r->body.size == 0) {
        page_status(d->request, r->status, execution->id);
        return;
    }
    buffer_init(&block, (size_t)2 * HEADERS_MOST);
    buffer_reserve(&block, r->headers.size + EXTRA_HEADERS);
    while (header_block_next(r->headers.data, r->headers.size, &position, &line, NULL))
        if (!is_in(dropped_answer, COUNT(dropped_answer), line.name, line.name_bytes))
            add_line(&block, &line);
    if (!header_block_find(r->headers.data, r->headers.size, "content-type", &line))
        buffer_add_text(&block, "content-type: text/plain\r\n");
    buffer_add_text(&block, "x-appwrite-execution-id: ");
    buffer_add_text(&block, execution->id);
    buffer_add_text(&block, "\r\nserver: ");
    buffer_add_text(&block, api_server_name);
    buffer_add_text(&block, "\r\n");
    http_answer(d->request, &(struct http_answer){ .status = r->status,
                                                   .header_block = block.data,
                                                   .header_block_size = block.size,
                                                   .body = &r->body,
                                                   .file = -1 });
    buffer_release(&block);
}

static void answer_overload(struct domain_call *d)
{
    const struct error_row *row = &error_rows[ERROR_FUNCTION_OVERLOADED];
    const struct http_header headers[] = { { "Retry-After", "1" },
                                           { "Content-Type", "text/plain; charset=utf-8" },
                                           { "Server", api_server_name } };

    http_answer(d->request, &(struct http_answer){ .status = (unsigned)row->code,
                                                   .headers = headers,
                                                   .header_count = COUNT(headers),
                                                   .body_copy = row->message,
                                                   .body_copy_size = strlen(row->message),
                                                   .file = -1 });
}

static void domain_done(void *context, const struct execution *execution, struct run_result *r)
{
    struct domain_call *d = context;
    struct error err;

    d->execute = NULL;
    switch (r->outcome) {
    case RUN_ANSWERED:
        answer_function(d, execution, r);
        return;
    case RUN_TIMED_OUT:
        execute_fail_late(d->api->settings->sync_seconds, &err);
        page_error(d->request, &err);
        return;
    case RUN_OVERLOADED:
        answer_overload(d);
        return;
    case RUN_FAILED:
    case RUN_CANCELED:
        page_status(d->request, 500, execution->id);
        return;
    }
}

/* ---- the request ----------------------------------------------------------------------------- */

static int may_run(const struct domain_call *d, struct error *err)
{
    const struct live_function *f = d->function;
    struct error inner;
    const int able = execute_check(f, &inner);

    if (able < 0 && inner.type == ERROR_DEPLOYMENT_NOT_FOUND)
        return fail(err, inner.type, "%s", inner.message);
    if (!f->function.enabled)
        return fail(err, ERROR_FUNCTION_NOT_FOUND, NULL);
    if (able < 0)
        return fail(err, inner.type, "%s", inner.message);
    for (char **role = f->roles; *role; role++)
        if (strcmp(*role, "any") == 0 || strcmp(*role, "guests") == 0)
            return 0;
    return fail(err, ERROR_FUNCTION_EXECUTE_PERMISSION_MISSING, NULL);
}

static void domain_complete(struct exchange *exchange, struct http_request *request)
{
    struct domain_call *d = (struct domain_call *)exchange;
    const char *query = http_query(request);
    struct buffer *headers = &d->api->headers, body;
    struct error err;

    if (may_run(d, &err) < 0) {
        page_error(request, &err);
        return;
    }
    auto_free char *path = *query ? xasprintf("%s?%s", http_path(request), query)
                                  : xstrdup(http_path(request));
    collect_headers(d, headers);
    http_body_steal(request, &body);
    const struct execute_request run = {
        .api = d->api,
        .function = d->function,
        .method = http_method(request),
        .path = path,
        .headers = headers,
        .body = &body,
        .user_id = "",
        .client_ip = d->client_ip,
        .done = domain_done,
        .context = d,
    };
    d->execute = execute_start(&run);
    buffer_end(headers, HEADERS_KEPT);
}

static void domain_too_large(struct exchange *exchange, struct http_request *request, size_t limit)
{
    struct error err;

    (void)exchange;
    exchange_too_large(limit, "request_bytes", &err);
    page_error(request, &err);
}

static void domain_end(struct exchange *exchange, struct http_request *request, bool client_left)
{
    struct domain_call *d = (struct domain_call *)exchange;

    (void)request;
    (void)client_left;
    if (d->execute)
        execute_abandon(d->execute);
    live_function_drop(d->function);
    free(d);
}

static void domain_take(struct api *api, struct http_request *request, const struct origin *origin,
                        struct live_function *function)
{
    const size_t ip_size = strlen(origin->client_ip) + 1;
    struct domain_call *d = xcalloc(1, sizeof *d + ip_size);

    d->exchange.complete = domain_complete;
    d->exchange.too_large = domain_too_large;
    d->exchange.end = domain_end;
    d->api = api;
    d->request = request;
    d->function = function;
    memcpy(d->client_ip, origin->client_ip, ip_size);
    d->https = origin->https;
    live_function_keep(function);
    http_request_set_user(request, d);
}

/* A host that belongs to functions but to none that is here. */
static void refuse_host(struct http_request *request, bool bare)
{
    struct error err;

    fail(&err, bare ? ERROR_GENERAL_ACCESS_FORBIDDEN : ERROR_RULE_NOT_FOUND, NULL);
    page_error(request, &err);
}

static void redirect(struct http_request *request, const struct rule *rule)
{
    const struct http_header headers[] = { { "Location", rule->redirect_url },
                                           { "Server", api_server_name } };

    http_answer(request, &(struct http_answer){ .status = (unsigned)rule->redirect_status,
                                                .headers = headers,
                                                .header_count = COUNT(headers),
                                                .file = -1 });
}

static bool is_functions_host(const char *host, const char *domain, bool *ret_bare)
{
    auto_free char *suffix = xasprintf(".%s", domain);

    *ret_bare = strcmp(host, domain) == 0;
    return *ret_bare || text_ends(host, suffix);
}

int domain_check_headers(const struct api *api, const struct http_request *request,
                         struct error *err)
{
    const size_t count = http_header_count(request);
    const size_t most = (size_t)api->settings->request_headers;

    if (count <= most)
        return 0;
    return fail(err, ERROR_GENERAL_TOO_MANY_HEADERS,
                "The request has %zu headers; the setting request_headers allows %zu.", count,
                most);
}

bool domain_begin(struct api *api, struct http_request *request, const struct origin *origin,
                  enum http_body *ret_body, size_t *body_limit)
{
    const struct live_rule *rule = registry_rule(api->registry, origin->host_name);
    struct live_function *function = NULL;
    struct error err;
    bool bare = false;

    if (!rule && !is_functions_host(origin->host_name, api->settings->functions_domain, &bare))
        return false;
    if (rule && strcmp(rule->rule.type, "api") == 0)
        return false;
    *ret_body = HTTP_BODY_REFUSE;
    if (domain_check_headers(api, request, &err) < 0 || reload_check(api, &err) < 0) {
        page_error(request, &err);
        return true;
    }
    if (rule && strcmp(rule->rule.type, "redirect") == 0) {
        redirect(request, &rule->rule);
        return true;
    }
    if (rule && rule->preview)
        function = rule->preview;
    else if (rule)
        function = registry_function(api->registry, rule->rule.project_id, rule->rule.function_id);
    if (!function) {
        refuse_host(request, bare);
        return true;
    }
    domain_take(api, request, origin, function);
    *ret_body = HTTP_BODY_GATHER;
    *body_limit = (size_t)api->settings->request_bytes;
    return true;
}
