/*
 * Multipart bodies whose files are too large for memory. The loop gathers what arrives into
 * `pending`; a lane parses it piece by piece and hands file bytes to the endpoint; the loop takes
 * no more than two pieces before it makes the client wait.
 */
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "input.h"
#include "mem.h"
#include "text.h"

enum {
    STREAM_PIECE = 256 << 10,
    STREAM_MOST = 2 << 20,
    STREAM_FIELD = 64 << 10,
    STREAM_FIELDS = 1 << 20,
    PART_NAME = 256
};

struct stream {
    struct multipart *multipart;
    struct buffer pending, working;
    struct buffer field;
    char name[PART_NAME];
    size_t fields_bytes;
    uint64_t received, limit;
    const char *limit_setting; /* that limit comes from, or NULL */
    bool in_file;
    bool in_lane, suspended, complete, refused;
    struct error refusal;
};

/* ---- in the lane ----------------------------------------------------------------------------- */

static bool is_file(const struct endpoint_files *files, const struct multipart_part *part)
{
    if (part->file_name != NULL)
        return true;
    for (size_t i = 0; files->names != NULL && files->names[i] != NULL; i++)
        if (strcmp(files->names[i], part->name) == 0)
            return true;
    return false;
}

static int on_part(void *context, const struct multipart_part *part, struct error *err)
{
    struct call *call = context;
    struct stream *stream = call->inside->stream;

    stream->in_file = is_file(call->endpoint->files, part);
    if (stream->in_file)
        return call->endpoint->files->begin(call, part, err);
    if (strlen(part->name) >= sizeof(stream->name))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, NULL);
    strcpy(stream->name, part->name); /* its length has just been checked */
    buffer_reset(&stream->field);
    return 0;
}

static int on_data(void *context, const char *data, size_t bytes, struct error *err)
{
    struct call *call = context;
    struct stream *stream = call->inside->stream;

    if (stream->in_file)
        return call->endpoint->files->data(call, data, bytes, err);
    stream->fields_bytes += bytes;
    if (stream->fields_bytes > STREAM_FIELDS || buffer_add(&stream->field, data, bytes) < 0)
        return exchange_too_large(STREAM_FIELDS, NULL, err);
    return 0;
}

static int on_part_end(void *context, struct error *err)
{
    struct call *call = context;
    struct stream *stream = call->inside->stream;

    if (stream->in_file)
        return call->endpoint->files->end(call, err);
    input_add_field(call->inside->input, stream->name,
                    stream->field.data == NULL ? "" : stream->field.data, stream->field.size);
    return 0;
}

static int feed(struct call *call, struct error *err)
{
    struct stream *stream = call->inside->stream;

    return multipart_feed(stream->multipart, stream->working.data, stream->working.size, err);
}

static int finish(struct call *call, struct error *err)
{
    if (multipart_finish(call->inside->stream->multipart, err) < 0)
        return -1;
    return exchange_handle(call, err);
}

/* ---- on the loop ----------------------------------------------------------------------------- */

bool stream_begin(struct call_inside *inside, struct error *err)
{
    struct call *call = &inside->call;
    const char *content_type = call_header(call, "content-type");
    struct multipart_events events = { call, on_part, on_data, on_part_end };
    const struct endpoint *endpoint = call->endpoint;

    if (endpoint->body != BODY_FILES || input_form_of(content_type) != INPUT_MULTIPART)
        return true;
    struct stream *stream = xcalloc(1, sizeof(*stream));
    if (multipart_new(content_type, &events, &stream->multipart, err) < 0) {
        free(stream);
        return false;
    }
    buffer_init(&stream->pending, (size_t)2 * STREAM_MOST);
    buffer_init(&stream->working, (size_t)2 * STREAM_MOST);
    buffer_init(&stream->field, STREAM_FIELD);
    stream->limit = endpoint->files->limit != NULL ? endpoint->files->limit(call)
                                                   : (uint64_t)endpoint->body_limit;
    stream->limit_setting = endpoint->files->limit_setting;
    inside->input = json_object();
    inside->input_is_text = true;
    inside->stream = stream;
    return true;
}

static void piece_done(struct call *call, int status);

static void go_on(struct call_inside *inside)
{
    struct stream *stream = inside->stream;

    if (stream->in_lane)
        return;
    if (stream->refused) {
        exchange_fail(inside, &stream->refusal);
        return;
    }
    if (stream->pending.size > 0) {
        struct buffer swap = stream->working;
        stream->working = stream->pending;
        stream->pending = swap;
        buffer_reset(&stream->pending);
        stream->in_lane = true;
        if (!exchange_lane(inside, feed, piece_done))
            return;
        if (stream->suspended) {
            stream->suspended = false;
            http_request_resume_body(inside->request);
        }
        return;
    }
    inside->state = RECEIVING;
    if (stream->complete)
        exchange_lane(inside, finish, exchange_handled);
}

static void piece_done(struct call *call, int status)
{
    struct call_inside *inside = call->inside;
    struct stream *stream = inside->stream;

    stream->in_lane = false;
    if (inside->client_left && !stream->complete) {
        exchange_free(inside);
        return;
    }
    if (status < 0 && !stream->refused) {
        stream->refused = true;
        stream->refusal = inside->err;
    }
    go_on(inside);
}

bool stream_data(struct exchange *exchange, struct http_request *request, const char *data,
                 size_t bytes)
{
    struct call_inside *inside = (struct call_inside *)exchange;
    struct stream *stream = inside->stream;

    (void)request;
    if (stream->refused)
        return true; /* thrown away until the lane is done and the refusal leaves */
    if (stream->pending.size > 0 && stream->pending.size + bytes > STREAM_PIECE) {
        stream->suspended = true;
        return false;
    }
    stream->received += bytes;
    if (stream->limit > 0 && stream->received > stream->limit) {
        stream->refused = true;
        exchange_too_large(stream->limit, stream->limit_setting, &stream->refusal);
    } else if (buffer_add(&stream->pending, data, bytes) < 0) {
        stream->refused = true;
        fail(&stream->refusal, ERROR_INTERNAL, "a piece of %zu bytes is too large", bytes);
    }
    go_on(inside);
    return true;
}

void stream_complete(struct exchange *exchange, struct http_request *request)
{
    struct call_inside *inside = (struct call_inside *)exchange;

    (void)request;
    inside->stream->complete = true;
    go_on(inside);
}

void stream_free(struct call_inside *inside)
{
    struct stream *stream = inside->stream;

    if (stream == NULL)
        return;
    multipart_free(stream->multipart);
    buffer_release(&stream->pending);
    buffer_release(&stream->working);
    buffer_release(&stream->field);
    free(stream);
    inside->stream = NULL;
}
