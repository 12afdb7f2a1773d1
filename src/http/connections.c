/*
 * Who must go when there are too many. Connections that nothing useful comes from (idle, silent, or
 * a byte at a time) cost their owner nothing, so they must not keep others out: past the limit the
 * connection that has waited longest for a request's head is closed, then bodies that hardly move,
 * then answers that are under way for READ_WITHIN_US and hardly taken any more. A head has as long
 * to arrive in full as an idle connection may be idle. What waits for us, not for its client, is
 * never closed.
 *
 * Closing is shutdown(): libmicrohttpd reads the end and does the rest; where its buffer is full
 * and it does not read, it does so after a second.
 */
#include <linux/tcp.h> /* the C library's struct tcp_info ends before tcpi_bytes_acked */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "front.h"
#include "mem.h"

enum {
    SLOW_BYTES = 16 * 1024,          /* a second: a body or an answer below that hardly moves */
    SLOW_AFTER_US = 5 * 1000 * 1000, /* of its time are looked at, at least */
    READ_WITHIN_US = 30 * 1000 * 1000,
    YOUNG_US = 50 * 1000,       /* a head may be on its way, if there are spare connections left */
    LOOK_EVERY_US = 500 * 1000, /* at everybody, while there is need */
    ROUND_US = 1000 * 1000, /* in which each is looked at on its own, unless there are too many */
    LOOKS_AT_ONCE = 1024,   /* so that no turn of the loop takes long */
    LOOKS_PAUSE_US = 50 * 1000, /* from then to the next, so that no processor is busy with it */
    SPINS = 50,                 /* turns without a wait, and more of them every STUCK_US */
    STUCK_US = 10 * 1000,
    STUCK_LOOKS = 5
};

struct http_connection {
    struct http_server *server;
    TAILQ_ENTRY(http_connection) link;       /* waiting or busy; none once it is closed by us */
    TAILQ_ENTRY(http_connection) round_link; /* likewise */
    struct MHD_Connection *connection;
    struct http_request *request; /* its head is there; NULL: waiting for one */
    int64_t since_us;             /* waiting */
    uint64_t received;            /* bytes of a body, at the last look for those that are stuck */
    unsigned stuck;               /* looks that found bytes nobody takes */
    int64_t reading_us;           /* its answer's progress was noted; 0: not yet */
    uint64_t acknowledged;        /* by its client, until then */
    bool hardly_reads;            /* in the time before it */
    bool is_closing;
};

static struct connection_list *list_of(struct http_server *server,
                                       const struct http_connection *connection)
{
    return connection->request == NULL ? &server->waiting : &server->busy;
}

static int socket_of(const struct http_connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info == NULL ? -1 : info->connect_fd;
}

static void leave_lists(struct http_server *server, struct http_connection *connection)
{
    TAILQ_REMOVE(list_of(server, connection), connection, link);
    TAILQ_REMOVE(&server->round, connection, round_link);
}

static void close_it(struct http_server *server, struct http_connection *connection)
{
    leave_lists(server, connection);
    connection->is_closing = true;
    server->closing_count++;
    shutdown(socket_of(connection), SHUT_RDWR);
    MHD_set_connection_option(connection->connection, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
    server->run_wanted = true;
}

/* ---- who is slow ----------------------------------------------------------------------------- */

/* What the client's system has said it has, of everything sent; 0 if the kernel does not tell. */
static uint64_t acknowledged(const struct http_connection *connection)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof(info);

    if (getsockopt(socket_of(connection), IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return 0;
    return info.tcpi_bytes_acked;
}

static bool hardly_moves(uint64_t bytes, int64_t us)
{
    return bytes < (uint64_t)(us / 1000000) * SLOW_BYTES;
}

/* A download that goes on is not slow, however large it is: only the last seconds count. */
static void note_reading(struct http_connection *connection, int64_t now)
{
    int64_t passed = now - connection->reading_us;
    uint64_t before = connection->acknowledged;

    if (connection->reading_us != 0 && passed < SLOW_AFTER_US)
        return;
    connection->acknowledged = acknowledged(connection);
    connection->hardly_reads = connection->reading_us != 0 &&
                               hardly_moves(connection->acknowledged - before, passed);
    connection->reading_us = now;
}

static bool is_slow(const struct http_connection *connection, int64_t now)
{
    const struct http_request *request = connection->request;
    int64_t taken = now - request->since_us;

    if (request->rest != REST_NONE)
        return false;
    if (request->phase == PHASE_BODY)
        return taken >= SLOW_AFTER_US && hardly_moves(request->received, taken);
    return request->phase == PHASE_ANSWERED && taken >= READ_WITHIN_US && connection->hardly_reads;
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
        if ((readers_too || connection->request->phase == PHASE_BODY) && is_slow(connection, now))
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
    char byte;

    return recv(socket_of(connection), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

/*
 * libmicrohttpd overlooks an end that arrives together with the bytes before it (its epoll is
 * edge-triggered, and a read that fills less than its buffer counts as the last). Without this such
 * connections stay until they have been idle for long.
 */
static void look_at(struct http_server *server, struct http_connection *connection, int64_t now)
{
    if (may_end(connection) && peek(connection) == 0)
        close_it(server, connection);
    else if (connection->request != NULL && connection->request->phase == PHASE_ANSWERED)
        note_reading(connection, now);
}

static int64_t looks_pause_us(const struct http_server *server)
{
    int64_t slices = (int64_t)(server->connection_count / LOOKS_AT_ONCE) + 1;

    return ROUND_US / slices > LOOKS_PAUSE_US ? ROUND_US / slices : LOOKS_PAUSE_US;
}

static void look_around(struct http_server *server)
{
    size_t left = server->connection_count - server->closing_count;
    int64_t now = loop_now_us(server->loop);

    if (now < server->round_by_us)
        return;
    server->round_by_us = now + looks_pause_us(server);
    for (left = left < LOOKS_AT_ONCE ? left : LOOKS_AT_ONCE; left > 0; left--) {
        struct http_connection *connection = TAILQ_FIRST(&server->round);
        TAILQ_REMOVE(&server->round, connection, round_link);
        TAILQ_INSERT_TAIL(&server->round, connection, round_link);
        look_at(server, connection, now);
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
    look_around(server);
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
    return server->connection_count > 0 ? looks_pause_us(server) : -1;
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

    connection->server = server;
    connection->connection = of;
    wait_for_head(server, connection);
    TAILQ_INSERT_TAIL(&server->round, connection, round_link);
    *ret_connection = connection;
    server->connection_count++;
    make_room(server);
}

static void go(struct http_server *server, struct http_connection *connection)
{
    if (connection->is_closing)
        server->closing_count--;
    else
        leave_lists(server, connection);
    server->connection_count--;
    server->run_wanted = true; /* libmicrohttpd that was full listens again in its next run only */
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

struct http_server *connection_server(struct MHD_Connection *connection)
{
    const struct http_connection *inside = connection_of(connection);

    return inside == NULL ? NULL : inside->server;
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
    connection->reading_us = 0;
    connection->hardly_reads = false;
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
