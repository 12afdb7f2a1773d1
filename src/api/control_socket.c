#include "control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "fd.h"
#include "json_depth.h"
#include "json_text.h"
#include "log.h"
#include "mem.h"
#include "reload.h"
#include "text.h"

enum { TOKEN_BYTES = 32, TOKEN_TEXT = 2 * TOKEN_BYTES + 1 };
enum { LINE_BYTES = 64 << 10, ANSWER_BYTES = 1 << 20, PEERS = 16, PEER_SECONDS = 30 };

struct control {
    struct api *api;
    int fd;
    struct loop_watch *watch;
    char token[TOKEN_TEXT];
    size_t peers;
};

struct peer {
    struct control *control;
    int fd;
    struct loop_watch *watch;
    struct loop_timer timer;
    struct buffer line, output, answer;
    size_t sent; /* bytes of answer */
    struct registry_change *change;
    struct unread unread;
    int status;
    struct error err;
};

static void peer_free(struct peer *peer)
{
    if (peer->watch != NULL)
        loop_watch_remove(peer->control->api->loop, peer->watch);
    loop_timer_cancel(peer->control->api->loop, &peer->timer);
    registry_change_free(peer->change);
    fd_close(&peer->fd);
    buffer_release(&peer->line);
    buffer_release(&peer->output);
    buffer_release(&peer->answer);
    peer->control->peers--;
    free(peer);
}

static void peer_late(void *context)
{
    struct peer *peer = context;

    if (peer->answer.size > 0)
        log_warning("control: %zu of %zu bytes of an answer were not taken in time",
                    peer->answer.size - peer->sent, peer->answer.size);
    peer_free(peer);
}

/* What cannot be sent the client misses: an answer ends with the end of its line. */
static void send_rest(void *context, uint32_t events)
{
    struct peer *peer = context;
    struct loop *loop = peer->control->api->loop;
    struct error err;

    (void)events;
    while (peer->sent < peer->answer.size) {
        ssize_t got = send(peer->fd, peer->answer.data + peer->sent, peer->answer.size - peer->sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN &&
            (peer->watch != NULL ||
             loop_watch_add(loop, peer->fd, EPOLLOUT, send_rest, peer, &peer->watch, &err) == 0))
            return;
        if (got < 0) {
            log_warning("control: an answer was not taken: %s", strerror(errno));
            break;
        }
        peer->sent += (size_t)got;
    }
    peer_free(peer);
}

static void answer(struct peer *peer)
{
    struct loop *loop = peer->control->api->loop;
    struct buffer *line = &peer->answer;
    const char *text = peer->status < 0            ? peer->err.message
                       : peer->output.data == NULL ? ""
                                                   : peer->output.data;

    buffer_addf(line, "{\"%s\":", peer->status < 0 ? "error" : "output");
    json_text_string(line, text, strlen(text));
    buffer_add_text(line, "}\n");
    if (line->overflowed) {
        buffer_reset(line);
        buffer_addf(line, "{\"error\":\"the answer is longer than %zu bytes\"}\n", line->limit);
    }
    loop_timer_arm(loop, &peer->timer, loop_now_us(loop) + (int64_t)PEER_SECONDS * 1000000,
                   peer_late, peer);
    send_rest(peer, 0);
}

static void function_replaced(void *context, struct live_function *old, struct live_function *new)
{
    struct api *api = context;

    if (api->run != NULL)
        run_function_changed(api->run, old, new);
}

static void done(void *context)
{
    struct peer *peer = context;
    struct api *api = peer->control->api;

    if (peer->change != NULL)
        registry_apply(api->registry, steal(peer->change), function_replaced, api);
    reload_applied(&peer->unread);
    answer(peer);
}

static void work(void *context, void *lane_state)
{
    struct peer *peer = context;
    struct api *api = peer->control->api;

    (void)lane_state;
    peer->status = control_run(api->store, &peer->unread, peer->line.data, &peer->output,
                               &peer->change, &peer->err);
    loop_post(api->loop, done, peer);
}

static bool is_trusted(const struct control *control, const char *line, size_t bytes)
{
    const char *reason;
    json_t *json = json_read(line, bytes, &reason);
    const char *token = json_string_value(json_object_get(json, "token"));
    bool is_equal = token != NULL && strlen(token) == TOKEN_TEXT - 1 &&
                    sodium_memcmp(token, control->token, TOKEN_TEXT - 1) == 0;

    json_decref(json);
    return is_equal;
}

static void take_line(struct peer *peer)
{
    struct api *api = peer->control->api;

    loop_watch_remove(api->loop, peer->watch);
    peer->watch = NULL;
    loop_timer_cancel(api->loop, &peer->timer);
    if (!is_trusted(peer->control, peer->line.data, peer->line.size))
        peer->status = fail(&peer->err, ERROR_USER_UNAUTHORIZED, "the token is not this daemon's");
    else if (lanes_add(api->lanes, work, peer) < 0)
        peer->status = fail(&peer->err, ERROR_GENERAL_OVERLOADED, NULL);
    else
        return;
    answer(peer);
}

static void peer_ready(void *context, uint32_t events)
{
    struct peer *peer = context;
    char block[4096];
    ssize_t got = read(peer->fd, block, sizeof(block));

    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || buffer_add(&peer->line, block, (size_t)got) < 0) {
        peer_free(peer);
        return;
    }
    if (memchr(block, '\n', (size_t)got) != NULL)
        take_line(peer);
}

static void accept_peer(void *context, uint32_t events)
{
    struct control *control = context;
    struct loop *loop = control->api->loop;
    auto_fd int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct error err;

    (void)events;
    if (fd < 0 || control->peers >= PEERS)
        return;
    struct peer *peer = xcalloc(1, sizeof(*peer));
    peer->control = control;
    peer->fd = fd_steal(&fd);
    peer->unread.freshness = &control->api->freshness;
    buffer_init(&peer->line, LINE_BYTES);
    buffer_init(&peer->output, ANSWER_BYTES);
    buffer_init(&peer->answer, (size_t)2 * ANSWER_BYTES);
    control->peers++;
    if (loop_watch_add(loop, peer->fd, EPOLLIN, peer_ready, peer, &peer->watch, &err) < 0) {
        log_warning("control: %s", err.message);
        peer_free(peer);
        return;
    }
    loop_timer_arm(loop, &peer->timer, loop_now_us(loop) + (int64_t)PEER_SECONDS * 1000000,
                   peer_late, peer);
}

/* By way of /proc: the whole path may be longer than a socket address can be. */
static int bind_socket(int directory, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return fail_errno(err, "control socket");
    unlinkat(directory, "control.sock", 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock",
             directory);
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        fchmodat(directory, "control.sock", 0600, 0) < 0 || listen(fd, PEERS) < 0)
        return fail_errno(err, "control socket");
    return fd_steal(&fd);
}

int control_open(struct api *api, const char *directory, struct control **ret_control,
                 struct error *err)
{
    unsigned char random[TOKEN_BYTES];
    auto_free char *path = xasprintf("%s/run", directory);
    struct control *control = xcalloc(1, sizeof(*control));
    char line[TOKEN_TEXT + 1];

    control->api = api;
    control->fd = -1;
    randombytes_buf(random, sizeof(random));
    text_hex(random, sizeof(random), control->token);
    snprintf(line, sizeof(line), "%s\n", control->token);
    auto_fd int run = -1;
    int status = fd_mkdir(AT_FDCWD, path, 0700, err);
    if (status == 0 && (run = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        status = fail_errno(err, "%s", path);
    if (status == 0)
        status = fd_write_file(run, "token", line, strlen(line), 0600, err);
    if (status == 0)
        status = (control->fd = bind_socket(run, err)) < 0 ? -1 : 0;
    if (status == 0)
        status = loop_watch_add(api->loop, control->fd, EPOLLIN, accept_peer, control,
                                &control->watch, err);
    if (status < 0) {
        fd_close(&control->fd);
        free(control);
        return -1;
    }
    *ret_control = control;
    return 0;
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    loop_watch_remove(control->api->loop, control->watch);
    fd_close(&control->fd);
    free(control);
}
