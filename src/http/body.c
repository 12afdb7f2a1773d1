/*
 * Memory of gathered bodies. All of them together stay within the server's budget: a request that
 * finds no room waits in line with its connection suspended. One request at a time may exceed the
 * budget, so that bodies which are all half there cannot wait for each other.
 */
#include "front.h"

enum { STEP_BYTES = 4 * 1024 };

/*
 * How much to reserve next: a small body of known length at once, others by doubling. So a length
 * that is announced and never sent takes no memory from others.
 */
static size_t next_step(const struct http_request *request, size_t bytes)
{
    size_t needed = request->body.size + bytes;
    size_t step = request->reserved * 2;
    if (step < STEP_BYTES)
        step = STEP_BYTES;
    if (request->has_length && request->content_length < step)
        step = (size_t)request->content_length;
    if (step > request->body_limit)
        step = request->body_limit;
    if (step < needed)
        step = needed;
    return step - request->reserved;
}

static bool take_memory(struct http_request *request, size_t bytes)
{
    struct http_server *server = request->server;
    if (bytes > server->body_memory || server->body_used > server->body_memory - bytes) {
        if (server->overdraft != NULL && server->overdraft != request)
            return false;
        server->overdraft = request;
    }
    server->body_used += bytes;
    request->reserved += bytes;
    return true;
}

/* Whoever is first in line and fits goes on. Nobody overtakes. */
static void serve_line(struct http_server *server)
{
    struct http_request *request;
    while ((request = TAILQ_FIRST(&server->memory_line)) != NULL &&
           take_memory(request, request->wanted)) {
        body_leave_line(request);
        server_wake(request);
    }
}

void body_leave_line(struct http_request *request)
{
    if (!request->wants_memory)
        return;
    TAILQ_REMOVE(&request->server->memory_line, request, memory_link);
    request->wants_memory = false;
}

enum body_taken body_gather(struct http_request *request, const char *data, size_t bytes)
{
    struct http_server *server = request->server;
    if (bytes > request->body_limit - request->body.size)
        return BODY_TOO_LARGE;
    if (request->body.size + bytes > request->reserved) {
        size_t step = next_step(request, bytes);
        bool line = !TAILQ_EMPTY(&server->memory_line) && server->overdraft != request;
        if (line || !take_memory(request, step)) {
            request->wanted = step;
            request->wants_memory = true;
            TAILQ_INSERT_TAIL(&server->memory_line, request, memory_link);
            return BODY_WAITS;
        }
        buffer_reserve(&request->body, request->reserved - request->body.size);
    }
    buffer_add(&request->body, data, bytes);
    return BODY_TAKEN;
}

void body_release(struct http_request *request)
{
    struct http_server *server = request->server;
    body_leave_line(request);
    if (server->overdraft == request)
        server->overdraft = NULL;
    if (request->reserved == 0)
        return;
    server->body_used -= request->reserved;
    request->reserved = 0;
    if (!server->closing)
        serve_line(server);
}
