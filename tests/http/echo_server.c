/*
 * The other end of the server tests. Paths:
 *   /echo    answers at once: method, path, query, headers in order, body
 *   /post    the same, from a task posted in on_complete (the connection is parked)
 *   /late    the same, from a timer 20 ms later (the connection is suspended)
 *   /hold    answers when the test says so
 *   /file    answers 6 bytes of a file, from its 2nd byte on
 *   /stream  counts the body, refusing every first offer of a piece
 *   /refuse  answers 401 at the head
 *   /wide    answers with more headers than fit
 *   /small   gathers at most 10 bytes
 */
#include "echo_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "mem.h"
#include "text.h"

static const char file_text[] = "0123456789";

struct pending {
    struct http_request *request;
    struct loop_timer timer;
};

static void answer_text(struct http_request *request, unsigned status, const char *text)
{
    const struct http_header headers[] = { { "content-type", "text/plain" },
                                           { "content-length", "999" },
                                           { "x-empty", "" },
                                           { "x-bad", "a\r\nb: c" } };
    const char block[] = "x-block: one\r\nx-block: two\r\n";
    http_answer(request, &(struct http_answer){ .status = status,
                                                .headers = headers,
                                                .header_count = COUNT(headers),
                                                .header_block = block,
                                                .header_block_size = sizeof(block) - 1,
                                                .body_copy = text,
                                                .body_copy_size = strlen(text),
                                                .file = -1 });
}

static void answer_echo(struct http_request *request)
{
    struct buffer out;
    buffer_init(&out, 64 << 20);
    buffer_addf(&out, "%s %s ?%s from %s\n", http_method(request), http_path(request),
                http_query(request), http_client_address(request));
    for (size_t i = 0; i < http_header_count(request); i++) {
        struct http_header header = http_header_at(request, i);
        buffer_addf(&out, "%s=%s\n", header.name, header.value);
    }
    buffer_add_text(&out, "body:");
    buffer_add(&out, http_body_data(request), http_body_size(request));
    http_answer(request, &(struct http_answer){ .status = 200, .body = &out, .file = -1 });
    assert_null(out.data);
}

static void answer_pending(void *context)
{
    struct pending *pending = context;
    if (pending->request != NULL) {
        http_request_set_user(pending->request, NULL);
        answer_echo(pending->request);
    }
    free(pending);
}

static void answer_file(struct echo_server *echo, struct http_request *request)
{
    int file = open(echo->file, O_RDONLY | O_CLOEXEC);
    http_answer(request, &(struct http_answer){
                             .status = 206, .file = file, .file_offset = 2, .file_size = 6 });
}

static void answer_wide(struct http_request *request)
{
    struct buffer block;
    struct buffer body;
    buffer_init(&block, 64 << 10);
    buffer_init(&body, 100);
    buffer_add_text(&body, "body");
    while (block.size < 20000)
        buffer_add_text(&block, "x-wide: 0123456789012345678901234567890123456789\r\n");
    http_answer(request, &(struct http_answer){ .status = 200,
                                                .header_block = block.data,
                                                .header_block_size = block.size,
                                                .body = &body,
                                                .file = -1 });
    buffer_release(&block);
}

static enum http_body on_head(void *context, struct http_request *request, size_t *body_limit)
{
    struct echo_server *echo = context;
    atomic_fetch_add(&echo->heads, 1);
    if (text_equals(http_path(request), "/refuse")) {
        answer_text(request, 401, "refused");
        return HTTP_BODY_REFUSE;
    }
    if (text_equals(http_path(request), "/small"))
        *body_limit = 10;
    if (!text_equals(http_path(request), "/stream"))
        return HTTP_BODY_GATHER;
    echo->body_bytes = 0;
    echo->refused_once = false;
    return HTTP_BODY_STREAM;
}

static void on_refused(void *context, struct http_request *request, unsigned status,
                       const char *reason)
{
    struct echo_server *echo = context;
    auto_free char *text = xasprintf("refused: %u %s", status, reason != NULL ? "framing" : "");
    atomic_fetch_add(&echo->unread, 1);
    answer_text(request, status, text);
}

static void resume_body(void *context)
{
    http_request_resume_body(context);
}

static bool on_data(void *context, struct http_request *request, const char *data, size_t bytes)
{
    struct echo_server *echo = context;
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(data[i], 'a' + (char)((echo->body_bytes + i) % 26));
    echo->refused_once = !echo->refused_once;
    if (echo->refused_once) {
        atomic_fetch_add(&echo->refused, 1);
        loop_post(echo->loop, resume_body, request);
        return false;
    }
    echo->body_bytes += bytes;
    return true;
}

static void on_complete(void *context, struct http_request *request)
{
    struct echo_server *echo = context;
    const char *path = http_path(request);
    atomic_fetch_add(&echo->completes, 1);
    if (text_equals(path, "/post") || text_equals(path, "/late")) {
        struct pending *pending = xcalloc(1, sizeof(*pending));
        pending->request = request;
        http_request_set_user(request, pending);
        if (text_equals(path, "/post"))
            loop_post(echo->loop, answer_pending, pending);
        else
            loop_timer_arm(echo->loop, &pending->timer, loop_now_us(echo->loop) + 20000,
                           answer_pending, pending);
    } else if (text_equals(path, "/hold")) {
        echo->held = request;
    } else if (text_equals(path, "/file")) {
        answer_file(echo, request);
    } else if (text_equals(path, "/wide")) {
        answer_wide(request);
    } else if (text_equals(path, "/stream")) {
        char text[32];
        snprintf(text, sizeof(text), "%zu", echo->body_bytes);
        answer_text(request, 200, text);
    } else {
        answer_echo(request);
    }
}

static void on_too_large(void *context, struct http_request *request, size_t body_limit)
{
    struct echo_server *echo = context;
    assert_int_equal(body_limit, 10);
    atomic_fetch_add(&echo->too_large, 1);
    answer_text(request, 413, "too large");
}

static void on_end(void *context, struct http_request *request, bool client_left)
{
    struct echo_server *echo = context;
    struct pending *pending = http_request_user(request);
    if (pending != NULL)
        pending->request = NULL;
    if (echo->held == request)
        echo->held = NULL;
    atomic_fetch_add(&echo->left, client_left);
    atomic_fetch_add(&echo->ended, 1);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void *run(void *context)
{
    struct echo_server *echo = context;
    loop_run(echo->loop);
    http_server_free(echo->server);
    return NULL;
}

struct echo_server *echo_start(size_t body_memory, unsigned idle_seconds, unsigned connections)
{
    struct echo_server *echo = xcalloc(1, sizeof(*echo));
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    struct error err;
    echo->file = xasprintf("/tmp/functiond-test-file-%d", (int)getpid());
    FILE *file = fopen(echo->file, "we");
    assert_non_null(file);
    fputs(file_text, file);
    fclose(file);
    echo->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(echo->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(echo->listen_fd, 64), 0);
    assert_int_equal(getsockname(echo->listen_fd, (struct sockaddr *)&address, &size), 0);
    echo->port = ntohs(address.sin_port);
    assert_int_equal(loop_new(&echo->loop, &err), 0);
    struct http_options options = { .loop = echo->loop,
                                    .listen_fd = echo->listen_fd,
                                    .connections = connections,
                                    .idle_seconds = idle_seconds,
                                    .body_memory = body_memory,
                                    .head_bytes = 20480,
                                    .handlers = { .context = echo,
                                                  .on_head = on_head,
                                                  .on_refused = on_refused,
                                                  .on_data = on_data,
                                                  .on_complete = on_complete,
                                                  .on_too_large = on_too_large,
                                                  .on_end = on_end } };
    assert_int_equal(http_server_new(&options, &echo->server, &err), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, echo), 0);
    echo->thread = (unsigned long)thread;
    return echo;
}

static void stop_loop(void *context)
{
    loop_stop(context);
}

void echo_stop(struct echo_server *echo)
{
    loop_post(echo->loop, stop_loop, echo->loop);
    pthread_join((pthread_t)echo->thread, NULL);
    assert_int_equal(echo->heads + echo->unread, echo->ended);
    loop_free(echo->loop);
    close(echo->listen_fd);
    unlink(echo->file);
    free(echo->file);
    free(echo);
}

static void release_held(void *context)
{
    struct echo_server *echo = context;
    if (echo->held != NULL)
        answer_echo(steal(echo->held));
}

void echo_release(struct echo_server *echo)
{
    loop_post(echo->loop, release_held, echo);
}

static void stop_accepting(void *context)
{
    struct echo_server *echo = context;
    http_server_stop_accepting(echo->server);
    atomic_store(&echo->stopped, 1);
}

void echo_stop_accepting(struct echo_server *echo)
{
    loop_post(echo->loop, stop_accepting, echo);
    echo_wait(&echo->stopped, 1);
}

void echo_wait(const atomic_int *counter, int least)
{
    struct timespec pause = { .tv_nsec = 1000000 };
    for (int i = 0; i < 5000 && atomic_load(counter) < least; i++)
        nanosleep(&pause, NULL);
    assert_true(atomic_load(counter) >= least);
}

/* ---- the client ------------------------------------------------------------------------------ */

int echo_connect_from(const struct echo_server *echo, in_addr_t from)
{
    const struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(from) };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(echo->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = 5 };
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(client, (const struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return client;
}

int echo_connect(const struct echo_server *echo)
{
    return echo_connect_from(echo, INADDR_LOOPBACK);
}

void echo_send(int client, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t sent = send(client, text, left, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* refused while it was being sent */
        assert_true(sent > 0);
        text += sent;
        left -= (size_t)sent;
    }
}

static bool receive_byte(int client, struct buffer *answer)
{
    char c;
    ssize_t got = recv(client, &c, 1, 0);
    assert_true(got == 1 || got == 0 || (got < 0 && errno == ECONNRESET));
    if (got == 1)
        buffer_add_char(answer, c);
    return got == 1;
}

/* Byte by byte, so that a pipelined answer stays where it is. */
char *echo_receive(int client, bool has_body)
{
    struct buffer answer;
    buffer_init(&answer, 64 << 20);
    while (answer.data == NULL || strstr(answer.data, "\r\n\r\n") == NULL) {
        if (!receive_byte(client, &answer))
            return buffer_steal(&answer, NULL);
    }
    const char *length = strcasestr(answer.data, "content-length: ");
    long left = length == NULL || !has_body ? 0 : strtol(length + 16, NULL, 10);
    while (left-- > 0 && receive_byte(client, &answer))
        continue;
    return buffer_steal(&answer, NULL);
}

bool echo_is_closed(int client)
{
    char rest[4096];
    struct pollfd poll_fd = { .fd = client, .events = POLLIN };
    while (poll(&poll_fd, 1, 5000) == 1) {
        if (recv(client, rest, sizeof(rest), 0) <= 0)
            return true;
    }
    return false;
}
