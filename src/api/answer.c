/* What every answer carries: the error envelope, cross-origin headers, the server's name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"
#include "fd.h"
#include "json_text.h"
#include "limits.h"
#include "log.h"
#include "origins.h"
#include "text.h"
#include "versions.h"

enum { HEADERS_MAX = 40 };

static void answer_error(const struct error *err, struct buffer *out, unsigned *ret_status)
{
    const struct error_row *row = &error_rows[err->type];
    /* Internals are for the log alone. */
    const char *message = err->type == ERROR_INTERNAL ? row->message : err->message;

    buffer_reset(out);
    buffer_add_text(out, "{\"message\":");
    json_text_string(out, message, strlen(message));
    buffer_addf(out, ",\"code\":%d,\"type\":\"%s\",\"version\":\"%s\"}", row->code, row->type,
                api_version);
    *ret_status = (unsigned)row->code;
}

static const char allowed_methods[] = "GET, POST, PUT, PATCH, DELETE";
static const char allowed_headers[] =
    "Accept, Origin, Cookie, Set-Cookie, Content-Type, Content-Range, X-Appwrite-Project, "
    "X-Appwrite-Key, X-Appwrite-Dev-Key, X-Appwrite-Locale, X-Appwrite-Mode, X-Appwrite-JWT, "
    "X-Appwrite-Organization, X-Appwrite-Response-Format, X-Appwrite-Timeout, X-Appwrite-ID, "
    "X-Appwrite-Timestamp, X-Appwrite-Session, X-Appwrite-Platform, "
    "X-Appwrite-Impersonate-User-Id, X-Appwrite-Impersonate-User-Email, "
    "X-Appwrite-Impersonate-User-Phone, X-SDK-Version, X-SDK-Name, X-SDK-Language, "
    "X-SDK-Platform, X-SDK-GraphQL, X-SDK-Profile, Range, Cache-Control, Expires, Pragma, "
    "X-Fallback-Cookies, X-Requested-With, X-Forwarded-For, X-Forwarded-User-Agent";

static void add(struct http_header *headers, size_t *count, const char *name, const char *value)
{
    if (*count < HEADERS_MAX)
        headers[(*count)++] = (struct http_header){ .name = name, .value = value };
}

static void add_cors(struct call *call, struct http_header *headers, size_t *count)
{
    const char *origin = call_header(call, "origin");

    if (text_is_empty(origin))
        return;
    /*
     * Credentials are allowed because no cookie carries rights for a page (cli_session.h); web
     * clients always ask for them.
     */
    add(headers, count, "Access-Control-Allow-Methods", allowed_methods);
    add(headers, count, "Access-Control-Allow-Headers", allowed_headers);
    add(headers, count, "Access-Control-Expose-Headers", "X-Appwrite-Session, X-Fallback-Cookies");
    add(headers, count, "Access-Control-Allow-Origin",
        origin_is_allowed(call->api->settings->origins, origin)
            ? origin
            : call_textf(call, "%s://%s", call->https ? "https" : "http", call->host));
    add(headers, count, "Access-Control-Allow-Credentials", "true");
    add(headers, count, "Vary", "Origin");
}

static void answer_headers(struct call_inside *inside, struct http_header *headers, size_t *count)
{
    struct call *call = &inside->call;

    add(headers, count, "Server", api_server_name);
    add(headers, count, "X-Content-Type-Options", "nosniff");
    add(headers, count, "X-Debug-Fallback", "true"); /* no user's session is in a cookie */
    add_cors(call, headers, count);
    if (inside->content_type != NULL)
        add(headers, count, "Content-Type", inside->content_type);
    if (format_is_too_new(call->format))
        add(headers, count, "X-Appwrite-Warning",
            call_textf(call,
                       "The current SDK is built for Appwrite %.32s. However, the current Appwrite "
                       "server version is %s. Please downgrade your SDK to match the Appwrite "
                       "version: https://appwrite.io/docs/sdks",
                       call_header(call, "x-appwrite-response-format"), api_version));
    for (size_t i = 0; i < inside->header_count; i++)
        add(headers, count, inside->headers[i].name, inside->headers[i].value);
}

void exchange_answer(struct call_inside *inside)
{
    struct http_header headers[HEADERS_MAX];
    struct http_answer answer = { .headers = headers, .file = -1 };

    answer_headers(inside, headers, &answer.header_count);
    answer.status = inside->status;
    answer.file = inside->file;
    answer.file_offset = inside->file_offset;
    answer.file_size = inside->file_bytes;
    if (inside->status != 204 && inside->file < 0)
        answer.body = &inside->answer;
    inside->file = -1; /* the server's from here on */
    if (inside->deliver != NULL) {
        inside->deliver(inside, &answer);
        fd_close(&answer.file);
    } else if (inside->request != NULL) {
        http_request_set_user(inside->request, NULL);
        http_answer(inside->request, &answer);
    } else {
        fd_close(&answer.file);
    }
    exchange_free(inside);
}

int exchange_too_large(uint64_t limit, const char *setting, struct error *err)
{
    const char *before = setting != NULL ? " (setting " : "", *after = setting != NULL ? ")" : "";

    return fail(err, ERROR_GENERAL_PAYLOAD_TOO_LARGE,
                "The request body is larger than %" PRIu64 " bytes%s%s%s.", limit, before,
                setting != NULL ? setting : "", after);
}

void exchange_fail(struct call_inside *inside, const struct error *err)
{
    struct call *call = &inside->call;

    if (err->type == ERROR_INTERNAL)
        log_error("%s %s: %s", call->method, call->path, err->message);
    fd_close(&inside->file);
    inside->content_type = "application/json; charset=UTF-8";
    answer_error(err, &inside->answer, &inside->status);
    call_answer_header(call, "Cache-Control", "no-cache, no-store, must-revalidate");
    call_answer_header(call, "Expires", "0");
    call_answer_header(call, "Pragma", "no-cache");
    if (err->type == ERROR_GENERAL_OVERLOADED || err->type == ERROR_FUNCTION_OVERLOADED)
        call_answer_header(call, "Retry-After", "1");
    exchange_answer(inside);
}
