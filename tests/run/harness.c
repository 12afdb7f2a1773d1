/* See harness.h. */
#include "harness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live.h"
#include "log.h"
#include "mem.h"

enum { PATIENCE_US = 2000000, MOMENT_US = 20000, STEP_US = 200 };

static void lost(void *context)
{
    ((struct harness *)context)->was_lost = true;
}

static void told_to_stop(void *context, bool now)
{
    (void)now;
    ((struct harness *)context)->was_told_to_stop = true;
}

void harness_init(struct harness *harness)
{
    static char *const nothing[] = { NULL };
    struct error err;
    *harness = (struct harness){ 0 };
    log_configure(LOG_ERROR, LOG_TEXT, "test");
    assert_int_equal(settings_load(&harness->settings, 0, NULL, nothing, &err), 0);
    harness->settings.spares = 0;
    harness->settings.worker_grace_ms = 20;
    harness->welcome = (struct message_welcome){ .type = MESSAGE_WELCOME,
                                                 .profile = SANDBOX_FULL,
                                                 .late_code = 1,
                                                 .cpus = 2,
                                                 .memory_bytes = (uint64_t)64 << 30 };
    static const unsigned char secret[32] = "0123456789abcdef0123456789abcde";
    assert_int_equal(token_signer_new(secret, &harness->signer), 0);
    assert_int_equal(registry_new(&harness->registry), 0);
    assert_int_equal(loop_new(&harness->loop, &err), 0);
}

void harness_start(struct harness *harness)
{
    struct error err;
    int pair[2];
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair, &err), 0);
    harness->supervisor = pair[1];
    int report = fd_memfd("report", "{}", 2, &err);
    assert_int_equal(
        fd_send_packet(pair[1], &harness->welcome, sizeof(harness->welcome), &report, 1), 0);
    fd_close(&report);
    assert_int_equal(fd_set_blocking(pair[1], false), 0);
    const struct run_options options = {
        .loop = harness->loop,
        .settings = &harness->settings,
        .store = harness->store,
        .registry = harness->registry,
        .signer = harness->signer,
        .geo = harness->geo,
        .supervisor_fd = pair[0],
        .api_endpoint = "http://127.0.0.1:8080/v1",
        .context = harness,
        .on_stop = told_to_stop,
        .on_supervisor_lost = lost,
    };
    assert_int_equal(run_new(&options, &harness->run, &err), 0);
    assert_string_equal(run_host_report(harness->run), "{}");
}

void harness_end(struct harness *harness)
{
    run_free(harness->run);
    registry_free(harness->registry);
    token_signer_free(harness->signer);
    geo_close(harness->geo);
    loop_free(harness->loop);
    settings_release(&harness->settings);
    fd_close(&harness->supervisor);
}

/* ---- turning the loop ---------------------------------------------------------------------- */

struct wait {
    struct harness *harness;
    bool (*is_true)(void *context);
    void *context;
    struct loop_timer timer;
    int64_t until_us;
    bool was_true;
};

static void look(void *context)
{
    struct wait *wait = context;
    struct loop *loop = wait->harness->loop;
    wait->was_true = wait->is_true != NULL && wait->is_true(wait->context);
    if (wait->was_true || loop_now_us(loop) >= wait->until_us)
        loop_stop(loop);
    else
        loop_timer_arm(loop, &wait->timer, loop_now_us(loop) + STEP_US, look, wait);
}

static bool turn_until(struct harness *harness, bool (*is_true)(void *context), void *context,
                       int64_t most_us)
{
    struct wait wait = { .harness = harness, .is_true = is_true, .context = context };
    if (is_true != NULL && is_true(context))
        return true;
    wait.until_us = loop_now_us(harness->loop) + most_us;
    loop_timer_arm(harness->loop, &wait.timer, 0, look, &wait);
    loop_run(harness->loop);
    return wait.was_true;
}

bool harness_until(struct harness *harness, bool (*is_true)(void *context), void *context)
{
    return turn_until(harness, is_true, context, PATIENCE_US);
}

void harness_pass(struct harness *harness, int64_t time_us)
{
    turn_until(harness, NULL, NULL, time_us);
}

/* ---- the supervisor ------------------------------------------------------------------------ */

struct packet_wait {
    struct harness *harness;
    union message *message;
    int *fds;
    size_t fd_count;
};

static bool has_packet(void *context)
{
    struct packet_wait *wait = context;
    memset(wait->message, 0, sizeof(*wait->message));
    return fd_receive_packet(wait->harness->supervisor, wait->message, sizeof(*wait->message),
                             wait->fds, &wait->fd_count) > 0;
}

void harness_packet(struct harness *harness, union message *ret_message, int *ret_fds,
                    size_t *ret_fd_count)
{
    struct packet_wait wait = { .harness = harness, .message = ret_message, .fds = ret_fds };
    assert_true(harness_until(harness, has_packet, &wait));
    *ret_fd_count = wait.fd_count;
}

void harness_expect(struct harness *harness, enum message_type type, union message *ret_message)
{
    int fds[FD_MAX_PASSED];
    size_t count = 0;
    harness_packet(harness, ret_message, fds, &count);
    assert_int_equal(ret_message->type, type);
    assert_int_equal(count, 0);
}

void harness_expect_silence(struct harness *harness)
{
    union message message;
    int fds[FD_MAX_PASSED];
    struct packet_wait wait = { .harness = harness, .message = &message, .fds = fds };
    assert_false(turn_until(harness, has_packet, &wait, MOMENT_US));
}

void harness_tell(struct harness *harness, const void *message, size_t size)
{
    assert_int_equal(fd_send_packet(harness->supervisor, message, size, NULL, 0), 0);
}

void harness_exited(struct harness *harness, const struct fake *fake, enum exit_reason reason,
                    int status)
{
    const struct message_exited message = { .type = MESSAGE_EXITED,
                                            .worker_id = fake->start.worker_id,
                                            .reason = reason,
                                            .status = status,
                                            .memory_mb = fake->start.memory_mb,
                                            .processes = 128 };
    harness_tell(harness, &message, sizeof(message));
}

/* ---- workers ------------------------------------------------------------------------------- */

struct fake *fake_start(struct harness *harness)
{
    union message message;
    int fds[FD_MAX_PASSED];
    size_t count = 0;
    harness_packet(harness, &message, fds, &count);
    assert_int_equal(message.type, MESSAGE_START);
    assert_int_equal(count, 4);
    struct fake *fake = xcalloc(1, sizeof(*fake));
    fake->harness = harness;
    fake->start = message.start;
    fake->launch = xcalloc(1, 65536);
    ssize_t size = fd_read_all(fds[0], fake->launch, 65535);
    assert_true(size >= 8);
    fake->launch_size = (size_t)size;
    fd_close(&fds[0]);
    fake->out = fds[1];
    fake->err = fds[2];
    fake->channel = fds[3];
    assert_int_equal(fd_set_blocking(fake->channel, false), 0);
    const struct message_worker started = { .type = MESSAGE_STARTED,
                                            .pid = 1234,
                                            .worker_id = fake->start.worker_id };
    harness_tell(harness, &started, sizeof(started));
    return fake;
}

void fake_hello(struct fake *fake)
{
    union message message;
    char hello[10];
    frame_put32(hello, FRAME_PROTOCOL);
    memcpy(hello + 4, "v1.2.3", 6);
    fake_frame(fake, FRAME_HELLO, 0, 0, hello, sizeof(hello));
    harness_expect(fake->harness, MESSAGE_HELLO_SEEN, &message);
    assert_int_equal(message.worker.worker_id, fake->start.worker_id);
}

struct fake *fake_ready(struct harness *harness)
{
    struct fake *fake = fake_start(harness);
    fake_hello(fake);
    assert_int_equal(fake_next(fake)->type, FRAME_LOAD);
    return fake;
}

void fake_end(struct fake *fake)
{
    if (fake == NULL)
        return;
    fd_close(&fake->out);
    fd_close(&fake->err);
    fd_close(&fake->channel);
    free(fake->launch);
    free(fake);
}

struct sending {
    struct fake *fake;
    const char *bytes;
    size_t size;
};

static bool is_sent(void *context)
{
    struct sending *sending = context;
    ssize_t sent = send(sending->fake->channel, sending->bytes, sending->size, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EPIPE;
    sending->bytes += sent;
    sending->size -= (size_t)sent;
    return sending->size == 0;
}

void fake_send(struct fake *fake, const void *bytes, size_t size)
{
    struct sending sending = { fake, bytes, size };
    if (size > 0)
        assert_true(harness_until(fake->harness, is_sent, &sending));
}

void fake_frame(struct fake *fake, unsigned type, unsigned flags, uint32_t id, const void *payload,
                size_t size)
{
    char *frame = xmalloc(FRAME_HEAD + size);
    frame_put_head(frame, size, (enum frame_type)type, flags, id);
    if (size > 0)
        memcpy(frame + FRAME_HEAD, payload, size);
    fake_send(fake, frame, FRAME_HEAD + size);
    free(frame);
}

void fake_answer(struct fake *fake, uint32_t id, unsigned status, const char *headers,
                 const char *body)
{
    struct buffer payload;
    char fixed[ANSWER_HEAD] = { 0 };
    buffer_init(&payload, FRAME_PAYLOAD);
    frame_put16(fixed, (uint16_t)status);
    frame_put32(fixed + 4, (uint32_t)strlen(headers));
    frame_put64(fixed + 8, strlen(body));
    buffer_add(&payload, fixed, sizeof(fixed));
    buffer_add_text(&payload, headers);
    buffer_add_text(&payload, body);
    assert_false(payload.overflowed);
    fake_frame(fake, FRAME_ANSWER, 0, id, payload.data, payload.size);
    buffer_release(&payload);
}

static bool has_frame(void *context)
{
    struct fake *fake = context;
    if (fake->in_size < sizeof(fake->in)) {
        ssize_t got = recv(fake->channel, fake->in + fake->in_size,
                           sizeof(fake->in) - fake->in_size, MSG_DONTWAIT);
        if (got > 0)
            fake->in_size += (size_t)got;
    }
    return fake->in_size >= FRAME_HEAD && fake->in_size >= FRAME_HEAD + frame_get32(fake->in);
}

const struct seen *fake_next(struct fake *fake)
{
    static struct seen seen;
    assert_true(harness_until(fake->harness, has_frame, fake));
    seen.size = frame_get32(fake->in);
    seen.type = (unsigned char)fake->in[4];
    seen.flags = (unsigned char)fake->in[5];
    seen.id = frame_get32(fake->in + 8);
    assert_true(seen.size <= FRAME_PAYLOAD);
    memcpy(seen.payload, fake->in + FRAME_HEAD, seen.size);
    seen.payload[seen.size] = '\0';
    fake->in_size -= FRAME_HEAD + seen.size;
    memmove(fake->in, fake->in + FRAME_HEAD + seen.size, fake->in_size);
    return &seen;
}

uint32_t fake_request(struct fake *fake)
{
    const struct seen *seen = fake_next(fake);
    assert_int_equal(seen->type, FRAME_REQUEST);
    return seen->id;
}

bool fake_is_silent(struct fake *fake)
{
    return !turn_until(fake->harness, has_frame, fake, MOMENT_US);
}

static bool is_closed(void *context)
{
    struct fake *fake = context;
    char byte;
    return recv(fake->channel, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

bool fake_is_closed(struct fake *fake)
{
    return harness_until(fake->harness, is_closed, fake);
}

/* ---- functions and calls ------------------------------------------------------------------- */

struct live_function *a_function(const char *id, const char *runtime)
{
    struct live_function *live = xcalloc(1, sizeof(*live));
    live->references = 1;
    live->generation = 1;
    live->cache = xcalloc(1, sizeof(*live->cache));
    live->roles = xcalloc(1, sizeof(char *));
    live->variables = xcalloc(2, sizeof(char *));
    live->variables[0] = xstrdup("GREETING=hello");
    live->function = (struct function){
        .project_id = xstrdup("demo"),
        .id = xstrdup(id),
        .name = xstrdup("A function"),
        .runtime = xstrdup(runtime),
        .scopes = xstrdup("[\"executions.read\"]"),
        .version = xstrdup("v5"),
        .timeout = 15,
        .logging = true,
        .enabled = true,
        .runtime_specification = xstrdup("s-1vcpu-512mb"),
    };
    live->deployment = (struct deployment){
        .project_id = xstrdup("demo"),
        .function_id = xstrdup(id),
        .id = xasprintf("%s-deployment", id),
        .status = xstrdup("ready"),
        .type = xstrdup("manual"),
        .entrypoint = xstrdup("index.js"),
    };
    return live;
}

static char *text_of(const struct buffer *buffer)
{
    return xstrndup(buffer->data == NULL ? "" : buffer->data, buffer->size);
}

void told_done(void *context, struct run_result *result)
{
    struct told *told = context;
    told->times++;
    told->call = NULL;
    told->outcome = result->outcome;
    told->status = result->status;
    told->headers = text_of(&result->headers);
    told->body = text_of(&result->body);
    told->body_size = result->body.size;
    told->logs = text_of(&result->logs);
    told->logs_size = result->logs.size;
    told->errors = text_of(&result->errors);
    told->duration_us = result->duration_us;
    memcpy(told->message, result->message, sizeof(told->message));
    if (told->then != NULL)
        told->then(told);
}

struct run_call *call_from(struct harness *harness, struct live_function *function,
                           const char *caller, int64_t deadline_us, struct told *told)
{
    static const char headers[] = "x-color: blue\r\n";
    const struct run_request request = {
        .function = function,
        .method = "GET",
        .path = "/path?a=b",
        .headers = headers,
        .headers_size = sizeof(headers) - 1,
        .deadline_us = deadline_us == 0 ? 0 : loop_now_us(harness->loop) + deadline_us,
        .caller_function_id = caller,
        .done = told_done,
        .context = told,
    };
    unsigned before = told->times;
    struct run_call *call = run_start(harness->run, &request);
    assert_int_equal(call == NULL, told->times > before);
    told->call = call;
    return call;
}

struct run_call *call(struct harness *harness, struct live_function *function, struct told *told)
{
    return call_from(harness, function, NULL, 0, told);
}

static bool was_told(void *context)
{
    return ((const struct told *)context)->times > 0;
}

void told_wait(struct harness *harness, struct told *told)
{
    assert_true(harness_until(harness, was_told, told));
    assert_int_equal(told->times, 1);
}

void told_release(struct told *told)
{
    free(told->headers);
    free(told->body);
    free(told->logs);
    free(told->errors);
    *told = (struct told){ 0 };
}
