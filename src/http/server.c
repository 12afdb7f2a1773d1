/*
 * libmicrohttpd inside our loop: starting, running, resting connections, stopping. What a request
 * is: request.c.
 */
#include "front.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

/* MHD must leave the request line alone: paths travel as they were sent. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

/* ---- resting --------------------------------------------------------------------------------- */

void server_park(struct http_request *request)
{
    struct http_server *server = request->server;
    if (server->parked_count >= PARK_MOST) {
        server_suspend(request);
        return;
    }
    request->rest = REST_PARKED;
    request->parked_us = loop_now_us(server->loop);
    TAILQ_INSERT_TAIL(&server->parked, request, link);
    server->parked_count++;
}

void server_forget(struct http_request *request)
{
    struct http_server *server = request->server;
    switch (request->rest) {
    case REST_NONE:
        return;
    case REST_PARKED:
        TAILQ_REMOVE(&server->parked, request, link);
        server->parked_count--;
        break;
    case REST_SUSPENDED:
        TAILQ_REMOVE(&server->suspended, request, link);
        server->suspended_count--;
        break;
    }
    request->rest = REST_NONE;
}

void server_suspend(struct http_request *request)
{
    if (request->rest == REST_SUSPENDED)
        return;
    server_forget(request);
    request->rest = REST_SUSPENDED;
    TAILQ_INSERT_TAIL(&request->server->suspended, request, link);
    request->server->suspended_count++;
    MHD_suspend_connection(request->connection);
}

void server_wake(struct http_request *request)
{
    if (request->rest == REST_NONE)
        return;
    unsigned runs = RUNS_TO_SEND;
    if (request->rest == REST_SUSPENDED) {
        MHD_resume_connection(request->connection);
        runs = RUNS_TO_WAKE;
    }
    if (request->server->runs < runs)
        request->server->runs = runs;
    request->since_us = loop_now_us(request->server->loop);
    request->received = 0;
    request->server->run_wanted = true;
    server_forget(request);
}

/*
 * While requests are parked, MHD_get_timeout() always says "at once", so it cannot tell whether
 * another connection has bytes left to read or write. So parking is only for times when nothing but
 * parked requests is under way.
 */
static void suspend_long_parked(struct http_server *server)
{
    bool others = server->open_count > server->parked_count + server->suspended_count;
    int64_t now = loop_now_us(server->loop);
    struct http_request *request;
    while ((request = TAILQ_FIRST(&server->parked)) != NULL) {
        if (!others && now - request->parked_us < PARK_US)
            return;
        server_suspend(request);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void run_daemon(struct http_server *server)
{
    unsigned runs = server->runs;
    server->runs = RUNS_TO_READ;
    server->run_wanted = false;
    for (unsigned i = 0; i < runs; i++)
        MHD_run(server->daemon);
}

static void on_ready(void *context, uint32_t events)
{
    (void)events;
    run_daemon(context);
}

static void deliver_ends(struct http_server *server)
{
    struct http_request *request;
    while ((request = TAILQ_FIRST(&server->ended)) != NULL) {
        TAILQ_REMOVE(&server->ended, request, link);
        request_end(request, request->client_left);
    }
}

static void on_turn_end(void *context)
{
    struct http_server *server = context;
    if (server->daemon == NULL)
        return;
    server->in_hook = true;
    server->announced_in_hook = false;
    if (server->run_wanted || loop_now_us(server->loop) >= server->run_by_us)
        run_daemon(server);
    if (server->parked_count > 0)
        suspend_long_parked(server);
    connections_tidy(server);
    deliver_ends(server);
    server->in_hook = false;
}

static int64_t longest_wait_us(void *context)
{
    struct http_server *server = context;
    server->run_by_us = INT64_MAX;
    if (server->daemon == NULL)
        return -1;
    if (server->run_wanted || server->announced_in_hook)
        return 0;
    int64_t now = loop_now_us(server->loop);
    const struct http_request *oldest = TAILQ_FIRST(&server->parked);
    if (oldest != NULL) {
        int64_t left = oldest->parked_us + PARK_US - now;
        return left > 0 ? left : 0;
    }
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    int64_t wait_us = connections_wait_us(server);
    if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_NO)
        return wait_us;
    server->spins = timeout_ms == 0 ? server->spins + 1 : 0;
    if (timeout_ms > INT32_MAX)
        timeout_ms = INT32_MAX;
    if (wait_us < 0 || wait_us > (int64_t)timeout_ms * 1000)
        wait_us = (int64_t)timeout_ms * 1000;
    server->run_by_us = now + wait_us;
    return wait_us;
}

/* ---- starting and stopping ------------------------------------------------------------------- */

static int start_daemon(struct http_server *server, const struct http_options *options,
                        struct error *err)
{
    server->listen_fd = fcntl(options->listen_fd, F_DUPFD_CLOEXEC, 3);
    if (server->listen_fd < 0)
        return fail_errno(err, "http: listening socket");
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL, request_handle,
        server, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)server->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, options->connections + CONNECTION_SPARES,
        MHD_OPTION_NOTIFY_CONNECTION, connections_note, (void *)server,
        MHD_OPTION_CONNECTION_TIMEOUT, options->idle_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        server->head_bytes, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
        request_line, (void *)server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, (void *)server,
        MHD_OPTION_NOTIFY_COMPLETED, request_over, (void *)server,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (server->daemon == NULL)
        return fail_errno(err, "http: libmicrohttpd did not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon,
                                                           MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL)
        return fail(err, ERROR_INTERNAL, "http: libmicrohttpd has no epoll");
    return loop_watch_add(server->loop, info->epoll_fd, EPOLLIN, on_ready, server, &server->watch,
                          err);
}

int http_server_new(const struct http_options *options, struct http_server **ret_server,
                    struct error *err)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->loop = options->loop;
    server->handlers = options->handlers;
    server->body_memory = options->body_memory;
    server->head_bytes = options->head_bytes;
    server->connection_limit = options->connections;
    server->idle_us = (int64_t)options->idle_seconds * 1000000;
    server->listen_fd = -1;
    server->runs = RUNS_TO_READ;
    server->run_wanted = true; /* the first run puts the listening socket into MHD's epoll set */
    server->run_by_us = INT64_MAX;
    signal(SIGPIPE, SIG_IGN); /* sendfile() knows no MSG_NOSIGNAL */
    TAILQ_INIT(&server->parked);
    TAILQ_INIT(&server->suspended);
    TAILQ_INIT(&server->ended);
    TAILQ_INIT(&server->free);
    TAILQ_INIT(&server->memory_line);
    TAILQ_INIT(&server->waiting);
    TAILQ_INIT(&server->busy);
    TAILQ_INIT(&server->round);
    if (start_daemon(server, options, err) < 0) {
        http_server_free(server);
        return -1;
    }
    loop_at_turn_end(server->loop, on_turn_end, server);
    loop_limit_wait(server->loop, longest_wait_us, server);
    *ret_server = server;
    return 0;
}

void http_server_stop_accepting(struct http_server *server)
{
    if (server->listen_fd < 0)
        return;
    MHD_quiesce_daemon(server->daemon);
    fd_close(&server->listen_fd);
}

size_t http_server_open_requests(const struct http_server *server)
{
    return server->open_count;
}

static void free_request_memory(struct http_request *request)
{
    buffer_release(&request->body);
    free(request->headers);
    free(request);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    server->closing = true;
    if (server->daemon != NULL) {
        http_server_stop_accepting(server);
        loop_watch_remove(server->loop, server->watch);
        struct http_request *request;
        while ((request = TAILQ_FIRST(&server->suspended)) != NULL)
            server_wake(request);
        MHD_run(server->daemon); /* takes the resumed connections back; the handler refuses them */
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
    }
    fd_close(&server->listen_fd);
    deliver_ends(server);
    struct http_request *request;
    while ((request = TAILQ_FIRST(&server->free)) != NULL) {
        TAILQ_REMOVE(&server->free, request, link);
        free_request_memory(request);
    }
    free(server);
}
