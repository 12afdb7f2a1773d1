/* links: http util */
/*
 * The HTTP front alone, for wrk: bench_http PORT. What it answers is the size of an execution
 * document. /direct    answered inside on_complete /post      answered by a task posted from there:
 * what a warm execution does /suspend   the same with the connection suspended and resumed, as a
 * slow execution
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front.h"
#include "mem.h"

enum { ANSWER_BYTES = 742 };

static struct loop *loop;

struct pending {
    struct http_request *request; /* NULL: its client has left */
    bool suspend;
};

static void answer(struct http_request *request)
{
    static const struct http_header headers[] = {
        { "Content-Type", "application/json; charset=UTF-8" },
        { "Server", "functiond/0.1" },
        { "Access-Control-Allow-Origin", "*" },
        { "Access-Control-Expose-Headers", "X-Appwrite-Session, X-Fallback-Cookies" },
        { "X-Debug-Speed", "0.001" },
    };
    struct buffer body;
    buffer_init(&body, 1 << 20);
    buffer_reserve(&body, ANSWER_BYTES);
    memset(body.data, 'x', ANSWER_BYTES);
    body.size = ANSWER_BYTES;
    http_answer(request, &(struct http_answer){ .status = 201,
                                                .headers = headers,
                                                .header_count = COUNT(headers),
                                                .body = &body,
                                                .file = -1 });
}

static void answer_pending(void *context)
{
    struct pending *pending = context;
    if (pending->request != NULL) {
        http_request_set_user(pending->request, NULL);
        if (pending->suspend)
            server_suspend(pending->request);
        answer(pending->request);
    }
    free(pending);
}

static void post(struct http_request *request, bool suspend)
{
    struct pending *pending = xmalloc(sizeof(*pending));
    *pending = (struct pending){ .request = request, .suspend = suspend };
    http_request_set_user(request, pending);
    loop_post(loop, answer_pending, pending);
}

static enum http_body on_head(void *context, struct http_request *request, size_t *body_limit)
{
    (void)context;
    (void)body_limit;
    (void)http_header(request, "x-appwrite-key");
    return HTTP_BODY_GATHER;
}

static void on_complete(void *context, struct http_request *request)
{
    (void)context;
    switch (http_path(request)[1]) {
    case 'p':
        post(request, false);
        break;
    case 's':
        post(request, true);
        break;
    default:
        answer(request);
        break;
    }
}

static void on_end(void *context, struct http_request *request, bool client_left)
{
    struct pending *pending = http_request_user(request);
    (void)context;
    (void)client_left;
    if (pending != NULL)
        pending->request = NULL;
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 512) < 0)
        return -1;
    return fd;
}

int main(int argc, char **argv)
{
    struct error err;
    struct http_server *server;
    int listen_fd = argc == 2 ? listen_on(argv[1]) : -1;
    if (listen_fd < 0) {
        fprintf(stderr, "bench_http: PORT (free, of 127.0.0.1)\n");
        return 2;
    }
    struct http_options options = {
        .listen_fd = listen_fd,
        .connections = 1000,
        .idle_seconds = 60,
        .body_memory = 64 << 20,
        .head_bytes = 20480,
        .handlers = { .on_head = on_head, .on_complete = on_complete, .on_end = on_end }
    };
    if (loop_new(&loop, &err) < 0)
        return 1;
    options.loop = loop;
    if (http_server_new(&options, &server, &err) < 0)
        return 1;
    loop_run(loop);
    return 0;
}
