/* What a handler may ask of its call, and how it answers. */
#include "call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"
#include "json_text.h"
#include "mem.h"
#include "models/render.h"
#include "text.h"
#include "versions.h"

/* ---- what was sent --------------------------------------------------------------------------- */

const char *call_header(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (text_equals_nocase(call->headers[i].name, name))
            return call->headers[i].value;
    return NULL;
}

bool call_given(const struct call *call, const char *name)
{
    const struct param *params = call->endpoint->params;

    for (size_t i = 0; params != NULL && params[i].name != NULL; i++)
        if (strcmp(params[i].name, name) == 0)
            return (call->inside->given >> i & 1) != 0;
    return false;
}

bool call_below(const struct call *call, const char *version)
{
    return call->format != FORMAT_NEWEST && call->format < format_number(version);
}

bool call_is_key(const struct call *call)
{
    return call->caller.kind == CALLER_KEY;
}

bool call_has_role(const struct call *call, const char *role)
{
    for (const char *const *roles = call->caller.roles; *roles != NULL; roles++)
        if (strcmp(*roles, role) == 0)
            return true;
    return false;
}

bool call_client_left(const struct call *call)
{
    return call->inside->client_left;
}

void *call_alloc(struct call *call, size_t bytes)
{
    return arena_alloc(&call->arena, bytes);
}

char *call_textf(struct call *call, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof(text))
        return arena_text(&call->arena, text, (size_t)length);
    char *longer = arena_alloc(&call->arena, (size_t)(length < 0 ? 0 : length) + 1);
    va_start(arguments, format);
    vsnprintf(longer, (size_t)(length < 0 ? 0 : length) + 1, format, arguments);
    va_end(arguments);
    return longer;
}

void call_own_json(struct call *call, json_t *value)
{
    struct call_inside *inside = call->inside;

    inside->owned = xrealloc(inside->owned, (inside->owned_count + 1) * sizeof(*inside->owned));
    inside->owned[inside->owned_count++] = value;
}

/* ---- answering ------------------------------------------------------------------------------- */

static const char type_json[] = "application/json; charset=UTF-8";

void call_status(struct call *call, unsigned status)
{
    call->inside->status = status;
}

void call_answer_header(struct call *call, const char *name, const char *value)
{
    struct call_inside *inside = call->inside;

    if (strcasecmp(name, "content-type") == 0) {
        inside->content_type = arena_text(&call->arena, value, strlen(value));
        return;
    }
    if (inside->header_count == COUNT(inside->headers))
        return;
    inside->headers[inside->header_count++] = (struct http_header){
        .name = arena_text(&call->arena, name, strlen(name)),
        .value = arena_text(&call->arena, value, strlen(value))
    };
}

/* Starts the body over: a handler may answer again before it returns. */
static struct buffer *body_of(struct call *call, const char *content_type)
{
    struct call_inside *inside = call->inside;

    buffer_reset(&inside->answer);
    if (inside->content_type == NULL)
        inside->content_type = content_type;
    inside->has_answer = true;
    return &inside->answer;
}

static int check_size(struct call *call, struct error *err)
{
    if (!call->inside->answer.overflowed)
        return 0;
    return fail(err, ERROR_INTERNAL, "%s: the answer could not be written in full",
                call->endpoint->id);
}

bool call_wants_multipart(const struct call *call)
{
    const char *accept = call_header(call, "accept");

    for (const char *at = accept; at != NULL && *at != '\0';) {
        at += strspn(at, ", ");
        if (text_starts_nocase(at, "application/json") || text_starts_nocase(at, "application/*"))
            return false;
        if (text_starts_nocase(at, "multipart/form-data") || text_starts_nocase(at, "multipart/*"))
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

int call_answer_model(struct call *call, const struct model *model, const void *entity,
                      const void *extra, struct error *err)
{
    const struct field *const *fields = models_fields(call->api->models, call->format, model, true);
    bool is_multipart = call->endpoint->multipart_answer && call_wants_multipart(call);
    struct writing writing = { .call = call, .extra = extra, .single = true };

    if (is_multipart) {
        char id[GENERATED_ID + 1];
        id_generate(loop_realtime_us(call->api->loop), id);
        const char *boundary = call_textf(call, "-----------------------------%.13s", id);
        call->inside->content_type = call_textf(call, "multipart/form-data; boundary=%s", boundary);
        writing.out = body_of(call, type_json);
        render_multipart(&writing, fields, entity, boundary);
    } else {
        writing.out = body_of(call, type_json);
        render_document(&writing, fields, entity);
    }
    return check_size(call, err);
}

int call_answer(struct call *call, const void *entity, const void *extra, struct error *err)
{
    return call_answer_model(call, call->endpoint->answers, entity, extra, err);
}

/* The fields that select() names; those with a $ always stay. */
static const struct field *const *selected_fields(struct call *call,
                                                  const struct field *const *fields,
                                                  const char *const *names)
{
    size_t count = 0, used = 0;

    while (fields[count] != NULL)
        count++;
    const struct field **chosen = call_alloc(call, (count + 1) * sizeof(*chosen));
    for (size_t i = 0; i < count; i++) {
        bool is_chosen = fields[i]->name[0] == '$';
        for (const char *const *name = names; *name != NULL && !is_chosen; name++)
            is_chosen = strcmp(*name, "*") == 0 || strcmp(*name, fields[i]->name) == 0;
        if (is_chosen)
            chosen[used++] = fields[i];
    }
    return chosen;
}

void call_list_begin(struct call *call, const struct queries *queries)
{
    struct call_inside *inside = call->inside;
    struct buffer *out = body_of(call, type_json);

    inside->list_fields = models_fields(call->api->models, call->format, call->endpoint->answers,
                                        false);
    if (queries != NULL && queries->selected != NULL)
        inside->list_fields = selected_fields(call, inside->list_fields, queries->selected);
    buffer_addf(out, "{\"%s\":[", call->endpoint->answers->items);
}

void call_list_row(void *context, const void *entity)
{
    struct call *call = context;
    struct buffer *out = &call->inside->answer;
    struct writing writing = { .call = call, .out = out };

    if (out->overflowed)
        return;
    if (out->data[out->size - 1] == '}')
        buffer_add_char(out, ',');
    render_document(&writing, call->inside->list_fields, entity);
}

int call_list_end(struct call *call, int64_t total, struct error *err)
{
    buffer_addf(&call->inside->answer, "],\"total\":%lld}", (long long)total);
    return check_size(call, err);
}

int call_answer_empty(struct call *call)
{
    /* Python's clients read the type of a 204 too, and fail when there is none or it says JSON. */
    body_of(call, "text/html; charset=UTF-8");
    call->inside->status = 204;
    return 0;
}

int call_answer_text(struct call *call, const char *content_type, const char *text)
{
    buffer_add_text(body_of(call, content_type), text);
    return 0;
}

int call_answer_file(struct call *call, int fd, uint64_t offset, uint64_t bytes)
{
    body_of(call, "application/octet-stream");
    call->inside->file = fd;
    call->inside->file_offset = offset;
    call->inside->file_bytes = bytes;
    return 0;
}

void call_finish(struct call *call)
{
    exchange_answer(call->inside);
}

void call_fail(struct call *call, const struct error *err)
{
    exchange_fail(call->inside, err);
}

/* ---- effects --------------------------------------------------------------------------------- */

void call_changed(struct call *call, enum change_kind kind, const char *id)
{
    struct change *change = call_alloc(call, sizeof(*change));

    *change = (struct change){ .next = call->inside->changes,
                               .kind = kind,
                               .id = id == NULL ? NULL : arena_text(&call->arena, id, strlen(id)) };
    call->inside->changes = change;
}

void call_after(struct call *call, void (*follow)(struct api *api, void *context), void *context)
{
    struct follow **end = &call->inside->follows;

    while (*end != NULL)
        end = &(*end)->next;
    *end = call_alloc(call, sizeof(**end));
    **end = (struct follow){ .run = follow, .context = context };
}
