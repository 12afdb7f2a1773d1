/*
 * Who must go when there are too many. Connections that nothing useful comes from (idle, silent, or
 * a byte at a time) cost their owner nothing, so they must not keep others out: past the limit the
 * connection that has waited longest for a request's head is closed, then bodies that hardly move,
 * then answers that were not taken whole within READ_WITHIN_US, however fast. A head has as long to
 * arrive in full as an idle connection may be idle. What waits for us, not for its client, is never
 * closed.
 *
 * Closing is shutdown(): libmicrohttpd reads the end and does the rest; where its buffer is full
 * and it does not read, it does so after a second.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "front.h"
#include "mem.h"

enum {
    SLOW_BYTES = 16 * 1024,          /* a second: a body below that hardly moves */
    SLOW_AFTER_US = 5 * 1000 * 1000, /* of its time are looked at, at least */
    READ_WITHIN_US = 30 * 1000 * 1000,
    YOUNG_US = 50 * 1000,       /* a head may be on its way, if there are spare connections left */
    LOOK_EVERY_US = 500 * 1000, /* at everybody, while there is need */
    PEEK_EVERY_US = 1000 * 1000,
    SPINS = 50, /* turns without a wait, and more of them every STUCK_US */
    STUCK_US = 10 * 1000,
    STUCK_LOOKS = 5
};

struct http_connection {
    TAILQ_ENTRY(http_connection) link; /* waiting or busy; none once it is closed by us */
    struct MHD_Connection *connection;
    struct http_request *request; /* its head is there; NULL: waiting for one */
    int64_t since_us;             /* waiting */
    uint64_t received;            /* bytes of a body, at the last look for those that are stuck */
    unsigned stuck;               /* looks that found bytes nobody takes */
    bool is_closing;
};

static struct connection_list *list_of(struct http_server *server,
                                       const struct http_connection *connection)
{
    return connection->request == NULL ? &server->waiting : &server->busy;
}

static void close_it(struct http_server *server, struct http_connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    TAILQ_REMOVE(list_of(server, connection), connection, link);
    connection->is_closing = true;
    server->closing_count++;
    if (info != NULL)
        shutdown(info->connect_fd, SHUT_RDWR);
    MHD_set_connection_option(connection->connection, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
    server->run_wanted = true;
}

/* ---- who is slow ----------------------------------------------------------------------------- */

static bool is_slow(const struct http_request *request, int64_t now)
{
    int64_t taken = now - request->since_us;

    if (request->rest != REST_NONE)
        return false;
    if (request->phase == PHASE_BODY)
        return taken >= SLOW_AFTER_US &&
               request->received < (uint64_t)(taken / 1000000) * SLOW_BYTES;
    return request->phase == PHASE_ANSWERED && taken >= READ_WITHIN_US;
}

/* Beyond the limit, those that will be gone in a moment left out. */
static bool is_full(const struct http_server *server)
{
    return server->connection_count - server->closing_count > server->connection_limit;
}

static void close_slow(struct http_server *server, bool readers_too)
{
    int64_t now = loop_now_us(server->loop);
    struct http_connection *next, *connection = TAILQ_FIRST(&server->busy);

    if (now < server->look_by_us)
        return;
    server->look_by_us = now + LOOK_EVERY_US;
    for (; connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, link);
        if ((readers_too || connection->request->phase == PHASE_BODY) &&
            is_slow(connection->request, now))
            close_it(server, connection);
    }
}

/* Does it wait for bytes of its client? Who waits for an answer may have said all it will say. */
static bool may_end(const struct http_connection *connection)
{
    const struct http_request *request = connection->request;

    return request == NULL || (request->phase == PHASE_BODY && request->rest == REST_NONE);
}

/* 0: the client has ended; 1: there is something to read; -1: nothing yet. */
static ssize_t peek(const struct http_connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte;

    return info == NULL ? -1 : recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

/*
 * libmicrohttpd overlooks an end that arrives together with the bytes before it (its epoll is
 * edge-triggered, and a read that fills less than its buffer counts as the last). Without this such
 * connections stay until they have been idle for long.
 */
static void close_ended(struct http_server *server, struct connection_list *list)
{
    struct http_connection *next, *connection = TAILQ_FIRST(list);

    for (; connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, link);
        if (may_end(connection) && peek(connection) == 0)
            close_it(server, connection);
    }
}

/*
 * libmicrohttpd neither takes nor refuses a chunk's head that is longer than its buffer, and asks
 * to be run again at once for as long as the connection is there: that would keep a processor busy.
 */
static void close_stuck(struct http_server *server)
{
    struct http_connection *next, *connection = TAILQ_FIRST(&server->busy);
    int64_t now = loop_now_us(server->loop);

    if (server->spins < SPINS || now < server->stuck_by_us)
        return;
    server->stuck_by_us = now + STUCK_US;
    for (; connection != NULL; connection = next) {
        next = TAILQ_NEXT(connection, link);
        bool moves = !may_end(connection) || connection->request->received != connection->received;
        connection->received = connection->request->received;
        connection->stuck = moves || peek(connection) <= 0 ? 0 : connection->stuck + 1;
        if (connection->stuck >= STUCK_LOOKS)
            close_it(server, connection);
    }
}

static void look_for_ends(struct http_server *server)
{
    int64_t now = loop_now_us(server->loop);

    if (now < server->peek_by_us)
        return;
    server->peek_by_us = now + PEEK_EVERY_US;
    close_ended(server, &server->waiting);
    close_ended(server, &server->busy);
}

static void make_room(struct http_server *server)
{
    bool is_urgent = server->connection_count >= server->connection_limit + CONNECTION_SPARES / 2;
    int64_t now = loop_now_us(server->loop);
    struct http_connection *first;

    while (is_full(server) && (first = TAILQ_FIRST(&server->waiting)) != NULL &&
           TAILQ_NEXT(first, link) != NULL && (is_urgent || now - first->since_us >= YOUNG_US))
        close_it(server, first);
    if (is_full(server))
        close_slow(server, true);
}

void connections_tidy(struct http_server *server)
{
    struct http_connection *first;
    int64_t now = loop_now_us(server->loop);

    while ((first = TAILQ_FIRST(&server->waiting)) != NULL &&
           now - first->since_us > server->idle_us)
        close_it(server, first);
    look_for_ends(server);
    close_stuck(server);
    if (!TAILQ_EMPTY(&server->memory_line))
        close_slow(server, false);
    make_room(server);
}

int64_t connections_wait_us(const struct http_server *server)
{
    if (is_full(server) && !TAILQ_EMPTY(&server->waiting))
        return YOUNG_US;
    if (is_full(server) || !TAILQ_EMPTY(&server->memory_line))
        return LOOK_EVERY_US;
    return server->connection_count > 0 ? PEEK_EVERY_US : -1;
}

/* ---- coming, working, going ------------------------------------------------------------------ */

static void wait_for_head(struct http_server *server, struct http_connection *connection)
{
    connection->request = NULL;
    connection->since_us = loop_now_us(server->loop);
    TAILQ_INSERT_TAIL(&server->waiting, connection, link);
}

static void come(struct http_server *server, struct MHD_Connection *of, void **ret_connection)
{
    struct http_connection *connection = xcalloc(1, sizeof(*connection));

    connection->connection = of;
    wait_for_head(server, connection);
    *ret_connection = connection;
    server->connection_count++;
    make_room(server);
}

static void go(struct http_server *server, struct http_connection *connection)
{
    if (connection->is_closing)
        server->closing_count--;
    else
        TAILQ_REMOVE(list_of(server, connection), connection, link);
    server->connection_count--;
    free(connection);
}

void connections_note(void *context, struct MHD_Connection *connection, void **socket_context,
                      enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        come(context, connection, socket_context);
    else if (*socket_context != NULL)
        go(context, steal(*socket_context));
}

static struct http_connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

void connection_begins(struct http_request *request)
{
    struct http_server *server = request->server;
    struct http_connection *connection = connection_of(request->connection);

    request->since_us = loop_now_us(server->loop);
    if (connection == NULL || connection->is_closing)
        return;
    TAILQ_REMOVE(&server->waiting, connection, link);
    connection->request = request;
    TAILQ_INSERT_TAIL(&server->busy, connection, link);
}

void connection_ends(struct http_request *request)
{
    struct http_server *server = request->server;
    struct http_connection *connection = connection_of(request->connection);

    if (connection == NULL || connection->is_closing || connection->request != request)
        return;
    TAILQ_REMOVE(&server->busy, connection, link);
    wait_for_head(server, connection);
}
