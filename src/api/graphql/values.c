/*
 * Values: which literal may stand for which type, and literals and variables as JSON. One value
 * where a list is asked for is a list of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graphql/graphql.h"
#include "mem.h"
#include "text.h"

enum { SHOWN_BYTES = 64 };

/* ---- scalars --------------------------------------------------------------------------------- */

/* Why a value is none of the type, as a sentence without its end; NULL: it is one. */
static const char *scalar_problem(struct gql_type type, const json_t *value)
{
    bool is_whole = json_is_integer(value) ||
                    (json_is_real(value) &&
                     floor(json_real_value(value)) == json_real_value(value));

    if (gql_is_named(type, "String") && !json_is_string(value))
        return "String cannot represent a non string value";
    if (gql_is_named(type, "Boolean") && !json_is_boolean(value))
        return "Boolean cannot represent a non boolean value";
    if (gql_is_named(type, "Int") && !is_whole)
        return "Int cannot represent non-integer value";
    if (gql_is_named(type, "Int") && fabs(json_number_value(value)) > 2147483647.0)
        return "Int cannot represent non 32-bit signed integer value";
    if (gql_is_named(type, "Float") && !json_is_number(value))
        return "Float cannot represent non numeric value";
    if (gql_is_named(type, "Assoc") && !json_is_object(value) && !json_is_string(value) &&
        !json_is_array(value))
        return "Assoc cannot represent a value that is no object";
    return NULL;
}

static json_t *number_json(const struct gql_value *value)
{
    int64_t number = 0;

    if (value->kind == GQL_VALUE_INT && text_to_int(value->text, &number) == 0)
        return json_integer(number);
    double real = strtod(value->text, NULL);
    return isfinite(real) ? json_real(real) : json_null();
}

/* ---- literals -------------------------------------------------------------------------------- */

static json_t *list_json(struct gql_type list, const struct gql_value *value,
                         const json_t *variables)
{
    json_t *items = json_array();

    if (value->kind != GQL_VALUE_LIST) {
        json_t *item = gql_value_json(gql_item(list), value, variables);
        json_array_append_new(items, item == NULL ? json_null() : item);
        return items;
    }
    for (const struct gql_value *at = value->items; at != NULL; at = at->next) {
        json_t *item = gql_value_json(gql_item(list), at, variables);
        json_array_append_new(items, item == NULL ? json_null() : item);
    }
    return items;
}

static json_t *object_json(const struct gql_value *value, const json_t *variables)
{
    struct gql_type any = { "", 0 };
    json_t *object = json_object();

    for (const struct gql_value *at = value->items; at != NULL; at = at->next) {
        json_t *member = gql_value_json(any, at, variables);
        if (member != NULL)
            json_object_set_new(object, at->key, member);
    }
    return object;
}

json_t *gql_value_json(struct gql_type type, const struct gql_value *value, const json_t *variables)
{
    struct gql_type list = gql_optional(type);

    if (value->kind == GQL_VARIABLE)
        return json_incref(json_object_get(variables, value->text));
    if (value->kind == GQL_VALUE_NULL)
        return json_null();
    if (gql_is_list(list))
        return list_json(list, value, variables);
    switch (value->kind) {
    case GQL_VALUE_INT:
    case GQL_VALUE_FLOAT:
        return number_json(value);
    case GQL_VALUE_STRING:
    case GQL_VALUE_ENUM:
        return json_stringn_nocheck(value->text, value->bytes);
    case GQL_VALUE_BOOLEAN:
        return json_boolean(strcmp(value->text, "true") == 0);
    case GQL_VALUE_LIST: { /* inside of Json */
        json_t *items = json_array();
        for (const struct gql_value *at = value->items; at != NULL; at = at->next) {
            json_t *item = gql_value_json((struct gql_type){ "", 0 }, at, variables);
            json_array_append_new(items, item == NULL ? json_null() : item);
        }
        return items;
    }
    case GQL_VALUE_OBJECT:
        return object_json(value, variables);
    case GQL_VARIABLE:
    case GQL_VALUE_NULL:
        break;
    }
    return json_null();
}

static const char *literal_text(const struct gql_value *value, char ret_text[SHOWN_BYTES])
{
    const char *quote = value->kind == GQL_VALUE_STRING ? "\"" : "";
    size_t bytes = 0;

    if (value->kind == GQL_VALUE_LIST)
        return "[...]";
    if (value->kind == GQL_VALUE_OBJECT)
        return "{...}";
    /* whole characters only */
    for (size_t step; bytes < value->bytes && bytes < SHOWN_BYTES - 12; bytes += step)
        if ((step = text_utf8_step(value->text + bytes, value->bytes - bytes)) == 0 ||
            value->text[bytes] == '\0')
            break;
    snprintf(ret_text, SHOWN_BYTES, "%s%.*s%s%s", quote, (int)bytes, value->text,
             bytes < value->bytes ? "..." : "", quote);
    return ret_text;
}

static void check_scalar(struct gql_errors *errors, struct gql_type type,
                         const struct gql_value *value)
{
    json_t *json = gql_value_json(type, value, NULL);
    const char *problem = scalar_problem(type, json);
    char text[SHOWN_BYTES];

    if (value->kind == GQL_VALUE_ENUM && problem == NULL && gql_is_named(type, "String"))
        problem = "String cannot represent a non string value";
    if (value->kind == GQL_VALUE_FLOAT && gql_is_named(type, "Int"))
        problem = "Int cannot represent non-integer value";
    if (gql_is_named(type, "InputFile"))
        problem = "InputFile is a variable that a multipart request maps to a file, not";
    if (problem != NULL)
        gql_refuse(errors, value->at, "%s: %s", problem, literal_text(value, text));
    json_decref(json);
}

void gql_check_literal(const struct gql_schema *schema, struct gql_errors *errors,
                       struct gql_type type, const struct gql_value *value)
{
    struct gql_type inner = gql_optional(type);

    if (value->kind == GQL_VARIABLE || errors->count >= GQL_ERRORS)
        return;
    if (value->kind == GQL_VALUE_NULL) {
        if (gql_is_required(type))
            gql_refuse(errors, value->at, "Expected value of type \"%.*s\", found null.",
                       (int)type.bytes, type.text);
        return;
    }
    if (!gql_is_list(inner)) {
        check_scalar(errors, inner, value);
        return;
    }
    if (value->kind != GQL_VALUE_LIST) {
        gql_check_literal(schema, errors, gql_item(inner), value);
        return;
    }
    for (const struct gql_value *at = value->items; at != NULL; at = at->next)
        gql_check_literal(schema, errors, gql_item(inner), at);
}

/* ---- variables ------------------------------------------------------------------------------- */

struct reading {
    struct gql_errors *errors;
    const struct gql_variable *variable;
    unsigned nesting;
};

static json_t *refuse_value(struct reading *reading, const char *problem, const json_t *value)
{
    auto_free char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    const char *text = dumped == NULL ? "" : dumped;

    gql_refuse(reading->errors, reading->variable->at,
               "Variable \"$%.*s\" got invalid value %.*s; %s: %.*s", GQL_NAME,
               reading->variable->name, SHOWN_BYTES, text, problem, SHOWN_BYTES, text);
    return NULL;
}

/* New reference, or NULL after an error. */
static json_t *read_value(struct reading *reading, struct gql_type type, json_t *value)
{
    struct gql_type inner = gql_optional(type);

    if (json_is_null(value)) {
        if (!gql_is_required(type))
            return json_null();
        gql_refuse(reading->errors, reading->variable->at,
                   "Variable \"$%.*s\" of non-null type \"%.*s\" must not be null.", GQL_NAME,
                   reading->variable->name, GQL_NAME, reading->variable->type);
        return NULL;
    }
    if (!gql_is_list(inner)) {
        const char *problem = scalar_problem(inner, value);
        if (problem != NULL)
            return refuse_value(reading, problem, value);
        if (gql_is_named(inner, "Int") && json_is_real(value))
            return json_integer((json_int_t)json_real_value(value));
        return json_incref(value);
    }
    json_t *items = json_array();
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        json_t *given = json_is_array(value) ? json_array_get(value, i) : value;
        json_t *item = read_value(reading, gql_item(inner), given);
        if (item == NULL) {
            json_decref(items);
            return NULL;
        }
        json_array_append_new(items, item);
    }
    return items;
}

static void read_variable(struct gql_request *request, const struct gql_variable *variable)
{
    struct reading reading = { .errors = &request->errors, .variable = variable };
    struct gql_type type = gql_type(variable->type);
    json_t *given = json_object_get(request->given, variable->name), *value = NULL;

    if (given != NULL)
        value = read_value(&reading, type, given);
    else if (variable->fallback != NULL)
        value = gql_value_json(type, variable->fallback, NULL);
    else if (gql_is_required(type))
        gql_refuse(&request->errors, variable->at,
                   "Variable \"$%.*s\" of required type \"%.*s\" was not provided.", GQL_NAME,
                   variable->name, GQL_NAME, variable->type);
    if (value != NULL)
        json_object_set_new(request->variables, variable->name, value);
}

void gql_read_variables(const struct gql_schema *schema, struct gql_request *request)
{
    (void)schema;
    request->variables = json_object();
    for (const struct gql_variable *at = request->operation->variables; at != NULL; at = at->next)
        if (request->errors.count < GQL_ERRORS)
            read_variable(request, at);
}
