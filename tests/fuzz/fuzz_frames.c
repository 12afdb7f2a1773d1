/* links: run */
/* What a worker may send: the input is its channel, with three requests in flight and a deployment
 * behind them. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../run/fake_runtimes.c"

#include "internal.h"
#include "live.h"
#include "log.h"
#include "mem.h"

enum { CALLS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void done(void *context, struct run_result *result)
{
    unsigned *times = context;
    size_t limit = (size_t)1 << 20;
    ++*times;
    /* What the API relies on: blocks end in NUL, lines in CR LF, nothing is above its limit. */
    if (*times > 1 || result->headers.size > limit || result->body.size > limit)
        abort();
    if (result->headers.size > 0 && (result->headers.data[result->headers.size] != '\0' ||
                                     result->headers.data[result->headers.size - 1] != '\n'))
        abort();
}

static struct live_function *make_function(void)
{
    struct live_function *live = xcalloc(1, sizeof(*live));
    live->references = 1;
    live->cache = xcalloc(1, sizeof(*live->cache));
    live->function.project_id = xstrdup("demo");
    live->function.id = xstrdup("hello");
    live->function.name = xstrdup("hello");
    live->function.runtime = xstrdup("node-22");
    live->function.version = xstrdup("v5");
    live->function.scopes = xstrdup("[]");
    live->function.runtime_specification = xstrdup("");
    live->function.timeout = 900;
    live->function.logging = true;
    live->deployment.id = xstrdup("d1");
    live->deployment.entrypoint = xstrdup("index.js");
    return live;
}

static struct run *make_run(struct loop *loop, const struct settings *settings, int *ret_supervisor)
{
    const struct message_welcome welcome = { .type = MESSAGE_WELCOME, .memory_bytes = 1ULL << 34 };
    struct error err;
    struct run *run;
    int pair[2];
    if (fd_socketpair(SOCK_SEQPACKET, pair, &err) < 0)
        abort();
    int report = fd_memfd("report", "{}", 2, &err);
    fd_send_packet(pair[1], &welcome, sizeof(welcome), &report, 1);
    fd_close(&report);
    const struct run_options options = {
        .loop = loop, .settings = settings, .supervisor_fd = pair[0], .api_endpoint = ""
    };
    if (run_new(&options, &run, &err) < 0)
        abort();
    *ret_supervisor = pair[1];
    return run;
}

/* The worker's end of its channel. */
static int take_channel(int supervisor)
{
    union message message;
    int fds[FD_MAX_PASSED];
    size_t count = 0;
    if (fd_receive_packet(supervisor, &message, sizeof(message), fds, &count) <= 0 || count != 4)
        abort();
    for (size_t i = 0; i < 3; i++)
        fd_close(&fds[i]);
    return fds[3];
}

static void speak(struct run *run, int channel, const void *bytes, size_t size)
{
    if (size > 0 && send(channel, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
    struct list *first = list_first(&run->workers);
    if (first != NULL)
        channel_drain(&list_member(first, struct worker, link)->channel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *const nothing[] = { NULL };
    struct settings settings;
    struct loop *loop;
    struct error err;
    unsigned times[CALLS] = { 0 };
    int supervisor;
    log_configure(LOG_ERROR, LOG_TEXT, "fuzz");
    if (settings_load(&settings, 0, NULL, nothing, &err) < 0 || loop_new(&loop, &err) < 0)
        abort();
    settings.spares = 0;
    settings.request_bytes = 1 << 20;
    settings.execution_log_bytes = 1024;
    struct run *run = make_run(loop, &settings, &supervisor);
    struct live_function *function = make_function();
    for (size_t i = 0; i < CALLS; i++) {
        const struct run_request request = {
            .function = function, .method = "GET", .path = "/", .done = done, .context = &times[i]
        };
        run_start(run, &request);
    }
    int channel = take_channel(supervisor);
    char hello[FRAME_HEAD + 4];
    frame_put_head(hello, 4, FRAME_HELLO, 0, 0);
    frame_put32(hello + FRAME_HEAD, FRAME_PROTOCOL);
    speak(run, channel, hello, sizeof(hello));
    speak(run, channel, data, size);

    fd_close(&channel);
    run_free(run);
    fd_close(&supervisor);
    live_function_drop(function);
    loop_free(loop);
    settings_release(&settings);
    return 0;
}
