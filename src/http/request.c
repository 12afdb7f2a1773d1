/*
 * A request from its first line to its end, as libmicrohttpd's callbacks tell it. A refused body is
 * read and thrown away where that is cheap, because a client that is still sending does not see an
 * answer followed by a reset.
 */
#include "front.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "mem.h"
#include "text.h"

static char no_query[] = "";
static const char bad_framing[] =
    "The request's framing headers contradict each other: Content-Length, Transfer-Encoding.";

/* ---- objects --------------------------------------------------------------------------------- */

static struct http_request *new_request(struct http_server *server,
                                        struct MHD_Connection *connection)
{
    struct http_request *request = TAILQ_FIRST(&server->free);
    if (request != NULL) {
        TAILQ_REMOVE(&server->free, request, link);
        server->free_count--;
    } else {
        request = xcalloc(1, sizeof(*request));
        request->server = server;
    }
    request->connection = connection;
    server->open_count++;
    return request;
}

static void recycle(struct http_request *request)
{
    struct http_server *server = request->server;
    if (request->body.capacity > POOL_BODY_BYTES)
        buffer_release(&request->body);
    if (server->free_count >= POOL_REQUESTS) {
        buffer_release(&request->body);
        free(request->headers);
        free(request);
        return;
    }
    memset((char *)request + offsetof(struct http_request, connection), 0,
           sizeof(*request) - offsetof(struct http_request, connection));
    buffer_reset(&request->body);
    TAILQ_INSERT_HEAD(&server->free, request, link);
    server->free_count++;
}

/* ---- the head -------------------------------------------------------------------------------- */

/*
 * target is MHD's own copy, right before it cuts it at the "?" and takes the query apart. Hiding
 * the query's first byte keeps MHD from that; begin() puts it back.
 */
void *request_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_request *request = new_request(context, connection);
    request->query = no_query;
    char *mark = target == NULL ? NULL : strchr((char *)(uintptr_t)target, '?');
    if (mark != NULL) {
        request->query = mark + 1;
        request->query_first = mark[1];
        mark[1] = '\0';
    }
    return request;
}

static void note_framing(struct http_request *request, const char *name, const char *value)
{
    switch (name[0] | 0x20) {
    case 'c':
        if (strcasecmp(name, "content-length") == 0) {
            request->bad_framing |= request->has_length || request->chunked;
            request->has_length = true;
            request->content_length = strtoull(value, NULL,
                                               10); /* MHD has checked that it is one */
        }
        break;
    case 't':
        if (strcasecmp(name, "transfer-encoding") == 0) {
            request->bad_framing |= request->has_length || request->chunked;
            request->bad_framing |= strcasecmp(value, "chunked") != 0;
            request->chunked = true;
        }
        break;
    case 'e':
        if (strcasecmp(name, "expect") == 0)
            request->expects_continue = true;
        break;
    default:
        break;
    }
}

static enum MHD_Result note_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct http_request *request = context;
    (void)kind;
    if (request->header_count == request->header_capacity) {
        request->header_capacity = request->header_capacity == 0 ? 32
                                                                 : request->header_capacity * 2;
        request->headers = xrealloc(request->headers,
                                    request->header_capacity * sizeof(*request->headers));
    }
    if (value == NULL)
        value = "";
    request->headers[request->header_count++] = (struct http_header){ .name = name,
                                                                      .value = value };
    note_framing(request, name, value);
    return MHD_YES;
}

static enum MHD_Result hand_over_answer(struct http_request *request)
{
    struct MHD_Response *response = steal(request->response);
    unsigned status = request->status;
    request->phase = PHASE_ANSWERED;
    request->since_us = loop_now_us(request->server->loop);
    enum MHD_Result result = refusal_pass(request->connection, status, response);
    MHD_destroy_response(response); /* MHD has its own reference */
    return result;
}

static void refuse_size(struct http_request *request)
{
    struct http_server *server = request->server;
    request->too_large = true;
    server->handlers.on_too_large(server->handlers.context, request, request->body_limit);
}

static bool has_body(const struct http_request *request)
{
    return request->chunked || request->content_length > 0;
}

/*
 * An answer before the body: MHD sends it and closes, unless it waits until the body was thrown
 * away.
 */
static enum MHD_Result settle_head(struct http_request *request)
{
    bool closes = request->expects_continue || request->content_length > DISCARD_BYTES;
    if (request->response != NULL && has_body(request) && closes)
        return hand_over_answer(request);
    return MHD_YES;
}

static enum MHD_Result begin(struct http_request *request, const char *url, const char *method)
{
    struct http_server *server = request->server;
    if (request->query != no_query)
        request->query[0] = request->query_first;
    request->path = url;
    request->method = method;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, note_header, request);
    request->phase = PHASE_BODY;
    connection_begins(request);
    server->announced_in_hook |= server->in_hook;
    if (request->bad_framing) {
        server->handlers.on_refused(server->handlers.context, request, 400, bad_framing);
        return hand_over_answer(request); /* MHD closes: what follows may be anything */
    }
    request->body_limit = server->body_memory;
    request->body_mode = server->handlers.on_head(server->handlers.context, request,
                                                  &request->body_limit);
    request->body.limit = request->body_limit;
    if (request->body_mode == HTTP_BODY_GATHER && request->content_length > request->body_limit)
        refuse_size(request);
    return settle_head(request);
}

/* ---- the body -------------------------------------------------------------------------------- */

static enum MHD_Result discard(struct http_request *request, size_t *bytes)
{
    request->discarded += *bytes;
    *bytes = 0;
    return request->discarded > DISCARD_BYTES ? MHD_NO : MHD_YES;
}

static enum MHD_Result gather(struct http_request *request, const char *data, size_t *bytes)
{
    switch (body_gather(request, data, *bytes)) {
    case BODY_TAKEN:
        *bytes = 0;
        return MHD_YES;
    case BODY_WAITS:
        server_suspend(request);
        return MHD_YES;
    case BODY_TOO_LARGE:
        refuse_size(request);
        return discard(request, bytes);
    }
    return MHD_NO;
}

static enum MHD_Result stream(struct http_request *request, const char *data, size_t *bytes)
{
    struct http_server *server = request->server;
    do {
        request->resume_asked = false;
        if (server->handlers.on_data(server->handlers.context, request, data, *bytes)) {
            *bytes = 0;
            return MHD_YES;
        }
    } while (request->resume_asked);
    if (request->response != NULL) /* it answered instead of taking the bytes */
        return discard(request, bytes);
    server_suspend(request);
    return MHD_YES;
}

static enum MHD_Result hand_on_body(struct http_request *request, const char *data, size_t *bytes)
{
    if (request->answered || request->too_large)
        return discard(request, bytes);
    switch (request->body_mode) {
    case HTTP_BODY_GATHER:
        return gather(request, data, bytes);
    case HTTP_BODY_STREAM:
        return stream(request, data, bytes);
    case HTTP_BODY_REFUSE:
        return discard(request, bytes);
    }
    return MHD_NO;
}

static enum MHD_Result take_body(struct http_request *request, const char *data, size_t *bytes)
{
    size_t offered = *bytes;
    enum MHD_Result result = hand_on_body(request, data, bytes);
    request->received += offered - *bytes;
    return result;
}

void http_request_resume_body(struct http_request *request)
{
    request->resume_asked = true;
    if (request->phase == PHASE_BODY && !request->wants_memory)
        server_wake(request);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static enum MHD_Result complete(struct http_request *request)
{
    struct http_server *server = request->server;
    request->phase = PHASE_WAITING;
    server->announced_in_hook |= server->in_hook;
    if (!request->answered && !request->too_large)
        server->handlers.on_complete(server->handlers.context, request);
    if (request->response != NULL)
        return hand_over_answer(request);
    server_park(request);
    return MHD_YES;
}

/* What MHD has left for the answer's head: it keeps the request's head and an entry a header. */
static size_t answer_room(const struct http_request *request)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t used = ANSWER_SPARE_BYTES + request->header_count * sizeof(struct http_request *) * 8;
    if (info != NULL)
        used += info->header_size;
    return used < request->server->head_bytes ? request->server->head_bytes - used : 0;
}

void http_answer(struct http_request *request, const struct http_answer *answer)
{
    struct http_server *server = request->server;
    if (request->answered)
        abort(); /* two answers: the second would be another request's */
    request->answered = true;
    if (request->phase == PHASE_REFUSED) {
        refusal_send(request, answer);
        return;
    }
    request->response = answer_build(answer, answer_room(request), &request->status);
    if (request->rest == REST_NONE)
        return; /* inside a callback, or its body is still coming */
    body_leave_line(request);
    if (request->phase == PHASE_BODY) {
        server_wake(request);
        return;
    }
    server->answering = request;
    server_wake(request);
    hand_over_answer(request);
    server->answering = NULL;
}

/* ---- libmicrohttpd's side -------------------------------------------------------------------- */

enum MHD_Result request_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *data_bytes, void **ret_request)
{
    struct http_request *request = *ret_request;
    struct http_server *server = context;
    (void)connection;
    (void)version;
    if (server->closing || request == NULL)
        return MHD_NO;
    switch (request->phase) {
    case PHASE_LINE:
        return begin(request, url, method);
    case PHASE_BODY:
        return *data_bytes > 0 ? take_body(request, data, data_bytes) : complete(request);
    case PHASE_WAITING:
        return MHD_YES;  /* parked */
    case PHASE_ANSWERED: /* MHD did not take the answer */
    case PHASE_REFUSED:
        return MHD_NO;
    }
    return MHD_NO;
}

void request_end(struct http_request *request, bool client_left)
{
    struct http_server *server = request->server;
    if (request->method != NULL)
        server->handlers.on_end(server->handlers.context, request, client_left);
    server->open_count--;
    body_release(request);
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    recycle(request);
}

void request_over(void *context, struct MHD_Connection *connection, void **ret_request,
                  enum MHD_RequestTerminationCode code)
{
    struct http_server *server = context;
    struct http_request *request = *ret_request;
    (void)connection;
    if (request == NULL)
        return;
    *ret_request = NULL;
    server_forget(request);
    connection_ends(request);
    request->connection = NULL;
    request->client_left = code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (server->answering == request)
        TAILQ_INSERT_TAIL(&server->ended, request, link);
    else
        request_end(request, request->client_left);
}

/* A request object of its own: the one the refused bytes may belong to ends as any that fails. */
void request_refuse(struct http_server *server, struct MHD_Connection *connection, unsigned status)
{
    struct http_request *request = new_request(server, connection);

    request->phase = PHASE_REFUSED;
    request->method = "";
    request->path = "";
    request->query = no_query;
    server->announced_in_hook |= server->in_hook;
    server->handlers.on_refused(server->handlers.context, request, status, NULL);
    request->connection = NULL;
    request_end(request, false);
}
