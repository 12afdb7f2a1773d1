#include "input.h"

#include <ctype.h>
#include <string.h>

#include "form.h"
#include "json_depth.h"
#include "mem.h"
#include "multipart.h"
#include "text.h"

enum { INPUT_FIELDS = 2000, INPUT_STEPS = 8, FIELD_NAME = 256 };

enum input_form input_form_of(const char *content_type)
{
    if (text_is_empty(content_type))
        return INPUT_FORM;
    if (text_starts_nocase(content_type, "application/json"))
        return INPUT_JSON;
    if (text_starts_nocase(content_type, "multipart/form-data"))
        return INPUT_MULTIPART;
    return INPUT_FORM;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static bool is_index(const char *step)
{
    for (const char *c = step; *c != '\0'; c++)
        if (!isdigit((unsigned char)*c))
            return false;
    return true; /* also "": [] */
}

/*
 * The value at key of an object, or the next of an array; created as `empty` if it is not one of
 * its type.
 */
static json_t *container(json_t *parent, const char *key, json_t *empty)
{
    json_t *there = json_is_array(parent) ? NULL : json_object_get(parent, key);

    if (there != NULL && json_typeof(there) == json_typeof(empty)) {
        json_decref(empty);
        return there;
    }
    int status = json_is_array(parent) ? json_array_append_new(parent, empty)
                                       : json_object_set_new(parent, key, empty);
    return status == 0 ? empty : NULL; /* a name that is no UTF-8 */
}

static void add_steps(json_t *input, const char *name, const char *path, size_t steps,
                      json_t *value)
{
    json_t *parent = input;
    const char *key = name;

    for (size_t i = 0; i < steps && i < INPUT_STEPS; i++) {
        parent = container(parent, key, is_index(path) ? json_array() : json_object());
        if (parent == NULL) {
            json_decref(value);
            return;
        }
        key = path;
        path += strlen(path) + 1;
    }
    if (json_is_array(parent))
        json_array_append_new(parent, value);
    else if (json_object_set_new(parent, key, value) < 0) /* the name is no UTF-8: nobody asks */
        return;
}

static int add_pair(void *context, const struct form_pair *pair, struct error *err)
{
    (void)err;
    add_steps(context, pair->name, pair->path, pair->steps,
              json_stringn_nocheck(pair->value, pair->value_bytes));
    return 0;
}

void input_add_field(json_t *input, const char *name, const char *value, size_t bytes)
{
    char copy[FIELD_NAME];
    char path[FIELD_NAME];
    size_t steps = 0, used = 0;

    if (strlen(name) >= sizeof(copy) || *name == '\0')
        return;
    strcpy(copy, name); /* its length has just been checked */
    char *bracket = strchr(copy, '[');
    while (bracket != NULL && bracket != copy) {
        char *close = strchr(bracket, ']');
        if (close == NULL)
            break;
        *bracket = *close = '\0';
        size_t length = (size_t)(close - bracket);
        memcpy(path + used, bracket + 1, length);
        used += length;
        steps++;
        bracket = close[1] == '[' ? close + 1 : NULL;
    }
    path[used] = '\0';
    add_steps(input, copy, path, steps, json_stringn_nocheck(value, bytes));
}

/* ---- bodies ---------------------------------------------------------------------------------- */

struct fields {
    json_t *input;
    char name[FIELD_NAME];
    struct buffer value;
    size_t count;
};

static int on_part(void *context, const struct multipart_part *part, struct error *err)
{
    struct fields *fields = context;

    if (++fields->count > INPUT_FIELDS || strlen(part->name) >= sizeof(fields->name))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, NULL);
    strcpy(fields->name, part->name); /* its length has just been checked */
    buffer_reset(&fields->value);
    return 0;
}

static int on_data(void *context, const char *data, size_t bytes, struct error *err)
{
    struct fields *fields = context;

    if (buffer_add(&fields->value, data, bytes) < 0)
        return fail(err, ERROR_GENERAL_PAYLOAD_TOO_LARGE, NULL);
    return 0;
}

static int on_part_end(void *context, struct error *err)
{
    struct fields *fields = context;

    (void)err;
    input_add_field(fields->input, fields->name,
                    fields->value.data == NULL ? "" : fields->value.data, fields->value.size);
    return 0;
}

static int from_multipart(const char *content_type, const char *body, size_t bytes, json_t *input,
                          struct error *err)
{
    struct fields fields = { .input = input };
    struct multipart_events events = { &fields, on_part, on_data, on_part_end };
    struct multipart *multipart = NULL;

    if (bytes == 0)
        return 0;
    buffer_init(&fields.value, bytes);
    int status = multipart_new(content_type, &events, &multipart, err);
    if (status == 0)
        status = multipart_feed(multipart, body, bytes, err);
    if (status == 0)
        status = multipart_finish(multipart, err);
    multipart_free(multipart);
    buffer_release(&fields.value);
    return status;
}

static int from_json(const char *body, size_t bytes, json_t **ret_input, struct error *err)
{
    const char *reason = "";

    while (bytes > 0 && isspace((unsigned char)body[0])) {
        body++;
        bytes--;
    }
    if (bytes == 0) {
        *ret_input = json_object();
        return 0;
    }
    json_t *value = json_read(body, bytes, &reason);
    bool is_none = json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0);
    if (value != NULL && is_none) {
        json_decref(value);
        value = json_object();
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "The body is no JSON object: %s",
                    *reason == '\0' ? "another kind of value" : reason);
    }
    *ret_input = value;
    return 0;
}

int input_from_body(const char *content_type, const char *body, size_t bytes, json_t **ret_input,
                    struct error *err)
{
    enum input_form form = input_form_of(content_type);

    if (form == INPUT_JSON)
        return from_json(body, bytes, ret_input, err);
    json_t *input = json_object();
    int status = form == INPUT_MULTIPART
                     ? from_multipart(content_type, body, bytes, input, err)
                     : form_parse(body, bytes, INPUT_FIELDS, add_pair, input, err);
    if (status < 0) {
        json_decref(input);
        return -1;
    }
    *ret_input = input;
    return 0;
}

int input_from_query(const char *query, json_t **ret_input, struct error *err)
{
    json_t *input = json_object();

    if (form_parse(query, strlen(query), INPUT_FIELDS, add_pair, input, err) < 0) {
        json_decref(input);
        return -1;
    }
    *ret_input = input;
    return 0;
}
