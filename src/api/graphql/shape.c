/* From the JSON an endpoint answered to what was asked of it. What a document lacks is null. */
#include <stdlib.h>
#include <string.h>

#include "graphql/graphql.h"
#include "json_text.h"
#include "mem.h"

static void shape_value(struct buffer *out, struct gql_type type, const struct gql_step *step,
                        const json_t *value);

static void shape_scalar(struct buffer *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        json_text_string(out, json_string_value(value), json_string_length(value));
        return;
    case JSON_INTEGER:
        buffer_add_int(out, json_integer_value(value));
        return;
    case JSON_REAL:
        json_text_double(out, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        buffer_add_text(out, json_is_true(value) ? "true" : "false");
        return;
    case JSON_NULL:
        buffer_add_text(out, "null");
        return;
    case JSON_OBJECT:
    case JSON_ARRAY: {
        auto_free char *text = json_dumps(value, JSON_COMPACT);
        buffer_add_text(out, text == NULL ? "null" : text);
        return;
    }
    }
}

static void shape_object(struct buffer *out, const struct gql_step *steps, const json_t *value)
{
    buffer_add_char(out, '{');
    for (const struct gql_step *step = steps; step != NULL; step = step->next) {
        json_text_key(out, step->key);
        if (step->field == NULL)
            json_text_string(out, step->on->name, strlen(step->on->name));
        else
            shape_value(out, gql_type(step->field->type), step,
                        json_object_get(value, step->field->member));
    }
    buffer_add_char(out, '}');
}

static void shape_value(struct buffer *out, struct gql_type type, const struct gql_step *step,
                        const json_t *value)
{
    if (value == NULL || json_is_null(value)) {
        buffer_add_text(out, "null");
        return;
    }
    type = gql_optional(type);
    if (!gql_is_list(type)) {
        if (step->steps != NULL)
            shape_object(out, step->steps, value);
        else
            shape_scalar(out, value);
        return;
    }
    buffer_add_char(out, '[');
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i > 0)
            buffer_add_char(out, ',');
        shape_value(out, gql_item(type), step, json_array_get(value, i));
    }
    buffer_add_char(out, ']');
}

void gql_shape(struct buffer *out, const struct gql_step *step, const json_t *value)
{
    shape_value(out, gql_type(step->field->type), step, value);
}
