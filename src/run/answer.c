/*
 * What a worker says about a request: the answer's head, its body, its log lines. Everything is
 * checked before it is believed; what the user's code got wrong fails the request, what our
 * bootstrap could not have sent fails the worker.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "headers.h"
#include "internal.h"
#include "mem.h"
#include "text.h"

enum { NAME_MOST = 255 };

/* ---- headers ------------------------------------------------------------------------------- */

/* About the connection, which is the server's; content-length is written anew from the body. */
static bool is_dropped(const char *name, size_t size)
{
    static const char *const names[] = {
        "connection", "content-length", "keep-alive",        "proxy-connection",
        "te",         "trailer",        "transfer-encoding", "upgrade"
    };
    static const char prefix[] = "x-open-runtimes-";
    if (size >= sizeof(prefix) - 1 && strncasecmp(name, prefix, sizeof(prefix) - 1) == 0)
        return true;
    for (size_t i = 0; i < COUNT(names); i++)
        if (names[i][0] == (name[0] | 0x20) && strncasecmp(names[i], name, size) == 0 &&
            names[i][size] == '\0')
            return true;
    return false;
}

static void take_header(struct buffer *out, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (colon == NULL)
        return;
    size_t name_size = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t value_size = size - name_size - 1;
    if (value_size > 0 && value[0] == ' ') {
        value++;
        value_size--;
    }
    if (name_size > NAME_MOST || !header_name_is_valid(line, name_size) ||
        is_dropped(line, name_size))
        return;
    header_block_add_line(out, &(struct header_line){ .name = line,
                                                      .name_bytes = name_size,
                                                      .value = value,
                                                      .value_bytes = value_size });
}

/* Lines that are no header are left out: they come from the user's code, not from our bootstrap. */
static void take_headers(struct run_call *call, const char *block, size_t size, uint64_t body_bytes)
{
    struct buffer *out = &call->result.headers;
    size_t position = 0;
    buffer_reserve(out, size + 64);
    while (position < size) {
        const char *line = block + position;
        const char *end = memmem(line, size - position, "\r\n", 2);
        size_t line_size = end == NULL ? size - position : (size_t)(end - line);
        take_header(out, line, line_size);
        position += line_size + 2;
    }
    unsigned status = call->result.status;
    if (status >= 200 && status != 204 && status != 304) {
        buffer_add(out, "content-length: ", 16);
        buffer_add_int(out, (int64_t)body_bytes);
        buffer_add(out, "\r\n", 2);
    }
}

/* ---- head and body ------------------------------------------------------------------------- */

/* Heads that span frames are gathered; *ret_head stays NULL until the last. */
static int gather(struct run_call *call, const struct frame *frame, const char **ret_head,
                  size_t *ret_size, const char **ret_sentence)
{
    bool has_more = frame->flags & FRAME_MORE;
    if (!has_more && call->answer_head.size == 0) {
        *ret_head = frame->payload;
        *ret_size = frame->size;
        return 0;
    }
    if (buffer_add(&call->answer_head, frame->payload, frame->size) < 0) {
        *ret_sentence = "sent too many bytes of headers";
        return -1;
    }
    if (!has_more) {
        *ret_head = call->answer_head.data;
        *ret_size = call->answer_head.size;
    }
    return 0;
}

/*
 * The user's doing: the request fails, and what still comes of its answer is read and thrown away.
 */
static void refuse(struct run_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void refuse(struct run_call *call, const char *format, ...)
{
    char sentence[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    call_abandon(call, RUN_FAILED, sentence);
}

static void accept_head(struct run_call *call, const char *head, size_t header_bytes,
                        uint64_t body_bytes, size_t first)
{
    const struct settings *settings = call->run->settings;
    if (body_bytes > (uint64_t)settings->request_bytes) {
        refuse(call, "The function's answer has more than the %lld bytes that are allowed.",
               (long long)settings->request_bytes);
        return;
    }
    if (body_bytes > 0 && !call_hold(call, (size_t)body_bytes)) {
        refuse(call, "The server has no memory left for an answer of %llu bytes.",
               (unsigned long long)body_bytes);
        return;
    }
    unsigned status = frame_get16(head);
    call->result.status = status >= 100 && status <= 999 ? status : 500;
    take_headers(call, head + ANSWER_HEAD, header_bytes, body_bytes);
    if (body_bytes > 0) {
        buffer_reserve(&call->result.body, (size_t)body_bytes);
        buffer_add(&call->result.body, head + ANSWER_HEAD + header_bytes, first);
    }
}

int answer_take_head(struct run_call *call, const struct frame *frame, bool *ret_done,
                     const char **ret_sentence)
{
    const char *head = NULL;
    size_t size = 0;
    if (call->has_answer) {
        *ret_sentence = "answered a request twice";
        return -1;
    }
    *ret_sentence = "sent a malformed answer";
    if ((frame->flags & ~(unsigned)FRAME_MORE) != 0 ||
        gather(call, frame, &head, &size, ret_sentence) < 0)
        return -1;
    if (head == NULL)
        return 0;
    if (size < ANSWER_HEAD || frame_get16(head + 2) != 0)
        return -1;
    size_t header_bytes = frame_get32(head + 4);
    uint64_t body_bytes = frame_get64(head + 8);
    if (header_bytes > size - ANSWER_HEAD)
        return -1;
    size_t first = size - ANSWER_HEAD - header_bytes;
    if (first > body_bytes)
        return -1;

    call->has_answer = true;
    call->body_left = body_bytes - first;
    if (call->state == CALL_RUNNING)
        accept_head(call, head, header_bytes, body_bytes, first);
    *ret_done = call->body_left == 0;
    return 0;
}

int answer_take_body(struct run_call *call, const struct frame *frame, bool *ret_done,
                     const char **ret_sentence)
{
    if (!call->has_answer || frame->flags != 0 || frame->size > call->body_left) {
        *ret_sentence = call->has_answer ? "sent more of a body than it had said"
                                         : "sent a body before its answer";
        return -1;
    }
    call->body_left -= frame->size;
    if (call->state == CALL_RUNNING)
        buffer_add(&call->result.body, frame->payload, frame->size);
    *ret_done = call->body_left == 0;
    return 0;
}

/* ---- logs ---------------------------------------------------------------------------------- */

/* Keeps at least the last execution_log_bytes; what the process has no memory for counts as cut. */
void answer_take_log(struct run_call *call, int stream, const char *bytes, size_t size)
{
    if (call->state != CALL_RUNNING || !call->function->function.logging || size == 0)
        return;
    struct buffer *log = stream == 0 ? &call->result.logs : &call->result.errors;
    size_t limit = (size_t)call->run->settings->execution_log_bytes;
    call->log_bytes[stream] += size;
    if (size > limit) {
        bytes += size - limit;
        size = limit;
    }
    if (log->size + size > 2 * limit)
        buffer_cut_front(log, log->size + size - limit);
    if (log->size + size > log->capacity && !call_hold(call, size))
        return;
    buffer_add(log, bytes, size);
}

/* The API's form: exactly the limit, the end kept, a warning line in front. */
static void cut_log(struct buffer *log, uint64_t total, size_t limit, const char *what)
{
    if (total <= limit)
        return;
    char warning[128];
    int length = snprintf(warning, sizeof(warning),
                          "[WARNING] %s truncated. The output exceeded %zu characters.\n", what,
                          limit);
    size_t warning_size = (size_t)length;
    size_t keep = limit > warning_size ? limit - warning_size : 0;
    if (log->size > keep)
        buffer_cut_front(log, log->size - keep);
    size_t partial = 0; /* of a character that was cut through */
    while (partial < 3 && partial < log->size && (log->data[partial] & 0xc0) == 0x80)
        partial++;
    buffer_cut_front(log, partial);

    size_t size = log->size;
    if (buffer_reserve(log, warning_size) < 0)
        return;
    for (size_t i = 0; i < warning_size; i++)
        buffer_add_char(log, ' ');
    memmove(log->data + warning_size, log->data, size);
    memcpy(log->data, warning, warning_size);
}

void answer_finish_logs(struct run_call *call)
{
    size_t limit = (size_t)call->run->settings->execution_log_bytes;
    cut_log(&call->result.logs, call->log_bytes[0], limit, "Logs");
    cut_log(&call->result.errors, call->log_bytes[1], limit, "Errors");
}

char *run_failure_errors(const struct run_result *result, const struct error *late)
{
    const bool has_failed = result->outcome == RUN_FAILED;
    const char *sentence = has_failed ? result->message : late->message;
    const int code = has_failed ? result->code : error_rows[late->type].code;
    const char *before = result->errors.size > 0 ? result->errors.data : "";
    const bool is_open = result->errors.size > 0 && before[result->errors.size - 1] != '\n';

    /* A backslash and an n between them: the separator clients know. */
    return xasprintf("%s%s%s\\nError Code: %d", before, is_open ? "\n" : "", sentence, code);
}
