#include "models/render.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "json_text.h"

static void write_text(struct buffer *out, const char *text)
{
    json_text_string(out, text, text == NULL ? 0 : strlen(text));
}

static void write_date(struct buffer *out, int64_t at, bool is_nullable)
{
    char text[CLOCK_TEXT];

    if (at == 0) {
        buffer_add_text(out, is_nullable ? "null" : "\"\"");
        return;
    }
    size_t bytes = clock_format(at, text);
    json_text_string(out, text, bytes);
}

static void write_value(const struct writing *writing, const struct field *field,
                        const void *entity)
{
    const void *at = (const char *)entity + field->offset;
    struct buffer *out = writing->out;

    if (field->sensitive && writing->call != NULL && !call_is_key(writing->call)) {
        buffer_add_text(out, "\"\"");
        return;
    }
    switch (field->kind) {
    case FIELD_TEXT:
        write_text(out, *(char *const *)at);
        return;
    case FIELD_TEXT_HERE:
        write_text(out, at);
        return;
    case FIELD_INTEGER:
        buffer_add_int(out, *(const int64_t *)at);
        return;
    case FIELD_REAL:
        json_text_double(out, *(const double *)at);
        return;
    case FIELD_BOOLEAN:
        buffer_add_text(out, *(const bool *)at ? "true" : "false");
        return;
    case FIELD_DATE:
    case FIELD_DATE_OR_NULL:
        write_date(out, *(const int64_t *)at, field->kind == FIELD_DATE_OR_NULL);
        return;
    case FIELD_JSON: {
        const char *json = *(char *const *)at;
        buffer_add_text(out, json == NULL || *json == '\0' ? "[]" : json);
        return;
    }
    case FIELD_CONSTANT:
        write_text(out, field->constant);
        return;
    case FIELD_OWN:
        field->write(writing, entity);
        return;
    }
}

void render_document(const struct writing *writing, const struct field *const *fields,
                     const void *entity)
{
    buffer_add_char(writing->out, '{');
    for (; *fields != NULL; fields++) {
        if ((*fields)->in_extra && writing->extra == NULL)
            continue;
        json_text_key(writing->out, (*fields)->name);
        write_value(writing, *fields, entity);
    }
    buffer_add_char(writing->out, '}');
}

/* One value as a part: JSON null is empty, booleans are 1 and 0, texts lose their quotes. */
static void write_part(struct buffer *out, const char *json, size_t bytes)
{
    json_t *value = json_loadb(json, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (json_is_array(value) || json_is_object(value)) {
        buffer_add_text(out, "\r\nContent-Type: application/json\r\n\r\n");
        buffer_add(out, json, bytes);
    } else {
        buffer_add_text(out, "\r\n\r\n");
        if (json_is_string(value))
            buffer_add(out, json_string_value(value), json_string_length(value));
        else if (json_is_boolean(value))
            buffer_add_char(out, json_is_true(value) ? '1' : '0');
        else if (json_is_number(value))
            buffer_add(out, json, bytes);
    }
    json_decref(value);
}

void render_multipart(const struct writing *writing, const struct field *const *fields,
                      const void *entity, const char *boundary)
{
    struct buffer *out = writing->out;
    const struct execution_extra *extra = writing->extra;

    for (; *fields != NULL; fields++) {
        struct buffer json;
        struct writing into = *writing;

        buffer_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary,
                    (*fields)->name);
        if (extra != NULL && strcmp((*fields)->name, "responseBody") == 0) {
            buffer_add_text(out, "\r\n\r\n"); /* any bytes, so not by way of JSON */
            buffer_add(out, extra->body, extra->body_bytes);
        } else {
            buffer_init(&json, out->limit);
            into.out = &json;
            write_value(&into, *fields, entity);
            write_part(out, json.data == NULL ? "" : json.data, json.size);
            buffer_release(&json);
        }
        buffer_add_text(out, "\r\n");
    }
    buffer_addf(out, "--%s--\r\n", boundary);
}
